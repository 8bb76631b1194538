/* What is encoded is decoded to the same; what decodes is what an encoder writes. */
#include "base64.h"
#include "fuzz.h"

#include <string.h>

static void there_and_back(const uint8_t *data, size_t size) {
  char *text = malloc(size + size / 3 + 2);
  unsigned char *bytes = malloc(size + size / 3 + 2);
  size_t n = 0;
  if (!text || !bytes)
    abort();
  const size_t len = base64_encode_url(data, size, text);
  claim(len <= size + size / 3 + 2, "an encoder writes no more than it says");
  claim(base64_decode(text, len, bytes, &n), "what was encoded can be decoded");
  claim(n == size && memcmp(bytes, data, n) == 0, "and is the same");
  free(text);
  free(bytes);
}

/* In the alphabet of URLs, without padding. */
static size_t in_url_form(const uint8_t *data, size_t size, char *text) {
  while (size > 0 && data[size - 1] == '=')
    size--;
  for (size_t i = 0; i < size; i++)
    text[i] = (char)(data[i] == '+' ? '-' : data[i] == '/' ? '_' : data[i]);
  return size;
}

static void back_and_there(const uint8_t *data, size_t size) {
  unsigned char *bytes = malloc(size + 1);
  char *expected = malloc(size + 1);
  char *text = malloc(size + size / 3 + 2);
  size_t n = 0;
  if (!bytes || !expected || !text)
    abort();
  if (base64_decode((const char *)data, size, bytes, &n)) {
    const size_t len = in_url_form(data, size, expected);
    claim(base64_encode_url(bytes, n, text) == len && memcmp(text, expected, len) == 0,
          "what decodes is what an encoder writes");
  }
  free(bytes);
  free(expected);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  there_and_back(data, size);
  back_and_there(data, size);
  return 0;
}
