#include "events.h"
#include "platform.h"

#if PLATFORM_LINUX

#include <stdlib.h>
#include <unistd.h>
#include <sys/epoll.h>

struct events {
  int epoll;
};

struct events *events_open(void) {
  struct events *e = malloc(sizeof *e);
  if (!e)
    return NULL;
  e->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (e->epoll >= 0)
    return e;
  free(e); /* glibc leaves errno as it is; musl too */
  return NULL;
}

void events_close(struct events *e) {
  close(e->epoll);
  free(e);
}

bool events_watch(struct events *e, int fd, unsigned what, bool is_known) {
  struct epoll_event event = {.events = (what & EVENTS_READ ? (unsigned)EPOLLIN : 0u) |
                                        (what & EVENTS_WRITE ? (unsigned)EPOLLOUT : 0u),
                              .data = {.fd = fd}};
  const int first = is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  return epoll_ctl(e->epoll, first, fd, &event) == 0 ||
         epoll_ctl(e->epoll, EPOLL_CTL_ADD + EPOLL_CTL_MOD - first, fd, &event) == 0;
}

void events_forget(struct events *e, int fd) {
  epoll_ctl(e->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static unsigned what_of(unsigned events) {
  return (events & EPOLLIN ? EVENTS_READ : 0u) | (events & EPOLLOUT ? EVENTS_WRITE : 0u) |
         (events & (EPOLLERR | EPOLLHUP) ? EVENTS_FAILED : 0u);
}

int events_wait(struct events *e, struct event ready[EVENTS_MAX], int timeout_ms) {
  struct epoll_event events[EVENTS_MAX];
  const int count = epoll_wait(e->epoll, events, EVENTS_MAX, timeout_ms);
  for (int i = 0; i < count; i++)
    ready[i] = (struct event){.fd = events[i].data.fd, .what = what_of(events[i].events)};
  return count;
}

int events_descriptor(const struct events *e) {
  return e->epoll;
}

int events_interval(const struct events *e) {
  (void)e;
  return -1;
}

#endif
