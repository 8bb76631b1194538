/* The head of a response, line by line: its status line and header lines, without those of
 * interim responses before it and without trailers behind its body. It refuses what two readers
 * could understand in two ways (RFC 9112). Knows buf; neither libcurl nor Lua. */
#ifndef PCAPI_HEAD_H
#define PCAPI_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

#pragma GCC visibility push(hidden)

enum head_code {
  HEAD_OK,
  HEAD_TOO_LARGE,
  HEAD_NO_MEMORY,
  HEAD_NOT_HTTP, /* the status line is none */
  HEAD_SWITCHES, /* to another protocol (101) */
  HEAD_NO_NAME,  /* a header line without a name, or with a control character */
  HEAD_FRAMING   /* the length of the body is contradictory, or in a coding that we never ask for */
};

struct head {
  struct buf text; /* with line ends and the empty line; whole when head_is_over() */
  enum { HEAD_BEGINS, HEAD_INTERIM, HEAD_FINAL, HEAD_OVER } state;
  size_t trailers; /* bytes */
  bool has_field;  /* a line that begins with a space goes on from another one */
  bool is_framing; /* which is Content-Length or Transfer-Encoding */
  bool has_coding;
  bool has_length;
  unsigned long long length;
};

/* Ready for a response with at most max bytes of head, interim responses included. */
void head_init(struct head *h, size_t max);

/* Takes one line with its end. Lines behind the head, which are trailers, are ignored up to the
 * same ceiling. After anything but HEAD_OK the head is of no use. */
enum head_code head_line(struct head *h, const char *line, size_t len);

/* Whether the empty line that ends the head has come: the end of a connection is no end of it. */
bool head_is_over(const struct head *h);

/* What the code means, as a sentence; NULL for HEAD_OK. */
const char *head_message(enum head_code code);

/* Not isspace() and tolower(): headers are ASCII whatever the host's locale. */
static inline bool head_is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline char head_lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

#pragma GCC visibility pop

#endif
