#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/select.h>
#include <time.h>

#include <microhttpd.h>

#if MHD_VERSION < 0x00097002
#error "pcapi.redirect needs libmicrohttpd 0.9.71 or later"
#endif

/* one browser, one redirect; a request of LISTENER_CODE_MAX escaped bytes fits */
#define CONNECTIONS 8u
#define CONNECTION_MEMORY ((size_t)32 * 1024)
#define CONNECTION_SECONDS 10u

struct listener {
  struct MHD_Daemon *daemon;
  uint16_t port;
  bool answered;  /* the answer is there … */
  bool delivered; /* … and its page is with the browser */
  char state[LISTENER_STATE_MAX + 1];
  char path[LISTENER_PATH_MAX + 1];
  struct listener_answer answer;
};

struct page {
  unsigned status;
  const char *html;
};

#define HTML(text)                                                                                 \
  "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>pcapi</title>\n<p>" text  \
  "</p>\n</html>\n"

static const struct page signed_in = {
    MHD_HTTP_OK,
    HTML("pcapi has its answer. You can close this page and go back to the terminal.")};
static const struct page refused = {
    MHD_HTTP_OK, HTML("You are not signed in. You can close this page; the terminal says why.")};
static const struct page strange = {MHD_HTTP_BAD_REQUEST,
                                    HTML("This is not the sign-in that pcapi waits for.")};
static const struct page unfit = {
    MHD_HTTP_BAD_REQUEST, HTML("This answer has neither code nor error, or it is too long.")};
static const struct page absent = {MHD_HTTP_NOT_FOUND, HTML("There is nothing here.")};
static const struct page not_get = {MHD_HTTP_METHOD_NOT_ALLOWED,
                                    HTML("Only GET is answered here.")};

static enum MHD_Result reply(struct MHD_Connection *connection, const struct page *page) {
  static const char *const headers[][2] = {
      {MHD_HTTP_HEADER_CONTENT_TYPE, "text/html; charset=utf-8"},
      {"Content-Security-Policy", "default-src 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"}, /* the address of the page holds the code */
      {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
      {MHD_HTTP_HEADER_CONNECTION, "close"},
  };
  struct MHD_Response *response = MHD_create_response_from_buffer(
      strlen(page->html), (void *)page->html, MHD_RESPMEM_PERSISTENT);
  bool ok = response != NULL;
  for (size_t i = 0; ok && i < sizeof headers / sizeof *headers; i++)
    ok = MHD_add_response_header(response, headers[i][0], headers[i][1]) == MHD_YES;
  if (ok && page == &not_get)
    ok = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_GET) == MHD_YES;
  ok = ok && MHD_queue_response(connection, page->status, response) == MHD_YES;
  if (response)
    MHD_destroy_response(response);
  return ok ? MHD_YES : MHD_NO; /* MHD_NO: the connection is closed */
}

/* A page of elsewhere whose name was rebound to 127.0.0.1 still says that name. */
static bool is_own_host(const struct listener *l, const char *host) {
  char own[sizeof "localhost:65535"];
  if (!host)
    return false;
  snprintf(own, sizeof own, "localhost:%u", (unsigned)l->port);
  if (strcasecmp(host, own) == 0)
    return true;
  snprintf(own, sizeof own, "127.0.0.1:%u", (unsigned)l->port);
  return strcmp(host, own) == 0;
}

/* A parameter, unescaped by MHD; NULL when it is absent, has no value or a zero byte. */
static const char *parameter(struct MHD_Connection *connection, const char *name) {
  const char *value = NULL;
  size_t len = 0;
  if (MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value,
                                    &len) != MHD_YES)
    return NULL;
  return value && strlen(value) == len ? value : NULL;
}

/* In the same time wherever they differ. */
static bool is_state(const struct listener *l, const char *state) {
  const size_t len = strlen(l->state);
  volatile unsigned char difference = 0;
  if (!state || strlen(state) != len)
    return false;
  for (size_t i = 0; i < len; i++)
    difference |= (unsigned char)(state[i] ^ l->state[i]);
  return difference == 0;
}

/* False, with into as it was, when it is longer than max. */
static bool copy(char *into, size_t max, const char *value) {
  const size_t len = value ? strlen(value) : 0;
  if (len > max)
    return false;
  memcpy(into, value ? value : "", len + 1);
  return true;
}

/* Words for people: what is too long is cut, as without them nobody knows why. */
static void copy_start(char *into, size_t max, const char *value) {
  const size_t len = value ? strlen(value) : 0;
  const size_t kept = len < max ? len : max;
  memcpy(into, value ? value : "", kept);
  into[kept] = '\0';
}

static bool keep_answer(struct listener *l, struct MHD_Connection *connection) {
  struct listener_answer *a = &l->answer;
  l->answered = copy(a->code, LISTENER_CODE_MAX, parameter(connection, "code")) &&
                copy(a->error, LISTENER_ERROR_MAX, parameter(connection, "error")) &&
                (a->code[0] || a->error[0]);
  copy_start(a->error_description, LISTENER_DESCRIPTION_MAX,
             parameter(connection, "error_description"));
  return l->answered;
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *body, size_t *body_len, void **delivery) {
  struct listener *l = userdata;
  (void)version, (void)body, (void)body_len;
  if (!is_own_host(l, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host")))
    return reply(connection, &strange);
  if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
    return reply(connection, &not_get);
  if (strcmp(path, l->path) != 0)
    return reply(connection, &absent);
  if (!is_state(l, parameter(connection, "state")))
    return reply(connection, &strange);
  if (!l->answered) { /* the first one counts; who reloads the page sees it again */
    if (!keep_answer(l, connection))
      return reply(connection, &unfit);
    *delivery = l;
  }
  return reply(connection, l->answer.error[0] ? &refused : &signed_in);
}

/* However a request ended: its page was sent, or cannot be any more. */
static void on_completed(void *userdata, struct MHD_Connection *connection, void **delivery,
                         enum MHD_RequestTerminationCode how) {
  struct listener *l = userdata;
  (void)connection, (void)how;
  if (*delivery == l)
    l->delivered = true;
}

static bool start(struct listener *l) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  l->daemon = MHD_start_daemon(MHD_NO_FLAG, 0, NULL, NULL, on_request, l, MHD_OPTION_SOCK_ADDR,
                               (const struct sockaddr *)&address, MHD_OPTION_NOTIFY_COMPLETED,
                               on_completed, (void *)l, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
                               MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
                               MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_SECONDS, MHD_OPTION_END);
  if (!l->daemon)
    return false;
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_BIND_PORT);
  l->port = info ? info->port : 0;
  return l->port != 0;
}

struct listener *listener_open(const char *state, const char *path) {
  errno = 0;
  struct listener *l = calloc(1, sizeof *l);
  if (l && copy(l->state, LISTENER_STATE_MAX, state) && copy(l->path, LISTENER_PATH_MAX, path) &&
      start(l))
    return l;
  const int error = errno;
  listener_close(l);
  errno = error;
  return NULL;
}

uint16_t listener_port(const struct listener *l) {
  return l->port;
}

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for the network, for at most left milliseconds, and serves what came. Not
 * MHD_run_wait(), which does not tell of a signal. False with errno. */
static bool step(struct listener *l, long long left) {
  fd_set readable;
  fd_set writable;
  fd_set exceptional;
  MHD_socket last = MHD_INVALID_SOCKET;
  MHD_UNSIGNED_LONG_LONG due = 0;
  FD_ZERO(&readable);
  FD_ZERO(&writable);
  FD_ZERO(&exceptional);
  errno = EMFILE; /* a descriptor that select() cannot hold */
  if (MHD_get_fdset(l->daemon, &readable, &writable, &exceptional, &last) != MHD_YES)
    return false;
  if (MHD_get_timeout(l->daemon, &due) == MHD_YES && due < (MHD_UNSIGNED_LONG_LONG)left)
    left = (long long)due;
  struct timeval timeout = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
  return select(last + 1, &readable, &writable, &exceptional, &timeout) >= 0 &&
         MHD_run_from_select(l->daemon, &readable, &writable, &exceptional) == MHD_YES;
}

enum listener_code listener_wait(struct listener *l, int timeout_ms) {
  const long long end = now_ms() + timeout_ms;
  long long left = timeout_ms;
  do { /* once in any case: who reloads the page is not kept waiting */
    if (!step(l, l->delivered ? 0 : left))
      return errno == EINTR ? LISTENER_WAITING : LISTENER_FAILED;
    left = end - now_ms();
  } while (left > 0 && !l->delivered);
  return l->delivered ? LISTENER_ANSWERED : LISTENER_WAITING;
}

const struct listener_answer *listener_answer(const struct listener *l) {
  return &l->answer;
}

void listener_close(struct listener *l) {
  if (l && l->daemon)
    MHD_stop_daemon(l->daemon);
  free(l);
}
