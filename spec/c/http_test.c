/* Against a real server: PCAPI_SANDBOX_HTTP_URL, plain HTTP on loopback. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include "http.h"
#include "check.h"
#include "fail_alloc.h"

#include <stdlib.h>
#include <string.h>

static char url[512];

static struct http_request request(void) {
  struct http_request r = {.method = "GET", .url = url};
  r.timeout_ms = 20000;
  r.connect_timeout_ms = 5000;
  r.max_body = 1 << 20;
  r.max_headers = 1 << 16;
  return r;
}

static enum http_code finish(struct http *h) {
  enum http_code code;
  do
    code = http_wait(h, 1000);
  while (code == HTTP_RUNNING);
  return code;
}

/* One session, one exchange. Returns how it ended. */
static enum http_code exchange(const struct http_request *r) {
  enum http_code code;
  const struct http_options options = {.allow_http = true, .proxy = ""};
  struct http *h = http_open(&options, &code);
  if (!h)
    return code;
  code = http_header(h, "X-Test: 1");
  if (code == HTTP_DONE)
    code = http_start(h, r);
  if (code == HTTP_RUNNING)
    code = finish(h);
  http_close(h);
  return code;
}

static void answers(void) {
  enum http_code code;
  const struct http_options options = {.allow_http = true, .proxy = ""};
  struct http *h = http_open(&options, &code);
  const struct http_request r = request();
  check(h != NULL && http_start(h, &r) == HTTP_RUNNING, "starts an exchange");
  check(http_running(h), "is running until it ends");
  check(finish(h) == HTTP_DONE && http_answer(h)->status == 200, "gets the answer");
  check(http_answer(h)->version == 11, "knows the HTTP version");
  check(http_answer(h)->body.len > 0, "holds the body");
  check(!http_running(h) && http_wait(h, 0) == HTTP_CONFIG, "waits for nothing afterwards");
  check(http_start(h, &r) == HTTP_RUNNING && http_start(h, &r) == HTTP_RUNNING,
        "a second start gives up the first");
  check(finish(h) == HTTP_DONE && http_answer(h)->status == 200, "and gets its own answer");
  http_start(h, &r);
  http_cancel(h);
  check(!http_running(h), "can be cancelled");
  http_start(h, &r);
  http_close(h);
  http_close(NULL);
}

static bool body_holds(struct http *h, const char *text) {
  const struct buf *body = &http_answer(h)->body;
  return memmem(body->data, body->len, text, strlen(text)) != NULL;
}

/* The sandbox echoes the headers it got. */
static void keeps_headers_to_their_request(void) {
  enum http_code code;
  const struct http_options options = {.allow_http = true, .proxy = ""};
  struct http *h = http_open(&options, &code);
  const struct http_request r = request();
  http_header(h, "X-First: secret");
  check(http_header(h, "X-Second: a\r\nb") == HTTP_CONFIG, "refuses a line break");
  http_start(h, &r);
  check(finish(h) == HTTP_DONE && !body_holds(h, "secret"),
        "a refused line takes those before it along");
  http_start(h, &r);
  check(http_header(h, "X-Third: third") == HTTP_DONE && !http_running(h),
        "a header line gives up the exchange in flight");
  http_start(h, &r);
  check(finish(h) == HTTP_DONE && body_holds(h, "third"), "and goes out with its own");
  http_start(h, &r);
  check(finish(h) == HTTP_DONE && !body_holds(h, "third"), "and with no other");
  http_header(h, "X-Fourth: fourth");
  http_cancel(h);
  http_start(h, &r);
  check(finish(h) == HTTP_DONE && !body_holds(h, "fourth"), "cancelling forgets header lines");
  http_close(h);
}

static void refuses(void) {
  enum http_code code;
  struct http_request r = request();
  r.max_body = 3;
  check(exchange(&r) == HTTP_PROTOCOL, "refuses a body above the ceiling");
  r = request();
  r.max_headers = 10;
  check(exchange(&r) == HTTP_PROTOCOL, "refuses headers above the ceiling");
  r = request();
  r.url = "ftp://localhost/";
  check(exchange(&r) == HTTP_CONFIG, "refuses another protocol");
  r.url = "http://127.0.0.1:1/";
  check(exchange(&r) == HTTP_NETWORK, "says when nobody listens");
  const struct http_options options = {.allow_http = false, .proxy = ""};
  struct http *h = http_open(&options, &code);
  r = request();
  check(http_start(h, &r) != HTTP_RUNNING || finish(h) == HTTP_CONFIG,
        "refuses plain HTTP unless it was allowed");
  check(http_header(h, "X: 1\r\nY: 2") == HTTP_CONFIG, "refuses a line break in a header");
  check(strlen(http_message(h)) > 0, "has words for it");
  http_close(h);
}

/* The n-th allocation fails, for every n that a whole exchange makes. */
static void survives_lack_of_memory(void) {
  const struct http_request r = request();
  int clean = 1;
  long n = 1;
  for (; n < 5000; n++) {
    fail_alloc_at(n);
    const enum http_code code = exchange(&r);
    const bool reached = fail_alloc_reached();
    fail_alloc_at(0);
    if (!reached)
      break;
    /* libcurl may do without a piece of memory, or report it as it likes */
    clean = clean && (code == HTTP_DONE || code == HTTP_NO_MEMORY || code == HTTP_NETWORK ||
                      code == HTTP_CONFIG || code == HTTP_PROTOCOL || code == HTTP_TIMEOUT);
  }
  printf("http: %ld allocations failed one after the other\n", n - 1);
  check(n > 20 && n < 5000, "every allocation of an exchange was made to fail");
  check(clean, "and each time the exchange ended with a code");
  check(exchange(&r) == HTTP_DONE, "and works afterwards");
}

int main(void) {
  const char *server = getenv("PCAPI_SANDBOX_HTTP_URL");
  if (!server) {
    fprintf(stderr, "http_test needs the sandbox: sandbox/run build/spec/http_test\n");
    return 2;
  }
  snprintf(url, sizeof url, "%s/_sandbox/echo", server);
  fail_alloc_for_curl();
  answers();
  keeps_headers_to_their_request();
  refuses();
  survives_lack_of_memory();
  return check_result("http");
}
