/* The sockets of a pool's connections: when each was opened, when its peer last sent something, and
 * whether it may be used again. libcurl reuses an HTTP/2 connection whose peer has fallen silent,
 * and does not report which connection a transfer uses; the ports identify it. Uses platform.h;
 * knows neither libcurl nor Lua.
 *
 * libcurl before 8.2 closes a socket by itself if it could not connect. Its descriptor may then
 * belong to another file, even one of the host program. So a socket is used only if its cookie, the
 * kernel's unique id of a socket, is unchanged. Where the kernel has no cookies, it is used only
 * once sockets_find() was asked for its ports, and only while it has them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

struct socket_entry {
  int fd;
  unsigned long long cookie;   /* 0: the kernel has none */
  long long opened;            /* ms */
  long long received;          /* ms, see sockets_received(); 0: never */
  int local_port, remote_port; /* 0 until sockets_find() was asked for them */
  bool is_http1;               /* it has served a response of HTTP/1 */
  bool retired;                /* no further request may use it; it is shut down when none does */
  bool used;                   /* by a transfer; set before sockets_shut_down() */
};

/* All zero: empty. */
struct sockets {
  struct socket_entry *all;
  size_t count, room;
};

/* Opens a socket that child processes do not inherit, and adds it to the table. Returns -1 with
 * errno set if there is no descriptor or no memory. */
int sockets_open(struct sockets *s, int family, int type, int protocol, long long now);

/* Closes a socket of sockets_open(). Returns what close(2) returns. */
int sockets_close(struct sockets *s, int fd);

/* Frees the table. Every socket must be closed before. */
void sockets_free(struct sockets *s);

/* Finds the connection between two ports; NULL if there is none. Valid until the next
 * sockets_open() or sockets_close(). */
struct socket_entry *sockets_find(const struct sockets *s, int local_port, int remote_port);

/* Whether bytes have arrived that were not read yet. */
bool sockets_has_unread(const struct socket_entry *socket);

/* Notes that bytes have arrived on the connection between two ports. Does nothing where the kernel
 * knows it. */
void sockets_received(struct sockets *s, int local_port, int remote_port, long long now);

/* Returns for how many milliseconds the peer has sent nothing. */
long long sockets_silence(const struct socket_entry *socket, long long now);

/* Shuts down each socket that is not used (`used` is false) and was retired or opened before the
 * given time: its next reader finds it closed. Sockets that are still connecting are left alone.
 * Returns whether retired sockets are still used. */
bool sockets_shut_down(struct sockets *s, long long opened_before);

#pragma GCC visibility pop
