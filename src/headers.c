#include "headers.h"
#include "head.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 20) /* bytes, as libcurl's own limit of a request's head */

void headers_init(struct headers *h) {
  memset(h, 0, sizeof *h);
  buf_init(&h->text, TEXT_MAX);
}

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* Whether one of the eight bytes at text may be below a space, or 127. Tokens are long: a test of
 * single bytes takes as long as copying them twice. */
static uint64_t may_hold_control(const char *text) {
  uint64_t word;
  memcpy(&word, text, sizeof word);
  const uint64_t del = word ^ EACH_BYTE(0x7f);
  return ((word - EACH_BYTE(' ')) | (del - EACH_BYTE(1))) & ~word & EACH_BYTE(0x80);
}

static bool is_control(char c) {
  return ((unsigned char)c < ' ' && c != '\t') || c == '\x7f';
}

/* A line break would begin another header; other control characters are not allowed either (RFC
 * 9110 §5.5). */
static bool is_valid(const char *line, size_t len) {
  uint64_t suspect = 0;
  size_t i = 0;
  for (; i + 8 <= len; i += 8)
    suspect |= may_hold_control(line + i);
  for (i = suspect ? 0 : i; i < len; i++)
    if (is_control(line[i]))
      return false;
  return true;
}

/* Whether two lines have the same name. */
static bool is_same_name(const char *a, const char *b) {
  for (; head_lower(*a) == head_lower(*b); a++, b++)
    if (*a == ':' || !*a)
      return *a == ':';
  return false;
}

enum headers_code headers_add(struct headers *h, const char *line) {
  const size_t len = strlen(line);
  if (!is_valid(line, len))
    return HEADERS_INVALID;
  for (int i = 0; i < HEADERS_DEFAULTS; i++)
    if (h->defaults[i].line && is_same_name(line, h->defaults[i].line))
      h->defaults[i].is_replaced = true;
  switch (buf_append(&h->text, line, len + 1)) {
  case BUF_OK:
    h->count++;
    return HEADERS_OK;
  case BUF_TOO_LARGE:
    return HEADERS_TOO_LARGE;
  default:
    return HEADERS_NO_MEMORY;
  }
}

static bool reserve_nodes(struct headers *h) {
  if (h->count <= h->room)
    return true;
  struct curl_slist *nodes = realloc(h->nodes, h->count * sizeof *nodes);
  if (!nodes)
    return false;
  h->nodes = nodes;
  h->room = h->count;
  return true;
}

struct curl_slist *headers_list(struct headers *h) {
  struct curl_slist *list = NULL;
  if (!reserve_nodes(h))
    return NULL;
  for (int i = HEADERS_DEFAULTS - 1; i >= 0; i--)
    if (h->defaults[i].line && !h->defaults[i].is_replaced) {
      h->defaults[i].node = (struct curl_slist){h->defaults[i].line, list};
      list = &h->defaults[i].node;
    }
  char *line = h->text.data;
  for (size_t i = 0; i < h->count; i++, line += strlen(line) + 1)
    h->nodes[i] = (struct curl_slist){line, i + 1 < h->count ? &h->nodes[i + 1] : list};
  return h->count > 0 ? h->nodes : list;
}

void headers_clear(struct headers *h) {
  buf_clear(&h->text);
  h->count = 0;
  for (int i = 0; i < HEADERS_DEFAULTS; i++)
    h->defaults[i].is_replaced = false;
}

void headers_free(struct headers *h) {
  buf_free(&h->text);
  free(h->nodes);
  headers_init(h);
}

const char *headers_message(enum headers_code code) {
  switch (code) {
  case HEADERS_OK:
    break;
  case HEADERS_INVALID:
    return "a header holds a line break or a control character";
  case HEADERS_TOO_LARGE:
    return "the headers of the request exceed 1 MiB";
  case HEADERS_NO_MEMORY:
    return "not enough memory";
  }
  return NULL;
}
