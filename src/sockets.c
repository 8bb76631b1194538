#include "sockets.h"
#include "platform.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKETS_FIRST 8 /* entries of the first allocation */

static bool sockets_reserve(struct sockets *s) {
  if (s->count < s->room)
    return true;
  const size_t room = s->room ? s->room * 2 : SOCKETS_FIRST;
  struct socket_entry *all = realloc(s->all, room * sizeof *all);
  if (!all)
    return false;
  s->all = all;
  s->room = room;
  return true;
}

/* Returns the entry of a descriptor; NULL if there is none. */
static struct socket_entry *entry_of(const struct sockets *s, int fd) {
  for (size_t i = 0; i < s->count; i++)
    if (s->all[i].fd == fd)
      return &s->all[i];
  return NULL;
}

int sockets_open(struct sockets *s, int family, int type, int protocol, long long now) {
  if (!sockets_reserve(s))
    return -1;
  struct socket_entry opened = {.opened = now};
  opened.fd = platform_socket(family, type, protocol);
  if (opened.fd < 0)
    return -1;
  if (!platform_cookie(opened.fd, &opened.cookie))
    opened.cookie = 0;
  struct socket_entry *stale = entry_of(s, opened.fd);
  *(stale ? stale : &s->all[s->count++]) = opened;
  return opened.fd;
}

int sockets_close(struct sockets *s, int fd) {
  struct socket_entry *entry = entry_of(s, fd);
  if (entry)
    *entry = s->all[--s->count];
  return close(fd);
}

void sockets_free(struct sockets *s) {
  free(s->all);
  *s = (struct sockets){.all = NULL};
}

typedef int address_of(int fd, struct sockaddr *address, socklen_t *len);

/* Returns the port at one end, by getsockname() or getpeername(); 0 if there is none. */
static int port_of(int fd, address_of *end) {
  struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
  socklen_t len = sizeof address;
  if (end(fd, (struct sockaddr *)&address, &len) != 0)
    return 0;
  if (address.ss_family == AF_INET6)
    return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
  return address.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&address)->sin_port) : 0;
}

static bool has_ports(int fd, int local_port, int remote_port) {
  return port_of(fd, getpeername) == remote_port && port_of(fd, getsockname) == local_port;
}

/* Whether the descriptor still is the socket of the entry. */
static bool is_same(const struct socket_entry *socket) {
  unsigned long long cookie = 0;
  if (socket->cookie)
    return platform_cookie(socket->fd, &cookie) && cookie == socket->cookie;
  return socket->local_port && has_ports(socket->fd, socket->local_port, socket->remote_port);
}

/* The ports do not change while the socket is connected. */
static bool is_between(struct socket_entry *socket, int local_port, int remote_port) {
  if (socket->local_port)
    return socket->local_port == local_port && socket->remote_port == remote_port;
  if (!has_ports(socket->fd, local_port, remote_port))
    return false;
  socket->local_port = local_port;
  socket->remote_port = remote_port;
  return true;
}

struct socket_entry *sockets_find(const struct sockets *s, int local_port, int remote_port) {
  for (size_t i = 0; i < s->count; i++) {
    struct socket_entry *socket = &s->all[i];
    if (is_between(socket, local_port, remote_port) && is_same(socket))
      return socket;
  }
  return NULL;
}

void sockets_received(struct sockets *s, int local_port, int remote_port, long long now) {
  if (PLATFORM_KNOWS_SILENCE)
    return;
  for (size_t i = 0; i < s->count; i++)
    if (s->all[i].local_port == local_port && s->all[i].remote_port == remote_port)
      s->all[i].received = now;
}

bool sockets_has_unread(const struct socket_entry *socket) {
  int unread = 0;
  return ioctl(socket->fd, FIONREAD, &unread) == 0 && unread > 0;
}

/* If nothing is known, the peer counts as silent since the socket was opened. */
long long sockets_silence(const struct socket_entry *socket, long long now) {
  const long long age = now - socket->opened;
  const long long known = PLATFORM_KNOWS_SILENCE ? platform_silence(socket->fd)
                          : socket->received     ? now - socket->received
                                                 : -1;
  return known >= 0 && known < age ? known : age;
}

/* Reading is shut down, which is enough to be found closed. If writing were shut down too,
 * libcurl's farewell on the closed connection would fail, and it would report that failure for the
 * next transfer. With unread bytes both are shut down. shutdown() fails while a socket is
 * connecting. */
static void shut_down(const struct socket_entry *socket) {
  shutdown(socket->fd, sockets_has_unread(socket) ? SHUT_RDWR : SHUT_RD);
}

bool sockets_shut_down(struct sockets *s, long long opened_before) {
  bool some_left = false;
  for (size_t i = 0; i < s->count; i++) {
    struct socket_entry *socket = &s->all[i];
    if (socket->used)
      some_left = some_left || socket->retired;
    else if ((socket->retired || socket->opened < opened_before) && is_same(socket))
      shut_down(socket);
  }
  return some_left;
}
