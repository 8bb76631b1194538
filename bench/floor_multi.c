/* The lowest possible cost of many requests at once over libcurl: one multi handle, and an easy
 * handle for each request in flight, which starts its next request when one ends. With "cjson"
 * bodies are collected, and decoded when no socket is ready, so that no request waits for the
 * decoder.
 *
 * floor_multi URL COUNT 1.1|2 discard|cjson CA_FILE AT_ONCE [HEADER...]
 *
 * Sends all requests once to open connections, then again, and prints the wall and CPU seconds of
 * the second time. */
#include <sys/resource.h>
#include <time.h>

#include "floor.h"

#define DECODE_BYTES 65536

struct slot {
  CURL *easy;
  struct body body;
};

struct run {
  CURLM *multi;
  lua_State *L; /* NULL if bodies are discarded */
  struct slot *slots;
  int at_once;
  struct body *ready; /* bodies to decode, in the order of their arrival */
  int gathered, decoded;
};

static void start(struct run *r, struct slot *s) {
  if (curl_multi_add_handle(r->multi, s->easy) != CURLM_OK)
    abort();
}

/* Handles the complete responses; *left is the number of requests that may still be started.
 * Returns the number of responses. */
static int take(struct run *r, int *left) {
  int n = 0;
  int queued;
  CURLMsg *message;
  while ((message = curl_multi_info_read(r->multi, &queued))) {
    struct slot *s;
    CURL *e = message->easy_handle;
    check(e, message->data.result);
    curl_easy_getinfo(e, CURLINFO_PRIVATE, (char **)&s);
    curl_multi_remove_handle(r->multi, e);
    if (r->L) {
      r->ready[r->gathered++] = s->body;
      memset(&s->body, 0, sizeof s->body);
    }
    if (*left > 0) {
      (*left)--;
      start(r, s);
    }
    n++;
  }
  return n;
}

/* Decodes for about half a millisecond; longer if more bodies are left than requests are in flight,
 * as a fast server would fill the memory. */
static void decode_some(struct run *r) {
  size_t bytes = 0;
  while (r->decoded < r->gathered &&
         (bytes < DECODE_BYTES || r->gathered - r->decoded > r->at_once)) {
    bytes += r->ready[r->decoded].len;
    decode(r->L, &r->ready[r->decoded++]);
  }
}

static void wait_or_decode(struct run *r) {
  const int idle = r->decoded == r->gathered;
  int served = 0;
  curl_multi_poll(r->multi, NULL, 0, idle ? 1000 : 0, &served);
  if (served == 0 || r->gathered - r->decoded > r->at_once)
    decode_some(r);
}

static void round_of(struct run *r, int count) {
  int left = count;
  int done = 0;
  r->gathered = r->decoded = 0;
  for (int i = 0; i < r->at_once && left > 0; i++, left--)
    start(r, &r->slots[i]);
  while (done < count) {
    int running;
    if (curl_multi_perform(r->multi, &running) != CURLM_OK)
      abort();
    const int n = take(r, &left);
    done += n;
    /* send started requests first, unless a fast server never lets this end */
    if (n == 0 || r->gathered - r->decoded > r->at_once)
      wait_or_decode(r);
  }
  while (r->decoded < r->gathered)
    decode(r->L, &r->ready[r->decoded++]);
}

static double wall(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
  if (argc < 7)
    return 2;
  const int count = atoi(argv[2]);
  const int with_json = strcmp(argv[4], "cjson") == 0;
  struct curl_slist *headers = NULL;
  for (int i = 7; i < argc; i++)
    headers = curl_slist_append(headers, argv[i]);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  struct run r = {.multi = curl_multi_init(), .at_once = atoi(argv[6])};
  r.L = with_json ? lua_with_cjson() : NULL;
  r.slots = calloc((size_t)r.at_once, sizeof *r.slots);
  r.ready = calloc((size_t)count, sizeof *r.ready);
  curl_multi_setopt(r.multi, CURLMOPT_MAXCONNECTS, (long)r.at_once);
  for (int i = 0; i < r.at_once; i++) {
    struct slot *s = &r.slots[i];
    s->easy = easy_of(argv[1], argv[3], headers, argv[5], "-", with_json, &s->body);
    curl_easy_setopt(s->easy, CURLOPT_PRIVATE, s);
    curl_easy_setopt(s->easy, CURLOPT_PIPEWAIT, strcmp(argv[3], "2") == 0 ? 1L : 0L);
  }
  round_of(&r, count);
  const double wall_before = wall();
  const double cpu_before = cpu();
  round_of(&r, count);
  printf("%.6f %.6f\n", wall() - wall_before, cpu() - cpu_before);
  return 0;
}
