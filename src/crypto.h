/* Hashes, HMACs, Base64, random bytes, RSA signatures and certificates, over OpenSSL. Knows no Lua.
 *
 * OpenSSL never asks for a passphrase at the terminal, these functions copy no secret, and they
 * leave no error in OpenSSL's queue, where the next user of the library in this thread would take
 * it for its own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

#define CRYPTO_SHA256_SIZE 32
#define CRYPTO_SIGNATURE_MAX 2048     /* bytes, for OpenSSL's longest key: 16384 bits */
#define CRYPTO_BASE64_MAX (16u << 20) /* bytes */
#define CRYPTO_PEM_MAX (1u << 20)     /* bytes; a longer text is not taken for PEM */

enum crypto_code {
  CRYPTO_DONE,
  CRYPTO_KEY_NOT_PEM,
  CRYPTO_KEY_MISSING, /* the PEM holds something else, or a damaged key */
  CRYPTO_KEY_ENCRYPTED,
  CRYPTO_KEY_WRONG_PASSPHRASE,
  CRYPTO_KEY_CIPHER, /* encrypted with a cipher that OpenSSL no longer supports */
  CRYPTO_KEY_UNSUITABLE,
  CRYPTO_KEY_MISMATCH, /* it belongs to none of the certificates */
  CRYPTO_CERTIFICATE_NOT_PEM,
  CRYPTO_CERTIFICATE_UNREADABLE,
  CRYPTO_FAILED,
  CRYPTO_NO_MEMORY
};

enum crypto_alg { CRYPTO_PS256, CRYPTO_RS256 }; /* RFC 7518 §3.5 and §3.3 */

/* Bytes that the caller owns; they need not end in a zero byte. data is NULL if none are given. */
struct crypto_text {
  const char *data;
  size_t len;
};

struct crypto_key {
  struct crypto_text pem; /* PKCS#8 or the traditional format, encrypted or not */
  struct crypto_text passphrase;
};

struct crypto_signature {
  unsigned char bytes[CRYPTO_SIGNATURE_MAX];
  size_t len;
};

struct crypto_certificate {
  unsigned char sha256[CRYPTO_SHA256_SIZE]; /* of its DER: x5t#S256 (RFC 7515 §4.1.8) */
  long long not_before;                     /* seconds since 1970, UTC */
  long long not_after;
};

/* Fills bytes with n random bytes. False if the system provides none. */
bool crypto_random(void *bytes, size_t n);

enum crypto_code crypto_sha256(struct crypto_text text, unsigned char digest[CRYPTO_SHA256_SIZE]);

/* HMAC-SHA-256 of a text (RFC 2104). OpenSSL wipes its copy of the key. */
enum crypto_code crypto_hmac_sha256(struct crypto_text key, struct crypto_text text,
                                    unsigned char digest[CRYPTO_SHA256_SIZE]);

/* Encodes n bytes as padded Base64 in one line (RFC 4648 §4). n is at most CRYPTO_BASE64_MAX.
 * text has room for crypto_base64_room(n) characters. Returns the number of characters; a zero byte
 * follows them. base64_decode() of base64.h reads them. */
size_t crypto_base64(const unsigned char *bytes, size_t n, char *text);
size_t crypto_base64_room(size_t n);

/* Signs a text with the first private key in the PEM. The PEM may hold other things as well. */
enum crypto_code crypto_sign(enum crypto_alg alg, struct crypto_text text,
                             const struct crypto_key *key, struct crypto_signature *signature);

/* Reads a certificate from a PEM that may hold other things as well. With key NULL it reads the
 * first certificate; otherwise, among the certificates of the key, the one that expires last. */
enum crypto_code crypto_certificate(struct crypto_text pem, const struct crypto_key *key,
                                    struct crypto_certificate *certificate);

/* Returns the message for a code; a literal. */
const char *crypto_message(enum crypto_code code);

#pragma GCC visibility pop
