/* Base64 in the forms that tokens and PKCE challenges use (RFC 4648 §4 and §5). Uses libc only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

/* Longest input, in bytes: callers check it. No length overflows below it, and no token is that
 * long. */
#define BASE64_MAX (16u << 20)

/* Encodes n bytes in the URL-safe alphabet without padding (RFC 7515 §2). Returns the number of
 * characters written: at most n + n / 3 + 2. Writes no zero byte. */
size_t base64_encode_url(const unsigned char *bytes, size_t n, char *text);

/* Decodes a text in either alphabet, with or without padding. bytes has room for len bytes; *n is
 * how many were written. Returns false for a text that no encoder writes: other characters (white
 * space too), an impossible length or padding, or left-over bits that are not zero. The contents
 * of bytes are then undefined. */
bool base64_decode(const char *text, size_t len, unsigned char *bytes, size_t *n);

#pragma GCC visibility pop
