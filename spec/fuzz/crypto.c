/* Keys and certificates of any bytes: each call ends with a code that has a message, and no error
 * stays in OpenSSL's queue. */
#include "crypto.h"
#include "fuzz.h"

#include <string.h>

#include <openssl/err.h>

static void check_code(enum crypto_code code) {
  claim(crypto_message(code) != NULL, "a code has a message");
  claim(ERR_peek_error() == 0, "no error stays in OpenSSL's queue");
}

static struct crypto_text text(struct input in) {
  return (struct crypto_text){.data = (const char *)in.data, .len = in.left};
}

static void sign(struct crypto_text pem, const struct crypto_key *key) {
  struct crypto_signature signature;
  const enum crypto_alg alg = pem.len % 2 ? CRYPTO_PS256 : CRYPTO_RS256;
  const enum crypto_code code = crypto_sign(alg, pem, key, &signature);
  check_code(code);
  if (code == CRYPTO_DONE)
    claim(signature.len >= 64 && signature.len <= CRYPTO_SIGNATURE_MAX,
          "a signature has a valid length");
}

static void read_certificate(struct crypto_text pem, const struct crypto_key *key) {
  struct crypto_certificate certificate;
  memset(&certificate, 0, sizeof certificate);
  check_code(crypto_certificate(pem, key, &certificate));
}

/* The input: a passphrase up to the first line break, then a PEM. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  const struct input passphrase = take_part(&in, '\n');
  struct crypto_key key = {.pem = text(in)};
  if (passphrase.left > 0)
    key.passphrase = text(passphrase);
  read_certificate(key.pem, NULL);
  read_certificate(key.pem, &key);
  sign(key.pem, &key);
  return 0;
}
