/* Signing and HMACs without memory: allocations of our own code and of OpenSSL, through
 * CRYPTO_set_mem_functions(), fail. The Lua specs verify signatures with openssl(1). */
#include "crypto.h"
#include "check.h"
#include "fail_alloc.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static void *allocate(size_t size, const char *file, int line) {
  (void)file, (void)line;
  return malloc(size);
}

static void *reallocate(void *block, size_t size, const char *file, int line) {
  (void)file, (void)line;
  return realloc(block, size);
}

static void release(void *block, const char *file, int line) {
  (void)file, (void)line;
  free(block);
}

static char pem[8192];
static char encrypted[8192];
static char bundle[8192]; /* certificates: one of another key, then two of this key */

/* Writes the traditional format: with PKCS#8 each try would hash the passphrase 2048 times. */
static void write_pem(EVP_PKEY *pkey, const EVP_CIPHER *cipher, char *into, size_t size) {
  BIO *bio = BIO_new(BIO_s_mem());
  const unsigned char *password = cipher ? (const unsigned char *)"pw" : NULL;
  PEM_write_bio_PrivateKey_traditional(bio, pkey, cipher, password, cipher ? 2 : 0, NULL, NULL);
  const int len = BIO_read(bio, into, (int)size - 1);
  if (len <= 0)
    abort();
  into[len] = '\0';
  BIO_free(bio);
}

static void append_certificate(BIO *bio, EVP_PKEY *pkey, long days) {
  X509 *x509 = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(x509), days);
  X509_gmtime_adj(X509_getm_notBefore(x509), 0);
  X509_gmtime_adj(X509_getm_notAfter(x509), days * 86400);
  X509_set_pubkey(x509, pkey);
  if (X509_sign(x509, pkey, EVP_sha256()) == 0 || PEM_write_bio_X509(bio, x509) != 1)
    abort();
  X509_free(x509);
}

static void make_bundle(EVP_PKEY *pkey) {
  EVP_PKEY *other = EVP_RSA_gen(2048);
  BIO *bio = BIO_new(BIO_s_mem());
  append_certificate(bio, other, 90);
  append_certificate(bio, pkey, 30);
  append_certificate(bio, pkey, 60);
  const int len = BIO_read(bio, bundle, (int)sizeof bundle - 1);
  if (len <= 0)
    abort();
  bundle[len] = '\0';
  BIO_free(bio);
  EVP_PKEY_free(other);
}

static void make_key(void) {
  EVP_PKEY *pkey = EVP_RSA_gen(2048);
  write_pem(pkey, NULL, pem, sizeof pem);
  write_pem(pkey, EVP_aes_128_cbc(), encrypted, sizeof encrypted);
  make_bundle(pkey);
  EVP_PKEY_free(pkey);
}

static struct crypto_text text_of(const char *text) {
  return (struct crypto_text){.data = text, .len = text ? strlen(text) : 0};
}

static enum crypto_code sign(const char *key_pem, const char *passphrase) {
  struct crypto_signature signature;
  const struct crypto_key key = {.pem = text_of(key_pem), .passphrase = text_of(passphrase)};
  return crypto_sign(CRYPTO_PS256, text_of("text"), &key, &signature);
}

static void distinguishes_failures(void) {
  check(sign(pem, NULL) == CRYPTO_DONE, "it signs");
  check(sign(encrypted, "pw") == CRYPTO_DONE, "it signs with an encrypted key");
  check(sign(encrypted, NULL) == CRYPTO_KEY_ENCRYPTED, "it reports a missing passphrase");
  check(sign(encrypted, "no") == CRYPTO_KEY_WRONG_PASSPHRASE, "it reports a wrong passphrase");
  check(sign("no key", NULL) == CRYPTO_KEY_NOT_PEM, "it reports a text that is not PEM");
  check(ERR_peek_error() == 0, "it leaves no error for the next user of OpenSSL");
  ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
  check(sign(encrypted, "no") == CRYPTO_KEY_WRONG_PASSPHRASE,
        "it ignores an error that another user has left");
  check(ERR_peek_error() == 0, "and removes it");
}

static long allocations(const char *key_pem, const char *passphrase) {
  fail_alloc_at(LONG_MAX);
  const bool done = sign(key_pem, passphrase) == CRYPTO_DONE;
  const long n = LONG_MAX - fail_alloc_left();
  fail_alloc_at(0);
  return done ? n : 0;
}

/* OpenSSL makes nearly all of its thousands of allocations while it tries its decoders, and works
 * without any one of these: failing one in a hundred of them is enough. Some failures are not in
 * its error queue. */
static void survives_lack_of_memory(const char *key_pem, const char *passphrase) {
  const long all = allocations(key_pem, passphrase);
  int reported = 0;
  int misled = 0;
  int left = 0;
  for (long n = 1; n <= all; n += n < 10 || n > all - 150 ? 1 : 97) {
    fail_alloc_at(n);
    const enum crypto_code code = sign(key_pem, passphrase);
    fail_alloc_at(0);
    reported += code == CRYPTO_NO_MEMORY;
    misled += code != CRYPTO_NO_MEMORY && code != CRYPTO_DONE && code != CRYPTO_FAILED;
    left += ERR_peek_error() != 0;
  }
  check(all > 150 && reported > 50, "it reports lack of memory");
  check(misled == 0, "and blames neither the key nor the passphrase");
  check(left == 0, "it leaves no error for the next user of OpenSSL");
  check(sign(key_pem, passphrase) == CRYPTO_DONE, "it signs afterwards");
}

/* Returns for how many days the certificate of the key is valid; 0 if *code is a failure. */
static long find(enum crypto_code *code) {
  struct crypto_certificate found;
  const struct crypto_key key = {.pem = text_of(pem)};
  *code = crypto_certificate(text_of(bundle), &key, &found);
  return *code == CRYPTO_DONE ? (long)((found.not_after - found.not_before) / 86400) : 0;
}

/* Without memory it must not return another certificate. */
static void finds_the_certificate(void) {
  enum crypto_code code;
  int wrong = 0;
  int left = 0;
  check(find(&code) == 60, "it finds the newest certificate of the key");
  fail_alloc_at(LONG_MAX);
  find(&code);
  const long all = LONG_MAX - fail_alloc_left();
  fail_alloc_at(0);
  for (long n = 1; n <= all; n += n < 10 || n > all - 600 ? 1 : 97) {
    fail_alloc_at(n);
    const long days = find(&code);
    fail_alloc_at(0);
    wrong += code == CRYPTO_DONE ? days != 60 : code == CRYPTO_KEY_MISMATCH;
    left += ERR_peek_error() != 0;
  }
  check(all > 150 && wrong == 0, "it returns no other certificate without memory");
  check(left == 0, "it leaves no error for the next user of OpenSSL");
}

static enum crypto_code authenticate(const char *key, unsigned char digest[CRYPTO_SHA256_SIZE]) {
  return crypto_hmac_sha256(text_of(key), text_of("what do ya want for nothing?"), digest);
}

/* RFC 4231, test case 2. Without memory it must not return another HMAC. */
static void authenticates(void) {
  static const unsigned char first[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e};
  unsigned char digest[CRYPTO_SHA256_SIZE];
  int reported = 0;
  int wrong = 0;
  check(authenticate("Jefe", digest) == CRYPTO_DONE && memcmp(digest, first, sizeof first) == 0,
        "it makes the HMAC of RFC 4231");
  fail_alloc_at(LONG_MAX);
  authenticate("Jefe", digest);
  const long all = LONG_MAX - fail_alloc_left();
  for (long n = 1; n <= all; n++) {
    memset(digest, 0, sizeof digest);
    fail_alloc_at(n);
    const enum crypto_code code = authenticate("Jefe", digest);
    fail_alloc_at(0);
    reported += code != CRYPTO_DONE;
    wrong += code == CRYPTO_DONE && memcmp(digest, first, sizeof first) != 0;
  }
  check(all > 3 && reported > 3 && wrong == 0, "it makes no other HMAC without memory");
  check(ERR_peek_error() == 0, "it leaves no error for the next user of OpenSSL");
}

static void encodes(void) {
  char text[16];
  memset(text, 'x', sizeof text);
  check(crypto_base64((const unsigned char *)"\xfb\xef\xbe", 3, text) == 4 &&
            strcmp(text, "++++") == 0,
        "it encodes in the plain alphabet");
  check(crypto_base64_room(4) == 9 && crypto_base64((const unsigned char *)"four", 4, text) == 8 &&
            strcmp(text, "Zm91cg==") == 0 && text[9] == 'x',
        "it pads, and writes no more than it has room for");
}

int main(void) {
  if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1)
    return 2;
  make_key();
  distinguishes_failures();
  survives_lack_of_memory(pem, NULL);
  survives_lack_of_memory(encrypted, "pw");
  finds_the_certificate();
  authenticates();
  encodes();
  return check_result("crypto");
}
