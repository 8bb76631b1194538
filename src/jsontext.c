#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include "jsontext.h"

#include <stdbool.h>
#include <string.h>

size_t jsontext_bom(const char *text, size_t len) {
  return len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

/* A value stands after the ":" of a member, after "," or "[", or after white
 * space. The colon needs a quote or a space in front of it: times like 07:08 are
 * full of ":0". Bitwise on purpose: without branches the compiler vectorises it. */
static unsigned starts_scalar(unsigned char before2, unsigned char before, unsigned char c) {
  const unsigned member =
      (unsigned)(before == ':') & (unsigned)((before2 == '"') | (before2 <= ' '));
  const unsigned opens =
      member | (unsigned)(before == ',') | (unsigned)(before == '[') | (unsigned)(before <= ' ');
  const unsigned scalar =
      (unsigned)((unsigned char)(c - '0') < 10) | (unsigned)(c == '-') | (unsigned)(c == 'n');
  return opens & scalar;
}

size_t jsontext_scalars(const char *text, size_t len) {
  const unsigned char *p = (const unsigned char *)text;
  size_t count = 0;
  size_t i = 0;
  for (; i < len && i < 2; i++) /* a lone value has nothing before it */
    count += starts_scalar(i ? p[i - 1] : ' ', i ? p[i - 1] : ' ', p[i]);
  enum { BLOCK = 64 }; /* a constant: then gcc -O2 vectorises as well */
  for (; len - i >= BLOCK; i += BLOCK) {
    unsigned char in_block = 0;
    for (int j = 0; j < BLOCK; j++)
      in_block = (unsigned char)(in_block + starts_scalar(p[i + (size_t)j - 2],
                                                          p[i + (size_t)j - 1], p[i + (size_t)j]));
    count += in_block;
  }
  for (; i < len; i++)
    count += starts_scalar(p[i - 2], p[i - 1], p[i]);
  return count;
}

/* The next "name": at or after start; NULL when there is none. A quote behind a
 * backslash is a character of a string, not the start of one. */
static char *find_member(char *start, const char *begin, const char *end, const char *name) {
  const size_t n = strlen(name);
  for (char *p = start; (p = memmem(p, (size_t)(end - p), name, n)) != NULL; p += n) {
    const bool quoted = p > begin && p[-1] == '"' && (p - 1 == begin || p[-2] != '\\');
    if (quoted && end - (p + n) >= 2 && p[n] == '"' && p[n + 1] == ':')
      return p;
  }
  return NULL;
}

void jsontext_respell(char *text, size_t len, const char *from, const char *to) {
  const char *end = text + len;
  const size_t from_len = strlen(from);
  const size_t to_len = strlen(to);
  char *p = text;
  if (to_len > from_len)
    return;
  if ((p = find_member(text, text, end, from)) == NULL || find_member(text, text, end, to))
    return;
  for (; p; p = find_member(p + from_len, text, end, from)) {
    memcpy(p, to, to_len);
    p[to_len] = '"';
    memset(p + to_len + 1, ' ', from_len - to_len);
  }
}
