#define ZLIB_CONST /* next_in is const */
#include "inflate.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#define CHUNK 16384 /* bytes that come out at a time */
#define SLICE 65536 /* bytes that go in at a time: zlib counts them in an int */

enum format { GZIP, ZLIB, RAW };

struct inflate {
  z_stream z;
  size_t unseen; /* bytes of the input that zlib was not shown yet, behind those it was */
  size_t pause_at; /* a step is over with so many bytes of the input left; 0: not by them */
  enum format format;
  bool is_begun; /* z is to be ended; there was something to decompress */
  struct buf *out;
};

/* zlib's way to ask for memory, through ours: that failures can be tested. */
static void *allocate(void *opaque, uInt items, uInt size) {
  (void)opaque;
  return calloc(items, size);
}

static void release(void *opaque, void *block) {
  (void)opaque;
  free(block);
}

/* One byte alone may be the first half of the mark. */
static bool is_gzip(const unsigned char *data, size_t len) {
  return memcmp(data, "\x1f\x8b", len < 2 ? len : 2) == 0;
}

/* RFC 1950 §2.2. Deflate alone could look so too, but only by bits that it pads with,
 * and all pad with zeros. */
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

static void show_more(struct inflate *s) {
  if (s->z.avail_in > 0)
    return;
  const size_t n = s->unseen < SLICE ? s->unseen : SLICE;
  s->z.avail_in = (uInt)n; /* next_in stands there already */
  s->unseen -= n;
}

/* Z_BUF_ERROR: nothing went in and nothing came out, though there was room. */
static enum inflate_code code_of(int status) {
  switch (status) {
  case Z_STREAM_END:
    return INFLATE_DONE;
  case Z_BUF_ERROR:
    return INFLATE_CUT;
  case Z_MEM_ERROR:
    return INFLATE_NO_MEMORY;
  default: /* Z_NEED_DICT as well: HTTP has none to give */
    return INFLATE_DAMAGED;
  }
}

/* Inflates until the end of a member, or until the step is over: out has so many bytes, or little
 * enough of the input is left, as members and blocks may be empty. */
static enum inflate_code inflate_member(struct inflate *s, size_t enough) {
  unsigned char chunk[CHUNK];
  int status;
  do {
    if (s->out->len >= enough || left(s) < s->pause_at)
      return INFLATE_GOES_ON;
    show_more(s);
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
  return code == INFLATE_DONE && left(s) > 0 ? INFLATE_TRAILED : code;
}

/* Deflate alone has neither a mark nor a checksum: any text is some of it for a while,
 * and where that ends says nothing. */
static enum inflate_code blame(enum inflate_code code, enum format format) {
  const bool wrong = code == INFLATE_DAMAGED || code == INFLATE_CUT || code == INFLATE_TRAILED;
  return format == RAW && wrong ? INFLATE_FOREIGN : code;
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
  s->is_begun = true;
  return s;
}

enum inflate_code inflate_step(struct inflate *s, size_t bytes) {
  const size_t len = s->out->len;
  if (!s->is_begun)
    return INFLATE_DONE;
  s->pause_at = left(s) > bytes ? left(s) - bytes : 0;
  return blame(inflate_members(s, bytes < SIZE_MAX - len ? len + bytes : SIZE_MAX), s->format);
}

void inflate_close(struct inflate *s) {
  if (s && s->is_begun)
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
  case INFLATE_GOES_ON:
    break;
  case INFLATE_FOREIGN:
    return "the body is neither gzip nor deflate";
  case INFLATE_DAMAGED:
    return "the body is damaged: it cannot be decompressed";
  case INFLATE_CUT:
    return "the body ends before its compressed data do";
  case INFLATE_TRAILED:
    return "the body goes on after its compressed data";
  case INFLATE_TOO_LARGE:
    return "the body is too large";
  case INFLATE_NO_MEMORY:
    return "not enough memory to decompress the body";
  }
  return NULL;
}
