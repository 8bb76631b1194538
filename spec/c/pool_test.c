/* With a server that accepts connections and sends nothing. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "pool.h"
#include "check.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static char url[64];

static void listen_silently(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t len = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 64) == 0 &&
            getsockname(listener, (struct sockaddr *)&address, &len) == 0,
        "the server listens");
  snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(address.sin_port));
}

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct pool *open_pool(bool watched, long host_connections) {
  const struct pool_limits limits = {
      .idle = 4, .watched = watched, .host_connections = host_connections};
  struct pool *p = pool_open(&limits);
  check(p != NULL, "it opens");
  return p;
}

static void begin(struct pool *p, struct pool_transfer *t, long timeout_ms) {
  memset(t, 0, sizeof *t);
  t->easy = curl_easy_init();
  t->timeout_ms = timeout_ms;
  curl_easy_setopt(t->easy, CURLOPT_URL, url);
  curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
  curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, timeout_ms);
  check(pool_add(p, t) && t->state == POOL_RUNNING, "it starts a transfer");
}

static void end(struct pool *p, struct pool_transfer *t) {
  pool_remove(p, t);
  check(t->state == POOL_IDLE, "it ends a transfer");
  curl_easy_cleanup(t->easy);
}

/* Waits until a transfer is done, at most the given ms. */
static struct pool_transfer *next_within(struct pool *p, long ms) {
  const long last = now_ms() + ms;
  struct pool_transfer *t = pool_next(p);
  while (!t && now_ms() < last) {
    pool_wait(p, (int)(last - now_ms()) + 1);
    t = pool_next(p);
  }
  return t;
}

/* libcurl 7.88 alone would make the second transfer wait until the first one ends. */
static void ends_waiting_transfers_at_their_deadline(bool watched) {
  struct pool *p = open_pool(watched, 1);
  struct pool_transfer first, second, third;
  const long started = now_ms();
  begin(p, &first, 60000);
  begin(p, &second, 3000);
  begin(p, &third, 300);
  check(next_within(p, 5000) == &third && third.result == CURLE_OPERATION_TIMEDOUT,
        "a transfer that waits for a connection ends at its deadline");
  check(now_ms() - started >= 300 && now_ms() - started < 2900,
        "and neither earlier nor with the next one");
  check(next_within(p, 5000) == &second && now_ms() - started < 8000, "each at its own deadline");
  check(first.state == POOL_RUNNING, "and no other transfer ends");
  end(p, &first);
  end(p, &second);
  end(p, &third);
  pool_release(p);
}

static void waits_without_work(bool watched) {
  struct pool *p = open_pool(watched, 0);
  struct pool_transfer t;
  begin(p, &t, 60000);
  const long started = now_ms();
  const clock_t worked = clock();
  int waits = 0;
  for (; now_ms() - started < 1500 && waits < 1000; waits++)
    pool_wait(p, 500);
  /* in a pool that is not watched, libcurl's own timers end a wait too */
  check(waits < 20 && now_ms() - started < 5000, "it waits as long as requested");
  check(clock() - worked < CLOCKS_PER_SEC / 20, "and uses no processor time meanwhile");
  pool_wait(p, 0);
  check(now_ms() - started < 5000 && !pool_next(p), "it does not wait for 0 ms");
  end(p, &t);
  pool_release(p);
}

static void on_alarm(int signal) {
  (void)signal;
}

static void returns_at_a_signal(bool watched) {
  struct pool *p = open_pool(watched, 0);
  struct pool_transfer t;
  const struct sigaction action = {.sa_handler = on_alarm};
  const struct itimerval soon = {.it_value = {.tv_usec = 100000}};
  begin(p, &t, 60000);
  pool_wait(p, 50);
  const long started = now_ms();
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &soon, NULL);
  pool_wait(p, 5000);
  check(now_ms() - started >= 50 && now_ms() - started < 4000, "it returns after a signal");
  end(p, &t);
  pool_release(p);
}

static void supports_another_event_loop(void) {
  struct pool *p = open_pool(false, 0);
  check(pool_descriptor(p) == -1, "without a watch it has no descriptor");
  pool_release(p);
  p = open_pool(true, 0);
  struct pollfd poller = {.fd = pool_descriptor(p), .events = POLLIN};
  check(poller.fd >= 0 && pool_timeout(p) == -1, "without transfers it has no timeout");
  struct pool_transfer t;
  begin(p, &t, 300);
  const long started = now_ms();
  while (!pool_next(p) && now_ms() - started < 5000) {
    check(pool_timeout(p) >= 0 && pool_timeout(p) <= 1000, "with a transfer it has a timeout");
    poll(&poller, 1, (int)pool_timeout(p));
    pool_wait(p, 0);
  }
  check(now_ms() - started < 4000 && t.result == CURLE_OPERATION_TIMEDOUT,
        "it needs no other calls");
  end(p, &t);
  pool_release(p);
}

static void removes_in_any_state(bool watched) {
  struct pool *p = open_pool(watched, 0);
  struct pool_transfer running, done, refused;
  begin(p, &running, 60000);
  begin(p, &refused, 60000);
  pool_refuse(p, &refused);
  check(next_within(p, 1000) == &refused && refused.result == CURLE_WRITE_ERROR,
        "it ends a refused transfer");
  begin(p, &done, 50);
  for (int i = 0; i < 100 && done.state != POOL_DONE; i++)
    pool_wait(p, 1000);
  check(done.state == POOL_DONE, "a transfer that is done stays until it is taken");
  check(pool_hold(p) == p, "it may be held");
  pool_release(p);
  end(p, &running);
  end(p, &done);
  end(p, &refused);
  check(!pool_next(p), "it does not report a removed transfer");
  pool_release(p);
}

int main(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  listen_silently();
  for (int watched = 0; watched < 2; watched++) {
    ends_waiting_transfers_at_their_deadline(watched);
    waits_without_work(watched);
    returns_at_a_signal(watched);
    removes_in_any_state(watched);
  }
  supports_another_event_loop();
  return check_result("pool");
}
