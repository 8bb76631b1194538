/* Decompression of an HTTP body, for transports that have none. zlib and buf; does not
 * know Lua. */
#ifndef PCAPI_INFLATE_H
#define PCAPI_INFLATE_H

#include <stddef.h>

#include "buf.h"

#pragma GCC visibility push(hidden)

enum inflate_code {
  INFLATE_DONE,
  INFLATE_GOES_ON,   /* a step is over, and there is more to do */
  INFLATE_FOREIGN,   /* neither gzip nor deflate */
  INFLATE_DAMAGED,   /* begins as one of them, and then is not */
  INFLATE_CUT,       /* ends too early */
  INFLATE_TRAILED,   /* goes on after its end */
  INFLATE_TOO_LARGE, /* decompressed, it passes the ceiling of out */
  INFLATE_NO_MEMORY
};

/* Appends to out what data holds: gzip, of one member or several (RFC 1952 §2.2); zlib,
 * which HTTP calls deflate (RFC 9110 §8.4.1.2); or deflate alone, which some servers send
 * under that name. Nothing is nothing: an answer to HEAD names the coding of a body that it
 * does not have. After a failure out holds a part, which nobody vouches for. */
enum inflate_code inflate_body(const void *data, size_t len, struct buf *out);

/* The same in steps, so that others can have their turn between them. data and out stay the
 * caller's and in their places until inflate_close; data does not change. NULL: no memory. */
struct inflate *inflate_open(const void *data, size_t len, struct buf *out);

/* Goes on until so many bytes more have come out or gone in, or a few thousand above that, or all
 * is over. What is not INFLATE_GOES_ON is the end, as of inflate_body; then only inflate_close is
 * left. */
enum inflate_code inflate_step(struct inflate *s, size_t bytes);

/* NULL is allowed. */
void inflate_close(struct inflate *s);

/* What the code means, as a sentence on the body; NULL for INFLATE_DONE and INFLATE_GOES_ON. */
const char *inflate_message(enum inflate_code code);

#pragma GCC visibility pop

#endif
