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
static const char *string_end(const char *p, const char *end) {
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

static bool is_items(const char *p, size_t len) {
  return is_name(p, len, "items") || is_name(p, len, "Items");
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
      const char *closing = string_end(start, end);
      if (!closing)
        return;
      const size_t n = (size_t)(closing - start);
      p = start + n;
      w.after_items = w.depth == 1 && is_items(start, n);
      if (w.depth == w.record_depth && end - p > 1 && p[1] == ':') {
        if (is_name(start, n, from))
          w.from = start;
        w.has_to = w.has_to || is_name(start, n, to);
      }
    }
  }
}

static size_t skip_space(const char *text, size_t at, size_t len) {
  while (at < len && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
    at++;
  return at;
}

/* Steps over the string, bracket or other byte at p->at; false in a broken text. */
static bool step(struct jsontext_pieces *p, const char *text, size_t len) {
  const char c = text[p->at];
  if (c == '"') {
    const char *closing = string_end(text + p->at + 1, text + len);
    if (!closing)
      return false;
    p->at = (size_t)(closing - text);
  } else if (c == '{' || c == '[') {
    p->depth++;
  } else if (c == '}' || c == ']') {
    p->depth--;
  }
  p->at++;
  return p->depth >= 0;
}

/* Whether a member of the root named "items" stands at p->at. */
static bool is_at_items(const struct jsontext_pieces *p, const char *text, size_t len) {
  return p->depth == 1 && text[p->at] == '"' && len - p->at > 7 && text[p->at + 6] == '"' &&
         is_items(text + p->at + 1, 5);
}

/* Moves on to the first byte within the list. */
static bool enter_list(struct jsontext_pieces *p, const char *text, size_t len) {
  p->at = skip_space(text, jsontext_bom(text, len), len);
  bool found = p->at < len && text[p->at] == '[';
  while (!found && p->at < len) {
    if (is_at_items(p, text, len)) {
      const size_t colon = skip_space(text, p->at + 7, len);
      const size_t value = skip_space(text, colon + 1, len);
      found = value < len && text[colon] == ':' && text[value] == '[';
      if (!found)
        return false;
      p->at = value;
    } else if (!step(p, text, len)) {
      return false;
    }
  }
  p->depth = 0;
  p->list_start = ++p->at;
  return found && p->at < len;
}

/* Whether the list can be left out of the text behind it: an "items" that comes again
 * would win over it. */
static bool rest_is_plain(struct jsontext_pieces *p, const char *text, size_t len) {
  p->depth = text[skip_space(text, jsontext_bom(text, len), len)] == '{' ? 1 : 0;
  p->at = p->list_end + 1;
  while (p->at < len)
    if (is_at_items(p, text, len) || !step(p, text, len))
      return false;
  return true;
}

/* Whether one record ends at p->at and the next one begins behind a comma. */
static bool between_records(const struct jsontext_pieces *p, const char *text, size_t len) {
  if (p->depth != 0 || text[p->at] != ',' || text[p->at - 1] != '}')
    return false;
  const size_t next = skip_space(text, p->at + 1, len);
  return next < len && text[next] == '{';
}

int jsontext_piece(struct jsontext_pieces *p, const char *text, size_t len, size_t least,
                   size_t *from, size_t *to) {
  if (!p->list_start && !enter_list(p, text, len))
    return JSONTEXT_WHOLE;
  if (p->list_end)
    return rest_is_plain(p, text, len) ? JSONTEXT_END : JSONTEXT_WHOLE;
  *from = p->at;
  while (p->at < len) {
    const char c = text[p->at];
    if (p->depth == 0 && (c == ']' || c == '}')) {
      *to = p->list_end = p->at;
      return JSONTEXT_PIECE;
    }
    if (p->at - *from >= least && between_records(p, text, len)) {
      *to = p->at++;
      return JSONTEXT_PIECE;
    }
    if (!step(p, text, len))
      return JSONTEXT_WHOLE;
  }
  return JSONTEXT_WHOLE;
}
