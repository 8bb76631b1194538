#include "pool.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>

#define POOL_EVENTS 64  /* taken from the system at once */
#define POOL_BATCHES 64 /* of these, before the caller gets its turn */
#define POOL_ROUND 1000 /* ms between looks at all that run */
#define POOL_GRACE 50   /* ms in which libcurl itself may end what is late, which says more */

struct list {
  struct pool_transfer *first, *last;
};

struct pool {
  CURLM *multi;
  int epoll; /* -1: not watched */
  int users;
  bool failed;     /* libcurl ran out of memory, and must not be called any more: 7.88
                    * divides by the size of a table that it has not got, or lets the
                    * next transfer wait for ever */
  bool refusals;   /* some that run are refused */
  long long timer; /* when libcurl wants to be called, in ms; -1: not by time */
  long long round; /* when all are to be looked at, in ms */
  struct list running;
  struct list done;
};

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int pool_on_socket(CURL *easy, curl_socket_t socket, int what, void *userdata,
                          void *socket_data) {
  (void)easy;
  struct pool *p = userdata;
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(p->epoll, EPOLL_CTL_DEL, socket, NULL); /* may be closed already */
    return 0;
  }
  struct epoll_event event = {.events = (what & CURL_POLL_IN ? (unsigned)EPOLLIN : 0u) |
                                        (what & CURL_POLL_OUT ? (unsigned)EPOLLOUT : 0u),
                              .data = {.fd = socket}};
  const int first = socket_data ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (epoll_ctl(p->epoll, first, socket, &event) != 0 &&
      epoll_ctl(p->epoll, EPOLL_CTL_ADD + EPOLL_CTL_MOD - first, socket, &event) != 0) {
    p->failed = true;
    return -1;
  }
  if (!socket_data)
    curl_multi_assign(p->multi, socket, p);
  return 0;
}

static int pool_on_timer(CURLM *multi, long timeout_ms, void *userdata) {
  (void)multi;
  struct pool *p = userdata;
  /* a millisecond has begun already: never before the time, but for "at once" */
  p->timer = timeout_ms < 0 ? -1 : now_ms() + timeout_ms + (timeout_ms > 0);
  return 0;
}

/* Sets an option of the multi handle unless one before it failed. */
#define SET(option, value)                                                                         \
  if (code == CURLM_OK)                                                                            \
  code = curl_multi_setopt(p->multi, option, value)

static bool pool_set(struct pool *p, const struct pool_limits *limits) {
  CURLMcode code = CURLM_OK;
  if (limits->watched) {
    SET(CURLMOPT_SOCKETFUNCTION, pool_on_socket);
    SET(CURLMOPT_SOCKETDATA, p);
    SET(CURLMOPT_TIMERFUNCTION, pool_on_timer);
    SET(CURLMOPT_TIMERDATA, p);
  }
  SET(CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
  SET(CURLMOPT_MAX_TOTAL_CONNECTIONS, limits->connections);
  SET(CURLMOPT_MAX_HOST_CONNECTIONS, limits->host_connections);
  /* libcurl's own number shrinks with the transfers, and would close what the next
   * round of them needs */
  SET(CURLMOPT_MAXCONNECTS, limits->kept);
  return code == CURLM_OK;
}

struct pool *pool_open(const struct pool_limits *limits) {
  struct pool *p = calloc(1, sizeof *p);
  if (!p)
    return NULL;
  p->users = 1;
  p->timer = -1;
  p->epoll = limits->watched ? epoll_create1(EPOLL_CLOEXEC) : -1;
  if (!limits->watched || p->epoll >= 0)
    p->multi = curl_multi_init();
  if (p->multi && pool_set(p, limits))
    return p;
  pool_release(p);
  return NULL;
}

struct pool *pool_hold(struct pool *p) {
  p->users++;
  return p;
}

void pool_release(struct pool *p) {
  if (--p->users > 0)
    return;
  if (p->multi)
    curl_multi_cleanup(p->multi);
  if (p->epoll >= 0)
    close(p->epoll);
  free(p);
}

static void list_append(struct list *list, struct pool_transfer *t) {
  t->next = NULL;
  t->previous = list->last;
  *(list->last ? &list->last->next : &list->first) = t;
  list->last = t;
}

static void list_remove(struct list *list, struct pool_transfer *t) {
  *(t->previous ? &t->previous->next : &list->first) = t->next;
  *(t->next ? &t->next->previous : &list->last) = t->previous;
}

bool pool_add(struct pool *p, struct pool_transfer *t) {
  if (p->failed || curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) != CURLE_OK ||
      curl_multi_add_handle(p->multi, t->easy) != CURLM_OK)
    return false;
  const long long now = now_ms();
  t->deadline = t->timeout_ms > 0 ? now + t->timeout_ms + POOL_GRACE : LLONG_MAX;
  if (!p->running.first)
    p->round = now + POOL_ROUND;
  if (t->deadline < p->round)
    p->round = t->deadline;
  list_append(&p->running, t);
  t->state = POOL_RUNNING;
  t->refused = false;
  return true;
}

static void pool_stop(struct pool *p, struct pool_transfer *t) {
  curl_multi_remove_handle(p->multi, t->easy);
  list_remove(&p->running, t);
  t->state = POOL_IDLE;
}

static void pool_end(struct pool *p, struct pool_transfer *t, CURLcode result) {
  pool_stop(p, t);
  list_append(&p->done, t);
  t->state = POOL_DONE;
  t->result = result;
  p->failed |= result == CURLE_OUT_OF_MEMORY;
}

void pool_remove(struct pool *p, struct pool_transfer *t) {
  if (t->state == POOL_RUNNING)
    pool_stop(p, t);
  else if (t->state == POOL_DONE)
    list_remove(&p->done, t);
  t->state = POOL_IDLE;
}

struct pool_transfer *pool_next(struct pool *p) {
  struct pool_transfer *t = p->done.first;
  if (t)
    pool_remove(p, t);
  return t;
}

void pool_refuse(struct pool *p, struct pool_transfer *t) {
  t->refused = p->refusals = true;
}

static void pool_end_refused(struct pool *p) {
  struct pool_transfer *next;
  for (struct pool_transfer *t = p->running.first; t; t = next) {
    next = t->next;
    if (t->refused)
      pool_end(p, t, CURLE_WRITE_ERROR);
  }
  p->refusals = false;
}

static void pool_collect(struct pool *p) {
  int queued = 0;
  const CURLMsg *msg;
  while ((msg = curl_multi_info_read(p->multi, &queued)) != NULL) {
    char *private = NULL;
    if (msg->msg == CURLMSG_DONE &&
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private) == CURLE_OK)
      pool_end(p, (struct pool_transfer *)(void *)private, msg->data.result);
  }
  if (p->refusals)
    pool_end_refused(p);
  while (p->failed && p->running.first)
    pool_end(p, p->running.first, CURLE_OUT_OF_MEMORY);
}

static void pool_check(struct pool *p, CURLMcode code) {
  p->failed |= code != CURLM_OK;
}

static bool is_due(const struct pool *p) {
  return p->timer >= 0 && p->timer <= now_ms();
}

/* libcurl tells a timer once, and not again when it is asked a moment too early. */
static void pool_fire(struct pool *p) {
  long timeout_ms = -1;
  int active = 0;
  p->timer = -1;
  pool_check(p, curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &active));
  if (p->timer < 0 && curl_multi_timeout(p->multi, &timeout_ms) == CURLM_OK)
    pool_on_timer(p->multi, timeout_ms, p);
}

/* libcurl 7.88 forgets the time of a transfer that waits for a connection: for one of those
 * there may be at most, or to see whether another's to the same host can be shared. */
static void pool_end_late(struct pool *p) {
  const long long now = now_ms();
  struct pool_transfer *next;
  p->round = now + POOL_ROUND;
  for (struct pool_transfer *t = p->running.first; t; t = next) {
    next = t->next;
    if (t->deadline <= now)
      pool_end(p, t, CURLE_OPERATION_TIMEDOUT);
    else if (t->deadline < p->round)
      p->round = t->deadline;
  }
}

/* A stream that ends by an error of HTTP/2 itself may have no event left to wait for
 * (libcurl 7.88), so all are looked at now and then. The function is called deprecated for
 * its cost, which once in a second is none. */
static void pool_ask_all(struct pool *p) {
  int active = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  pool_check(p, curl_multi_socket_all(p->multi, &active));
#pragma GCC diagnostic pop
}

static void pool_look_round(struct pool *p) {
  if (p->epoll >= 0)
    pool_ask_all(p);
  pool_collect(p);
  pool_end_late(p);
}

/* Does what can be done without the network. */
static void pool_act(struct pool *p) {
  int active = 0;
  if (p->failed)
    return;
  if (p->epoll < 0)
    pool_check(p, curl_multi_perform(p->multi, &active));
  else if (is_due(p))
    pool_fire(p);
  if (p->running.first && p->round <= now_ms())
    pool_look_round(p);
}

static void pool_on_event(struct pool *p, const struct epoll_event *event) {
  const unsigned is = event->events;
  const int what = (is & EPOLLIN ? CURL_CSELECT_IN : 0) | (is & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (is & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
  int active = 0;
  if (!p->failed)
    pool_check(p, curl_multi_socket_action(p->multi, event->data.fd, what, &active));
}

/* Waits for the network. Returns how many sockets were ready; -1 after a signal. Not
 * watched, 0 may as well mean one. */
static int pool_listen(struct pool *p, int timeout_ms) {
  struct epoll_event events[POOL_EVENTS];
  int ready = 0;
  if (p->epoll < 0) {
    pool_check(p, curl_multi_poll(p->multi, NULL, 0, timeout_ms, &ready));
    return ready > 0 ? ready : -1;
  }
  ready = epoll_wait(p->epoll, events, POOL_EVENTS, timeout_ms);
  for (int i = 0; i < ready; i++)
    pool_on_event(p, &events[i]);
  return ready;
}

static int time_left(const struct pool *p, long long end) {
  const long long now = now_ms();
  long long first = p->timer >= 0 && p->timer < end ? p->timer : end;
  if (p->running.first && p->round < first)
    first = p->round;
  return first > now ? (int)(first - now) : 0;
}

void pool_wait(struct pool *p, int timeout_ms) {
  const long long end = now_ms() + timeout_ms;
  int ready = 1;
  for (int batch = 0; batch < POOL_BATCHES; batch++) {
    pool_act(p);
    pool_collect(p);
    if (p->done.first || ready < 0 || (ready == 0 && now_ms() >= end))
      return;
    ready = pool_listen(p, time_left(p, end));
  }
}

int pool_descriptor(const struct pool *p) {
  return p->epoll;
}

long pool_timeout(const struct pool *p) {
  if (p->done.first)
    return 0;
  if (p->running.first)
    return time_left(p, p->round);
  return p->timer < 0 ? -1 : time_left(p, p->timer);
}
