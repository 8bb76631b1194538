/* What signing in needs of OpenSSL: hashes, signatures of an RSA key, facts of a
 * certificate. Does not know Lua.
 *
 * Nothing asks for a passphrase at the terminal, no copy of a secret is made here,
 * and no error stays in OpenSSL's queue, where the next user of the library in this
 * thread would take it for its own.
 */
#ifndef PCAPI_CRYPTO_H
#define PCAPI_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

#define CRYPTO_SHA256_SIZE 32
#define CRYPTO_SIGNATURE_MAX 2048 /* of a key of 16384 bits, OpenSSL's longest */
#define CRYPTO_PEM_MAX (1u << 20) /* bytes; what is longer is no PEM */

enum crypto_code {
  CRYPTO_DONE,
  CRYPTO_KEY_NOT_PEM,
  CRYPTO_KEY_ABSENT, /* PEM, but of something else, or damaged */
  CRYPTO_KEY_ENCRYPTED,
  CRYPTO_KEY_STAYS_SHUT, /* with the passphrase that was given */
  CRYPTO_KEY_CIPHER,     /* encrypted as OpenSSL no longer does it */
  CRYPTO_KEY_UNFIT,
  CRYPTO_KEY_OF_OTHERS, /* not that of any certificate */
  CRYPTO_CERTIFICATE_NOT_PEM,
  CRYPTO_CERTIFICATE_UNREADABLE,
  CRYPTO_FAILED,
  CRYPTO_NO_MEMORY
};

enum crypto_alg { CRYPTO_PS256, CRYPTO_RS256 }; /* RFC 7518 §3.5 and §3.3 */

/* Bytes of the caller's; need not end in a zero. No data: not given. */
struct crypto_text {
  const char *data;
  size_t len;
};

struct crypto_key {
  struct crypto_text pem; /* PKCS#8 or traditional, either of them encrypted or not */
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

/* False when the system gives none. */
bool crypto_random(void *bytes, size_t n);

enum crypto_code crypto_sha256(struct crypto_text text, unsigned char digest[CRYPTO_SHA256_SIZE]);

/* Signs a text. PEM may hold other things beside the key; the first key counts. */
enum crypto_code crypto_sign(enum crypto_alg alg, struct crypto_text text,
                             const struct crypto_key *key, struct crypto_signature *signature);

/* Reads a certificate in PEM that may hold other things: the first one where key is NULL,
 * else that which belongs to the key; of several such that which is good for longest. */
enum crypto_code crypto_certificate(struct crypto_text pem, const struct crypto_key *key,
                                    struct crypto_certificate *certificate);

/* What a code means, in words for people. */
const char *crypto_message(enum crypto_code code);

#pragma GCC visibility pop

#endif
