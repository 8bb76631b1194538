/* A byte buffer that grows up to a ceiling. Knows libc only. */
#ifndef PCAPI_BUF_H
#define PCAPI_BUF_H

#include <stddef.h>

/* within the .so only: another library of the process may have the same names */
#pragma GCC visibility push(hidden)

enum buf_code { BUF_OK, BUF_TOO_LARGE, BUF_NO_MEMORY };

struct buf {
  char *data; /* NULL until the first byte; not terminated by a zero */
  size_t len;
  size_t cap;
  size_t max; /* len never exceeds it */
};

/* Starts empty; allocates nothing. */
void buf_init(struct buf *b, size_t max);

/* Appends len bytes. On failure the buffer keeps what it held. */
enum buf_code buf_append(struct buf *b, const void *data, size_t len);

/* Empties the buffer and keeps its memory for the next use. */
void buf_clear(struct buf *b);

/* Gives the memory back; the buffer may be used again. May be called twice. */
void buf_free(struct buf *b);

#pragma GCC visibility pop

#endif
