/* The sockets under a pool's connections: how old each one is, when its peer was heard last,
 * and which are given up. libcurl keeps an HTTP/2 connection whose peer fell silent, and does
 * not tell which connection a transfer is on; the ports tell. Knows POSIX; neither libcurl nor
 * Lua.
 *
 * libcurl before 8.2 closes a socket by itself whose connecting did not succeed. Its number may
 * be another file's by now, even one of the host program: so none is touched whose cookie is
 * not the same. */
#ifndef PCAPI_SOCKETS_H
#define PCAPI_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

struct socket_entry {
  int fd;
  unsigned long long cookie; /* the system's name for this very socket */
  long long opened;          /* ms */
  int local_port, remote_port; /* 0 before they are known */
  bool is_http1;    /* it has served a response of HTTP/1 */
  bool given_up;    /* no further request may use it; shut down once none does */
  bool used;        /* for sockets_shut_down() */
};

/* All zero: empty. */
struct sockets {
  struct socket_entry *all;
  size_t count, room;
};

/* Opens a socket that programs started later do not inherit, and notes it down where the system
 * can tell it from others. -1 with errno set: no descriptor, or no memory. */
int sockets_open(struct sockets *s, int family, int type, int protocol, long long now);

/* Closes a socket of sockets_open(). 0, or -1 as close(2). */
int sockets_close(struct sockets *s, int fd);

/* Frees the table; each socket was closed before. */
void sockets_free(struct sockets *s);

/* The connection between these two ports; NULL when there is none. */
struct socket_entry *sockets_find(const struct sockets *s, int local_port, int remote_port);

/* Whether bytes have come that nobody has read. */
bool sockets_has_unread(const struct socket_entry *socket);

/* Milliseconds for which the peer has sent nothing. */
long long sockets_silence(const struct socket_entry *socket, long long now);

/* Shuts down what is not used (`used` is false) and was either given up or opened before that
 * moment: whoever reads from it finds it closed. What is still connecting stays. Returns whether
 * some that are given up are still used. */
bool sockets_shut_down(struct sockets *s, long long opened_before);

#pragma GCC visibility pop

#endif
