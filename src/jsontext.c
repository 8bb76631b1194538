#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include "jsontext.h"

#include <stdbool.h>
#include <stddef.h>
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

/* The closing quote of the string that opens before p; NULL in a broken text. */
static char *string_end(char *p, const char *end) {
  while (p < end && (p = memchr(p, '"', (size_t)(end - p))) != NULL) {
    size_t slashes = 0;
    while (p[-1 - (ptrdiff_t)slashes] == '\\')
      slashes++;
    if (slashes % 2 == 0)
      return p;
    p++;
  }
  return NULL;
}

/* Where a walk over the text stands. Records are the objects of a bare array, or
 * of the array "items" of an object. */
struct walk {
  int depth;        /* of brackets and braces */
  int record_depth; /* of the names of a record; 0 outside of a list */
  char root;
  bool after_items; /* the last string was "items" */
  char *from;       /* the name to rewrite in the record at hand */
  bool has_to;
};

static void enter(struct walk *w, char bracket) {
  w->depth++;
  if (w->depth == 1) {
    w->root = bracket;
    w->record_depth = bracket == '[' ? 2 : 0;
  } else if (w->depth == 2 && bracket == '[' && w->root == '{' && w->after_items) {
    w->record_depth = 3;
  }
}

/* Leaves an object or array; a record that ends gets its name rewritten. */
static void leave(struct walk *w, const char *from, const char *to) {
  if (w->depth == w->record_depth && w->from && !w->has_to) {
    const size_t from_len = strlen(from);
    const size_t to_len = strlen(to);
    memcpy(w->from, to, to_len);
    w->from[to_len] = '"';
    memset(w->from + to_len + 1, ' ', from_len - to_len);
  }
  if (w->depth == w->record_depth) {
    w->from = NULL;
    w->has_to = false;
  }
  w->depth--;
  if (w->root == '{' && w->depth < 2)
    w->record_depth = 0;
}

static bool is_name(const char *p, size_t len, const char *name) {
  return len == strlen(name) && memcmp(p, name, len) == 0;
}

void jsontext_respell(char *text, size_t len, const char *from, const char *to) {
  const char *end = text + len;
  struct walk w = {.depth = 0};
  if (strlen(to) > strlen(from) || !memmem(text, len, from, strlen(from)))
    return;
  for (char *p = text; p < end; p++) {
    if (*p == '{' || *p == '[') {
      enter(&w, *p);
    } else if (*p == '}' || *p == ']') {
      leave(&w, from, to);
    } else if (*p == '"') {
      char *start = p + 1;
      if ((p = string_end(start, end)) == NULL)
        return;
      const size_t n = (size_t)(p - start);
      w.after_items = w.depth == 1 && (is_name(start, n, "items") || is_name(start, n, "Items"));
      if (w.depth == w.record_depth && end - p > 1 && p[1] == ':') {
        if (is_name(start, n, from))
          w.from = start;
        w.has_to = w.has_to || is_name(start, n, to);
      }
    }
  }
}
