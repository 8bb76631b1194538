/* A server on loopback whose answers are the input, one after the other to one session, or
 * two that take turns: state that is kept between exchanges is reached as well. All in one
 * thread: the server acts between two waits of the pool. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "fuzz.h"
#include "http.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SESSIONS 2
#define ANSWERS 6 /* of one input */
#define CONNECTIONS 8
#define TIMEOUT 60 /* ms; costs so much where the server stays silent */
#define PATIENCE 3 /* ms that the server waits for more requests, where it does not */
#define MAX_BODY 4096
#define MAX_HEADERS 2048

static const char *const methods[] = {"GET", "POST", "HEAD", "GET"};

static int listener = -1;
static char url[64];
static int open_fds[CONNECTIONS];
static int open_count;

static void listen_once(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t len = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(listener, 64) != 0 || getsockname(listener, (struct sockaddr *)&address, &len) != 0)
    abort();
  snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
}

static void accept_all(void) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (open_count == CONNECTIONS)
      close(fd);
    else
      open_fds[open_count++] = fd;
  }
}

static void close_one(int i, bool by_reset) {
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  if (by_reset)
    setsockopt(open_fds[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(open_fds[i]);
  open_fds[i] = open_fds[--open_count];
}

static void close_all(void) {
  while (open_count > 0)
    close_one(0, true);
}

/* Answers the connection on which a request came, if any. True when it did. The lowest bits of
 * how say what becomes of the connection then: kept, closed or reset. */
static bool answer(struct input bytes, uint8_t how) {
  char request[16384];
  accept_all();
  for (int i = 0; i < open_count; i++) {
    const ssize_t n = recv(open_fds[i], request, sizeof request, 0);
    if (n == 0) {
      close_one(i--, false);
    } else if (n > 0) {
      send(open_fds[i], bytes.data, bytes.left, MSG_NOSIGNAL);
      if ((how & 3) != 0)
        close_one(i, (how & 3) == 3);
      return true;
    }
  }
  return false;
}

static void check_answer(struct http *h, enum http_code code) {
  const struct http_answer *a = http_answer(h);
  claim(a->body.len <= MAX_BODY && a->head.text.len <= MAX_HEADERS, "ceilings hold");
  if (code == HTTP_DONE)
    claim(a->status >= 100 && a->status <= 999, "an answer has a status");
  else
    claim(http_message(h)[0] != '\0' && a->body.len == 0, "a failure has words and no body");
  claim(code != HTTP_CONFIG, "no answer makes a setting wrong");
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void exchange(struct pool *pool, struct http *h, struct input bytes, uint8_t how) {
  const char *method = methods[how >> 4 & 3];
  const struct http_request request = {.method = method,
                                       .url = url,
                                       .timeout_ms = TIMEOUT,
                                       .connect_timeout_ms = TIMEOUT,
                                       .max_body = MAX_BODY,
                                       .max_headers = MAX_HEADERS,
                                       .body = method[0] == 'P' ? "a=b" : NULL,
                                       .body_len = method[0] == 'P' ? 3 : 0};
  const bool falls_silent = how & 4;
  const double latest = now() + 5;
  enum http_code code = http_start(h, &request);
  int waits = 0; /* since the answer */
  bool answered = false;
  while (code == HTTP_RUNNING && (code = http_result(h)) == HTTP_RUNNING) {
    pool_wait(pool, answered ? 1 : 0);
    while (pool_next(pool) != NULL)
      ;
    if (!answered)
      answered = answer(bytes, how);
    else if (++waits == PATIENCE && !falls_silent)
      close_all();
    claim(now() < latest, "the deadline holds");
  }
  check_answer(h, code);
}

/* The input: a byte for the sessions; then answers, each a byte of how and its bytes up to
 * 0xff. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  const uint8_t how = take_byte(&in);
  const struct pool_limits limits = {.kept = 4, .watched = how & 1};
  const struct http_options options = {.allow_http = true, .proxy = ""};
  struct http *sessions[SESSIONS];
  enum http_code code;
  if (listener < 0)
    listen_once();
  struct pool *pool = http_pool(&limits, &code);
  for (int i = 0; i < SESSIONS; i++)
    sessions[i] = http_open(pool, &options, &code);
  for (int i = 0; i < ANSWERS && in.left > 0; i++) {
    const uint8_t next = take_byte(&in);
    exchange(pool, sessions[(how >> 1 & 1) * i % SESSIONS], take_part(&in, 0xff), next);
  }
  pool_release(pool);
  for (int i = 0; i < SESSIONS; i++)
    http_close(sessions[i]);
  close_all();
  return 0;
}
