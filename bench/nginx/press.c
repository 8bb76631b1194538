/* press PORT EXPECTED RATE PHASE...: sends calls (GET /call) and pings (GET /ping) to an nginx with
 * one worker. The right response to a call is the text EXPECTED; the response to a ping is the
 * worker's pid, or has it in the header X-Worker. The variable PING is another path of pings. RATE pings a second are sent when they are due, even if earlier ones have no
 * response, and their latency counts from that time. So a stalled worker affects the figures of all
 * pings that were due meanwhile. The intervals vary, as calls of equal length could synchronise with
 * equal intervals.
 *
 * PHASE is one of these. Requests that still run at the end of a phase are not counted in the next:
 *   idle:0:SECONDS      pings only
 *   together:N:SECONDS  N calls start at once, and a new one whenever one ends
 *   spread:N:SECONDS    the same, started at random moments before the phase
 *   all:N:SECONDS       N calls at once, until all have responses, at most SECONDS
 *
 * Prints a line for each phase: pings, their p50, p99 and maximum (ms), successful calls, errors,
 * seconds, CPU seconds and resident bytes of the worker, workers that died. */
#define _GNU_SOURCE /* strcasestr */
#include <sched.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>

#include "exchange.h"

#define PINGS 64 /* connections */
#define CALLS 512
#define PHASES 16
#define BACKLOG 65536 /* pings that are due and wait for a connection */
#define EVENTS 256
#define SECOND 1000000000LL
#define SPREAD (SECOND / 5) /* the calls begin within this time */
#define SETTLE (SECOND / 2) /* and are counted after this time */
#define DRAIN (10 * SECOND)
#define PAUSE (SECOND / 5) /* after an error, which may occur at once */
#define NEVER INT64_MAX

struct phase {
  char kind[16];
  int at_once;
  double seconds;
  double *latencies; /* ms, of its pings */
  size_t count, cap;
  long calls, errors, deaths;
  int64_t began, cpu_began;
  double took, cpu;
  long resident;
};

struct ping_due {
  int64_t due;
  struct phase *phase;
};

struct press {
  int port, epoll, timer;
  const char *expected, *ping;
  double interval; /* ns between pings, on average */
  int64_t slot, next_ping;
  uint64_t random;
  pid_t worker;
  bool keeps_on;       /* start a new call when one ends */
  int running;         /* calls */
  struct phase *phase; /* the current phase, or NULL */
  bool has_complained;
  struct exchange pings[PINGS], calls[CALLS];
  struct ping_due backlog[BACKLOG];
  size_t first, last; /* of the backlog, modulo its size */
};

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

/* CPU time of the worker with its threads, ns; -1 when it is gone. */
static int64_t cpu_of(pid_t pid) {
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
    return -1;
  return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

static long resident_of(pid_t pid) {
  char path[64];
  long pages = 0;
  snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
  FILE *file = fopen(path, "r");
  if (file) {
    if (fscanf(file, "%*d %ld", &pages) != 1)
      pages = 0;
    fclose(file);
  }
  return pages * sysconf(_SC_PAGESIZE);
}

/* [0, 1), the same in each run: xorshift64* */
static double random_share(struct press *p) {
  p->random ^= p->random >> 12;
  p->random ^= p->random << 25;
  p->random ^= p->random >> 27;
  return (double)((p->random * 2685821657736338717ULL) >> 11) / 9007199254740992.0;
}

static void count_latency(struct phase *phase, int64_t due) {
  if (!phase)
    return;
  if (phase->count == phase->cap) {
    phase->cap = phase->cap ? phase->cap * 2 : 1024;
    phase->latencies = realloc(phase->latencies, phase->cap * sizeof *phase->latencies);
    if (!phase->latencies)
      die("press");
  }
  phase->latencies[phase->count++] = (double)(now() - due) / 1e6;
}

/* Pings */

static void send_ping(struct press *p, struct exchange *e, struct ping_due ping) {
  e->due = ping.due;
  e->phase = ping.phase;
  if (!begin(e, p->port, p->epoll, p->ping))
    count_latency(ping.phase, ping.due);
}

static struct exchange *free_ping(struct press *p) {
  for (int i = 0; i < PINGS; i++)
    if (!p->pings[i].busy)
      return &p->pings[i];
  return NULL;
}

static void send_pings(struct press *p) {
  struct exchange *e;
  while (p->next_ping <= now()) {
    p->backlog[p->last++ % BACKLOG] = (struct ping_due){p->next_ping, p->phase};
    p->slot++;
    p->next_ping = (int64_t)(((double)p->slot + random_share(p)) * p->interval);
  }
  while (p->first != p->last && (e = free_ping(p)))
    send_ping(p, e, p->backlog[p->first++ % BACKLOG]);
}

static pid_t worker_of(const struct exchange *e) {
  static const char name[] = "\r\nX-Worker:";
  const char *header = strcasestr(e->response, name);
  return (pid_t)atol(header ? header + sizeof name - 1 : body_of(e));
}

/* A new pid in the response means that the worker has died. */
static void take_ping(struct press *p, struct exchange *e, enum progress progress) {
  count_latency(e->phase, e->due);
  if (progress != COMPLETE)
    return;
  const pid_t worker = worker_of(e);
  if (p->worker && worker != p->worker && p->phase) {
    p->phase->deaths++;
    p->phase->cpu_began = cpu_of(worker);
  }
  p->worker = worker;
}

/* Calls */

static void complain(struct press *p, const struct exchange *e) {
  if (p->has_complained)
    return;
  p->has_complained = true;
  fprintf(stderr, "press: a call failed: %s\n", e->len > 0 ? e->response : "no response");
}

static void end_call(struct press *p, struct exchange *e, bool is_right) {
  p->running--;
  if (p->phase) {
    p->phase->calls += is_right;
    p->phase->errors += !is_right;
  }
  if (p->keeps_on)
    e->start_at = is_right ? 0 : now() + PAUSE;
  if (!is_right)
    complain(p, e);
}

static void take_call(struct press *p, struct exchange *e, enum progress progress) {
  end_call(p, e,
           progress == COMPLETE && status_of(e) == 200 && strcmp(body_of(e), p->expected) == 0);
}

static void start_calls(struct press *p) {
  for (int i = 0; i < CALLS; i++) {
    struct exchange *e = &p->calls[i];
    if (e->busy || e->start_at > now())
      continue;
    e->start_at = NEVER;
    p->running++;
    if (!begin(e, p->port, p->epoll, "/call"))
      end_call(p, e, false);
  }
}

static void plan_calls(struct press *p, int count, int64_t within) {
  for (int i = 0; i < count; i++)
    p->calls[i].start_at = now() + (int64_t)(random_share(p) * (double)within);
}

static void plan_no_more(struct press *p) {
  p->keeps_on = false;
  for (int i = 0; i < CALLS; i++)
    p->calls[i].start_at = NEVER;
}

/* The loop */

static void handle(struct press *p, struct exchange *e) {
  const bool was_busy = e->busy;
  const enum progress progress = receive(e);
  if (progress == INCOMPLETE || !was_busy)
    return;
  if (e->is_call)
    take_call(p, e, progress);
  else
    take_ping(p, e, progress);
}

static void wait_until(struct press *p, int64_t end) {
  int64_t wake = p->next_ping < end ? p->next_ping : end;
  for (int i = 0; i < CALLS; i++)
    if (!p->calls[i].busy && p->calls[i].start_at < wake)
      wake = p->calls[i].start_at > 0 ? p->calls[i].start_at : 1;
  const struct itimerspec alarm = {.it_value = {wake / SECOND, wake % SECOND}};
  timerfd_settime(p->timer, TFD_TIMER_ABSTIME, &alarm, NULL);
  struct epoll_event events[EVENTS];
  const int n = epoll_wait(p->epoll, events, EVENTS, -1);
  for (int i = 0; i < n; i++)
    if (events[i].data.ptr)
      handle(p, events[i].data.ptr);
}

static bool never(const struct press *p) {
  (void)p;
  return false;
}

static bool no_call_runs(const struct press *p) {
  return p->running == 0;
}

static bool all_have_responses(const struct press *p) {
  int busy = p->running;
  for (int i = 0; i < PINGS; i++)
    busy += p->pings[i].busy;
  return busy == 0 && p->first == p->last;
}

static void run_until(struct press *p, int64_t end, bool (*is_over)(const struct press *)) {
  do {
    send_pings(p);
    start_calls(p);
    wait_until(p, end);
  } while (now() < end && !is_over(p));
}

/* Phases */

static void open_window(struct press *p, struct phase *phase) {
  phase->began = now();
  phase->cpu_began = cpu_of(p->worker);
  p->phase = phase;
}

static void close_window(struct press *p) {
  struct phase *phase = p->phase;
  phase->took = (double)(now() - phase->began) / 1e9;
  phase->cpu = (double)(cpu_of(p->worker) - phase->cpu_began) / 1e9;
  phase->resident = resident_of(p->worker);
  p->phase = NULL;
}

/* Waits for running requests, or cancels them. */
static void drain(struct press *p) {
  plan_no_more(p);
  run_until(p, now() + DRAIN, all_have_responses);
  for (int i = 0; i < CALLS; i++)
    if (p->calls[i].busy)
      hang_up(&p->calls[i]);
  p->running = 0;
}

static void run_phase(struct press *p, struct phase *phase) {
  const bool is_all = strcmp(phase->kind, "all") == 0;
  const bool is_spread = strcmp(phase->kind, "spread") == 0;
  p->keeps_on = !is_all;
  plan_calls(p, phase->at_once, is_spread ? SPREAD : 0);
  if (is_spread)
    run_until(p, now() + SETTLE, never);
  open_window(p, phase);
  run_until(p, now() + (int64_t)(phase->seconds * 1e9), is_all ? no_call_runs : never);
  close_window(p);
  drain(p);
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a;
  const double y = *(const double *)b;
  return (x > y) - (x < y);
}

static double percentile(const struct phase *phase, double share) {
  if (phase->count == 0)
    return 0;
  const size_t rank = (size_t)(share * (double)phase->count + 0.999999);
  return phase->latencies[rank > 0 ? rank - 1 : 0];
}

static void print(struct phase *phase) {
  qsort(phase->latencies, phase->count, sizeof *phase->latencies, by_size);
  printf("%zu %.3f %.3f %.3f %ld %ld %.4f %.6f %ld %ld\n", phase->count, percentile(phase, 0.5),
         percentile(phase, 0.99), percentile(phase, 1), phase->calls, phase->errors, phase->took,
         phase->cpu, phase->resident, phase->deaths);
}

/* Waits for nginx to listen, and opens all connections of pings. */
static void open_pings(struct press *p) {
  for (int try = 0; !connect_to(&p->pings[0], p->port, p->epoll); try++) {
    if (try == 500)
      die("press: nginx does not listen");
    usleep(10000);
  }
  for (int i = 1; i < PINGS; i++)
    if (!connect_to(&p->pings[i], p->port, p->epoll))
      die("press: connect");
  if (!begin(&p->pings[0], p->port, p->epoll, p->ping))
    die("press: ping");
  p->next_ping = NEVER;
  run_until(p, now() + 5 * SECOND, all_have_responses);
  if (!p->worker) {
    fprintf(stderr, "press: no response to a ping\n");
    exit(1);
  }
}

static void open_press(struct press *p) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  p->epoll = epoll_create1(EPOLL_CLOEXEC);
  p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (p->epoll < 0 || p->timer < 0 || epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->timer, &event) != 0)
    die("press");
  p->random = 88172645463325252ULL;
  for (int i = 0; i < PINGS; i++)
    p->pings[i].fd = -1;
  for (int i = 0; i < CALLS; i++)
    p->calls[i] = (struct exchange){.fd = -1, .is_call = true, .start_at = NEVER};
}

/* Raises the priority above that of other processes on this CPU, such as the upstream, so that their
 * work does not count as latency. Continues without the right to do so. Also raises the limit of
 * file descriptors. */
static void ask_for_more(void) {
  const struct sched_param priority = {.sched_priority = 1};
  struct rlimit limit;
  (void)sched_setscheduler(0, SCHED_FIFO, &priority);
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

int main(int argc, char **argv) {
  static struct press p;
  static struct phase phases[PHASES];
  const int count = argc - 4;
  if (count < 1 || count > PHASES)
    return 2;
  ask_for_more();
  open_press(&p);
  p.port = atoi(argv[1]);
  p.expected = argv[2];
  p.ping = getenv("PING") ? getenv("PING") : "/ping";
  p.interval = (double)SECOND / atof(argv[3]);
  open_pings(&p);
  p.slot = (int64_t)((double)now() / p.interval) + 1;
  p.next_ping = (int64_t)((double)p.slot * p.interval);
  for (int i = 0; i < count; i++) {
    struct phase *phase = &phases[i];
    if (sscanf(argv[i + 4], "%15[a-z]:%d:%lf", phase->kind, &phase->at_once, &phase->seconds) !=
            3 ||
        phase->at_once > CALLS)
      return 2;
    run_phase(&p, phase);
  }
  run_until(&p, now() + DRAIN, all_have_responses);
  for (int i = 0; i < count; i++)
    print(&phases[i]);
  return 0;
}
