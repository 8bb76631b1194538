#include "buf.h"
#include "check.h"
#include "fail_alloc.h"

#include <string.h>

static void keeps_what_is_appended(void) {
  struct buf b;
  buf_init(&b, 100000);
  check(b.data == NULL && b.len == 0, "an empty buffer has no memory");
  check(buf_append(&b, "", 0) == BUF_OK && b.data == NULL, "appending 0 bytes allocates nothing");
  for (int i = 0; i < 10000; i++)
    buf_append(&b, "0123456789", 10);
  check(b.len == 100000, "it holds everything that was appended");
  check(memcmp(b.data + 99990, "0123456789", 10) == 0, "in order");
  buf_clear(&b);
  check(b.len == 0 && b.data != NULL, "clearing it keeps the memory");
  buf_free(&b);
  buf_free(&b);
  check(b.data == NULL && b.cap == 0, "it may be freed twice");
  check(buf_append(&b, "x", 1) == BUF_OK && b.len == 1, "it may be used after it was freed");
  buf_free(&b);
}

static void may_be_mapped(void) {
  struct buf b;
  char block[50000];
  buf_init(&b, 1 << 24);
  b.is_mapped = true;
  for (int i = 0; i < 100; i++) {
    memset(block, 'a' + i % 26, sizeof block);
    check(buf_append(&b, block, sizeof block) == BUF_OK, "a mapped buffer grows");
  }
  int is_whole = b.len == 100 * sizeof block;
  for (int i = 0; i < 100; i++)
    is_whole = is_whole && b.data[(size_t)i * sizeof block] == 'a' + i % 26 &&
               b.data[(size_t)(i + 1) * sizeof block - 1] == 'a' + i % 26;
  check(is_whole, "and holds everything, in order");
  buf_release(&b, 4000000);
  check(b.data[4000000] == 'a' + 80 % 26, "it may be released in part");
  struct buf moved = b;
  buf_free(&moved);
  buf_free(&moved);
  check(moved.data == NULL, "and be freed by another owner");
  buf_append(&moved, block, sizeof block);
  for (long n = 1; n <= 2; n++) { /* the first mapping, and a larger one */
    const size_t len = moved.len;
    while (moved.len + sizeof block <= moved.cap)
      buf_append(&moved, block, sizeof block);
    const size_t full = moved.len;
    fail_alloc_at(1);
    check(buf_append(&moved, block, sizeof block) == BUF_NO_MEMORY && moved.len == full,
          "lack of memory does not change it");
    check(full >= len && buf_append(&moved, block, sizeof block) == BUF_OK, "it works afterwards");
  }
  buf_free(&moved);
  buf_append(&moved, "small", 5);
  buf_free(&moved);
}

static void has_a_limit(void) {
  struct buf b;
  buf_init(&b, 1500);
  char block[1500];
  memset(block, 'a', sizeof block);
  check(buf_append(&b, block, 1000) == BUF_OK, "it accepts bytes below its limit");
  check(buf_append(&b, block, 501) == BUF_TOO_LARGE, "it refuses one byte too many");
  check(b.len == 1000, "a refusal does not change it");
  check(buf_append(&b, block, 500) == BUF_OK, "it accepts the last byte below its limit");
  check(b.cap <= 1500, "it does not allocate more than its limit");
  check(buf_append(&b, block, (size_t)-1) == BUF_TOO_LARGE, "a huge length does not wrap around");
  buf_free(&b);
  buf_init(&b, 0);
  check(buf_append(&b, "x", 1) == BUF_TOO_LARGE, "with a limit of 0 it holds nothing");
}

static void survives_lack_of_memory(void) {
  struct buf b;
  buf_init(&b, 1 << 20);
  buf_append(&b, "first", 5);
  char block[5000] = {0};
  fail_alloc_at(1);
  check(buf_append(&b, block, sizeof block) == BUF_NO_MEMORY, "it reports lack of memory");
  check(b.len == 5 && memcmp(b.data, "first", 5) == 0, "lack of memory does not change it");
  check(buf_append(&b, block, sizeof block) == BUF_OK && b.len == 5005, "it works afterwards");
  buf_free(&b);
}

static void releases_its_beginning(void) {
  struct buf b;
  buf_init(&b, 1 << 20);
  char block[50000];
  memset(block, 'a', sizeof block);
  buf_append(&b, block, sizeof block);
  buf_append(&b, "end", 3);
  buf_release(&b, 0);
  buf_release(&b, 100);
  check(memcmp(b.data, block, sizeof block) == 0, "what is less than a page stays");
  buf_release(&b, 49999);
  check(b.len == 50003 && memcmp(b.data + 49999, "aend", 4) == 0, "what is not released stays");
  check(memchr(b.data, '\0', 49999) != NULL, "whole pages are released");
  buf_free(&b);
}

int main(void) {
  keeps_what_is_appended();
  releases_its_beginning();
  may_be_mapped();
  has_a_limit();
  survives_lack_of_memory();
  return check_result("buf");
}
