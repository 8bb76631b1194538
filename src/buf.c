#include "buf.h"
#include "platform.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUF_FIRST 1024                  /* bytes of the first allocation */
#define BUF_MAPPED ((size_t)128 * 1024) /* see buf.is_mapped */

void buf_init(struct buf *b, size_t max) {
  b->data = NULL;
  b->len = b->cap = 0;
  b->max = max;
  b->is_mapped = false;
}

static bool has_mapping(const struct buf *b, size_t cap) {
  return b->is_mapped && cap >= BUF_MAPPED;
}

/* Changes the size of the memory. Returns NULL, and changes nothing, if there is no memory. */
static char *resize(struct buf *b, size_t cap) {
  if (!has_mapping(b, cap))
    return realloc(b->data, cap);
  char *data = has_mapping(b, b->cap)
                   ? platform_remap(b->data, b->cap, cap)
                   : mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED)
    return NULL;
  if (!has_mapping(b, b->cap) && b->len > 0)
    memcpy(data, b->data, b->len);
  if (!has_mapping(b, b->cap))
    free(b->data);
  return data;
}

/* Makes room for need bytes; need <= max. It doubles the capacity, so that many small appends take
 * linear time. */
static enum buf_code buf_grow(struct buf *b, size_t need) {
  size_t cap = b->cap ? b->cap : BUF_FIRST;
  while (cap < need && cap <= b->max / 2)
    cap *= 2;
  if (cap < need || cap > b->max)
    cap = b->max;
  char *data = resize(b, cap);
  if (!data)
    return BUF_NO_MEMORY;
  b->data = data;
  b->cap = cap;
  return BUF_OK;
}

enum buf_code buf_append(struct buf *b, const void *data, size_t len) {
  if (len > b->max || b->len > b->max - len)
    return BUF_TOO_LARGE;
  if (len == 0)
    return BUF_OK;
  if (b->len + len > b->cap) {
    enum buf_code code = buf_grow(b, b->len + len);
    if (code != BUF_OK)
      return code;
  }
  memcpy(b->data + b->len, data, len);
  b->len += len;
  return BUF_OK;
}

void buf_clear(struct buf *b) {
  b->len = 0;
}

void buf_release(struct buf *b, size_t len) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t skip = (page - (uintptr_t)b->data % page) % page; /* to the first whole page */
  if (len > skip && len - skip >= page)
    madvise(b->data + skip, (len - skip) / page * page, MADV_DONTNEED);
}

void buf_free(struct buf *b) {
  if (has_mapping(b, b->cap))
    munmap(b->data, b->cap);
  else
    free(b->data);
  b->data = NULL;
  b->len = b->cap = 0;
}
