/* Which sockets are ready: by epoll on Linux, elsewhere by poll(2), which POSIX has. platform.h
 * chooses one of the two. Knows neither libcurl nor Lua. */
#pragma once

#include <stdbool.h>

#pragma GCC visibility push(hidden)

#define EVENTS_MAX 64 /* that one events_wait() reports */

enum { EVENTS_READ = 1, EVENTS_WRITE = 2, EVENTS_FAILED = 4 };

struct event {
  int fd;
  unsigned what; /* bits of the enum above */
};

struct events;

/* Returns NULL with errno set if there is no descriptor or no memory. */
struct events *events_open(void);

void events_close(struct events *e);

/* Watches a socket for reading, for writing, for both or only for a failure; or changes for what it
 * is watched. is_known: it probably is watched already. Returns false if the system refuses or has
 * no memory. */
bool events_watch(struct events *e, int fd, unsigned what, bool is_known);

/* Ends the watch of a socket. It may be closed already, or not be watched. */
void events_forget(struct events *e, int fd);

/* Waits until sockets are ready, at most timeout_ms milliseconds. Returns how many it has put into
 * ready; the next call reports others first. Returns -1 with errno set: EINTR after a signal, else
 * it cannot wait for these sockets. */
int events_wait(struct events *e, struct event ready[EVENTS_MAX], int timeout_ms);

/* For another event loop: a descriptor, and the milliseconds after which it has to look in any
 * case. With epoll the descriptor is readable when a socket is ready, and there is no such time:
 * -1. With poll() it is never readable: the time is short after something has come, and becomes
 * longer while nothing does. */
int events_descriptor(const struct events *e);
int events_interval(const struct events *e);

#pragma GCC visibility pop
