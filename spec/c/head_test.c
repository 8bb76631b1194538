/* Heads of responses, line by line. */
#include "head.h"
#include "check.h"
#include "fail_alloc.h"

#include <string.h>

/* Adds a text to a head line by line. Returns the first code that is not HEAD_OK. */
static enum head_code read_all(struct head *h, const char *text, size_t max) {
  head_reset(h, max);
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
  struct head h = {.state = HEAD_START};
  check(read_all(&h, text, 1000) == code, sentence);
  check((head_message(code) == NULL) == (code == HEAD_OK), "a refusal has a message");
  head_free(&h);
}

static void results_in(const char *text, const char *head, const char *sentence) {
  struct head h = {.state = HEAD_START};
  check(read_all(&h, text, 1000) == HEAD_OK && head_is_over(&h) && h.text.len == strlen(head) &&
            memcmp(h.text.data, head, h.text.len) == 0,
        sentence);
  head_free(&h);
}

static void stores_the_final_head(void) {
  const char *plain = "HTTP/1.1 200 OK\r\nA: 1\r\n\r\n";
  results_in(plain, plain, "it stores a head");
  results_in("HTTP/2 204 \r\n\r\n", "HTTP/2 204 \r\n\r\n", "it stores the head of HTTP/2");
  results_in("HTTP/1.1 200\nA: 1\n\n", "HTTP/1.1 200\nA: 1\n\n",
             "it accepts LF as the end of a line");
  results_in("HTTP/1.1 103 Hints\r\nB: 2\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\n\r\n", plain,
             "it drops an interim response");
  results_in("HTTP/1.1 200 OK\r\nA: 1\r\n\r\nTrailer: 1\r\nHTTP/1.1 500: x\r\n no\r\n\r\n", plain,
             "it ignores any trailers");
  results_in("HTTP/1.1 200 OK\r\nHTTP/1x: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nHTTP/1x: 1\r\n\r\n",
             "it accepts a header that begins like a status line");
  results_in("HTTP/1.1 200 OK\r\nA: 1\r\n more\r\n\t\r\n\r\n",
             "HTTP/1.1 200 OK\r\nA: 1\r\n more\r\n\t\r\n\r\n",
             "it accepts a header that is continued");
  results_in("HTTP/1.1 200 OK\r\nContent-Length: 5, 05\r\ncontent-length:5\r\n\r\n",
             "HTTP/1.1 200 OK\r\nContent-Length: 5, 05\r\ncontent-length:5\r\n\r\n",
             "it accepts one length that is repeated");
}

static void refuses(void) {
  static const char *const no_http[] = {"",
                                        "GET / HTTP/1.1",
                                        "HTTP/1.1 099 x",
                                        "HTTP/1.1 2000",
                                        "HTTP/1.1 abc",
                                        "HTTP/0.9 200",
                                        "HTTP/1.1  200",
                                        "HTTP/1.1"};
  char text[200];
  for (size_t i = 0; i < sizeof no_http / sizeof *no_http; i++) {
    snprintf(text, sizeof text, "%s\r\n", no_http[i]);
    expect(text, HEAD_NOT_HTTP, "it refuses a line that is not a status line");
  }
  expect("HTTP/1.1 101 Switching\r\n", HEAD_UPGRADE, "it refuses another protocol");
  static const char *const no_name[] = {" folded", "\tfolded", "nothing", ": 1",     "a b: 1",
                                        "a : 1",   "a\x01: 1", "a: b\rc", "a\x7f: 1"};
  for (size_t i = 0; i < sizeof no_name / sizeof *no_name; i++) {
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", no_name[i]);
    expect(text, HEAD_NO_NAME, "it refuses a header without a valid name");
  }
  static const char *const framing[] = {"Transfer-Encoding: identity",
                                        "Transfer-Encoding: gzip, chunked",
                                        "transfer-encoding:",
                                        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                                        "Transfer-Encoding: chunkedx",
                                        "Content-Length: 5\r\nTransfer-Encoding: chunked",
                                        "Content-Length: 5\r\nContent-Length: 6",
                                        "Transfer-Encoding: chunked\r\nContent-Length: 5",
                                        "Content-Length: -1",
                                        "Content-Length:",
                                        "Content-Length: 5,",
                                        "Content-Length: 5, 6",
                                        "Content-Length: +5",
                                        "Content-Length: 0x5",
                                        "Content-Length: 9999999999999999999",
                                        "Content-Length: 4\r\n 0",
                                        "A: 1\r\nTransfer-Encoding: chunked\r\n\t, gzip"};
  for (size_t i = 0; i < sizeof framing / sizeof *framing; i++) {
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", framing[i]);
    expect(text, HEAD_FRAMING, "it refuses contradictory or unusual lengths");
  }
}

static bool is_text(const struct head *h, struct head_span span, const char *text) {
  return span.len == strlen(text) && memcmp(h->text.data + span.at, text, span.len) == 0;
}

static void finds_fields(void) {
  struct head h = {.state = HEAD_START};
  size_t count;
  read_all(
      &h,
      "HTTP/1.1 103 Hints\r\nB: 2\r\n\r\nHTTP/1.1 200  Fine \r\nA-b:\t 1 2 \r\n  more\r\nC:\n\r\n",
      1000);
  const struct head_field *f = head_fields(&h, &count);
  check(count == 3 && is_text(&h, h.reason, "Fine"), "the final head has a reason and fields");
  check(count == 3 && is_text(&h, f[0].name, "A-b") && is_text(&h, f[0].value, "1 2") &&
            is_text(&h, f[2].name, "C") && is_text(&h, f[2].value, ""),
        "a field has a name, and a value without surrounding white space");
  check(count == 3 && f[1].name.len == 0 && is_text(&h, f[1].value, "more"),
        "a line that continues another is a field without a name");
  read_all(&h, "HTTP/2 204 \r\nContent-encoding: x\r\nD: 1\r\n\r\n", 1000);
  head_fields(&h, &count);
  check(count == 2 && h.reason.len == 0 && h.is_encoded, "a head may be used again");
  read_all(&h, "HTTP/2 204\r\n\r\n", 1000);
  head_fields(&h, &count);
  check(count == 0 && h.reason.len == 0 && !h.is_encoded, "and has nothing of the one before");
  head_free(&h);
}

static void knows_json(void) {
  static const char *const json[] = {"Content-Type: application/json; charset=utf-8",
                                     "content-type:text/json", "CONTENT-TYPE: a/problem+json",
                                     "Content-Type: a\r\n /json", "Content-Type: a/jsonl"};
  static const char *const other[] = {"Content-Type: text/plain", "Content-Type: json",
                                      "Content-Type: a/jso", "X: /json",
                                      "Content-Type:\r\nX: /json"};
  struct head h = {.state = HEAD_START};
  char text[200];
  for (int i = 0; i < 5; i++) {
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", json[i]);
    check(read_all(&h, text, 1000) == HEAD_OK && head_says_json(&h), "a content type says JSON");
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", other[i]);
    check(read_all(&h, text, 1000) == HEAD_OK && !head_says_json(&h),
          "another type or header does not");
  }
  head_free(&h);
}

static void has_a_limit(void) {
  struct head h = {.state = HEAD_START};
  head_reset(&h, 100);
  enum head_code code = HEAD_OK;
  int lines = 0;
  for (; lines < 100 && code == HEAD_OK; lines++) {
    code = head_line(&h, "HTTP/1.1 102 Processing\r\n", 25);
    if (code == HEAD_OK)
      code = head_line(&h, "\r\n", 2);
  }
  check(code == HEAD_TOO_LARGE && lines <= 5, "interim responses count against its limit");
  head_free(&h);
  check(read_all(&h, "HTTP/1.1 200 OK\r\n\r\n", 30) == HEAD_OK, "it accepts a short head");
  for (code = HEAD_OK, lines = 0; lines < 100 && code == HEAD_OK; lines++)
    code = head_line(&h, "Trailer: 1\r\n", 12);
  check(code == HEAD_TOO_LARGE && lines <= 4, "trailers count against its limit");
  read_all(&h, "HTTP/1.1 200 OK\r\n", 1 << 24);
  for (code = HEAD_OK, lines = 0; lines < 100000 && code == HEAD_OK; lines++)
    code = head_line(&h, "A:\n", 3);
  check(code == HEAD_TOO_LARGE && lines == 65537, "it has at most 65,536 headers");
  head_free(&h);
}

static void survives_lack_of_memory(void) {
  struct head h = {.state = HEAD_START};
  fail_alloc_at(1);
  check(read_all(&h, "HTTP/1.1 200 OK\r\n", 100) == HEAD_NO_MEMORY, "it reports lack of memory");
  fail_alloc_at(2);
  check(read_all(&h, "HTTP/1.1 200 OK\r\nA: 1\r\n", 100) == HEAD_NO_MEMORY, "also for a field");
  fail_alloc_at(0);
  head_free(&h);
}

int main(void) {
  struct head h = {.state = HEAD_START};
  stores_the_final_head();
  refuses();
  finds_fields();
  knows_json();
  has_a_limit();
  survives_lack_of_memory();
  check(read_all(&h, "HTTP/1.1 200 OK\r\nA: 1\r\n", 100) == HEAD_OK && !head_is_over(&h),
        "it is not over before the empty line");
  head_free(&h);
  return check_result("head");
}
