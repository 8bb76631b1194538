/* The head of an HTTP response, line by line: its status line and headers, without those of interim
 * responses and without trailers. Refuses a head that two readers could understand differently (RFC
 * 9112). Uses buf; knows neither libcurl nor Lua. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

#pragma GCC visibility push(hidden)

enum head_code {
  HEAD_OK,
  HEAD_TOO_LARGE,
  HEAD_NO_MEMORY,
  HEAD_NOT_HTTP, /* the first line is not a status line */
  HEAD_UPGRADE,  /* to another protocol (101) */
  HEAD_NO_NAME,  /* a header without a name, or with a control character */
  HEAD_FRAMING /* the length of the body is contradictory, or an encoding that is never requested */
};

/* Where a part of the head is in its text. */
struct head_span {
  unsigned at, len;
};

/* A header; or, without a name, a line that continues the one before it (RFC 9112 §5.2). */
struct head_field {
  struct head_span name;
  struct head_span value; /* without surrounding white space */
};

struct head {
  struct buf text;   /* with line ends and the empty line; complete when head_is_over() */
  struct buf fields; /* an array of struct head_field, in their order */
  struct head_span reason;
  enum { HEAD_START, HEAD_INTERIM, HEAD_FINAL, HEAD_OVER } state;
  size_t trailers; /* bytes */
  bool has_field;  /* a header came: a line that begins with a space continues it */
  bool is_framing; /* that header is Content-Length or Transfer-Encoding */
  bool has_coding; /* Transfer-Encoding */
  bool has_length; /* Content-Length */
  bool is_encoded; /* Content-Encoding */
  unsigned long long length;
};

/* Prepares for a response whose head has at most max bytes, interim responses included. h is all
 * zero, or was used before: then its memory is used again. */
void head_reset(struct head *h, size_t max);

void head_free(struct head *h);

/* Adds one line with its end. Lines after the head are trailers: they are ignored, up to the same
 * limit. After any code but HEAD_OK the head is unusable. */
enum head_code head_line(struct head *h, const char *line, size_t len);

/* Whether the empty line that ends the head has arrived. A connection may close before that. */
bool head_is_over(const struct head *h);

/* Returns the fields of a head. */
static inline const struct head_field *head_fields(const struct head *h, size_t *count) {
  *count = h->fields.len / sizeof(struct head_field);
  return (const struct head_field *)(const void *)h->fields.data;
}

/* Whether the content type says JSON. For a complete head. */
bool head_says_json(const struct head *h);

/* Returns the message for a code; NULL for HEAD_OK. */
const char *head_message(enum head_code code);

/* Whether a text is the word, which is in lower case; ignores the case of the text. */
bool head_is_word(const char *text, size_t len, const char *word, size_t word_len);

/* Instead of isspace() and tolower(): headers are ASCII, whatever the locale of the process. */
static inline bool head_is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline char head_lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

#pragma GCC visibility pop
