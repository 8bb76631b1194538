/* Encoded bytes are decoded to the same bytes; a text that can be decoded is one that an encoder
 * writes. */
#include "base64.h"
#include "crypto.h"
#include "fuzz.h"

#include <string.h>

static void encode_first(const uint8_t *data, size_t size) {
  char *text = malloc(size + size / 3 + 2);
  unsigned char *bytes = malloc(size + size / 3 + 2);
  size_t n = 0;
  if (!text || !bytes)
    abort();
  const size_t len = base64_encode_url(data, size, text);
  claim(len <= size + size / 3 + 2, "an encoder writes no more than documented");
  claim(base64_decode(text, len, bytes, &n), "an encoded text can be decoded");
  claim(n == size && memcmp(bytes, data, n) == 0, "to the same bytes");
  free(text);
  free(bytes);
}

static void encode_plain(const uint8_t *data, size_t size) {
  char *text = malloc(crypto_base64_room(size));
  unsigned char *bytes = malloc(crypto_base64_room(size));
  size_t n = 0;
  if (!text || !bytes)
    abort();
  const size_t len = crypto_base64(data, size, text);
  claim(len + 1 == crypto_base64_room(size), "OpenSSL's encoder writes as much as documented");
  claim(base64_decode(text, len, bytes, &n), "its text can be decoded");
  claim(n == size && memcmp(bytes, data, n) == 0, "to the same bytes");
  free(text);
  free(bytes);
}

/* Converts a text to the URL-safe alphabet without padding. */
static size_t in_url_form(const uint8_t *data, size_t size, char *text) {
  while (size > 0 && data[size - 1] == '=')
    size--;
  for (size_t i = 0; i < size; i++)
    text[i] = (char)(data[i] == '+' ? '-' : data[i] == '/' ? '_' : data[i]);
  return size;
}

static void decode_first(const uint8_t *data, size_t size) {
  unsigned char *bytes = malloc(size + 1);
  char *expected = malloc(size + 1);
  char *text = malloc(size + size / 3 + 2);
  size_t n = 0;
  if (!bytes || !expected || !text)
    abort();
  if (base64_decode((const char *)data, size, bytes, &n)) {
    const size_t len = in_url_form(data, size, expected);
    claim(base64_encode_url(bytes, n, text) == len && memcmp(text, expected, len) == 0,
          "a text that can be decoded is one that an encoder writes");
  }
  free(bytes);
  free(expected);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  encode_first(data, size);
  encode_plain(data, size);
  decode_first(data, size);
  return 0;
}
