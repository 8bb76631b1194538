/* A byte buffer that grows up to a limit. Uses libc only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* hidden: another library of the process may use the same names */
#pragma GCC visibility push(hidden)

enum buf_code { BUF_OK, BUF_TOO_LARGE, BUF_NO_MEMORY };

struct buf {
  char *data; /* NULL until the first byte; not terminated by a zero byte */
  size_t len;
  size_t cap;
  size_t max; /* len never exceeds it */
  /* From 128 KiB on its memory is a mapping of its own. That costs more than memory of malloc(); but
   * it goes back to the system when the buffer is freed, whatever else was allocated meanwhile. Set
   * it before the first byte. */
  bool is_mapped;
};

/* Makes an empty buffer; allocates nothing. */
void buf_init(struct buf *b, size_t max);

/* Appends len bytes. A failure leaves the buffer unchanged. */
enum buf_code buf_append(struct buf *b, const void *data, size_t len);

/* Empties the buffer but keeps its memory for reuse. */
void buf_clear(struct buf *b);

/* Gives the memory of the first len bytes back to the system as far as it is whole pages: their
 * values are lost, the rest stays in place. */
void buf_release(struct buf *b, size_t len);

/* Frees the memory; the buffer is empty and may be used again. May be called twice. */
void buf_free(struct buf *b);

#pragma GCC visibility pop
