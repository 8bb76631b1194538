/* With a real server: PCAPI_SANDBOX_HTTP_URL, plain HTTP on loopback. */
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

static struct pool *pool; /* of the current test */

static enum http_code finish(struct http *h) {
  enum http_code code;
  while ((code = http_result(h)) == HTTP_RUNNING) {
    pool_wait(pool, 1000);
    while (pool_next(pool) != NULL)
      ;
  }
  return code;
}

static bool watched;  /* options of the next pool */
static size_t memory;

static struct http *open_session(bool allow_http, struct http_failure *failure) {
  const struct pool_limits limits = {.idle = 4, .watched = watched, .memory = memory};
  const struct http_options options = {.allow_http = allow_http, .proxy = ""};
  pool = http_pool(&limits, failure);
  struct http *h = pool ? http_open(pool, &options, failure) : NULL;
  if (pool && !h)
    pool_release(pool);
  return h;
}

/* The session holds the pool, so either may be closed first. */
static void close_session(struct http *h) {
  pool_release(pool);
  http_close(h);
}

/* Sends one request in a new session. Returns its outcome. */
static enum http_code send_alone(const struct http_request *r) {
  struct http_failure failure;
  struct http *h = open_session(true, &failure);
  if (!h)
    return failure.code;
  enum http_code code = http_header(h, "X-Test: 1");
  if (code == HTTP_DONE)
    code = http_start(h, r);
  if (code == HTTP_RUNNING)
    code = finish(h);
  close_session(h);
  return code;
}

static void sends_requests(void) {
  struct http_failure failure;
  struct http *h = open_session(true, &failure);
  const struct http_request r = request();
  check(h != NULL && http_start(h, &r) == HTTP_RUNNING, "it starts a request");
  check(http_result(h) == HTTP_RUNNING, "the request is running until it is done");
  check(finish(h) == HTTP_DONE && http_response(h)->status == 200, "it receives the response");
  check(http_response(h)->version == 11, "with the HTTP version");
  check(http_response(h)->body.len > 0, "and the body");
  check(http_result(h) == HTTP_CONFIG, "there is one result");
  check(http_start(h, &r) == HTTP_RUNNING && http_start(h, &r) == HTTP_RUNNING,
        "a second start cancels the first");
  check(finish(h) == HTTP_DONE && http_response(h)->status == 200, "and receives its own response");
  http_start(h, &r);
  http_cancel(h);
  check(http_result(h) == HTTP_CONFIG && !pool_next(pool), "a request can be cancelled");
  http_start(h, &r);
  close_session(h);
  http_close(NULL);
}

static bool body_holds(struct http *h, const char *text) {
  const struct buf *body = &http_response(h)->body;
  return memmem(body->data, body->len, text, strlen(text)) != NULL;
}

/* The sandbox sends back the headers of the request. */
static void sends_headers_once(void) {
  struct http_failure failure;
  struct http *h = open_session(true, &failure);
  const struct http_request r = request();
  http_header(h, "X-First: secret");
  check(http_header(h, "X-Second: a\r\nb") == HTTP_CONFIG, "it refuses a line break");
  http_start(h, &r);
  check(finish(h) == HTTP_DONE && !body_holds(h, "secret"),
        "a refused header removes those before it");
  http_start(h, &r);
  check(http_header(h, "X-Third: third") == HTTP_DONE && http_result(h) == HTTP_CONFIG,
        "adding a header cancels the running request");
  http_start(h, &r);
  check(finish(h) == HTTP_DONE && body_holds(h, "third"),
        "the header is sent with the next request");
  http_start(h, &r);
  check(finish(h) == HTTP_DONE && !body_holds(h, "third"), "and not with the one after it");
  http_header(h, "X-Fourth: fourth");
  http_cancel(h);
  http_start(h, &r);
  check(finish(h) == HTTP_DONE && !body_holds(h, "fourth"), "cancelling removes headers");
  close_session(h);
}

static void refuses(void) {
  struct http_failure failure;
  struct http_request r = request();
  r.max_body = 3;
  check(send_alone(&r) == HTTP_PROTOCOL, "it refuses a body above the limit");
  r = request();
  r.max_headers = 10;
  check(send_alone(&r) == HTTP_PROTOCOL, "it refuses headers above the limit");
  r = request();
  r.url = "ftp://localhost/";
  check(send_alone(&r) == HTTP_CONFIG, "it refuses another protocol");
  r.url = "http://127.0.0.1:1/";
  check(send_alone(&r) == HTTP_NETWORK, "it reports that no server listens");
  struct http *h = open_session(false, &failure);
  r = request();
  check(http_start(h, &r) != HTTP_RUNNING || finish(h) == HTTP_CONFIG,
        "it refuses plain HTTP unless that is allowed");
  check(http_header(h, "X: 1\r\nY: 2") == HTTP_CONFIG, "it refuses a line break in a header");
  check(strlen(http_failure(h)->message) > 0, "with a message");
  close_session(h);
}

#define MANY 20

/* Each request receives its own response, and the pool reports each once. */
static void sends_many_at_once(void) {
  struct http_failure failure;
  const struct http_options options = {.allow_http = true, .proxy = ""};
  const struct http_request r = request();
  struct http *sessions[MANY];
  char line[32];
  sessions[0] = open_session(true, &failure);
  for (int i = 1; i < MANY; i++)
    sessions[i] = http_open(pool, &options, &failure);
  for (int i = 0; i < MANY; i++) {
    snprintf(line, sizeof line, "X-Number: <%d>", i);
    http_header(sessions[i], line);
    check(http_start(sessions[i], &r) == HTTP_RUNNING, "each request starts");
  }
  http_cancel(sessions[MANY / 2]);
  check(!watched || pool_timeout(pool) == 0, "the pool has work at once");
  int reported = 0;
  for (int i = 0; i < 1000 && reported < MANY - 1; i++) {
    pool_wait(pool, 1000);
    struct http *h = http_of(pool_next(pool));
    check(h != NULL, "each wait reports one request");
    check(h && h != sessions[MANY / 2] && http_result(h) == HTTP_DONE, "which is done");
    reported++;
    for (int k = 0; k < MANY; k++) {
      snprintf(line, sizeof line, "<%d>", k);
      if (h && sessions[k] != h)
        check(!body_holds(h, line), "with its own response");
    }
  }
  check(reported == MANY - 1 && !pool_next(pool),
        "each request but the cancelled one is reported once");
  pool_wait(pool, 0);
  check(!pool_next(pool), "the pool is idle afterwards");
  for (int i = 1; i < MANY; i++)
    http_close(sessions[i]);
  close_session(sessions[0]);
}

#define AT_ONCE 6
#define BODY ((size_t)2000000) /* bytes of a large body, roughly */

static const char *settings = "X-Sandbox: records=10000; encoding=none"; /* of a large request */

/* A list of users, which is larger than the memory of the pool. */
static struct http_request large_request(struct http *h) {
  static char users[600];
  char header[8192];
  struct http_request r = request();
  snprintf(users, sizeof users, "%s/v1/nonMfaCompliantPartnerPrincipals",
           getenv("PCAPI_SANDBOX_HTTP_URL"));
  snprintf(header, sizeof header, "Authorization: Bearer %s", getenv("PCAPI_TOKEN"));
  http_header(h, header);
  http_header(h, "Accept: application/json");
  http_header(h, settings);
  r.url = users;
  r.max_body = 16 << 20;
  return r;
}

static void start_large(struct http **sessions, int count) {
  struct http_failure failure;
  const struct http_options options = {.allow_http = true, .proxy = ""};
  sessions[0] = open_session(true, &failure);
  for (int i = 1; i < count; i++)
    sessions[i] = http_open(pool, &options, &failure);
  for (int i = 0; i < count; i++) {
    const struct http_request r = large_request(sessions[i]);
    check(http_start(sessions[i], &r) == HTTP_RUNNING, "each large request starts");
  }
}

static void close_all(struct http **sessions, int count) {
  for (int i = 1; i < count; i++)
    http_close(sessions[i]);
  close_session(sessions[0]);
}

static size_t held(struct http **sessions, int count) {
  size_t bytes = 0;
  for (int i = 0; i < count; i++)
    bytes += http_response(sessions[i])->body.len;
  return bytes;
}

/* Takes the responses of the sessions as they come, and frees their bodies. Returns the bytes that
 * all bodies had together at most. */
static size_t take_all(struct http **sessions, int count, int expected) {
  size_t most = 0;
  int taken = 0;
  for (int i = 0; i < 2000 && taken < expected; i++) {
    pool_wait(pool, 100);
    struct http *h = http_of(pool_next(pool));
    const size_t now = held(sessions, count);
    most = now > most ? now : most;
    if (!h)
      continue;
    check(http_result(h) == HTTP_DONE && http_response(h)->status == 200, "each response comes");
    check(http_response(h)->body.len > BODY, "with its whole body");
    check(http_response(h)->body.data[http_response(h)->body.len - 1] == '}', "to its end");
    buf_free(&http_response(h)->body);
    taken++;
  }
  check(taken == expected, "no request waits for ever");
  return most;
}

static void stays_within_its_memory(void) {
  struct http *sessions[AT_ONCE];
  memory = 1000000;
  start_large(sessions, AT_ONCE);
  check(!pool_has_room(pool), "a pool has no room once large requests are sent");
  const size_t most = take_all(sessions, AT_ONCE, AT_ONCE);
  check(most > BODY && most < memory + BODY * 3 / 2, "one body at a time may exceed the memory");
  check(pool_has_room(pool), "the memory is free in the end");
  close_all(sessions, AT_ONCE);
  memory = 10 * BODY;
  start_large(sessions, AT_ONCE);
  check(take_all(sessions, AT_ONCE, AT_ONCE) < memory, "more memory has room for several");
  close_all(sessions, AT_ONCE);
}

/* Waits until some bodies have begun, and no more bytes come. */
static void wait_for_pause(struct http **sessions) {
  size_t last = 0;
  size_t now = 0;
  for (int i = 0; i < 100 && (now == 0 || now != last); i++) {
    last = now;
    pool_wait(pool, 20);
    now = held(sessions, AT_ONCE);
  }
}

static void cancels_paused_requests(void) {
  struct http *sessions[AT_ONCE];
  memory = 1000000;
  start_large(sessions, AT_ONCE);
  wait_for_pause(sessions);
  http_cancel(sessions[0]);
  check(http_response(sessions[0])->body.len == 0, "cancelling frees the body");
  http_close(sessions[AT_ONCE - 1]);
  check(take_all(sessions, AT_ONCE - 1, AT_ONCE - 2) > 0, "the others go on");
  check(pool_has_room(pool), "a cancelled request needs no memory");
  const struct http_request r = large_request(sessions[0]);
  check(http_start(sessions[0], &r) == HTTP_RUNNING && take_all(sessions, 1, 1) > BODY,
        "and its session can be used again");
  close_all(sessions, AT_ONCE - 1);
  start_large(sessions, AT_ONCE);
  wait_for_pause(sessions);
  close_all(sessions, AT_ONCE); /* a leak or a use after free is reported by the sanitizers */
  memory = 0;
}

static bool is_code_of_failure(enum http_code code) {
  /* libcurl may work without the memory, or report another failure */
  return code == HTTP_DONE || code == HTTP_NO_MEMORY || code == HTTP_NETWORK ||
         code == HTTP_CONFIG || code == HTTP_PROTOCOL || code == HTTP_TIMEOUT;
}

/* Sends two large requests, of which one is paused. Returns whether both end with a code. */
static bool send_two(void) {
  struct http_failure failure;
  const struct http_options options = {.allow_http = true, .proxy = ""};
  struct http *first = open_session(true, &failure);
  struct http *second = first ? http_open(pool, &options, &failure) : NULL;
  bool is_clean = true;
  if (second) {
    const struct http_request r = large_request(first);
    const struct http_request s = large_request(second);
    http_start(first, &r);
    http_start(second, &s);
    is_clean = is_code_of_failure(finish(first)) && is_code_of_failure(finish(second));
  }
  http_close(second);
  if (first)
    close_session(first);
  return is_clean;
}

/* Each allocation of two requests fails once, while one waits for the other. */
static void survives_lack_of_memory_while_paused(void) {
  bool clean = true;
  long n = 1;
  memory = 50000;
  settings = "X-Sandbox: records=2000; encoding=none";
  for (; n < 5000; n++) {
    fail_alloc_at(n);
    clean = send_two() && clean;
    const bool reached = fail_alloc_reached();
    fail_alloc_at(0);
    if (!reached)
      break;
  }
  memory = 0;
  printf("http: %ld allocations of two requests failed one after the other\n", n - 1);
  check(n > 50 && n < 5000, "each allocation of two requests fails once");
  check(clean, "and each time both end with a code");
}

/* Each allocation of a request fails once. */
static void survives_lack_of_memory(void) {
  const struct http_request r = request();
  int clean = 1;
  long n = 1;
  for (; n < 5000; n++) {
    fail_alloc_at(n);
    const enum http_code code = send_alone(&r);
    const bool reached = fail_alloc_reached();
    fail_alloc_at(0);
    if (!reached)
      break;
    clean = clean && is_code_of_failure(code);
  }
  printf("http: %ld allocations failed one after the other\n", n - 1);
  check(n > 20 && n < 5000, "each allocation of a request fails once");
  check(clean, "and each time the request ends with a code");
  check(send_alone(&r) == HTTP_DONE, "and it works afterwards");
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
    sends_requests();
    sends_headers_once();
    refuses();
    sends_many_at_once();
    stays_within_its_memory();
    cancels_paused_requests();
  }
  /* in a watched pool, libcurl 7.88 loses a transfer whose socket it could not register: it ends at
   * its timeout */
  watched = false;
  survives_lack_of_memory();
  survives_lack_of_memory_while_paused();
  return check_result("http");
}
