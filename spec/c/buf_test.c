#include "buf.h"
#include "check.h"
#include "fail_alloc.h"

#include <string.h>

static void keeps_what_is_appended(void) {
  struct buf b;
  buf_init(&b, 100000);
  check(b.data == NULL && b.len == 0, "starts without memory");
  check(buf_append(&b, "", 0) == BUF_OK && b.data == NULL, "appends nothing without memory");
  for (int i = 0; i < 10000; i++)
    buf_append(&b, "0123456789", 10);
  check(b.len == 100000, "holds all that was appended");
  check(memcmp(b.data + 99990, "0123456789", 10) == 0, "holds it in order");
  buf_clear(&b);
  check(b.len == 0 && b.data != NULL, "clearing keeps the memory");
  buf_free(&b);
  buf_free(&b);
  check(b.data == NULL && b.cap == 0, "may be freed twice");
  check(buf_append(&b, "x", 1) == BUF_OK && b.len == 1, "may be used again after it was freed");
  buf_free(&b);
}

static void stays_below_its_ceiling(void) {
  struct buf b;
  buf_init(&b, 1500);
  char block[1500];
  memset(block, 'a', sizeof block);
  check(buf_append(&b, block, 1000) == BUF_OK, "accepts what is below the ceiling");
  check(buf_append(&b, block, 501) == BUF_TOO_LARGE, "refuses one byte too many");
  check(b.len == 1000, "keeps what it held when it refuses");
  check(buf_append(&b, block, 500) == BUF_OK, "accepts the last byte");
  check(b.cap <= 1500, "allocates no more than the ceiling");
  check(buf_append(&b, block, (size_t)-1) == BUF_TOO_LARGE, "a huge length does not wrap around");
  buf_free(&b);
  buf_init(&b, 0);
  check(buf_append(&b, "x", 1) == BUF_TOO_LARGE, "a ceiling of 0 holds nothing");
}

static void survives_lack_of_memory(void) {
  struct buf b;
  buf_init(&b, 1 << 20);
  buf_append(&b, "first", 5);
  char block[5000] = {0};
  fail_alloc_at(1);
  check(buf_append(&b, block, sizeof block) == BUF_NO_MEMORY, "says that memory is lacking");
  check(b.len == 5 && memcmp(b.data, "first", 5) == 0, "keeps what it held without memory");
  check(buf_append(&b, block, sizeof block) == BUF_OK && b.len == 5005, "goes on afterwards");
  buf_free(&b);
}

int main(void) {
  keeps_what_is_appended();
  stays_below_its_ceiling();
  survives_lack_of_memory();
  return check_result("buf");
}
