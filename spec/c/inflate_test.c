/* What zlib itself compressed comes back; what was changed, cut or lengthened does not. */
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

/* Puts a member behind those that packed holds. */
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

/* From a copy of just that size: a sanitizer sees one byte too many. */
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

/* Bytes that do not shrink; the same in every run. */
static void fill_with_noise(char *into, size_t len) {
  unsigned state = 1;
  for (size_t i = 0; i < len; i++) {
    state = state * 1103515245u + 12345u;
    into[i] = (char)(state >> 16);
  }
}

static void gives_back_what_was_compressed(void) {
  for (size_t i = 0; i < 3; i++) {
    pack_alone(formats[i], "text", 4);
    check(gives("text", 4), "a short text comes back");
    pack_alone(formats[i], "", 0);
    check(gives("", 0), "an empty one too");
    fill_with_noise(text, LARGE);
    pack_alone(formats[i], text, LARGE);
    check(packed_len > LARGE && gives(text, LARGE), "and one that is larger when compressed");
    memset(text, 'a', LARGE);
    pack_alone(formats[i], text, LARGE);
    check(packed_len < LARGE / 100 && gives(text, LARGE), "and one that shrinks to little");
  }
  packed_len = 0;
  check(gives("", 0), "of nothing comes nothing");
}

static void takes_members_of_gzip(void) {
  fill_with_noise(text, LARGE);
  pack_alone(GZIP, text, 100000);
  pack(GZIP, "", 0);
  pack(GZIP, text + 100000, LARGE - 100000);
  check(gives(text, LARGE), "members of gzip are one text");
  packed[packed_len - 1] ^= 1;
  check(code_of(packed, packed_len) == INFLATE_DAMAGED, "the last is looked at as the first is");
  for (size_t i = 1; i < 3; i++) {
    pack_alone(formats[i], "text", 4);
    pack(formats[i], "text", 4);
    check(code_of(packed, packed_len) != INFLATE_DONE, "deflate has none");
  }
}

static void knows_a_cut(void) {
  int gzip = 0;
  int zlib = 0;
  int raw = 0;
  fill_with_noise(text, 200);
  pack_alone(GZIP, text, 200);
  for (size_t len = 1; len < packed_len; len++)
    gzip += code_of(packed, len) != INFLATE_CUT;
  pack_alone(ZLIB, text, 200);
  for (size_t len = 2; len < packed_len; len++)
    zlib += code_of(packed, len) != INFLATE_CUT;
  pack_alone(RAW, text, 200);
  for (size_t len = 1; len < packed_len; len++)
    raw += code_of(packed, len) != INFLATE_FOREIGN;
  check(gzip == 0, "gzip that was cut, wherever");
  check(zlib == 0, "zlib that was cut, wherever");
  check(raw == 0, "deflate alone that was cut is taken for something else");
}

static void knows_what_follows(void) {
  for (size_t i = 0; i < 3; i++) {
    const enum inflate_code code = formats[i] == RAW ? INFLATE_FOREIGN : INFLATE_TRAILED;
    pack_alone(formats[i], "text", 4);
    packed[packed_len] = '\0';
    check(code_of(packed, packed_len + 1) == code, "a zero byte behind the end");
    memcpy(packed + packed_len, "</html>", 7);
    check(code_of(packed, packed_len + 7) == code, "a text behind the end");
  }
  pack_alone(GZIP, "text", 4);
  packed[packed_len] = 0x1f;
  check(code_of(packed, packed_len + 1) == INFLATE_CUT, "half a mark is a member that was cut");
}

static void knows_damage(void) {
  int passed = 0;
  fill_with_noise(text, 200);
  pack_alone(GZIP, text, 200);
  for (size_t i = 10; i < packed_len; i++) { /* not the time in the header */
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
  check(passed == 0, "one bit that is wrong, wherever");
  check(code_of("\x1f\x8b\x07\0", 4) == INFLATE_DAMAGED, "gzip of an unknown method");
  check(code_of("\x78\xbb\0\0\0\0", 6) == INFLATE_DAMAGED, "zlib with a dictionary");
  check(code_of("{\"a\":1}", 7) == INFLATE_FOREIGN, "JSON is neither");
  check(code_of("<html>", 6) == INFLATE_FOREIGN, "HTML is neither");
}

static void takes_any_bytes(void) {
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
  check(most > 0 && most <= 1000, "of noise comes at most what the ceiling allows");
}

static void stays_below_its_ceiling(void) {
  memset(text, 'a', LARGE);
  for (size_t i = 0; i < 3; i++) {
    struct buf out;
    pack_alone(formats[i], text, LARGE);
    buf_init(&out, LARGE);
    check(unpack(packed, packed_len, &out) == INFLATE_DONE, "takes what just fits");
    buf_free(&out);
    buf_init(&out, LARGE - 1);
    check(unpack(packed, packed_len, &out) == INFLATE_TOO_LARGE, "refuses one byte more");
    check(out.cap < LARGE, "and has no memory for it");
    buf_free(&out);
    buf_init(&out, 10);
    check(unpack(packed, packed_len, &out) == INFLATE_TOO_LARGE && out.cap <= 10,
          "a bomb gets no more than the ceiling");
    buf_free(&out);
  }
  packed_len = 0;
  for (int i = 0; i < 10; i++)
    pack(GZIP, text, LARGE / 10);
  check(gives(text, LARGE), "members that together just fit");
  pack(GZIP, "a", 1);
  check(code_of(packed, packed_len) == INFLATE_TOO_LARGE, "the ceiling is that of all members");
}

static void survives_lack_of_memory(int format) {
  int told = 0;
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
    told += reached && code == INFLATE_NO_MEMORY;
    misled += !reached && code != INFLATE_DONE;
    buf_free(&out);
    if (!reached)
      break;
  }
  check(n > 5 && told == n - 1, "tells of lacking memory, whichever it was");
  check(misled == 0 && gives(text, LARGE), "goes on afterwards");
}

/* In steps of a few bytes the same comes as in one. */
static void goes_in_steps(void) {
  enum inflate_code code = INFLATE_GOES_ON;
  struct buf out;
  size_t steps = 0;
  size_t most = 0;
  fill_with_noise(text, LARGE);
  pack_alone(GZIP, text, LARGE / 2);
  pack(GZIP, text + LARGE / 2, LARGE - LARGE / 2);
  buf_init(&out, LARGE);
  struct inflate *s = inflate_open(packed, packed_len, &out);
  for (; code == INFLATE_GOES_ON; steps++) {
    const size_t before = out.len;
    code = inflate_step(s, 1000);
    most = out.len - before > most ? out.len - before : most;
  }
  check(code == INFLATE_DONE && out.len == LARGE && memcmp(out.data, text, LARGE) == 0,
        "all comes, over members too");
  check(steps > 10 && most < 40000, "a part at each step");
  inflate_close(s);
  buf_clear(&out);
  s = inflate_open(packed, packed_len - 1, &out);
  while ((code = inflate_step(s, LARGE / 3)) == INFLATE_GOES_ON)
    ;
  check(code == INFLATE_CUT && out.len > LARGE / 2, "a cut is told at the last step");
  inflate_close(s);
  s = inflate_open(packed, packed_len, &out);
  inflate_step(s, 1);
  inflate_close(s); /* in the middle */
  inflate_close(NULL);
  buf_free(&out);
}

static void has_a_sentence_for_each(void) {
  check(!inflate_message(INFLATE_DONE) && !inflate_message(INFLATE_GOES_ON),
        "of success there is nothing to say");
  for (int code = INFLATE_FOREIGN; code <= INFLATE_NO_MEMORY; code++)
    check(strstr(inflate_message((enum inflate_code)code), "the body") != NULL, "each failure");
}

int main(void) {
  gives_back_what_was_compressed();
  takes_members_of_gzip();
  knows_a_cut();
  knows_what_follows();
  knows_damage();
  takes_any_bytes();
  stays_below_its_ceiling();
  for (size_t i = 0; i < 3; i++)
    survives_lack_of_memory(formats[i]);
  goes_in_steps();
  has_a_sentence_for_each();
  return check_result("inflate");
}
