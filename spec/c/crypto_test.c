/* Signing where memory is short, be it ours or OpenSSL's, which allocates through
 * CRYPTO_set_mem_functions(). What is signed, Lua specs judge by openssl(1). */
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
static char bundle[8192]; /* certificates: of another key, then two of this one */

/* The traditional form: PKCS#8 would hash the passphrase 2048 times for each try. */
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

static void tells_failures_apart(void) {
  check(sign(pem, NULL) == CRYPTO_DONE, "signs");
  check(sign(encrypted, "pw") == CRYPTO_DONE, "signs with an encrypted key");
  check(sign(encrypted, NULL) == CRYPTO_KEY_ENCRYPTED, "asks for a passphrase by an error alone");
  check(sign(encrypted, "no") == CRYPTO_KEY_STAYS_SHUT, "knows a wrong passphrase");
  check(sign("no key", NULL) == CRYPTO_KEY_NOT_PEM, "knows what is no PEM");
  check(ERR_peek_error() == 0, "leaves no error to the next user of OpenSSL");
  ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
  check(sign(encrypted, "no") == CRYPTO_KEY_STAYS_SHUT, "takes no error of others for its own");
  check(ERR_peek_error() == 0, "and leaves none of theirs");
}

static long allocations(const char *key_pem, const char *passphrase) {
  fail_alloc_at(LONG_MAX);
  const bool done = sign(key_pem, passphrase) == CRYPTO_DONE;
  const long n = LONG_MAX - fail_alloc_left();
  fail_alloc_at(0);
  return done ? n : 0;
}

/* Nearly all of OpenSSL's thousands of allocations happen while it tries one decoder
 * after the other, and it does without any of these: of them, one in a hundred is
 * enough. It also has failures that its error queue keeps quiet about. */
static void survives_lack_of_memory(const char *key_pem, const char *passphrase) {
  const long all = allocations(key_pem, passphrase);
  int told = 0;
  int misled = 0;
  int left = 0;
  for (long n = 1; n <= all; n += n < 10 || n > all - 150 ? 1 : 97) {
    fail_alloc_at(n);
    const enum crypto_code code = sign(key_pem, passphrase);
    fail_alloc_at(0);
    told += code == CRYPTO_NO_MEMORY;
    misled += code != CRYPTO_NO_MEMORY && code != CRYPTO_DONE && code != CRYPTO_FAILED;
    left += ERR_peek_error() != 0;
  }
  check(all > 150 && told > 50, "tells of lacking memory");
  check(misled == 0, "blames neither key nor passphrase for it");
  check(left == 0, "leaves no error to the next user of OpenSSL");
  check(sign(key_pem, passphrase) == CRYPTO_DONE, "signs afterwards");
}

/* Days that the certificate of the key is good for; 0 and a code for none. */
static long find(enum crypto_code *code) {
  struct crypto_certificate found;
  const struct crypto_key key = {.pem = text_of(pem)};
  *code = crypto_certificate(text_of(bundle), &key, &found);
  return *code == CRYPTO_DONE ? (long)((found.not_after - found.not_before) / 86400) : 0;
}

/* Where memory is short, no other certificate may stand in for the right one. */
static void finds_the_certificate(void) {
  enum crypto_code code;
  int wrong = 0;
  int left = 0;
  check(find(&code) == 60, "finds the newest certificate of the key");
  fail_alloc_at(LONG_MAX);
  find(&code);
  const long all = LONG_MAX - fail_alloc_left();
  fail_alloc_at(0);
  for (long n = 1; n <= all; n += n < 10 || n > all - 600 ? 1 : 97) {
    fail_alloc_at(n);
    const long days = find(&code);
    fail_alloc_at(0);
    wrong += code == CRYPTO_DONE ? days != 60 : code == CRYPTO_KEY_OF_OTHERS;
    left += ERR_peek_error() != 0;
  }
  check(all > 150 && wrong == 0, "takes no other certificate where memory is short");
  check(left == 0, "leaves no error to the next user of OpenSSL");
}

int main(void) {
  if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1)
    return 2;
  make_key();
  tells_failures_apart();
  survives_lack_of_memory(pem, NULL);
  survives_lack_of_memory(encrypted, "pw");
  finds_the_certificate();
  return check_result("crypto");
}
