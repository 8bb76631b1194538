#include "listener.h"
#include "../platform.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#if MHD_VERSION < 0x00097002
#error "pcapi.redirect needs libmicrohttpd 0.9.71 or later"
#endif

/* Any user of this machine can open connections and leave them idle. So slow connections are
 * closed, and beyond PEERS_MAX the oldest one. */
#define FAMILIES 2      /* 127.0.0.1 and ::1: a browser may resolve localhost to either */
#define CONNECTIONS 64u /* that a family accepts */
#define PEERS ((size_t)FAMILIES * CONNECTIONS)
#define PEERS_MAX 48u /* of both families; below CONNECTIONS, so the browser is always accepted */
/* holds a request with LISTENER_CODE_MAX escaped bytes */
#define CONNECTION_MEMORY ((size_t)32 * 1024)
#define CONNECTION_MS 10000 /* for a whole request */
#define SLOW_MS 1000        /* between checks for slow connections */
#define STEPS_MAX 128       /* of a wait with pending work; a step accepts one connection */
#define PORTS_TRIED 16

struct peer {
  struct MHD_Connection *connection; /* NULL: a free slot */
  long long since;                   /* milliseconds of now_ms() */
  bool dropped;
};

struct listener {
  struct MHD_Daemon *daemons[FAMILIES]; /* NULL: not started, or the machine lacks the family */
  uint16_t port;
  bool received;  /* the response was received … */
  bool delivered; /* … and its page was sent to the browser */
  char state[LISTENER_STATE_MAX + 1];
  char path[LISTENER_PATH_MAX + 1];
  struct listener_response response;
  struct peer peers[PEERS];
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
    HTML("pcapi has received the sign-in. You can close this page and go back to the terminal.")};
static const struct page refused = {
    MHD_HTTP_OK, HTML("You are not signed in. You can close this page; the terminal shows why.")};
static const struct page wrong_state = {MHD_HTTP_BAD_REQUEST,
                                        HTML("This is not the sign-in that pcapi waits for.")};
static const struct page invalid = {
    MHD_HTTP_BAD_REQUEST, HTML("This response has neither code nor error, or is too long.")};
static const struct page not_found = {MHD_HTTP_NOT_FOUND, HTML("There is no such page.")};
static const struct page not_get = {MHD_HTTP_METHOD_NOT_ALLOWED, HTML("Only GET is allowed here.")};

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

/* A foreign page whose host name was rebound to 127.0.0.1 sends that name (DNS rebinding). */
static bool is_own_host(const struct listener *l, const char *host) {
  static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
  char own[sizeof "localhost:65535"];
  bool is_own = false;
  for (size_t i = 0; host && i < sizeof names / sizeof *names; i++) {
    snprintf(own, sizeof own, "%s:%u", names[i], (unsigned)l->port);
    is_own = is_own || strcasecmp(host, own) == 0;
  }
  return is_own;
}

/* A parameter, unescaped by MHD; NULL if it is missing, has no value or holds a zero byte. */
static const char *parameter(struct MHD_Connection *connection, const char *name) {
  const char *value = NULL;
  size_t len = 0;
  if (MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value,
                                    &len) != MHD_YES)
    return NULL;
  return value && strlen(value) == len ? value : NULL;
}

/* Compares in constant time. */
static bool is_state(const struct listener *l, const char *state) {
  const size_t len = strlen(l->state);
  volatile unsigned char difference = 0;
  if (!state || strlen(state) != len)
    return false;
  for (size_t i = 0; i < len; i++)
    difference |= (unsigned char)(state[i] ^ l->state[i]);
  return difference == 0;
}

/* Returns false, and leaves into unchanged, if value is longer than max. */
static bool copy(char *into, size_t max, const char *value) {
  const size_t len = value ? strlen(value) : 0;
  if (len > max)
    return false;
  memcpy(into, value ? value : "", len + 1);
  return true;
}

/* Copies the first max bytes: a description that is too long is still of use. */
static void copy_start(char *into, size_t max, const char *value) {
  const size_t len = value ? strlen(value) : 0;
  const size_t copied = len < max ? len : max;
  memcpy(into, value ? value : "", copied);
  into[copied] = '\0';
}

static bool store_response(struct listener *l, struct MHD_Connection *connection) {
  struct listener_response *r = &l->response;
  l->received = copy(r->code, LISTENER_CODE_MAX, parameter(connection, "code")) &&
                copy(r->error, LISTENER_ERROR_MAX, parameter(connection, "error")) &&
                (r->code[0] || r->error[0]);
  copy_start(r->error_description, LISTENER_DESCRIPTION_MAX,
             parameter(connection, "error_description"));
  return l->received;
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *body, size_t *body_len, void **delivery) {
  struct listener *l = userdata;
  (void)version, (void)body, (void)body_len;
  if (!is_own_host(l, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host")))
    return reply(connection, &wrong_state);
  if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
    return reply(connection, &not_get);
  if (strcmp(path, l->path) != 0)
    return reply(connection, &not_found);
  if (!is_state(l, parameter(connection, "state")))
    return reply(connection, &wrong_state);
  if (!l->received) { /* the first one counts; a reload shows the page again */
    if (!store_response(l, connection))
      return reply(connection, &invalid);
    *delivery = l;
  }
  return reply(connection, l->response.error[0] ? &refused : &signed_in);
}

/* A request has ended: its page was sent, or cannot be sent any more. */
static void on_completed(void *userdata, struct MHD_Connection *connection, void **delivery,
                         enum MHD_RequestTerminationCode how) {
  struct listener *l = userdata;
  (void)connection, (void)how;
  if (*delivery == l)
    l->delivered = true;
}

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* libmicrohttpd then reads the end of the stream, and closes the connection. */
static void drop(struct peer *peer) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(peer->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (info)
    shutdown(info->connect_fd, SHUT_RDWR);
  peer->dropped = true;
}

/* Drops connections that are older than then; and beyond PEERS_MAX the oldest one. */
static void drop_slow(struct listener *l, long long then) {
  struct peer *oldest = NULL;
  size_t open = 0;
  for (size_t i = 0; i < PEERS; i++) {
    struct peer *peer = &l->peers[i];
    if (!peer->connection || peer->dropped)
      continue;
    if (peer->since < then) {
      drop(peer);
      continue;
    }
    open++;
    if (!oldest || peer->since < oldest->since)
      oldest = peer;
  }
  if (open > PEERS_MAX)
    drop(oldest);
}

static struct peer *free_peer(struct listener *l) {
  for (size_t i = 0; i < PEERS; i++)
    if (!l->peers[i].connection)
      return &l->peers[i];
  return NULL;
}

/* A connection begins or ends; *slot is its peer. */
static void on_connection(void *userdata, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode what) {
  struct listener *l = userdata;
  struct peer *peer = what == MHD_CONNECTION_NOTIFY_STARTED ? free_peer(l) : *slot;
  if (!peer)
    return;
  if (what == MHD_CONNECTION_NOTIFY_STARTED) {
    *slot = peer;
    *peer = (struct peer){.connection = connection, .since = now_ms(), .dropped = false};
    drop_slow(l, peer->since - CONNECTION_MS);
  } else {
    peer->connection = NULL;
  }
}

/* Opens a listening socket on the family's loopback address; port 0 takes a free one. -1 with
 * errno on failure. */
static int bind_loopback(int family, uint16_t port) {
  const struct sockaddr_in v4 = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const struct sockaddr_in6 v6 = {
      .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  const struct sockaddr *address =
      family == AF_INET ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
  const int on = 1;
  const int fd = platform_socket(family, SOCK_STREAM, 0);
  if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
      (family == AF_INET ||
       setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, (socklen_t)sizeof on) == 0) &&
      bind(fd, address, family == AF_INET ? (socklen_t)sizeof v4 : (socklen_t)sizeof v6) == 0 &&
      listen(fd, SOMAXCONN) == 0)
    return fd;
  const int error = errno;
  if (fd >= 0)
    close(fd);
  errno = error;
  return -1;
}

static uint16_t port_of(int fd) {
  struct sockaddr_in address = {0};
  socklen_t len = (socklen_t)sizeof address;
  return getsockname(fd, (struct sockaddr *)&address, &len) == 0 ? ntohs(address.sin_port) : 0;
}

/* Whether an error means that the machine lacks the family. */
static bool lacks_family(int error) {
  return error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EPROTONOSUPPORT ||
         error == EACCES || error == EPERM;
}

/* Binds both families to one port: another process that had the port on ::1 would receive the
 * code of a browser that tries ::1 first. fds[1] is -1 on a machine without IPv6. */
static bool bind_both(int fds[FAMILIES]) {
  for (int tried = 0; tried < PORTS_TRIED; tried++) {
    fds[0] = bind_loopback(AF_INET, 0);
    if (fds[0] < 0)
      return false;
    fds[1] = bind_loopback(AF_INET6, port_of(fds[0]));
    if (fds[1] >= 0 || lacks_family(errno))
      return true;
    const int error = errno;
    close(fds[0]);
    errno = error;
    if (error != EADDRINUSE)
      return false;
  }
  return false;
}

/* Starts a daemon on fd, which it closes; on failure NULL, and fd is closed. */
static struct MHD_Daemon *serve(struct listener *l, int fd, unsigned flags) {
  struct MHD_Daemon *daemon = MHD_start_daemon(
      flags, 0, NULL, NULL, on_request, l, MHD_OPTION_LISTEN_SOCKET, fd,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, (void *)l, MHD_OPTION_NOTIFY_CONNECTION,
      on_connection, (void *)l, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_END);
  if (!daemon)
    close(fd);
  return daemon;
}

static bool start(struct listener *l) {
  int fds[FAMILIES];
  if (!bind_both(fds))
    return false;
  l->port = port_of(fds[0]);
  l->daemons[0] = serve(l, fds[0], MHD_NO_FLAG);
  if (fds[1] >= 0)
    l->daemons[1] = serve(l, fds[1], MHD_USE_IPv6);
  return l->port != 0 && l->daemons[0] && (fds[1] < 0 || l->daemons[1]);
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

/* The descriptors and the time that the daemons wait for. */
struct interest {
  fd_set readable;
  fd_set writable;
  fd_set exceptional;
  MHD_socket last;
  long long left; /* milliseconds */
};

static bool collect_interest(struct listener *l, struct interest *in) {
  FD_ZERO(&in->readable);
  FD_ZERO(&in->writable);
  FD_ZERO(&in->exceptional);
  in->last = MHD_INVALID_SOCKET;
  errno = EMFILE; /* if a descriptor does not fit into an fd_set */
  for (size_t i = 0; i < FAMILIES; i++) {
    MHD_UNSIGNED_LONG_LONG due = 0;
    if (!l->daemons[i])
      continue;
    if (MHD_get_fdset(l->daemons[i], &in->readable, &in->writable, &in->exceptional, &in->last) !=
        MHD_YES)
      return false;
    if (MHD_get_timeout(l->daemons[i], &due) == MHD_YES && due < (MHD_UNSIGNED_LONG_LONG)in->left)
      in->left = (long long)due;
  }
  return true;
}

/* Waits for the network, for at most left milliseconds, and serves it. MHD_run_wait() would not
 * report a signal. Returns the number of ready descriptors; -1 with errno on failure. */
static int step(struct listener *l, long long left) {
  struct interest in = {.left = left < SLOW_MS ? left : SLOW_MS};
  drop_slow(l, now_ms() - CONNECTION_MS);
  if (!collect_interest(l, &in))
    return -1;
  struct timeval timeout = {.tv_sec = in.left / 1000, .tv_usec = in.left % 1000 * 1000};
  const int ready = select(in.last + 1, &in.readable, &in.writable, &in.exceptional, &timeout);
  for (size_t i = 0; ready >= 0 && i < FAMILIES; i++)
    if (l->daemons[i] &&
        MHD_run_from_select(l->daemons[i], &in.readable, &in.writable, &in.exceptional) != MHD_YES)
      return -1;
  return ready;
}

enum listener_code listener_wait(struct listener *l, int timeout_ms) {
  const long long end = now_ms() + timeout_ms;
  long long left = timeout_ms;
  int ready;
  int steps = 0;
  do { /* at least once: a reload of the page is served at once */
    ready = step(l, l->delivered ? 0 : left);
    if (ready < 0)
      return errno == EINTR ? LISTENER_WAITING : LISTENER_FAILED;
    left = end > now_ms() ? end - now_ms() : 0;
    steps++;
  } while (!l->delivered && (left > 0 || (ready > 0 && steps < STEPS_MAX)));
  return l->delivered ? LISTENER_DONE : LISTENER_WAITING;
}

const struct listener_response *listener_response(const struct listener *l) {
  return &l->response;
}

void listener_close(struct listener *l) {
  for (size_t i = 0; l && i < FAMILIES; i++)
    if (l->daemons[i])
      MHD_stop_daemon(l->daemons[i]);
  free(l);
}
