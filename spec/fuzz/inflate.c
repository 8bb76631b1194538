/* Compares inflate_body() with a single call of zlib. Also decompresses what zlib has compressed,
 * and refuses it when it is cut off. */
#include "inflate.h"
#include "fuzz.h"

#include <string.h>
#include <zlib.h>

#define LIMIT (256u * 1024)

static bool is_gzip(const uint8_t *data, size_t size) {
  return size > 0 && data[0] == 0x1f && (size == 1 || data[1] == 0x8b);
}

static bool is_zlib(const uint8_t *data, size_t size) {
  return size >= 2 && (data[0] & 15) == 8 && data[0] >> 4 <= 7 &&
         (data[0] * 256 + data[1]) % 31 == 0;
}

/* Inflates one stream after the other, each with the rest of the input and of the output. Returns
 * whether the input is valid; *len is the length of the output. */
static bool reference(const uint8_t *data, size_t size, uint8_t *out, size_t *len) {
  const int bits = is_gzip(data, size) ? 31 : is_zlib(data, size) ? 15 : -15;
  z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size};
  int status;
  z.next_out = out;
  z.avail_out = LIMIT + 1;
  if (inflateInit2(&z, bits) != Z_OK)
    abort();
  while ((status = inflate(&z, Z_FINISH)) == Z_STREAM_END && bits == 31 &&
         is_gzip(z.next_in, z.avail_in))
    inflateReset(&z);
  *len = LIMIT + 1 - z.avail_out;
  inflateEnd(&z);
  return status == Z_STREAM_END && z.avail_in == 0;
}

static void as_zlib(const uint8_t *data, size_t size) {
  static uint8_t expected[LIMIT + 1];
  struct buf out;
  size_t len = 0;
  buf_init(&out, LIMIT);
  const enum inflate_code code = inflate_body(data, size, &out);
  claim(out.len <= LIMIT, "the limit holds");
  claim((code == INFLATE_DONE) == (inflate_message(code) == NULL), "a failure has a message");
  const bool whole = size == 0 || reference(data, size, expected, &len);
  if (len <= LIMIT)
    claim(whole == (code == INFLATE_DONE), "it accepts what zlib accepts");
  else
    claim(code == INFLATE_TOO_LARGE || !whole, "a text that is too large is refused");
  if (code == INFLATE_DONE)
    claim(out.len == len && memcmp(out.data ? out.data : "", expected, len) == 0,
          "the output is that of zlib");
  buf_free(&out);
}

/* Steps of any size give the same result. */
static void in_steps(const uint8_t *data, size_t size) {
  struct buf out;
  struct buf whole;
  buf_init(&out, LIMIT);
  buf_init(&whole, LIMIT);
  const enum inflate_code expected = inflate_body(data, size, &whole);
  struct inflate *s = inflate_open(data, size, &out);
  enum inflate_code code = INFLATE_RUNNING;
  for (size_t bytes = 1; s && code == INFLATE_RUNNING; bytes = bytes * 3 % 5000 + 1)
    code = inflate_step(s, bytes);
  claim(s != NULL && code == expected, "steps end with the same code");
  claim(out.len == whole.len &&
            memcmp(out.data ? out.data : "", whole.data ? whole.data : "", out.len) == 0,
        "and the same output");
  inflate_close(s);
  buf_free(&out);
  buf_free(&whole);
}

static void compress_first(struct input in) {
  static uint8_t packed[LIMIT];
  static const int bits[] = {31, 15, -15};
  const uint8_t how = take_byte(&in);
  const size_t cut = take_byte(&in);
  z_stream z = {.next_in = (Bytef *)(uintptr_t)in.data, .avail_in = (uInt)in.left};
  struct buf out;
  z.next_out = packed;
  z.avail_out = sizeof packed;
  if (deflateInit2(&z, how % 10, Z_DEFLATED, bits[how % 3], 8, Z_DEFAULT_STRATEGY) != Z_OK)
    abort();
  const bool done = deflate(&z, Z_FINISH) == Z_STREAM_END;
  const size_t len = sizeof packed - z.avail_out;
  deflateEnd(&z);
  if (!done)
    return;
  buf_init(&out, LIMIT);
  claim(inflate_body(packed, len, &out) == INFLATE_DONE, "compressed data can be decompressed");
  claim(out.len == in.left && memcmp(out.data ? out.data : "", in.data, in.left) == 0,
        "to the same text");
  buf_free(&out);
  if (cut == 0 || cut >= len)
    return;
  buf_init(&out, LIMIT);
  claim(inflate_body(packed, len - cut, &out) != INFLATE_DONE, "data that is cut off is refused");
  buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  as_zlib(data, size);
  in_steps(data, size);
  compress_first((struct input){data, size});
  return 0;
}
