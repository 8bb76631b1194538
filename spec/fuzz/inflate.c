/* Our inflating against zlib's, all at once and without our loops; and what zlib compresses
 * comes back, while nothing that is cut does. */
#include "inflate.h"
#include "fuzz.h"

#include <string.h>
#include <zlib.h>

#define CEILING (256u * 1024)

static bool is_gzip(const uint8_t *data, size_t size) {
  return size > 0 && data[0] == 0x1f && (size == 1 || data[1] == 0x8b);
}

static bool is_zlib(const uint8_t *data, size_t size) {
  return size >= 2 && (data[0] & 15) == 8 && data[0] >> 4 <= 7 &&
         (data[0] * 256 + data[1]) % 31 == 0;
}

/* Inflates one stream after the other with the whole input and the whole room. Returns
 * whether all of it is what it says; *len is how much came. */
static bool reference(const uint8_t *data, size_t size, uint8_t *out, size_t *len) {
  const int bits = is_gzip(data, size) ? 31 : is_zlib(data, size) ? 15 : -15;
  z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size};
  int status;
  z.next_out = out;
  z.avail_out = CEILING + 1;
  if (inflateInit2(&z, bits) != Z_OK)
    abort();
  while ((status = inflate(&z, Z_FINISH)) == Z_STREAM_END && bits == 31 &&
         is_gzip(z.next_in, z.avail_in))
    inflateReset(&z);
  *len = CEILING + 1 - z.avail_out;
  inflateEnd(&z);
  return status == Z_STREAM_END && z.avail_in == 0;
}

static void as_zlib(const uint8_t *data, size_t size) {
  static uint8_t expected[CEILING + 1];
  struct buf out;
  size_t len = 0;
  buf_init(&out, CEILING);
  const enum inflate_code code = inflate_body(data, size, &out);
  claim(out.len <= CEILING, "the ceiling holds");
  claim((code == INFLATE_DONE) == (inflate_message(code) == NULL), "a failure has words");
  const bool whole = size == 0 || reference(data, size, expected, &len);
  if (len <= CEILING)
    claim(whole == (code == INFLATE_DONE), "it is taken where zlib takes it");
  else
    claim(code == INFLATE_TOO_LARGE || !whole, "what is too large is refused");
  if (code == INFLATE_DONE)
    claim(out.len == len && memcmp(out.data ? out.data : "", expected, len) == 0,
          "and is what zlib says");
  buf_free(&out);
}

/* Steps of any size come to the same. */
static void in_steps(const uint8_t *data, size_t size) {
  struct buf out;
  struct buf whole;
  buf_init(&out, CEILING);
  buf_init(&whole, CEILING);
  const enum inflate_code expected = inflate_body(data, size, &whole);
  struct inflate *s = inflate_open(data, size, &out);
  enum inflate_code code = INFLATE_GOES_ON;
  for (size_t bytes = 1; s && code == INFLATE_GOES_ON; bytes = bytes * 3 % 5000 + 1)
    code = inflate_step(s, bytes);
  claim(s != NULL && code == expected, "steps end as the whole does");
  claim(out.len == whole.len &&
            memcmp(out.data ? out.data : "", whole.data ? whole.data : "", out.len) == 0,
        "and give the same");
  inflate_close(s);
  buf_free(&out);
  buf_free(&whole);
}

static void there_and_back(struct input in) {
  static uint8_t packed[CEILING];
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
  buf_init(&out, CEILING);
  claim(inflate_body(packed, len, &out) == INFLATE_DONE, "what zlib compresses is inflated");
  claim(out.len == in.left && memcmp(out.data ? out.data : "", in.data, in.left) == 0,
        "to what it was");
  buf_free(&out);
  if (cut == 0 || cut >= len)
    return;
  buf_init(&out, CEILING);
  claim(inflate_body(packed, len - cut, &out) != INFLATE_DONE, "what is cut is not whole");
  buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  as_zlib(data, size);
  in_steps(data, size);
  there_and_back((struct input){data, size});
  return 0;
}
