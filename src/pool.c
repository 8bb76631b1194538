#include "pool.h"
#include "sockets.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>

#include <openssl/ssl.h>

#define POOL_EVENTS 64  /* taken from the system at once */
#define POOL_BATCHES 64 /* of these, before the caller gets its turn */
#define POOL_ROUND 1000 /* ms between looks at all that run */
#define FLOOD_RECORDS 64 /* of TLS, that libcurl reads without a break and that hold nothing */
#define FLOOD_TIME 250   /* ms for which it may read such ones */
#define POOL_GRACE 50   /* ms in which libcurl itself may end what is late, which says more */

struct list {
  struct pool_transfer *first, *last;
};

struct pool {
  CURLM *multi;
  int epoll; /* -1: not watched */
  int users;
  long silence_ms;
  unsigned records;      /* of TLS, read since libcurl was called or passed bytes on */
  long long entered;     /* ms: when that was */
  struct sockets sockets;
  bool checks_unread;       /* see is_spoilt() */
  bool suspects;            /* some sockets are given up, or may have to be */
  long long suspect_before; /* ms: what was opened before and is idle is given up as well */
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

static curl_socket_t pool_on_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *a) {
  (void)purpose;
  struct pool *p = userdata;
  return sockets_open(&p->sockets, a->family, a->socktype, a->protocol, now_ms());
}

static int pool_on_close(void *userdata, curl_socket_t fd) {
  struct pool *p = userdata;
  return sockets_close(&p->sockets, fd);
}

static void pool_enter(struct pool *p) {
  p->records = 0;
  p->entered = now_ms();
}

/* Over HTTP/2 libcurl 7.88 reads for as long as something comes that is for none of its
 * callers: empty frames, frames of no stream. Only TLS tells of it meanwhile. Such a connection
 * is taken for closed by its peer. */
static void pool_on_record(int is_sent, int version, int type, const void *data, size_t len,
                           SSL *ssl, void *userdata) {
  (void)version, (void)data, (void)len;
  struct pool *p = userdata;
  if (is_sent || type != SSL3_RT_HEADER || ++p->records % FLOOD_RECORDS != 0)
    return;
  if (now_ms() - p->entered > FLOOD_TIME)
    SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
}

static CURLcode pool_on_tls(CURL *easy, void *context, void *userdata) {
  (void)easy;
  SSL_CTX_set_msg_callback(context, pool_on_record);
  SSL_CTX_set_msg_callback_arg(context, userdata);
  return CURLE_OK;
}

void pool_hear(struct pool *p, struct pool_transfer *t) {
  t->heard = true;
  pool_enter(p);
}

void pool_trust(struct pool_transfer *t) {
  t->has_head = true;
  curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 0L);
}

CURLcode pool_set_sockets(struct pool *p, CURL *easy) {
  CURLcode code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, pool_on_open);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, p);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, pool_on_close);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, p);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, pool_on_tls);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, p);
  return code;
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
#if LIBCURL_VERSION_NUM >= 0x081400 /* the option of a handle does not do alone any more */
  SET(CURLMOPT_QUICK_EXIT, 1L);
#endif
  return code == CURLM_OK;
}

struct pool *pool_open(const struct pool_limits *limits) {
  struct pool *p = calloc(1, sizeof *p);
  if (!p)
    return NULL;
  p->users = 1;
  p->timer = -1;
  p->silence_ms = limits->silence_ms;
  p->checks_unread = curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
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
  sockets_free(&p->sockets);
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

static struct socket_entry *pool_socket_of(struct pool *p, const struct pool_transfer *t) {
  return t->local_port > 0 ? sockets_find(&p->sockets, t->local_port, t->remote_port) : NULL;
}

/* libcurl before 8.0 sends a request on an idle HTTP/1 connection into which the server has
 * written meanwhile, such as a late 408, and takes that for the response. */
static bool is_spoilt(const struct pool_transfer *t) {
  if (!t->pool->checks_unread)
    return false;
  const struct socket_entry *socket = pool_socket_of(t->pool, t);
  return socket && socket->is_http1 && sockets_has_unread(socket);
}

/* Called each time before a request goes out on a connection. Never again behind bytes of a
 * response: those of two would be taken for one. */
static int pool_on_send(void *userdata, char *remote_ip, char *local_ip, int remote_port,
                        int local_port) {
  (void)remote_ip, (void)local_ip;
  struct pool_transfer *t = userdata;
  t->remote_port = remote_port;
  t->local_port = local_port;
  t->was_spoilt = is_spoilt(t);
  if (t->was_spoilt || (t->sent > 0 && (!t->may_repeat || t->heard)))
    return CURL_PREREQFUNC_ABORT;
  t->sent++;
  return CURL_PREREQFUNC_OK;
}

/* While a connection that is given up still serves another transfer, libcurl would put a new
 * one onto it as well. */
static bool pool_hand_over(struct pool *p, struct pool_transfer *t) {
  const long fresh = !t->may_repeat || p->suspects;
  t->local_port = t->remote_port = 0;
  return curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
         curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, fresh) == CURLE_OK &&
         curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
         curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, pool_on_send) == CURLE_OK &&
         curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t) == CURLE_OK &&
         curl_multi_add_handle(p->multi, t->easy) == CURLM_OK;
}

static long long first_look(const struct pool_transfer *t) {
  return t->deadline < t->silent_at ? t->deadline : t->silent_at;
}

bool pool_add(struct pool *p, struct pool_transfer *t) {
  t->pool = p;
  t->sent = 0;
  if (p->failed || !pool_hand_over(p, t))
    return false;
  const long long now = now_ms();
  t->started = now;
  t->lost_ms = 0;
  t->heard = t->has_head = false;
  t->deadline = t->timeout_ms > 0 ? now + t->timeout_ms + POOL_GRACE : LLONG_MAX;
  t->silent_at = t->may_repeat && p->silence_ms > 0 ? now + p->silence_ms : LLONG_MAX;
  if (!p->running.first)
    p->round = now + POOL_ROUND;
  if (first_look(t) < p->round)
    p->round = first_look(t);
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

/* When its request went out, in ms; 0 while it has no connection. */
static long long pool_sent(const struct pool_transfer *t) {
  curl_off_t us = 0;
  if (curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &us) != CURLE_OK || us == 0)
    return 0;
  return t->started + t->lost_ms + us / 1000;
}

/* Gives up the connection of a transfer that heard nothing; and where it was there before
 * the transfer, those that are idle and as old: what cut off one has cut off the others. */
static void pool_suspect(struct pool *p, const struct pool_transfer *t,
                         struct socket_entry *socket) {
  if (socket)
    socket->given_up = true;
  long connected = 1;
  curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connected);
  if (connected == 0 && t->started > p->suspect_before)
    p->suspect_before = t->started;
  p->suspects = true;
}

/* A connection that says something to others, while one of its transfers is late, lives. */
static void pool_suspect_late(struct pool *p, const struct pool_transfer *t) {
  const long long now = now_ms();
  const long long sent = pool_sent(t);
  struct socket_entry *socket = pool_socket_of(p, t);
  if (sent && (!socket || sockets_silence(socket, now) * 2 >= now - sent))
    pool_suspect(p, t, socket);
}

static void pool_shut_down_suspects(struct pool *p) {
  for (size_t i = 0; i < p->sockets.count; i++)
    p->sockets.all[i].used = false;
  for (const struct pool_transfer *t = p->running.first; t; t = t->next) {
    struct socket_entry *socket = pool_socket_of(p, t);
    if (socket)
      socket->used = true;
  }
  p->suspects = sockets_shut_down(&p->sockets, p->suspect_before);
}

#define HEADER_LINE_MAX ((size_t)102400) /* CURL_MAX_HTTP_HEADER of libcurl */

/* libcurl before 8.6 calls a header line beyond its own ceiling a lack of memory. */
static bool is_long_header(const struct pool_transfer *t) {
  void *probe = pool_sent(t) && !t->has_head ? malloc(2 * HEADER_LINE_MAX) : NULL;
  free(probe);
  return probe != NULL;
}

static void pool_note_version(struct pool *p, const struct pool_transfer *t) {
  long version = 0;
  struct socket_entry *socket = p->checks_unread ? pool_socket_of(p, t) : NULL;
  if (socket && curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version) == CURLE_OK)
    socket->is_http1 = version == CURL_HTTP_VERSION_1_1 || version == CURL_HTTP_VERSION_1_0;
}

/* Over HTTP/2 a connection that others use is kept, whose peer may go on with what was refused,
 * and nothing else. */
static void pool_give_up(struct pool *p, const struct pool_transfer *t) {
  struct socket_entry *socket = pool_socket_of(p, t);
  if (socket)
    socket->given_up = p->suspects = true;
}

static void pool_end(struct pool *p, struct pool_transfer *t, CURLcode result) {
  if (result == CURLE_OK)
    pool_note_version(p, t);
  else if (result == CURLE_OPERATION_TIMEDOUT)
    pool_suspect_late(p, t);
  else if (t->refused || result == CURLE_FILESIZE_EXCEEDED)
    pool_give_up(p, t);
  else if (result == CURLE_OUT_OF_MEMORY && !p->failed && is_long_header(t))
    result = CURLE_WEIRD_SERVER_REPLY;
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
  curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
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

/* Sends a request again, on a fresh connection, within what is left of its time. */
static void pool_repeat(struct pool *p, struct pool_transfer *t, long long now) {
  const long left = (long)(t->deadline - POOL_GRACE - now);
  curl_multi_remove_handle(p->multi, t->easy);
  t->lost_ms = now - t->started;
  t->silent_at = LLONG_MAX;
  if ((t->timeout_ms > 0 &&
       curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, left > 1 ? left : 1) != CURLE_OK) ||
      !pool_hand_over(p, t))
    pool_end(p, t, CURLE_OUT_OF_MEMORY);
}

/* A transfer of which libcurl says that it is done. */
static void pool_take(struct pool *p, struct pool_transfer *t, CURLcode result) {
  if (result == CURLE_ABORTED_BY_CALLBACK && t->was_spoilt) {
    p->suspects = true; /* or the next connection is one that is kept as well */
    pool_repeat(p, t, now_ms());
  } else {
    pool_end(p, t, result);
  }
}

static void pool_collect(struct pool *p) {
  int queued = 0;
  const CURLMsg *msg;
  while ((msg = curl_multi_info_read(p->multi, &queued)) != NULL) {
    char *private = NULL;
    if (msg->msg == CURLMSG_DONE &&
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private) == CURLE_OK)
      pool_take(p, (struct pool_transfer *)(void *)private, msg->data.result);
  }
  if (p->refusals)
    pool_end_refused(p);
  while (p->failed && p->running.first)
    pool_end(p, p->running.first, CURLE_OUT_OF_MEMORY);
  if (p->suspects)
    pool_shut_down_suspects(p);
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
  pool_enter(p);
  pool_check(p, curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &active));
  if (p->timer < 0 && curl_multi_timeout(p->multi, &timeout_ms) == CURLM_OK)
    pool_on_timer(p->multi, timeout_ms, p);
}

/* Looks whether a request was sent into a connection that is dead: one that was there before
 * it, and that has said nothing at all since. A fresh connection may be silent until the
 * deadline, as the service takes minutes for a long log. */
static void pool_check_silence(struct pool *p, struct pool_transfer *t, long long now) {
  const long long sent = pool_sent(t);
  struct socket_entry *socket = sent ? pool_socket_of(p, t) : NULL;
  if (!socket) {
    t->silent_at = now + POOL_ROUND; /* it has no connection yet */
    return;
  }
  const long long heard = now - sockets_silence(socket, now);
  const long long since = heard > sent ? heard : sent;
  if (t->heard || socket->opened >= t->started) {
    t->silent_at = LLONG_MAX;
  } else if (now - since < p->silence_ms) {
    t->silent_at = since + p->silence_ms;
  } else {
    pool_suspect(p, t, socket);
    pool_repeat(p, t, now);
  }
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
    else if (t->silent_at <= now)
      pool_check_silence(p, t, now);
    if (t->state == POOL_RUNNING && first_look(t) < p->round)
      p->round = first_look(t);
  }
}

/* A stream that ends by an error of HTTP/2 itself may have no event left to wait for
 * (libcurl 7.88), so all are looked at now and then. The function is called deprecated for
 * its cost, which once in a second is none. */
static void pool_ask_all(struct pool *p) {
  int active = 0;
  pool_enter(p);
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
  pool_enter(p);
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
  pool_enter(p);
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
