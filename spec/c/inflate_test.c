/* Decompresses what zlib has compressed; refuses data that was changed, cut off or extended. */
#include "inflate.h"
#include "check.h"
#include "fail_alloc.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#define LARGE 300000

enum { GZIP = MAX_WBITS + 16, ZLIB = MAX_WBITS, RAW = -MAX_WBITS };
static const int formats[] = {GZIP, ZLIB, RAW};

static unsigned char packed[2 * LARGE];
static size_t packed_len;
static char text[LARGE];

/* Appends a member to packed. */
static void pack(int format, const char *plain, size_t len) {
  z_stream z = {.next_in = (unsigned char *)plain,
                .avail_in = (uInt)len,
                .next_out = packed + packed_len,
                .avail_out = (uInt)(sizeof packed - packed_len)};
  if (deflateInit2(&z, 9, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
      deflate(&z, Z_FINISH) != Z_STREAM_END || deflateEnd(&z) != Z_OK)
    abort();
  packed_len += z.total_out;
}

static void pack_alone(int format, const char *plain, size_t len) {
  packed_len = 0;
  pack(format, plain, len);
}

/* Uses a copy of exactly that size, so that a sanitizer reports a read beyond it. */
static enum inflate_code unpack(const void *data, size_t len, struct buf *out) {
  unsigned char *copy = malloc(len ? len : 1);
  if (!copy)
    abort();
  memcpy(copy, data, len);
  const enum inflate_code code = inflate_body(copy, len, out);
  free(copy);
  return code;
}

static enum inflate_code code_of(const void *data, size_t len) {
  struct buf out;
  buf_init(&out, LARGE);
  const enum inflate_code code = unpack(data, len, &out);
  buf_free(&out);
  return code;
}

static int gives(const char *plain, size_t len) {
  struct buf out;
  buf_init(&out, LARGE);
  const int same = unpack(packed, packed_len, &out) == INFLATE_DONE && out.len == len &&
                   (len == 0 || memcmp(out.data, plain, len) == 0);
  buf_free(&out);
  return same;
}

/* Bytes that cannot be compressed; the same in every run. */
static void fill_with_noise(char *into, size_t len) {
  unsigned state = 1;
  for (size_t i = 0; i < len; i++) {
    state = state * 1103515245u + 12345u;
    into[i] = (char)(state >> 16);
  }
}

static void decompresses(void) {
  for (size_t i = 0; i < 3; i++) {
    pack_alone(formats[i], "text", 4);
    check(gives("text", 4), "a short text is restored");
    pack_alone(formats[i], "", 0);
    check(gives("", 0), "an empty text is restored");
    fill_with_noise(text, LARGE);
    pack_alone(formats[i], text, LARGE);
    check(packed_len > LARGE && gives(text, LARGE),
          "a text that is larger when compressed is restored");
    memset(text, 'a', LARGE);
    pack_alone(formats[i], text, LARGE);
    check(packed_len < LARGE / 100 && gives(text, LARGE), "a text that shrinks much is restored");
  }
  packed_len = 0;
  check(gives("", 0), "empty data gives an empty text");
}

static void joins_members_of_gzip(void) {
  fill_with_noise(text, LARGE);
  pack_alone(GZIP, text, 100000);
  pack(GZIP, "", 0);
  pack(GZIP, text + 100000, LARGE - 100000);
  check(gives(text, LARGE), "members of gzip are joined");
  packed[packed_len - 1] ^= 1;
  check(code_of(packed, packed_len) == INFLATE_DAMAGED, "the last member is verified too");
  for (size_t i = 1; i < 3; i++) {
    pack_alone(formats[i], "text", 4);
    pack(formats[i], "text", 4);
    check(code_of(packed, packed_len) != INFLATE_DONE, "deflate has no members");
  }
}

static void reports_incomplete_data(void) {
  int gzip = 0;
  int zlib = 0;
  int raw = 0;
  fill_with_noise(text, 200);
  pack_alone(GZIP, text, 200);
  for (size_t len = 1; len < packed_len; len++)
    gzip += code_of(packed, len) != INFLATE_INCOMPLETE;
  pack_alone(ZLIB, text, 200);
  for (size_t len = 2; len < packed_len; len++)
    zlib += code_of(packed, len) != INFLATE_INCOMPLETE;
  pack_alone(RAW, text, 200);
  for (size_t len = 1; len < packed_len; len++)
    raw += code_of(packed, len) != INFLATE_UNCOMPRESSED;
  check(gzip == 0, "gzip that is cut off in any place is reported");
  check(zlib == 0, "zlib that is cut off in any place is reported");
  check(raw == 0, "raw deflate that is cut off is not recognised");
}

static void reports_trailing_data(void) {
  for (size_t i = 0; i < 3; i++) {
    const enum inflate_code code = formats[i] == RAW ? INFLATE_UNCOMPRESSED : INFLATE_TRAILING;
    pack_alone(formats[i], "text", 4);
    packed[packed_len] = '\0';
    check(code_of(packed, packed_len + 1) == code, "a zero byte after the end is reported");
    memcpy(packed + packed_len, "</html>", 7);
    check(code_of(packed, packed_len + 7) == code, "a text after the end is reported");
  }
  pack_alone(GZIP, "text", 4);
  packed[packed_len] = 0x1f;
  check(code_of(packed, packed_len + 1) == INFLATE_INCOMPLETE,
        "half a magic number is a member that is cut off");
}

static void reports_damage(void) {
  int passed = 0;
  fill_with_noise(text, 200);
  pack_alone(GZIP, text, 200);
  for (size_t i = 10; i < packed_len;
       i++) { /* after the time in the header, which is not verified */
    packed[i] ^= 1;
    passed += code_of(packed, packed_len) == INFLATE_DONE;
    packed[i] ^= 1;
  }
  pack_alone(ZLIB, text, 200);
  for (size_t i = 2; i < packed_len; i++) {
    packed[i] ^= 1;
    passed += code_of(packed, packed_len) == INFLATE_DONE;
    packed[i] ^= 1;
  }
  check(passed == 0, "one wrong bit in any place is reported");
  check(code_of("\x1f\x8b\x07\0", 4) == INFLATE_DAMAGED, "gzip with an unknown method is reported");
  check(code_of("\x78\xbb\0\0\0\0", 6) == INFLATE_DAMAGED, "zlib with a dictionary is reported");
  check(code_of("{\"a\":1}", 7) == INFLATE_UNCOMPRESSED, "JSON is not compressed");
  check(code_of("<html>", 6) == INFLATE_UNCOMPRESSED, "HTML is not compressed");
}

static void accepts_any_bytes(void) {
  size_t most = 0;
  fill_with_noise(text, LARGE);
  for (size_t at = 0; at + 64 <= 200000; at += 61) {
    struct buf out;
    buf_init(&out, 1000);
    memcpy(packed, text + at, 64);
    if (at % 2)
      memcpy(packed, "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
    unpack(packed, 64, &out);
    most = out.cap > most ? out.cap : most;
    buf_free(&out);
  }
  check(most > 0 && most <= 1000, "noise gives at most what the limit allows");
}

static void obeys_its_limit(void) {
  memset(text, 'a', LARGE);
  for (size_t i = 0; i < 3; i++) {
    struct buf out;
    pack_alone(formats[i], text, LARGE);
    buf_init(&out, LARGE);
    check(unpack(packed, packed_len, &out) == INFLATE_DONE, "it accepts a text that just fits");
    buf_free(&out);
    buf_init(&out, LARGE - 1);
    check(unpack(packed, packed_len, &out) == INFLATE_TOO_LARGE, "it refuses one byte more");
    check(out.cap < LARGE, "and allocates no memory for it");
    buf_free(&out);
    buf_init(&out, 10);
    check(unpack(packed, packed_len, &out) == INFLATE_TOO_LARGE && out.cap <= 10,
          "a decompression bomb gets no more memory than the limit");
    buf_free(&out);
  }
  packed_len = 0;
  for (int i = 0; i < 10; i++)
    pack(GZIP, text, LARGE / 10);
  check(gives(text, LARGE), "it accepts members that together just fit");
  pack(GZIP, "a", 1);
  check(code_of(packed, packed_len) == INFLATE_TOO_LARGE, "the limit is for all members together");
}

static void survives_lack_of_memory(int format) {
  int reported = 0;
  int misled = 0;
  long n = 1;
  fill_with_noise(text, LARGE);
  pack_alone(format, text, LARGE);
  for (;; n++) {
    struct buf out;
    buf_init(&out, LARGE);
    fail_alloc_at(n);
    const enum inflate_code code = inflate_body(packed, packed_len, &out);
    const int reached = fail_alloc_reached();
    fail_alloc_at(0);
    reported += reached && code == INFLATE_NO_MEMORY;
    misled += !reached && code != INFLATE_DONE;
    buf_free(&out);
    if (!reached)
      break;
  }
  check(n > 5 && reported == n - 1, "it reports each lack of memory");
  check(misled == 0 && gives(text, LARGE), "it works afterwards");
}

/* Small steps give the same result as one. */
static void works_in_steps(void) {
  enum inflate_code code = INFLATE_RUNNING;
  struct buf out;
  size_t steps = 0;
  size_t most = 0;
  fill_with_noise(text, LARGE);
  pack_alone(GZIP, text, LARGE / 2);
  pack(GZIP, text + LARGE / 2, LARGE - LARGE / 2);
  buf_init(&out, LARGE);
  struct inflate *s = inflate_open(packed, packed_len, &out);
  for (; code == INFLATE_RUNNING; steps++) {
    const size_t before = out.len;
    code = inflate_step(s, 1000);
    most = out.len - before > most ? out.len - before : most;
  }
  check(code == INFLATE_DONE && out.len == LARGE && memcmp(out.data, text, LARGE) == 0,
        "steps give the whole text, with all members");
  check(steps > 10 && most < 40000, "each step gives a part");
  inflate_close(s);
  buf_clear(&out);
  s = inflate_open(packed, packed_len - 1, &out);
  while ((code = inflate_step(s, LARGE / 3)) == INFLATE_RUNNING)
    ;
  check(code == INFLATE_INCOMPLETE && out.len > LARGE / 2,
        "incomplete data is reported by the last step");
  inflate_close(s);
  s = inflate_open(packed, packed_len, &out);
  inflate_step(s, 1);
  inflate_close(s); /* in the middle */
  inflate_close(NULL);
  buf_free(&out);
}

static void has_messages(void) {
  check(!inflate_message(INFLATE_DONE) && !inflate_message(INFLATE_RUNNING),
        "success has no message");
  for (int code = INFLATE_UNCOMPRESSED; code <= INFLATE_NO_MEMORY; code++)
    check(strstr(inflate_message((enum inflate_code)code), "body") != NULL,
          "each failure has a message about the body");
}

int main(void) {
  decompresses();
  joins_members_of_gzip();
  reports_incomplete_data();
  reports_trailing_data();
  reports_damage();
  accepts_any_bytes();
  obeys_its_limit();
  for (size_t i = 0; i < 3; i++)
    survives_lack_of_memory(formats[i]);
  works_in_steps();
  has_messages();
  return check_result("inflate");
}
