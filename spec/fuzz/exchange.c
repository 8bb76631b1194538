/* A server on loopback sends the responses of the input to one session, or to two in turn, so that
 * state between requests is covered too. Everything runs in one thread: the server acts between two
 * waits of the pool. */
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
#define RESPONSES 6 /* of one input */
#define CONNECTIONS 8
#define TIMEOUT 60 /* ms; a silent server costs as much */
#define PATIENCE 3 /* ms that a server which is not silent waits for more requests */
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

/* Responds on a connection that has received a request. Returns whether there was one. The lowest
 * two bits of how decide what happens to the connection: it stays open (0), is closed (1, 2) or
 * reset (3). */
static bool respond(struct input bytes, uint8_t how) {
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

static void check_result(struct http *h, enum http_code code) {
  const struct http_response *r = http_response(h);
  claim(r->body.len <= MAX_BODY && r->head.text.len <= MAX_HEADERS, "limits hold");
  if (code == HTTP_DONE)
    claim(r->status >= 100 && r->status <= 999, "a response has a status");
  else
    claim(http_failure(h)->message[0] != '\0' && r->body.len == 0,
          "a failure has a message and no body");
  claim(code != HTTP_CONFIG, "no response is reported as a wrong setting");
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void send_request(struct pool *pool, struct http *h, struct input bytes, uint8_t how) {
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
  int waits = 0; /* since the response */
  bool responded = false;
  while (code == HTTP_RUNNING && (code = http_result(h)) == HTTP_RUNNING) {
    pool_wait(pool, responded ? 1 : 0);
    while (pool_next(pool) != NULL)
      ;
    if (!responded)
      responded = respond(bytes, how);
    else if (++waits == PATIENCE && !falls_silent)
      close_all();
    claim(now() < latest, "the deadline holds");
  }
  check_result(h, code);
}

/* The input: one byte of options; then responses, each one byte of options and its bytes, up to
 * 0xff. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data, size};
  const uint8_t how = take_byte(&in);
  const struct pool_limits limits = {.idle = 4, .watched = how & 1};
  const struct http_options options = {.allow_http = true, .proxy = ""};
  struct http *sessions[SESSIONS];
  struct http_failure failure;
  if (listener < 0)
    listen_once();
  struct pool *pool = http_pool(&limits, &failure);
  for (int i = 0; i < SESSIONS; i++)
    sessions[i] = http_open(pool, &options, &failure);
  for (int i = 0; i < RESPONSES && in.left > 0; i++) {
    const uint8_t next = take_byte(&in);
    send_request(pool, sessions[(how >> 1 & 1) * i % SESSIONS], take_part(&in, 0xff), next);
  }
  pool_release(pool);
  for (int i = 0; i < SESSIONS; i++)
    http_close(sessions[i]);
  close_all();
  return 0;
}
