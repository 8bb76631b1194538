/* Decompresses an HTTP body, with zlib. Knows no Lua. */
#pragma once

#include <stddef.h>

#include "buf.h"

#pragma GCC visibility push(hidden)

enum inflate_code {
  INFLATE_DONE,
  INFLATE_RUNNING,      /* a step has ended, and more is left */
  INFLATE_UNCOMPRESSED, /* neither gzip nor deflate */
  INFLATE_DAMAGED,      /* begins as one of them but is invalid */
  INFLATE_INCOMPLETE,   /* the compressed data is cut off */
  INFLATE_TRAILING,     /* more data follows after the end */
  INFLATE_TOO_LARGE,    /* decompressed, it exceeds the limit of out */
  INFLATE_NO_MEMORY
};

/* Decompresses data and appends the result to out. Accepts gzip, with one member or several
 * (RFC 1952 §2.2); zlib, which HTTP calls deflate (RFC 9110 §8.4.1.2); and raw deflate, which some
 * servers send under that name. Empty data gives an empty result: the response to HEAD names the
 * coding of a body that is not sent. A failure leaves an unverified part in out. */
enum inflate_code inflate_body(const void *data, size_t len, struct buf *out);

/* Begins the same in steps, so that other work can run between them. The caller keeps data and out
 * in place until inflate_close() and does not change data. Returns NULL for lack of memory. */
struct inflate *inflate_open(const void *data, size_t len, struct buf *out);

/* Decompresses until that many more bytes were read or written, or up to a few thousand more.
 * INFLATE_RUNNING: call it again. Any other code is the result, as of inflate_body(), and
 * only inflate_close() may follow. */
enum inflate_code inflate_step(struct inflate *s, size_t bytes);

/* Frees the state. NULL is allowed. */
void inflate_close(struct inflate *s);

/* Returns the message for a code; NULL for INFLATE_DONE and INFLATE_RUNNING. */
const char *inflate_message(enum inflate_code code);

#pragma GCC visibility pop
