#include "pool.h"
#include "multi.h"
#include "sockets.h"

#include <limits.h>
#include <stdlib.h>

#define BATCHES 64          /* of events in one pool_wait(), before the caller runs again */
#define CHECK_INTERVAL 1000 /* ms between checks of all running transfers */
/* ms after a deadline: libcurl may end the transfer first, as its error says more */
#define GRACE 50

struct list {
  struct pool_transfer *first, *last;
};

struct pool {
  struct multi multi;
  int users;
  long silence_ms;
  struct sockets sockets;
  bool checks_stray_bytes; /* see has_stray_bytes() */
  bool has_retired;        /* some sockets are retired, or may have to be */
  long long retire_before; /* ms: idle connections opened before are retired as well */
  bool has_refused;        /* some running transfers are refused */
  long long next_check;    /* ms: when to check all running transfers */
  struct budget budget;
  /* A paused transfer that may exceed the budget, as it was the oldest; NULL: none. */
  struct pool_transfer *favourite;
  long long favoured;      /* ms: when it claimed room last */
  bool has_paused;         /* some running transfers are paused */
  bool can_resume;         /* of these, some may be able to go on */
  struct list running;
  struct list done;
};

/* Returns the transfer that CURLOPT_PRIVATE names. */
static struct pool_transfer *transfer_of(void *private) {
  return private;
}

static curl_socket_t on_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *a) {
  (void)purpose;
  struct pool *p = userdata;
  return sockets_open(&p->sockets, a->family, a->socktype, a->protocol, multi_now());
}

static int on_close(void *userdata, curl_socket_t fd) {
  struct pool *p = userdata;
  return sockets_close(&p->sockets, fd);
}

void pool_drop_certificate(struct pool_transfer *t) {
  X509_free(t->certificate);
  t->certificate = NULL;
}

/* Keeps the certificate that OpenSSL has refused. If it has accepted all, keeps that of the server,
 * which libcurl may refuse because of its names. */
static void keep_certificate(struct pool_transfer *t, X509_STORE_CTX *chain, bool accepted) {
  X509 *last = accepted ? X509_STORE_CTX_get0_cert(chain) : X509_STORE_CTX_get_current_cert(chain);
  pool_drop_certificate(t);
  if (last && X509_up_ref(last))
    t->certificate = last;
}

/* Finds the transfer that has opened the connection of a TLS context. It may be gone, as a server
 * may renegotiate at any time. */
static struct pool_transfer *opener_of(const struct pool *p, const void *tls) {
  struct pool_transfer *t = p->running.first;
  while (t && t->tls != tls)
    t = t->next;
  return t;
}

/* OpenSSL calls this in place of X509_verify_cert(). */
static int on_chain(X509_STORE_CTX *chain, void *userdata) {
  const int accepted = X509_verify_cert(chain);
  const SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
  struct pool_transfer *t = ssl ? opener_of(userdata, SSL_get_SSL_CTX(ssl)) : NULL;
  if (t)
    keep_certificate(t, chain, accepted > 0);
  return accepted;
}

static CURLcode on_tls_context(CURL *easy, void *context, void *userdata) {
  struct pool *p = userdata;
  char *private = NULL;
  multi_guard(&p->multi, context);
  SSL_CTX_set_cert_verify_callback(context, on_chain, p);
  /* the address may be that of an earlier context, which is freed */
  struct pool_transfer *former = opener_of(p, context);
  if (former)
    former->tls = NULL;
  if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private) == CURLE_OK && private)
    transfer_of(private)->tls = context;
  return CURLE_OK;
}

CURLcode pool_set_callbacks(struct pool *p, CURL *easy) {
  CURLcode code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, p);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, p);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, p);
  return code;
}

/* Ends a handle without waiting for a name lookup. From 8.20 on, CURLOPT_QUICK_EXIT alone does not.
 */
static bool set_quick_exit(CURLM *handle) {
#if LIBCURL_VERSION_NUM >= 0x081400
  return curl_multi_setopt(handle, CURLMOPT_QUICK_EXIT, 1L) == CURLM_OK;
#else
  (void)handle;
  return true;
#endif
}

/* CURLMOPT_MAXCONNECTS is set because libcurl's default falls with the number of transfers, and
 * would close connections that the next transfers need. */
static bool set_limits(CURLM *handle, const struct pool_limits *l) {
  return curl_multi_setopt(handle, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX) == CURLM_OK &&
         curl_multi_setopt(handle, CURLMOPT_MAX_TOTAL_CONNECTIONS, l->connections) == CURLM_OK &&
         curl_multi_setopt(handle, CURLMOPT_MAX_HOST_CONNECTIONS, l->host_connections) ==
             CURLM_OK &&
         curl_multi_setopt(handle, CURLMOPT_MAXCONNECTS, l->idle) == CURLM_OK &&
         set_quick_exit(handle);
}

struct pool *pool_open(const struct pool_limits *limits) {
  struct pool *p = calloc(1, sizeof *p);
  if (!p)
    return NULL;
  p->users = 1;
  p->silence_ms = limits->silence_ms;
  budget_init(&p->budget, limits->memory);
  p->checks_stray_bytes = curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
  if (multi_open(&p->multi, limits->watched) && set_limits(p->multi.handle, limits))
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
  multi_close(&p->multi);
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

static struct socket_entry *socket_of(struct pool *p, const struct pool_transfer *t) {
  return t->local_port > 0 ? sockets_find(&p->sockets, t->local_port, t->remote_port) : NULL;
}

/* A server may write to an idle HTTP/1 connection, such as a late 408. libcurl before 8.0 reuses
 * that connection, and takes these bytes for the response to the next request. */
static bool has_stray_bytes(const struct pool_transfer *t, const struct socket_entry *socket) {
  return t->pool->checks_stray_bytes && socket && socket->is_http1 && sockets_has_unread(socket);
}

/* libcurl calls this each time before it sends a request on a connection. A request is never sent
 * again after bytes of a response: the bytes of two responses would be taken for one. */
static int on_send(void *userdata, char *remote_ip, char *local_ip, int remote_port,
                   int local_port) {
  (void)remote_ip, (void)local_ip;
  struct pool_transfer *t = userdata;
  t->remote_port = remote_port;
  t->local_port = local_port;
  t->had_stray_bytes = has_stray_bytes(t, socket_of(t->pool, t));
  if (t->had_stray_bytes || (t->sent > 0 && (!t->may_repeat || t->has_received)))
    return CURL_PREREQFUNC_ABORT;
  t->sent++;
  return CURL_PREREQFUNC_OK;
}

/* Passes a transfer to libcurl. While another transfer still uses a retired connection, libcurl
 * would use it for a new transfer as well, so that one must get a new connection. */
static bool start_attempt(struct pool *p, struct pool_transfer *t) {
  const long fresh = !t->may_repeat || p->has_retired;
  t->local_port = t->remote_port = 0;
  return curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
         curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, fresh) == CURLE_OK &&
         curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
         curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_send) == CURLE_OK &&
         curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t) == CURLE_OK &&
         curl_multi_add_handle(p->multi.handle, t->easy) == CURLM_OK;
}

static long long check_time(const struct pool_transfer *t) {
  return t->deadline < t->silence_check ? t->deadline : t->silence_check;
}

bool pool_add(struct pool *p, struct pool_transfer *t) {
  t->pool = p;
  t->sent = 0;
  t->tls = NULL;
  pool_drop_certificate(t);
  if (p->multi.failed || !start_attempt(p, t))
    return false;
  const long long now = multi_now();
  t->started = now;
  t->lost_ms = 0;
  t->has_received = t->has_head = t->may_pause = t->is_paused = false;
  t->deadline = t->timeout_ms > 0 ? now + t->timeout_ms + GRACE : LLONG_MAX;
  t->silence_check = t->may_repeat && p->silence_ms > 0 ? now + p->silence_ms : LLONG_MAX;
  if (!p->running.first)
    p->next_check = now + CHECK_INTERVAL;
  if (check_time(t) < p->next_check)
    p->next_check = check_time(t);
  budget_begin(&p->budget, &t->share);
  list_append(&p->running, t);
  t->state = POOL_RUNNING;
  t->refused = false;
  return true;
}

static void stop(struct pool *p, struct pool_transfer *t) {
  if (p->favourite == t) {
    p->favourite = NULL;
    p->can_resume = true;
  }
  t->is_paused = false;
  curl_multi_remove_handle(p->multi.handle, t->easy);
  list_remove(&p->running, t);
  t->state = POOL_IDLE;
}

void pool_remove(struct pool *p, struct pool_transfer *t) {
  if (t->state == POOL_RUNNING)
    stop(p, t);
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

void pool_received(struct pool *p, struct pool_transfer *t) {
  t->has_received = true;
  multi_received(&p->multi);
  sockets_received(&p->sockets, t->local_port, t->remote_port, p->multi.entered);
}

static bool is_http_1(const struct pool_transfer *t) {
  long version = 0;
  return curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version) == CURLE_OK &&
         (version == CURL_HTTP_VERSION_1_1 || version == CURL_HTTP_VERSION_1_0);
}

bool pool_claim(struct pool *p, struct pool_transfer *t, size_t bytes) {
  if (budget_grow(&p->budget, &t->share, bytes))
    return true;
  t->is_paused = p->favourite && p->favourite != t && t->may_pause;
  if (t->is_paused) {
    p->has_paused = true;
    return false;
  }
  if (t->may_pause) {
    p->favourite = t;
    p->favoured = multi_now();
  }
  budget_exceed(&p->budget, &t->share, bytes);
  return true;
}

void pool_unclaim(struct pool *p, struct pool_transfer *t) {
  budget_end(&p->budget, &t->share);
  p->can_resume = true;
}

bool pool_is_limited(const struct pool *p) {
  return p->budget.limit > 0;
}

bool pool_has_room(const struct pool *p) {
  return budget_has_room(&p->budget);
}

void pool_allow_reuse(struct pool_transfer *t) {
  t->has_head = true;
  t->may_pause = pool_is_limited(t->pool) && is_http_1(t);
  curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 0L);
}

void pool_refuse(struct pool *p, struct pool_transfer *t) {
  t->refused = p->has_refused = true;
  curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
}

/* Returns when the request was sent, in ms; 0 while the transfer has no connection. */
static long long time_sent(const struct pool_transfer *t) {
  curl_off_t us = 0;
  if (curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &us) != CURLE_OK || us == 0)
    return 0;
  return t->started + t->lost_ms + us / 1000;
}

/* Retires the connection of a transfer that received nothing. If the connection was reused, retires
 * all idle connections of that age as well: what cut off one has cut off the others. */
static void retire_silent(struct pool *p, const struct pool_transfer *t,
                          struct socket_entry *socket) {
  if (socket)
    socket->retired = true;
  long connected = 1;
  curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connected);
  if (connected == 0 && t->started > p->retire_before)
    p->retire_before = t->started;
  p->has_retired = true;
}

/* After a timeout. A connection on which other transfers receive bytes is alive; that of a paused
 * transfer was silent because we did not read. */
static void retire_if_silent(struct pool *p, const struct pool_transfer *t) {
  if (t->is_paused)
    return;
  const long long now = multi_now();
  const long long sent = time_sent(t);
  struct socket_entry *socket = socket_of(p, t);
  if (sent && (!socket || sockets_silence(socket, now) * 2 >= now - sent))
    retire_silent(p, t, socket);
}

/* After a refusal. Over HTTP/2 libcurl keeps a connection that other transfers use, although the
 * peer may send nothing more on it than the rest of what was refused. */
static void retire_connection(struct pool *p, const struct pool_transfer *t) {
  struct socket_entry *socket = socket_of(p, t);
  if (socket)
    socket->retired = p->has_retired = true;
}

static void shut_down_retired(struct pool *p) {
  for (size_t i = 0; i < p->sockets.count; i++)
    p->sockets.all[i].used = false;
  for (const struct pool_transfer *t = p->running.first; t; t = t->next) {
    struct socket_entry *socket = socket_of(p, t);
    if (socket)
      socket->used = true;
  }
  p->has_retired = sockets_shut_down(&p->sockets, p->retire_before);
}

#define HEADER_MAX ((size_t)102400) /* libcurl's CURL_MAX_HTTP_HEADER */

/* libcurl before 8.6 reports CURLE_OUT_OF_MEMORY for a header above its own limit. Then memory is
 * available. */
static bool is_long_header(const struct pool_transfer *t) {
  void *probe = time_sent(t) && !t->has_head ? malloc(2 * HEADER_MAX) : NULL;
  free(probe);
  return probe != NULL;
}

static void note_version(struct pool *p, const struct pool_transfer *t) {
  struct socket_entry *socket = p->checks_stray_bytes ? socket_of(p, t) : NULL;
  if (socket)
    socket->is_http1 = is_http_1(t);
}

static void finish(struct pool *p, struct pool_transfer *t, CURLcode result) {
  if (result == CURLE_OK && t->is_paused)
    result = CURLE_PARTIAL_FILE; /* libcurl 8.3.0 drops the bytes of a paused transfer */
  if (result == CURLE_OK)
    budget_complete(&p->budget, &t->share);
  if (result == CURLE_OK)
    note_version(p, t);
  else if (result == CURLE_OPERATION_TIMEDOUT)
    retire_if_silent(p, t);
  else if (t->refused || result == CURLE_FILESIZE_EXCEEDED)
    retire_connection(p, t);
  else if (result == CURLE_OUT_OF_MEMORY && !p->multi.failed && is_long_header(t))
    result = CURLE_WEIRD_SERVER_REPLY;
  if (result != CURLE_PEER_FAILED_VERIFICATION)
    pool_drop_certificate(t);
  stop(p, t);
  list_append(&p->done, t);
  t->state = POOL_DONE;
  t->result = result;
  p->multi.failed |= result == CURLE_OUT_OF_MEMORY;
}

static void finish_refused(struct pool *p) {
  struct pool_transfer *next;
  for (struct pool_transfer *t = p->running.first; t; t = next) {
    next = t->next;
    if (t->refused)
      finish(p, t, CURLE_WRITE_ERROR);
  }
  p->has_refused = false;
}

/* Sends a request again on a new connection, within the time that is left. */
static void repeat(struct pool *p, struct pool_transfer *t, long long now) {
  const long left = (long)(t->deadline - GRACE - now);
  curl_multi_remove_handle(p->multi.handle, t->easy);
  t->lost_ms = now - t->started;
  t->silence_check = LLONG_MAX;
  if ((t->timeout_ms > 0 &&
       curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, left > 1 ? left : 1) != CURLE_OK) ||
      !start_attempt(p, t))
    finish(p, t, CURLE_OUT_OF_MEMORY);
}

static void handle_result(struct pool *p, struct pool_transfer *t, CURLcode result) {
  if (result == CURLE_ABORTED_BY_CALLBACK && t->had_stray_bytes) {
    p->has_retired = true; /* otherwise libcurl may reuse another idle connection */
    repeat(p, t, multi_now());
  } else {
    finish(p, t, result);
  }
}

static void collect_results(struct pool *p) {
  int queued = 0;
  const CURLMsg *msg;
  while ((msg = curl_multi_info_read(p->multi.handle, &queued)) != NULL) {
    char *private = NULL;
    if (msg->msg == CURLMSG_DONE &&
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private) == CURLE_OK)
      handle_result(p, transfer_of(private), msg->data.result);
  }
  if (p->has_refused)
    finish_refused(p);
  while (p->multi.failed && p->running.first)
    finish(p, p->running.first, CURLE_OUT_OF_MEMORY);
  if (p->has_retired)
    shut_down_retired(p);
}

/* Repeats a request that was sent into a dead connection: one that was open before the request and
 * has been silent since. A new connection may be silent until the deadline, as the service needs
 * minutes for a long log. */
static void check_silence(struct pool *p, struct pool_transfer *t, long long now) {
  const long long sent = time_sent(t);
  struct socket_entry *socket = sent ? socket_of(p, t) : NULL;
  if (!socket) {
    t->silence_check = now + CHECK_INTERVAL; /* it has no connection yet */
    return;
  }
  const long long received = now - sockets_silence(socket, now);
  const long long since = received > sent ? received : sent;
  if (t->has_received || socket->opened >= t->started) {
    t->silence_check = LLONG_MAX;
  } else if (now - since < p->silence_ms) {
    t->silence_check = since + p->silence_ms;
  } else {
    retire_silent(p, t, socket);
    repeat(p, t, now);
  }
}

/* libcurl 7.88 ignores the timeout of a transfer that waits for a connection: because of a limit,
 * or to see whether it can share a connection that another transfer opens to the same host. */
static void check_deadlines(struct pool *p) {
  const long long now = multi_now();
  struct pool_transfer *next;
  p->next_check = now + CHECK_INTERVAL;
  for (struct pool_transfer *t = p->running.first; t; t = next) {
    next = t->next;
    if (t->deadline <= now)
      finish(p, t, CURLE_OPERATION_TIMEDOUT);
    else if (t->silence_check <= now)
      check_silence(p, t, now);
    if (t->state == POOL_RUNNING && check_time(t) < p->next_check)
      p->next_check = check_time(t);
  }
}

/* libcurl 7.88 may have no event to wait for after a stream ends with an error of HTTP/2, so all
 * transfers are checked from time to time. */
static void check_all(struct pool *p) {
  multi_check_all(&p->multi);
  collect_results(p);
  check_deadlines(p);
}

/* libcurl calls the write callback with the bytes that it stores, which may pause the transfer
 * again. */
static void resume(struct pool *p, struct pool_transfer *t) {
  t->is_paused = false;
  const CURLcode code = curl_easy_pause(t->easy, CURLPAUSE_CONT);
  if (code != CURLE_OK && t->state == POOL_RUNNING)
    finish(p, t, code);
}

/* Lets paused transfers go on, the oldest first, as far as there is room for their bodies. If there
 * is none, one goes on; another one too, if that one has been silent for a while. */
static void resume_paused(struct pool *p) {
  struct pool_transfer *next;
  if (p->favourite && multi_now() - p->favoured > CHECK_INTERVAL) {
    p->favourite = NULL;
    p->can_resume = true;
  }
  if (!p->can_resume || p->multi.failed)
    return;
  p->can_resume = p->has_paused = false;
  for (struct pool_transfer *t = p->running.first; t; t = next) {
    next = t->next;
    if (t->is_paused && (budget_extend(&p->budget, &t->share) || !p->favourite))
      resume(p, t);
    p->has_paused |= t->state == POOL_RUNNING && t->is_paused;
  }
}

static int time_left(const struct pool *p, long long end) {
  const long long now = multi_now();
  long long first = p->multi.timer >= 0 && p->multi.timer < end ? p->multi.timer : end;
  if (p->running.first && p->next_check < first)
    first = p->next_check;
  return first > now ? (int)(first - now) : 0;
}

void pool_wait(struct pool *p, int timeout_ms) {
  const long long end = multi_now() + timeout_ms;
  int ready = 1;
  if (p->has_paused)
    resume_paused(p);
  for (int batch = 0; batch < BATCHES; batch++) {
    multi_act(&p->multi);
    if (!p->multi.failed && p->running.first && p->next_check <= multi_now())
      check_all(p);
    collect_results(p);
    if (p->done.first || ready < 0 || (ready == 0 && multi_now() >= end))
      return;
    ready = multi_listen(&p->multi, time_left(p, end));
  }
}

int pool_descriptor(const struct pool *p) {
  return p->multi.events ? events_descriptor(p->multi.events) : -1;
}

long pool_timeout(const struct pool *p) {
  if (p->done.first || (p->has_paused && p->can_resume))
    return 0;
  const long interval = p->multi.events ? events_interval(p->multi.events) : -1;
  const long left = p->running.first     ? time_left(p, p->next_check)
                    : p->multi.timer < 0 ? -1
                                         : time_left(p, p->multi.timer);
  return left < 0 || (interval >= 0 && interval < left) ? interval : left;
}
