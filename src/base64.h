/* Base 64 as tokens and challenges have it (RFC 4648 §4 and §5). Knows libc only. */
#ifndef PCAPI_BASE64_H
#define PCAPI_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

/* The longest text or bytes that the callers below should come with: no length
 * overflows, and nobody has tokens of that size. */
#define BASE64_MAX (16u << 20)

/* Writes n bytes in the alphabet of URLs, without padding (RFC 7515 §2), and
 * returns how many characters they took: never more than n + n / 3 + 2. */
size_t base64_encode_url(const unsigned char *bytes, size_t n, char *text);

/* Reads a text in either alphabet, padded or not, into bytes, which has room for
 * len of them. False, with bytes in any state, for all that no encoder writes: other
 * characters, white space too, a length or padding that cannot be, left-over bits. */
bool base64_decode(const char *text, size_t len, unsigned char *bytes, size_t *n);

#pragma GCC visibility pop

#endif
