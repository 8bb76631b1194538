#define ZLIB_CONST /* next_in is const */
#include "inflate.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#define CHUNK 16384 /* bytes of output at a time */
#define SLICE 65536 /* bytes of input at a time: zlib counts them in an int */

enum format { GZIP, ZLIB, RAW };

struct inflate {
  z_stream z;
  size_t unseen; /* bytes of input that were not passed to zlib yet */
  size_t
      pause_at; /* the step ends when fewer bytes of input are left; 0: the output alone decides */
  enum format format;
  bool is_open; /* z is in use; false for empty data */
  struct buf *out;
};

/* zlib allocates through these, so that specs can make allocations fail. Like its own allocator,
 * this does not clear the memory: for a small body that takes as long as a tenth of inflating it.
 */
static void *allocate(void *opaque, uInt items, uInt size) {
  (void)opaque;
  return size > 0 && items <= SIZE_MAX / size ? malloc((size_t)items * size) : NULL;
}

static void release(void *opaque, void *block) {
  (void)opaque;
  free(block);
}

/* A single byte may be the first half of the magic number. */
static bool is_gzip(const unsigned char *data, size_t len) {
  return memcmp(data, "\x1f\x8b", len < 2 ? len : 2) == 0;
}

/* RFC 1950 §2.2. Raw deflate looks like this only if its padding bits are not zero, and every
 * encoder pads with zeros. */
static bool is_zlib(const unsigned char *data, size_t len) {
  return len >= 2 && (data[0] & 0x0f) == Z_DEFLATED && data[0] >> 4 <= 7 &&
         (data[0] << 8 | data[1]) % 31 == 0;
}

static enum format format_of(const unsigned char *data, size_t len) {
  if (is_gzip(data, len))
    return GZIP;
  return is_zlib(data, len) ? ZLIB : RAW;
}

static size_t left(const struct inflate *s) {
  return s->z.avail_in + s->unseen;
}

static void pass_input(struct inflate *s) {
  if (s->z.avail_in > 0)
    return;
  const size_t n = s->unseen < SLICE ? s->unseen : SLICE;
  s->z.avail_in = (uInt)n; /* next_in points there already */
  s->unseen -= n;
}

/* Z_BUF_ERROR: no progress although there was room for output, so the input has ended. */
static enum inflate_code code_of(int status) {
  switch (status) {
  case Z_STREAM_END:
    return INFLATE_DONE;
  case Z_BUF_ERROR:
    return INFLATE_INCOMPLETE;
  case Z_MEM_ERROR:
    return INFLATE_NO_MEMORY;
  default: /* includes Z_NEED_DICT: HTTP has no dictionaries */
    return INFLATE_DAMAGED;
  }
}

/* Inflates to the end of a member or of the step. A step ends when out holds enough bytes, or when
 * enough input was read: members and blocks may be empty. */
static enum inflate_code inflate_member(struct inflate *s, size_t enough) {
  unsigned char chunk[CHUNK];
  int status;
  do {
    if (s->out->len >= enough || left(s) < s->pause_at)
      return INFLATE_RUNNING;
    pass_input(s);
    s->z.next_out = chunk;
    s->z.avail_out = sizeof chunk;
    status = inflate(&s->z, Z_NO_FLUSH);
    switch (buf_append(s->out, chunk, sizeof chunk - s->z.avail_out)) {
    case BUF_OK:
      break;
    case BUF_TOO_LARGE:
      return INFLATE_TOO_LARGE;
    case BUF_NO_MEMORY:
      return INFLATE_NO_MEMORY;
    }
  } while (status == Z_OK);
  return code_of(status);
}

static enum inflate_code inflate_members(struct inflate *s, size_t enough) {
  enum inflate_code code = inflate_member(s, enough);
  while (code == INFLATE_DONE && s->format == GZIP && left(s) > 0 &&
         is_gzip(s->z.next_in, left(s))) {
    inflateReset(&s->z);
    code = inflate_member(s, enough);
  }
  return code == INFLATE_DONE && left(s) > 0 ? INFLATE_TRAILING : code;
}

/* Raw deflate has neither a magic number nor a checksum, so any text may begin like it: a failure
 * means that the data is not compressed. */
static enum inflate_code judge(enum inflate_code code, enum format format) {
  const bool is_invalid =
      code == INFLATE_DAMAGED || code == INFLATE_INCOMPLETE || code == INFLATE_TRAILING;
  return format == RAW && is_invalid ? INFLATE_UNCOMPRESSED : code;
}

struct inflate *inflate_open(const void *data, size_t len, struct buf *out) {
  static const int bits[] = {[GZIP] = MAX_WBITS + 16, [ZLIB] = MAX_WBITS, [RAW] = -MAX_WBITS};
  struct inflate *s = calloc(1, sizeof *s);
  if (!s)
    return NULL;
  s->z.next_in = data;
  s->z.zalloc = allocate;
  s->z.zfree = release;
  s->unseen = len;
  s->out = out;
  if (len == 0)
    return s;
  s->format = format_of(data, len);
  if (inflateInit2(&s->z, bits[s->format]) != Z_OK) {
    free(s);
    return NULL;
  }
  s->is_open = true;
  return s;
}

enum inflate_code inflate_step(struct inflate *s, size_t bytes) {
  const size_t len = s->out->len;
  if (!s->is_open)
    return INFLATE_DONE;
  s->pause_at = left(s) > bytes ? left(s) - bytes : 0;
  return judge(inflate_members(s, bytes < SIZE_MAX - len ? len + bytes : SIZE_MAX), s->format);
}

void inflate_close(struct inflate *s) {
  if (s && s->is_open)
    inflateEnd(&s->z);
  free(s);
}

enum inflate_code inflate_body(const void *data, size_t len, struct buf *out) {
  struct inflate *s = inflate_open(data, len, out);
  if (!s)
    return INFLATE_NO_MEMORY;
  const enum inflate_code code = inflate_step(s, SIZE_MAX);
  inflate_close(s);
  return code;
}

const char *inflate_message(enum inflate_code code) {
  switch (code) {
  case INFLATE_DONE:
  case INFLATE_RUNNING:
    break;
  case INFLATE_UNCOMPRESSED:
    return "the body is neither gzip nor deflate";
  case INFLATE_DAMAGED:
    return "the compressed body is damaged";
  case INFLATE_INCOMPLETE:
    return "the compressed body is cut off";
  case INFLATE_TRAILING:
    return "the compressed body is followed by other data";
  case INFLATE_TOO_LARGE:
    return "the decompressed body is too large";
  case INFLATE_NO_MEMORY:
    return "not enough memory to decompress the body";
  }
  return NULL;
}
