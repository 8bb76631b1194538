/* Decompression of an HTTP body, for transports that have none. zlib and buf; does not
 * know Lua. */
#ifndef PCAPI_INFLATE_H
#define PCAPI_INFLATE_H

#include <stddef.h>

#include "buf.h"

#pragma GCC visibility push(hidden)

enum inflate_code {
  INFLATE_DONE,
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

/* What the code means, as a sentence on the body; NULL for INFLATE_DONE. */
const char *inflate_message(enum inflate_code code);

#pragma GCC visibility pop

#endif
