/* Pairs of sockets, with the events of this build: epoll, or poll(). */
#include "events.h"
#include "platform.h"
#include "check.h"
#include "fail_alloc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ours is watched; what theirs writes arrives there */
struct pair {
  int ours, theirs;
};

static struct pair open_pair(void) {
  int fds[2] = {-1, -1};
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "a pair of sockets opens");
  return (struct pair){fds[0], fds[1]};
}

static void close_pair(struct pair p) {
  close(p.ours);
  close(p.theirs);
}

static void send_byte(struct pair p) {
  check(write(p.theirs, "x", 1) == 1, "a byte is sent");
}

static struct events *open_events(void) {
  struct events *e = events_open();
  check(e != NULL, "it opens");
  return e;
}

/* Returns what a single ready socket is ready for; 0 if it is not that socket, or not the only one.
 */
static unsigned ready_for(struct events *e, int fd) {
  struct event ready[EVENTS_MAX];
  return events_wait(e, ready, 0) == 1 && ready[0].fd == fd ? ready[0].what : 0;
}

static bool is_quiet(struct events *e) {
  struct event ready[EVENTS_MAX];
  return events_wait(e, ready, 0) == 0;
}

static void reports_what_is_wanted(void) {
  struct events *e = open_events();
  const struct pair p = open_pair();
  check(events_watch(e, p.ours, EVENTS_READ, false) && is_quiet(e), "nothing has come");
  send_byte(p);
  check(ready_for(e, p.ours) == EVENTS_READ, "a byte can be read");
  check(ready_for(e, p.ours) == EVENTS_READ, "until it is read");
  check(events_watch(e, p.ours, EVENTS_READ | EVENTS_WRITE, true) &&
            ready_for(e, p.ours) == (EVENTS_READ | EVENTS_WRITE),
        "reading and writing are reported as one event");
  check(events_watch(e, p.ours, EVENTS_WRITE, true) && ready_for(e, p.ours) == EVENTS_WRITE,
        "what is no longer wanted is not reported");
  check(events_watch(e, p.ours, 0, true) && is_quiet(e), "nor is anything if nothing is wanted");
  close(p.theirs);
  check(ready_for(e, p.ours) & EVENTS_FAILED, "except for the end of the connection");
  close(p.ours);
  events_close(e);
}

static void forgets(void) {
  struct events *e = open_events();
  const struct pair p = open_pair(), other = open_pair(), closed = open_pair();
  check(events_watch(e, p.ours, EVENTS_READ, false) &&
            events_watch(e, other.ours, EVENTS_READ, false) &&
            events_watch(e, closed.ours, EVENTS_READ, false),
        "three sockets are watched");
  send_byte(p);
  events_forget(e, p.ours);
  check(is_quiet(e), "a forgotten socket is not reported");
  events_forget(e, p.ours);
  send_byte(other);
  check(ready_for(e, other.ours) == EVENTS_READ, "forgetting it again changes no other");
  close_pair(closed);
  check(ready_for(e, other.ours) == EVENTS_READ, "a socket that was closed is not reported");
  events_forget(e, closed.ours);
  events_forget(e, other.ours);
  check(is_quiet(e), "and can be forgotten");
  close_pair(p);
  close_pair(other);
  events_close(e);
}

/* What the caller believes is wrong after libcurl has closed a socket and opened another. */
static void takes_a_wrong_hint(void) {
  struct events *e = open_events();
  const struct pair p = open_pair();
  check(events_watch(e, p.ours, EVENTS_READ, true), "a new socket may be called known");
  check(events_watch(e, p.ours, EVENTS_WRITE, false) && ready_for(e, p.ours) == EVENTS_WRITE,
        "and a known one new");
  close_pair(p);
  events_close(e);
}

static void waits(void) {
  struct events *e = open_events();
  struct event ready[EVENTS_MAX];
  const struct pair p = open_pair();
  long started = now_ms();
  check(events_wait(e, ready, 60) == 0 && now_ms() - started >= 59, "it waits without sockets");
  check(events_watch(e, p.ours, EVENTS_READ, false), "a socket is watched");
  started = now_ms();
  check(events_wait(e, ready, 60) == 0 && now_ms() - started >= 59,
        "it waits as long as requested");
  close_pair(p);
  started = now_ms();
  while (now_ms() - started < 60)
    check(events_wait(e, ready, (int)(60 - (now_ms() - started))) == 0,
          "and with a socket that was closed");
  events_close(e);
}

static void on_alarm(int signal) {
  (void)signal;
}

static void returns_at_a_signal(void) {
  struct events *e = open_events();
  struct event ready[EVENTS_MAX];
  const struct sigaction action = {.sa_handler = on_alarm};
  const struct itimerval soon = {.it_value = {.tv_usec = 50000}};
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &soon, NULL);
  errno = 0;
  check(events_wait(e, ready, 5000) == -1 && errno == EINTR, "it returns at a signal");
  events_close(e);
}

#define MANY (EVENTS_MAX * 3 + 7)

/* Otherwise a few fast peers could keep all others waiting. */
static void lets_each_have_its_turn(void) {
  struct events *e = open_events();
  struct event ready[EVENTS_MAX];
  struct pair pairs[MANY];
  bool seen[4096] = {false};
  int calls = 0, reported = 0;
  for (int i = 0; i < MANY; i++) {
    pairs[i] = open_pair();
    check(events_watch(e, pairs[i].ours, EVENTS_READ, false), "many sockets are watched");
    send_byte(pairs[i]);
  }
  for (; reported < MANY && calls < MANY; calls++) {
    const int count = events_wait(e, ready, 0);
    check(count > 0 && count <= EVENTS_MAX, "it reports as many as fit");
    for (int i = 0; i < count; i++) {
      reported += !seen[ready[i].fd];
      seen[ready[i].fd] = true;
    }
  }
  check(reported == MANY && calls == 4, "each is reported before one is reported again");
  for (int i = 0; i < MANY; i++) {
    events_forget(e, pairs[i].ours);
    close_pair(pairs[i]);
  }
  check(is_quiet(e), "at the end none is left");
  events_close(e);
}

static void serves_another_event_loop(void) {
  struct events *e = open_events();
  struct event ready[EVENTS_MAX];
  const struct pair p = open_pair();
  struct pollfd poller = {.fd = events_descriptor(e), .events = POLLIN};
  check(poller.fd >= 0 && events_interval(e) == -1, "without sockets it has no interval");
  check(events_watch(e, p.ours, EVENTS_READ, false), "a socket is watched");
  check(poll(&poller, 1, 0) == 0, "its descriptor is not readable while nothing comes");
  send_byte(p);
  const bool is_readable = poll(&poller, 1, events_interval(e)) == 1;
  check(is_readable == PLATFORM_LINUX, "epoll's is, when a byte comes");
  check((events_interval(e) == 1) == !PLATFORM_LINUX, "with poll() the other loop looks soon");
  events_wait(e, ready, 0);
  check((events_interval(e) == 1) == !PLATFORM_LINUX, "and after a byte has come");
  check(read(p.ours, ready, 1) == 1, "the byte is read");
  for (int i = 0; i < 20; i++)
    events_wait(e, ready, 0);
  const int later = events_interval(e);
  check(PLATFORM_LINUX ? later == -1 : later > 1 && later <= 20, "later when nothing comes");
  close_pair(p);
  events_close(e);
}

static void survives_lack_of_memory(void) {
  fail_alloc_at(1);
  errno = 0;
  check(!events_open() && fail_alloc_reached() && errno != EMFILE, "opening fails without memory");
  struct events *e = open_events();
  struct pair pairs[20];
  bool failed = false;
  for (int i = 0; i < 20; i++)
    pairs[i] = open_pair();
  for (int i = 0; i < 20; i++) {
    fail_alloc_at(1);
    failed |= !events_watch(e, pairs[i].ours, EVENTS_READ, false);
    fail_alloc_at(0);
    check(events_watch(e, pairs[i].ours, EVENTS_READ, false), "it can be watched later");
  }
  check(failed == !PLATFORM_LINUX, "with poll() watching needs memory");
  send_byte(pairs[19]);
  check(ready_for(e, pairs[19].ours) == EVENTS_READ, "and the others are still watched");
  for (int i = 0; i < 20; i++)
    close_pair(pairs[i]);
  events_close(e);
}

/* Restores the limit. */
static void with_descriptors(rlim_t limit, void (*act)(void)) {
  struct rlimit before;
  check(getrlimit(RLIMIT_NOFILE, &before) == 0, "there is a limit of descriptors");
  const struct rlimit lowered = {.rlim_cur = limit, .rlim_max = before.rlim_max};
  check(setrlimit(RLIMIT_NOFILE, &lowered) == 0, "it is lowered");
  act();
  setrlimit(RLIMIT_NOFILE, &before);
}

static void fails_to_open(void) {
  errno = 0;
  check(!events_open() && errno == EMFILE, "opening fails without a descriptor");
}

static struct events *crowded;

/* poll() takes no more sockets than a process may have; epoll goes on. */
static void does_not_wait_in_vain(void) {
  struct event ready[EVENTS_MAX];
  errno = 0;
  const int count = events_wait(crowded, ready, 2000);
  check(PLATFORM_LINUX ? count == 1 : count == -1 && errno != EINTR,
        "it says so if the system does not take so many sockets");
}

static void knows_the_limit_of_descriptors(void) {
  struct pair pairs[20];
  const int lowest = dup(0);
  close(lowest);
  with_descriptors((rlim_t)lowest, fails_to_open);
  crowded = open_events();
  for (int i = 0; i < 20; i++) {
    pairs[i] = open_pair();
    check(events_watch(crowded, pairs[i].ours, EVENTS_READ, false), "it is watched");
  }
  send_byte(pairs[0]);
  with_descriptors(10, does_not_wait_in_vain);
  for (int i = 0; i < 20; i++)
    close_pair(pairs[i]);
  events_close(crowded);
  const int left = dup(0);
  check(left == lowest, "no descriptor stays open");
  close(left);
}

int main(void) {
  reports_what_is_wanted();
  forgets();
  takes_a_wrong_hint();
  waits();
  returns_at_a_signal();
  lets_each_have_its_turn();
  serves_another_event_loop();
  survives_lack_of_memory();
  knows_the_limit_of_descriptors();
  return check_result(PLATFORM_LINUX ? "events (epoll)" : "events (poll)");
}
