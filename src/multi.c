#include "multi.h"

#include <errno.h>
#include <time.h>

#define FLOOD_RECORDS 64 /* useless TLS records in a row before the time is checked */
#define FLOOD_TIME 250   /* ms for which libcurl may read such records */

long long multi_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Starts the time anew for which a peer may send nothing useful. */
static void reset_guard(struct multi *m) {
  m->records = 0;
  m->entered = multi_now();
}

void multi_received(struct multi *m) {
  reset_guard(m);
}

/* Over HTTP/2, libcurl 7.88 reads on while the peer sends what no callback receives: empty frames,
 * or frames of no stream. Only TLS reports them. */
static void on_tls_record(int is_sent, int version, int type, const void *data, size_t len,
                          SSL *ssl, void *userdata) {
  (void)version, (void)data, (void)len;
  struct multi *m = userdata;
  if (is_sent || type != SSL3_RT_HEADER || ++m->records % FLOOD_RECORDS != 0)
    return;
  if (multi_now() - m->entered > FLOOD_TIME)
    SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
}

void multi_guard(struct multi *m, SSL_CTX *context) {
  SSL_CTX_set_msg_callback(context, on_tls_record);
  SSL_CTX_set_msg_callback_arg(context, m);
}

static void note_result(struct multi *m, CURLMcode code) {
  m->failed |= code != CURLM_OK;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *userdata,
                     void *socket_data) {
  (void)easy;
  struct multi *m = userdata;
  if (what == CURL_POLL_REMOVE) {
    events_forget(m->events, socket);
    return 0;
  }
  const unsigned wanted =
      (what & CURL_POLL_IN ? EVENTS_READ : 0u) | (what & CURL_POLL_OUT ? EVENTS_WRITE : 0u);
  if (!events_watch(m->events, socket, wanted, socket_data != NULL)) {
    m->failed = true;
    return -1;
  }
  if (!socket_data)
    curl_multi_assign(m->handle, socket, m);
  return 0;
}

static int on_timer(CURLM *handle, long timeout_ms, void *userdata) {
  (void)handle;
  struct multi *m = userdata;
  /* + 1: part of the current millisecond has passed, and the timer must not fire too early */
  m->timer = timeout_ms < 0 ? -1 : multi_now() + timeout_ms + (timeout_ms > 0);
  return 0;
}

static bool set_callbacks(struct multi *m) {
  return curl_multi_setopt(m->handle, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
         curl_multi_setopt(m->handle, CURLMOPT_SOCKETDATA, m) == CURLM_OK &&
         curl_multi_setopt(m->handle, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
         curl_multi_setopt(m->handle, CURLMOPT_TIMERDATA, m) == CURLM_OK;
}

bool multi_open(struct multi *m, bool watched) {
  *m = (struct multi){.timer = -1};
  if (watched && (m->events = events_open()) == NULL)
    return false;
  m->handle = curl_multi_init();
  return m->handle && (!watched || set_callbacks(m));
}

void multi_close(struct multi *m) {
  if (m->handle)
    curl_multi_cleanup(m->handle);
  if (m->events)
    events_close(m->events);
}

static bool is_timer_due(const struct multi *m) {
  return m->timer >= 0 && m->timer <= multi_now();
}

/* libcurl sets a timer once. If it is called a moment too early, it does not set it again. */
static void fire_timer(struct multi *m) {
  long timeout_ms = -1;
  int active = 0;
  m->timer = -1;
  reset_guard(m);
  note_result(m, curl_multi_socket_action(m->handle, CURL_SOCKET_TIMEOUT, 0, &active));
  if (m->timer < 0 && curl_multi_timeout(m->handle, &timeout_ms) == CURLM_OK)
    on_timer(m->handle, timeout_ms, m);
}

void multi_act(struct multi *m) {
  int active = 0;
  if (m->failed)
    return;
  if (!m->events) {
    reset_guard(m);
    note_result(m, curl_multi_perform(m->handle, &active));
  } else if (is_timer_due(m)) {
    fire_timer(m);
  }
}

/* The function is deprecated because it is slow; called once a second it is not. */
void multi_check_all(struct multi *m) {
  int active = 0;
  if (m->failed || !m->events)
    return;
  reset_guard(m);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  note_result(m, curl_multi_socket_all(m->handle, &active));
#pragma GCC diagnostic pop
}

static void handle_event(struct multi *m, const struct event *event) {
  const int what = (event->what & EVENTS_READ ? CURL_CSELECT_IN : 0) |
                   (event->what & EVENTS_WRITE ? CURL_CSELECT_OUT : 0) |
                   (event->what & EVENTS_FAILED ? CURL_CSELECT_ERR : 0);
  int active = 0;
  if (m->failed)
    return;
  reset_guard(m);
  note_result(m, curl_multi_socket_action(m->handle, event->fd, what, &active));
}

int multi_listen(struct multi *m, int timeout_ms) {
  struct event events[EVENTS_MAX];
  int ready = 0;
  if (!m->events) {
    note_result(m, curl_multi_poll(m->handle, NULL, 0, timeout_ms, &ready));
    return ready > 0 ? ready : -1;
  }
  ready = events_wait(m->events, events, timeout_ms);
  m->failed |= ready < 0 && errno != EINTR;
  for (int i = 0; i < ready; i++)
    handle_event(m, &events[i]);
  return ready;
}
