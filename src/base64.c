#include "base64.h"

#include <stdint.h>

size_t base64_encode_url(const unsigned char *bytes, size_t n, char *text) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  char *p = text;
  uint32_t pending = 0;
  unsigned bits = 0;
  for (size_t i = 0; i < n; i++) {
    pending = pending << 8 | bytes[i];
    for (bits += 8; bits >= 6; *p++ = alphabet[pending >> bits & 63])
      bits -= 6;
  }
  if (bits > 0)
    *p++ = alphabet[pending << (6 - bits) & 63];
  return (size_t)(p - text);
}

/* Returns the six bits that a character stands for; -1 if it is in neither alphabet. */
static int value_of(char c) {
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  if (c == '-' || c == '+')
    return 62;
  return c == '_' || c == '/' ? 63 : -1;
}

/* Returns the length without padding. Padding must fill up the last group of four characters;
 * elsewhere a "=" stays, and is refused as a character outside the alphabet. */
static size_t unpadded(const char *text, size_t len) {
  if (len == 0 || len % 4 != 0 || text[len - 1] != '=')
    return len;
  return text[len - 2] == '=' ? len - 2 : len - 1;
}

bool base64_decode(const char *text, size_t len, unsigned char *bytes, size_t *n) {
  unsigned char *p = bytes;
  uint32_t pending = 0;
  unsigned bits = 0;
  len = unpadded(text, len);
  if (len % 4 == 1)
    return false;
  for (size_t i = 0; i < len; i++) {
    const int value = value_of(text[i]);
    if (value < 0)
      return false;
    pending = pending << 6 | (uint32_t)value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      *p++ = (unsigned char)(pending >> bits);
    }
  }
  *n = (size_t)(p - bytes);
  return (pending & ((1u << bits) - 1)) == 0;
}
