/* Sends small HTTP requests to 127.0.0.1, one at a time over a persistent connection, without waiting.
 * Responses must have a Content-Length. */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RESPONSE_MAX 8192

enum progress { INCOMPLETE, COMPLETE, FAILED };

struct exchange {
  int fd; /* -1: no connection */
  bool busy;
  bool is_call;        /* else a ping */
  int64_t due;         /* when it was due, ns */
  struct phase *phase; /* phase that counts it; NULL: none */
  int64_t start_at;    /* of a call: when the next one begins; INT64_MAX: no more */
  size_t len;
  char response[RESPONSE_MAX + 1];
};

static void hang_up(struct exchange *e) {
  if (e->fd >= 0)
    close(e->fd);
  e->fd = -1;
  e->busy = false;
}

/* Does not wait: the kernel accepts connections for the server, up to its backlog. */
static bool connect_to(struct exchange *e, int port, int epoll) {
  const struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = e};
  const int yes = 1;
  e->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (e->fd >= 0 && connect(e->fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
      setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0 &&
      fcntl(e->fd, F_SETFL, O_NONBLOCK) == 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, e->fd, &event) == 0)
    return true;
  hang_up(e);
  return false;
}

/* Sends a request, over a new connection if none is open. */
static bool begin(struct exchange *e, int port, int epoll, const char *path) {
  char request[512];
  const int len =
      snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
  if (e->fd < 0 && !connect_to(e, port, epoll))
    return false;
  e->len = 0;
  e->busy = true;
  if (write(e->fd, request, (size_t)len) == len)
    return true;
  hang_up(e);
  return false;
}

static int status_of(const struct exchange *e) {
  return e->len > 12 ? atoi(e->response + 9) : 0;
}

/* Returns the body of the response; NULL before it is complete. */
static const char *body_of(const struct exchange *e) {
  const char *end = strstr(e->response, "\r\n\r\n");
  const char *length = strcasestr(e->response, "\r\nContent-Length:");
  if (!end || !length || length > end)
    return NULL;
  const size_t wanted = (size_t)atol(length + strlen("\r\nContent-Length:"));
  return e->len - (size_t)(end + 4 - e->response) >= wanted ? end + 4 : NULL;
}

/* Reads the bytes that have arrived. */
static enum progress receive(struct exchange *e) {
  const ssize_t n = read(e->fd, e->response + e->len, RESPONSE_MAX - e->len);
  if (n < 0 && errno == EAGAIN)
    return INCOMPLETE;
  if (n <= 0 || !e->busy) {
    hang_up(e);
    return FAILED;
  }
  e->len += (size_t)n;
  e->response[e->len] = '\0';
  if (!body_of(e))
    return INCOMPLETE;
  e->busy = false;
  return COMPLETE;
}

#endif
