/* Heads of responses, line by line. */
#include "head.h"
#include "check.h"
#include "fail_alloc.h"

#include <string.h>

/* Gives a text to a head line by line; the first code that is not HEAD_OK. */
static enum head_code read_all(struct head *h, const char *text, size_t max) {
  head_init(h, max);
  while (*text) {
    const char *end = strchr(text, '\n');
    const size_t len = end ? (size_t)(end - text) + 1 : strlen(text);
    const enum head_code code = head_line(h, text, len);
    if (code != HEAD_OK)
      return code;
    text += len;
  }
  return HEAD_OK;
}

static void expect(const char *text, enum head_code code, const char *sentence) {
  struct head h;
  check(read_all(&h, text, 1000) == code, sentence);
  check((head_message(code) == NULL) == (code == HEAD_OK), "has words for what is refused");
  buf_free(&h.text);
}

static void is_kept(const char *text, const char *kept, const char *sentence) {
  struct head h;
  check(read_all(&h, text, 1000) == HEAD_OK && head_is_over(&h) && h.text.len == strlen(kept) &&
            memcmp(h.text.data, kept, h.text.len) == 0,
        sentence);
  buf_free(&h.text);
}

static void keeps_the_final_head(void) {
  const char *plain = "HTTP/1.1 200 OK\r\nA: 1\r\n\r\n";
  is_kept(plain, plain, "keeps a head");
  is_kept("HTTP/2 204 \r\n\r\n", "HTTP/2 204 \r\n\r\n", "keeps that of HTTP/2");
  is_kept("HTTP/1.1 200\nA: 1\n\n", "HTTP/1.1 200\nA: 1\n\n", "takes LF for the end of a line");
  is_kept("HTTP/1.1 103 Hints\r\nB: 2\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\n\r\n", plain,
          "forgets an interim response");
  is_kept("HTTP/1.1 200 OK\r\nA: 1\r\n\r\nTrailer: 1\r\nHTTP/1.1 500: x\r\n no\r\n\r\n", plain,
          "ignores trailers, whatever they look like");
  is_kept("HTTP/1.1 200 OK\r\nHTTP/1x: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nHTTP/1x: 1\r\n\r\n",
          "takes a header for one that begins as a status line does");
  is_kept("HTTP/1.1 200 OK\r\nA: 1\r\n more\r\n\t\r\n\r\n",
          "HTTP/1.1 200 OK\r\nA: 1\r\n more\r\n\t\r\n\r\n", "takes a line that goes on");
  is_kept("HTTP/1.1 200 OK\r\nContent-Length: 5, 05\r\ncontent-length:5\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 5, 05\r\ncontent-length:5\r\n\r\n",
          "takes the same length more than once");
}

static void refuses(void) {
  static const char *const no_http[] = {"", "GET / HTTP/1.1", "HTTP/1.1 099 x", "HTTP/1.1 2000",
                                        "HTTP/1.1 abc", "HTTP/0.9 200", "HTTP/1.1  200", "HTTP/1.1"};
  char text[200];
  for (size_t i = 0; i < sizeof no_http / sizeof *no_http; i++) {
    snprintf(text, sizeof text, "%s\r\n", no_http[i]);
    expect(text, HEAD_NOT_HTTP, "refuses what is no status line");
  }
  expect("HTTP/1.1 101 Switching\r\n", HEAD_SWITCHES, "refuses another protocol");
  static const char *const no_name[] = {" folded", "\tfolded", "nothing", ": 1", "a b: 1",
                                        "a : 1",   "a\x01: 1", "a: b\rc", "a\x7f: 1"};
  for (size_t i = 0; i < sizeof no_name / sizeof *no_name; i++) {
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", no_name[i]);
    expect(text, HEAD_NO_NAME, "refuses a header line without a name");
  }
  static const char *const framing[] = {
      "Transfer-Encoding: identity", "Transfer-Encoding: gzip, chunked", "transfer-encoding:",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunkedx",
      "Content-Length: 5\r\nTransfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 6",
      "Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length: -1", "Content-Length:",
      "Content-Length: 5,", "Content-Length: 5, 6", "Content-Length: +5", "Content-Length: 0x5",
      "Content-Length: 9999999999999999999", "Content-Length: 4\r\n 0",
      "A: 1\r\nTransfer-Encoding: chunked\r\n\t, gzip"};
  for (size_t i = 0; i < sizeof framing / sizeof *framing; i++) {
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", framing[i]);
    expect(text, HEAD_FRAMING, "refuses lengths that contradict each other");
  }
}

static void has_a_ceiling(void) {
  struct head h;
  head_init(&h, 100);
  enum head_code code = HEAD_OK;
  int lines = 0;
  for (; lines < 100 && code == HEAD_OK; lines++) {
    code = head_line(&h, "HTTP/1.1 102 Processing\r\n", 25);
    if (code == HEAD_OK)
      code = head_line(&h, "\r\n", 2);
  }
  check(code == HEAD_TOO_LARGE && lines <= 5, "counts interim responses");
  buf_free(&h.text);
  check(read_all(&h, "HTTP/1.1 200 OK\r\n\r\n", 30) == HEAD_OK, "reads a short head");
  for (code = HEAD_OK, lines = 0; lines < 100 && code == HEAD_OK; lines++)
    code = head_line(&h, "Trailer: 1\r\n", 12);
  check(code == HEAD_TOO_LARGE && lines <= 4, "counts trailers");
  buf_free(&h.text);
}

static void stands_lack_of_memory(void) {
  struct head h;
  fail_alloc_at(1);
  check(read_all(&h, "HTTP/1.1 200 OK\r\n", 100) == HEAD_NO_MEMORY, "tells a lack of memory");
  fail_alloc_at(0);
  buf_free(&h.text);
}

int main(void) {
  struct head h;
  keeps_the_final_head();
  refuses();
  has_a_ceiling();
  stands_lack_of_memory();
  check(read_all(&h, "HTTP/1.1 200 OK\r\nA: 1\r\n", 100) == HEAD_OK && !head_is_over(&h),
        "is not over before the empty line");
  buf_free(&h.text);
  return check_result("head");
}
