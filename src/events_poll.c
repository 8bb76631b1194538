#include "events.h"
#include "platform.h"

#if !PLATFORM_LINUX

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define SOCKETS_FIRST 16 /* entries of the first allocation */
#define INTERVAL_MIN 1   /* ms, see events_interval() */
#define INTERVAL_MAX 16

/* poll() looks at every entry each time, so a search from one end to the other costs little beside
 * it. There are no more entries than the process may have descriptors. */
struct events {
  struct pollfd *all;
  size_t count, room;
  size_t first;   /* the entry to report first, so that each has its turn */
  int silence[2]; /* a pipe; nobody writes to it */
  int interval;   /* ms */
};

struct events *events_open(void) {
  struct events *e = calloc(1, sizeof *e);
  if (!e)
    return NULL;
  e->interval = INTERVAL_MIN;
  if (platform_pipe(e->silence))
    return e;
  const int error = errno;
  free(e);
  errno = error;
  return NULL;
}

void events_close(struct events *e) {
  close(e->silence[0]);
  close(e->silence[1]);
  free(e->all);
  free(e);
}

/* Returns the entry of a descriptor; NULL if there is none. The last ones change most. */
static struct pollfd *entry_of(const struct events *e, int fd) {
  for (size_t i = e->count; i > 0; i--)
    if (e->all[i - 1].fd == fd)
      return &e->all[i - 1];
  return NULL;
}

static struct pollfd *add_entry(struct events *e, int fd) {
  if (e->count == e->room) {
    const size_t room = e->room ? e->room * 2 : SOCKETS_FIRST;
    struct pollfd *all = realloc(e->all, room * sizeof *all);
    if (!all)
      return NULL;
    e->all = all;
    e->room = room;
  }
  struct pollfd *entry = &e->all[e->count++];
  *entry = (struct pollfd){.fd = fd};
  return entry;
}

bool events_watch(struct events *e, int fd, unsigned what, bool is_known) {
  struct pollfd *entry = entry_of(e, fd);
  (void)is_known;
  if (!entry)
    entry = add_entry(e, fd);
  if (!entry)
    return false;
  entry->events = (short)((what & EVENTS_READ ? POLLIN : 0) | (what & EVENTS_WRITE ? POLLOUT : 0));
  e->interval = INTERVAL_MIN;
  return true;
}

void events_forget(struct events *e, int fd) {
  struct pollfd *entry = entry_of(e, fd);
  if (entry)
    *entry = e->all[--e->count];
}

static unsigned what_of(short events) {
  return (events & POLLIN ? EVENTS_READ : 0u) | (events & POLLOUT ? EVENTS_WRITE : 0u) |
         (events & (POLLERR | POLLHUP) ? EVENTS_FAILED : 0u);
}

/* Forgets descriptors that were closed, as epoll does: poll() would return at once for ever. */
static void forget_closed(struct events *e) {
  for (size_t i = e->count; i > 0; i--)
    if (e->all[i - 1].revents & POLLNVAL)
      e->all[i - 1] = e->all[--e->count];
}

static int report(struct events *e, struct event ready[EVENTS_MAX]) {
  int count = 0;
  const size_t first = e->first < e->count ? e->first : 0;
  for (size_t i = 0; i < e->count && count < EVENTS_MAX; i++) {
    const size_t at = (first + i) % e->count;
    const struct pollfd *entry = &e->all[at];
    if (!entry->revents)
      continue;
    ready[count++] = (struct event){.fd = entry->fd, .what = what_of(entry->revents)};
    e->first = at + 1;
  }
  return count;
}

int events_wait(struct events *e, struct event ready[EVENTS_MAX], int timeout_ms) {
  int count = poll(e->all, (nfds_t)e->count, timeout_ms);
  if (count > 0) {
    forget_closed(e);
    count = report(e, ready);
  }
  if (count > 0)
    e->interval = INTERVAL_MIN;
  else if (e->interval < INTERVAL_MAX)
    e->interval *= 2;
  return count;
}

int events_descriptor(const struct events *e) {
  return e->silence[0];
}

int events_interval(const struct events *e) {
  return e->count > 0 ? e->interval : -1;
}

#endif
