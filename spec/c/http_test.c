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

static struct pool *pool; /* that of the test that runs */

static enum http_code finish(struct http *h) {
  enum http_code code;
  while ((code = http_result(h)) == HTTP_RUNNING) {
    pool_wait(pool, 1000);
    while (pool_next(pool) != NULL)
      ;
  }
  return code;
}

static bool watched; /* how pools are opened */

static struct http *open_session(bool allow_http, enum http_code *code) {
  const struct pool_limits limits = {.kept = 4, .watched = watched};
  const struct http_options options = {.allow_http = allow_http, .proxy = ""};
  pool = http_pool(&limits, code);
  struct http *h = pool ? http_open(pool, &options, code) : NULL;
  if (pool && !h)
    pool_release(pool);
  return h;
}

/* The session holds the pool, so either may go first. */
static void close_session(struct http *h) {
  pool_release(pool);
  http_close(h);
}

/* One session, one exchange. Returns how it ended. */
static enum http_code exchange(const struct http_request *r) {
  enum http_code code;
  struct http *h = open_session(true, &code);
  if (!h)
    return code;
  code = http_header(h, "X-Test: 1");
  if (code == HTTP_DONE)
    code = http_start(h, r);
  if (code == HTTP_RUNNING)
    code = finish(h);
  close_session(h);
  return code;
}

static void answers(void) {
  enum http_code code;
  struct http *h = open_session(true, &code);
  const struct http_request r = request();
  check(h != NULL && http_start(h, &r) == HTTP_RUNNING, "starts an exchange");
  check(http_result(h) == HTTP_RUNNING, "is running until it ends");
  check(finish(h) == HTTP_DONE && http_answer(h)->status == 200, "gets the answer");
  check(http_answer(h)->version == 11, "knows the HTTP version");
  check(http_answer(h)->body.len > 0, "holds the body");
  check(http_result(h) == HTTP_CONFIG, "has one result");
  check(http_start(h, &r) == HTTP_RUNNING && http_start(h, &r) == HTTP_RUNNING,
        "a second start gives up the first");
  check(finish(h) == HTTP_DONE && http_answer(h)->status == 200, "and gets its own answer");
  http_start(h, &r);
  http_cancel(h);
  check(http_result(h) == HTTP_CONFIG && !pool_next(pool), "can be cancelled");
  http_start(h, &r);
  close_session(h);
  http_close(NULL);
}

static bool body_holds(struct http *h, const char *text) {
  const struct buf *body = &http_answer(h)->body;
  return memmem(body->data, body->len, text, strlen(text)) != NULL;
}

/* The sandbox echoes the headers it got. */
static void keeps_headers_to_their_request(void) {
  enum http_code code;
  struct http *h = open_session(true, &code);
  const struct http_request r = request();
  http_header(h, "X-First: secret");
  check(http_header(h, "X-Second: a\r\nb") == HTTP_CONFIG, "refuses a line break");
  http_start(h, &r);
  check(finish(h) == HTTP_DONE && !body_holds(h, "secret"),
        "a refused line takes those before it along");
  http_start(h, &r);
  check(http_header(h, "X-Third: third") == HTTP_DONE && http_result(h) == HTTP_CONFIG,
        "a header line gives up the exchange in flight");
  http_start(h, &r);
  check(finish(h) == HTTP_DONE && body_holds(h, "third"), "and goes out with its own");
  http_start(h, &r);
  check(finish(h) == HTTP_DONE && !body_holds(h, "third"), "and with no other");
  http_header(h, "X-Fourth: fourth");
  http_cancel(h);
  http_start(h, &r);
  check(finish(h) == HTTP_DONE && !body_holds(h, "fourth"), "cancelling forgets header lines");
  close_session(h);
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
  struct http *h = open_session(false, &code);
  r = request();
  check(http_start(h, &r) != HTTP_RUNNING || finish(h) == HTTP_CONFIG,
        "refuses plain HTTP unless it was allowed");
  check(http_header(h, "X: 1\r\nY: 2") == HTTP_CONFIG, "refuses a line break in a header");
  check(strlen(http_message(h)) > 0, "has words for it");
  close_session(h);
}

#define MANY 20

/* Each gets its own answer, the pool tells each once, and is done when they are. */
static void answers_many_at_once(void) {
  enum http_code code;
  const struct http_options options = {.allow_http = true, .proxy = ""};
  const struct http_request r = request();
  struct http *sessions[MANY];
  char line[32];
  sessions[0] = open_session(true, &code);
  for (int i = 1; i < MANY; i++)
    sessions[i] = http_open(pool, &options, &code);
  for (int i = 0; i < MANY; i++) {
    snprintf(line, sizeof line, "X-Number: <%d>", i);
    http_header(sessions[i], line);
    check(http_start(sessions[i], &r) == HTTP_RUNNING, "starts beside the others");
  }
  http_cancel(sessions[MANY / 2]);
  check(!watched || pool_timeout(pool) == 0, "has work at once");
  int told = 0;
  for (int i = 0; i < 1000 && told < MANY - 1; i++) {
    pool_wait(pool, 1000);
    struct http *h = http_of(pool_next(pool));
    check(h != NULL, "tells one after each wait");
    check(h && h != sessions[MANY / 2] && http_result(h) == HTTP_DONE, "which is over");
    told++;
    for (int k = 0; k < MANY; k++) {
      snprintf(line, sizeof line, "<%d>", k);
      if (h && sessions[k] != h)
        check(!body_holds(h, line), "and has no other's answer");
    }
  }
  check(told == MANY - 1 && !pool_next(pool), "tells each but the cancelled one once");
  pool_wait(pool, 0);
  check(!pool_next(pool), "and is idle then");
  for (int i = 1; i < MANY; i++)
    http_close(sessions[i]);
  close_session(sessions[0]);
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
  for (int i = 0; i < 2; i++) {
    watched = i == 1;
    answers();
    keeps_headers_to_their_request();
    refuses();
    answers_many_at_once();
  }
  /* watched, libcurl 7.88 itself loses a transfer whose socket it could not note down:
   * that ends with its timeout */
  watched = false;
  survives_lack_of_memory();
  return check_result("http");
}
