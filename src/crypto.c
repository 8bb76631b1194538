#include "crypto.h"
#include "platform.h"

#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#if OPENSSL_VERSION_NUMBER < 0x30000000L
#error "pcapi needs OpenSSL 3.0 or later"
#endif

#define KEY_BITS_MIN 2048 /* RFC 7518 §3.3 and §3.5 */
#define RANDOM_MAX 256    /* bytes of one call */

bool crypto_random(void *bytes, size_t n) {
  unsigned char *p = bytes;
  for (size_t part; n > 0; p += part, n -= part) {
    part = n < RANDOM_MAX ? n : RANDOM_MAX;
    if (!platform_random(p, part))
      return false;
  }
  return true;
}

/* Empties OpenSSL's error queue. Replaces a code by a more precise one if the queue knows better:
 * a message must not call a key damaged, or a passphrase wrong, when memory was short. */
static enum crypto_code finish(enum crypto_code code) {
  unsigned long error;
  while ((error = ERR_get_error()) != 0) {
    const int reason = ERR_GET_REASON(error);
    if (code != CRYPTO_DONE && reason == ERR_R_MALLOC_FAILURE)
      code = CRYPTO_NO_MEMORY;
    if (code == CRYPTO_KEY_WRONG_PASSPHRASE && reason == ERR_R_UNSUPPORTED &&
        ERR_GET_LIB(error) == ERR_LIB_EVP)
      code = CRYPTO_KEY_CIPHER;
  }
  return code;
}

enum crypto_code crypto_sha256(struct crypto_text text, unsigned char digest[CRYPTO_SHA256_SIZE]) {
  ERR_clear_error();
  const int ok = EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL);
  return finish(ok ? CRYPTO_DONE : CRYPTO_FAILED);
}

enum crypto_code crypto_hmac_sha256(struct crypto_text key, struct crypto_text text,
                                    unsigned char digest[CRYPTO_SHA256_SIZE]) {
  size_t len = 0;
  ERR_clear_error();
  const bool ok = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.data, key.len,
                            (const unsigned char *)text.data, text.len, digest, CRYPTO_SHA256_SIZE,
                            &len) != NULL;
  return finish(ok && len == CRYPTO_SHA256_SIZE ? CRYPTO_DONE : CRYPTO_FAILED);
}

size_t crypto_base64_room(size_t n) {
  return (n + 2) / 3 * 4 + 1;
}

size_t crypto_base64(const unsigned char *bytes, size_t n, char *text) {
  return (size_t)EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);
}

struct prompt {
  struct crypto_text passphrase;
  bool was_needed;
};

/* A pem_password_cb. Without one OpenSSL would ask at the terminal. */
static int give_passphrase(char *into, int size, int writing, void *userdata) {
  struct prompt *prompt = userdata;
  (void)writing;
  prompt->was_needed = true;
  if (!prompt->passphrase.data || prompt->passphrase.len > (size_t)size)
    return -1;
  memcpy(into, prompt->passphrase.data, prompt->passphrase.len);
  return (int)prompt->passphrase.len;
}

static bool looks_like_pem(struct crypto_text text) {
  static const char begin[] = "-----BEGIN ";
  const char *p = text.data;
  const char *end = p + text.len;
  while ((p = memchr(p, '-', (size_t)(end - p))) != NULL) {
    if ((size_t)(end - p) >= strlen(begin) && memcmp(p, begin, strlen(begin)) == 0)
      return true;
    p++;
  }
  return false;
}

static bool is_pem(struct crypto_text text) {
  return text.data && text.len <= CRYPTO_PEM_MAX && looks_like_pem(text);
}

/* Reads a private key into *pkey, which the caller frees. */
static enum crypto_code read_key(const struct crypto_key *key, EVP_PKEY **pkey) {
  struct prompt prompt = {.passphrase = key->passphrase, .was_needed = false};
  if (!is_pem(key->pem))
    return CRYPTO_KEY_NOT_PEM;
  BIO *bio = BIO_new_mem_buf(key->pem.data, (int)key->pem.len);
  if (!bio)
    return CRYPTO_NO_MEMORY;
  *pkey = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &prompt);
  BIO_free(bio);
  if (*pkey)
    return CRYPTO_DONE;
  if (!prompt.was_needed)
    return CRYPTO_KEY_MISSING;
  return key->passphrase.data ? CRYPTO_KEY_WRONG_PASSPHRASE : CRYPTO_KEY_ENCRYPTED;
}

/* Reads the next certificate of bio into *x509, which the caller frees. At the end of bio it
 * returns CRYPTO_DONE with *x509 NULL. */
static enum crypto_code next_certificate(BIO *bio, X509 **x509) {
  struct prompt prompt = {.was_needed = false};
  ERR_clear_error();
  *x509 = PEM_read_bio_X509(bio, NULL, give_passphrase, &prompt);
  if (*x509)
    return CRYPTO_DONE;
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE
             ? CRYPTO_DONE
             : CRYPTO_CERTIFICATE_UNREADABLE;
}

/* A bundle may hold an old certificate and, behind it, the renewed one. */
static bool is_better(const X509 *x509, const X509 *than) {
  return !than || ASN1_TIME_compare(X509_get0_notAfter(x509), X509_get0_notAfter(than)) > 0;
}

/* Returns CRYPTO_DONE for a certificate of the key, CRYPTO_KEY_MISMATCH for another one.
 * X509_check_private_key() also fails where it could not compare: only the reasons that mean a
 * difference count as a mismatch. */
static enum crypto_code compare(const X509 *x509, const EVP_PKEY *pkey) {
  ASN1_OBJECT *algorithm = NULL;
  ERR_clear_error();
  if (X509_check_private_key(x509, pkey) == 1)
    return CRYPTO_DONE;
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH)
    return CRYPTO_KEY_MISMATCH;
  X509_PUBKEY_get0_param(&algorithm, NULL, NULL, NULL, X509_get_X509_PUBKEY(x509));
  /* this OpenSSL may not support the certificate's type of key */
  return algorithm && OBJ_obj2nid(algorithm) != EVP_PKEY_base_id(pkey) ? CRYPTO_KEY_MISMATCH
                                                                       : CRYPTO_FAILED;
}

/* Finds the first certificate in bio; with a key, among those of the key the one that expires
 * last. The caller frees *found, even after a failure. */
static enum crypto_code find_certificate(BIO *bio, const EVP_PKEY *pkey, X509 **found) {
  X509 *x509 = NULL;
  bool any = false;
  enum crypto_code code;
  while ((code = next_certificate(bio, &x509)) == CRYPTO_DONE && x509) {
    any = true;
    code = pkey ? compare(x509, pkey) : CRYPTO_DONE;
    if (code == CRYPTO_DONE && is_better(x509, *found)) {
      X509_free(*found);
      *found = x509;
    } else {
      X509_free(x509);
    }
    if (!pkey || code == CRYPTO_FAILED)
      return code;
  }
  if (code == CRYPTO_DONE && !*found)
    code = any ? CRYPTO_KEY_MISMATCH : CRYPTO_CERTIFICATE_UNREADABLE;
  return code;
}

/* Like find_certificate(), in a PEM. */
static enum crypto_code read_certificate(struct crypto_text pem, const EVP_PKEY *pkey,
                                         X509 **found) {
  *found = NULL;
  if (!is_pem(pem))
    return CRYPTO_CERTIFICATE_NOT_PEM;
  BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
  if (!bio)
    return CRYPTO_NO_MEMORY;
  const enum crypto_code code = find_certificate(bio, pkey, found);
  BIO_free(bio);
  return code;
}

static enum crypto_code check_type(const EVP_PKEY *pkey) {
  const int bits = EVP_PKEY_bits(pkey);
  if (bits <= 0) /* OpenSSL ran out of memory */
    return CRYPTO_FAILED;
  return EVP_PKEY_base_id(pkey) == EVP_PKEY_RSA && bits >= KEY_BITS_MIN ? CRYPTO_DONE
                                                                        : CRYPTO_KEY_UNSUITABLE;
}

/* RFC 7518 §3.5: MGF1 with the same hash, and a salt as long as the hash. */
static int use_pss(EVP_PKEY_CTX *context) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) > 0 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, CRYPTO_SHA256_SIZE) > 0;
}

static enum crypto_code sign_with(EVP_PKEY *pkey, enum crypto_alg alg, struct crypto_text text,
                                  struct crypto_signature *signature) {
  EVP_PKEY_CTX *context = NULL; /* belongs to md */
  EVP_MD_CTX *md = EVP_MD_CTX_new();
  if (!md)
    return CRYPTO_NO_MEMORY;
  signature->len = sizeof signature->bytes;
  const bool ok = EVP_DigestSignInit(md, &context, EVP_sha256(), NULL, pkey) == 1 &&
                  (alg == CRYPTO_RS256 || use_pss(context)) &&
                  EVP_DigestSign(md, signature->bytes, &signature->len,
                                 (const unsigned char *)text.data, text.len) == 1;
  EVP_MD_CTX_free(md);
  return ok ? CRYPTO_DONE : CRYPTO_FAILED;
}

enum crypto_code crypto_sign(enum crypto_alg alg, struct crypto_text text,
                             const struct crypto_key *key, struct crypto_signature *signature) {
  EVP_PKEY *pkey = NULL;
  ERR_clear_error();
  enum crypto_code code = read_key(key, &pkey);
  if (code == CRYPTO_DONE)
    code = check_type(pkey);
  if (code == CRYPTO_DONE)
    code = sign_with(pkey, alg, text, signature);
  EVP_PKEY_free(pkey);
  return finish(code);
}

static bool epoch_of(const ASN1_TIME *time, long long *seconds) {
  struct tm tm;
  if (ASN1_TIME_to_tm(time, &tm) != 1)
    return false;
  *seconds = (long long)timegm(&tm);
  return true;
}

static enum crypto_code read_facts(const X509 *x509, struct crypto_certificate *certificate) {
  return X509_digest(x509, EVP_sha256(), certificate->sha256, NULL) == 1 &&
                 epoch_of(X509_get0_notBefore(x509), &certificate->not_before) &&
                 epoch_of(X509_get0_notAfter(x509), &certificate->not_after)
             ? CRYPTO_DONE
             : CRYPTO_CERTIFICATE_UNREADABLE;
}

enum crypto_code crypto_certificate(struct crypto_text pem, const struct crypto_key *key,
                                    struct crypto_certificate *certificate) {
  X509 *x509 = NULL;
  EVP_PKEY *pkey = NULL;
  ERR_clear_error();
  /* certificates first: if there is none, the error must not speak of the key */
  enum crypto_code code = read_certificate(pem, NULL, &x509);
  if (code == CRYPTO_DONE && key) {
    X509_free(x509);
    x509 = NULL;
    code = read_key(key, &pkey);
    if (code == CRYPTO_DONE)
      code = read_certificate(pem, pkey, &x509);
  }
  if (code == CRYPTO_DONE)
    code = read_facts(x509, certificate);
  EVP_PKEY_free(pkey);
  X509_free(x509);
  return finish(code);
}

const char *crypto_message(enum crypto_code code) {
  static const char *const messages[] = {
      [CRYPTO_DONE] = "done",
      [CRYPTO_KEY_NOT_PEM] = "the key is not PEM",
      [CRYPTO_KEY_MISSING] = "the PEM holds no private key, or a damaged one",
      [CRYPTO_KEY_ENCRYPTED] = "the key is encrypted and needs a passphrase",
      [CRYPTO_KEY_WRONG_PASSPHRASE] = "the passphrase does not decrypt the key",
      [CRYPTO_KEY_CIPHER] = "OpenSSL no longer supports the key's cipher; encrypt the key again",
      [CRYPTO_KEY_UNSUITABLE] = "the key is not an RSA key of at least 2048 bits",
      [CRYPTO_KEY_MISMATCH] = "the key belongs to no certificate in the PEM",
      [CRYPTO_CERTIFICATE_NOT_PEM] = "the certificate is not PEM",
      [CRYPTO_CERTIFICATE_UNREADABLE] = "the PEM holds no certificate, or a damaged one",
      [CRYPTO_FAILED] = "OpenSSL failed: its configuration forbids it, or memory is short",
      [CRYPTO_NO_MEMORY] = "not enough memory",
  };
  return messages[code];
}
