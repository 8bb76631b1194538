#include "http.h"
#include "headers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#if LIBCURL_VERSION_NUM < 0x075700
#error "pcapi needs libcurl 7.87 or later (CA cache; TLS that raises no SIGPIPE)"
#elif LIBCURL_VERSION_NUM == 0x080b01
#error "libcurl 8.11.1 may close files of the host program (CVE-2025-0665); use another version"
#endif

struct http {
  struct pool_transfer transfer; /* first: http_of() relies on it */
  CURL *session;                 /* holds the options of the session; each request gets a copy */
  struct pool *pool;
  unsigned long id;
  struct headers headers;  /* of the next request; while one is running, of that one */
  struct curl_slist agent; /* the line User-Agent */
  struct address address;  /* of the last request */
  bool running;
  struct http_response response;
  struct http_failure failure; /* of a running request: HTTP_DONE unless a callback refused bytes */
  char error[CURL_ERROR_SIZE]; /* libcurl's message */
};

static const struct http_failure no_failure = {HTTP_DONE, HTTP_CAUSE_UNKNOWN, ""};

static enum http_code http_fail(struct http *h, enum http_code code, const char *message) {
  h->failure = (struct http_failure){code, HTTP_CAUSE_UNKNOWN, message};
  return code;
}

/* Refuses the bytes of a callback. Returns the value that makes libcurl stop reading. */
static size_t http_refuse(struct http *h, enum http_code code, const char *message) {
  if (h->failure.code == HTTP_DONE)
    http_fail(h, code, message);
  pool_refuse(h->pool, &h->transfer);
  return 0;
}

static size_t http_on_body(char *data, size_t size, size_t n, void *userdata) {
  struct http *h = userdata;
  pool_received(h->pool, &h->transfer);
  if (!pool_claim(h->pool, &h->transfer, h->response.body.len + size * n))
    return CURL_WRITEFUNC_PAUSE;
  switch (buf_append(&h->response.body, data, size * n)) {
  case BUF_OK:
    return size * n;
  case BUF_TOO_LARGE:
    return http_refuse(h, HTTP_PROTOCOL, FAILURE_BODY_TOO_LARGE);
  default:
    return http_refuse(h, HTTP_NO_MEMORY, FAILURE_NO_MEMORY);
  }
}

static size_t http_on_header(char *data, size_t size, size_t n, void *userdata) {
  struct http *h = userdata;
  pool_received(h->pool, &h->transfer);
  const enum head_code code = head_line(&h->response.head, data, size * n);
  if (code == HEAD_OK && head_is_over(&h->response.head) && !h->transfer.has_head)
    pool_allow_reuse(&h->transfer);
  if (code == HEAD_OK)
    return size * n;
  return http_refuse(h, code == HEAD_NO_MEMORY ? HTTP_NO_MEMORY : HTTP_PROTOCOL,
                     head_message(code));
}

static CURLcode set_callbacks(struct http *h) {
  CURL *e = h->session;
  CURLcode code = pool_set_callbacks(h->pool, e);
  if (code == CURLE_OK)
    code = curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->error);
  if (code == CURLE_OK)
    code = curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_on_body);
  if (code == CURLE_OK)
    code = curl_easy_setopt(e, CURLOPT_WRITEDATA, h);
  if (code == CURLE_OK)
    code = curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, http_on_header);
  if (code == CURLE_OK)
    code = curl_easy_setopt(e, CURLOPT_HEADERDATA, h);
  return code;
}

static char accept_encoding[] = "Accept-Encoding: gzip, deflate";

/* Sets the lines that all requests get. libcurl has options for both; but with one it prepares its
 * own decoders, and the other formats the line twice for every request. A proxy gets User-Agent as
 * well. Returns false if there is no memory. */
static bool set_default_headers(struct http *h, const char *user_agent) {
  static const char name[] = "User-Agent: ";
  h->headers.defaults[0].line = accept_encoding;
  if (!user_agent)
    return true;
  const size_t size = sizeof name + strlen(user_agent);
  h->agent.data = malloc(size);
  if (!h->agent.data)
    return false;
  snprintf(h->agent.data, size, "%s%s", name, user_agent);
  h->headers.defaults[1].line = h->agent.data;
  return curl_easy_setopt(h->session, CURLOPT_PROXYHEADER, &h->agent) == CURLE_OK;
}

static CURLcode global_result;

static void http_global_init(void) {
  global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct pool *http_pool(const struct pool_limits *limits, struct http_failure *failure) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, http_global_init);
  if (global_result != CURLE_OK) {
    *failure = (struct http_failure){failure_code(global_result), HTTP_CAUSE_UNKNOWN,
                                     curl_easy_strerror(global_result)};
    return NULL;
  }
  struct pool *pool = pool_open(limits);
  if (!pool && (errno == EMFILE || errno == ENFILE))
    *failure = (struct http_failure){HTTP_CONFIG, HTTP_CAUSE_DESCRIPTORS, FAILURE_NO_DESCRIPTOR};
  else if (!pool)
    *failure = (struct http_failure){HTTP_NO_MEMORY, HTTP_CAUSE_UNKNOWN, FAILURE_NO_MEMORY};
  return pool;
}

struct http *http_open(struct pool *pool, const struct http_options *options,
                       struct http_failure *failure) {
  static atomic_ulong ids; /* other threads may have Lua states of their own */
  *failure = (struct http_failure){HTTP_NO_MEMORY, HTTP_CAUSE_UNKNOWN, FAILURE_NO_MEMORY};
  struct http *h = calloc(1, sizeof *h);
  if (!h)
    return NULL;
  h->failure = no_failure;
  h->id = atomic_fetch_add(&ids, 1) + 1;
  h->pool = pool_hold(pool);
  headers_init(&h->headers);
  h->session = curl_easy_init();
  CURLcode code = h->session && set_default_headers(h, options->user_agent) ? set_callbacks(h)
                                                                            : CURLE_OUT_OF_MEMORY;
  if (code == CURLE_OK)
    code = options_set_session(h->session, options);
  if (code == CURLE_OK)
    return h;
  *failure = (struct http_failure){failure_code(code), HTTP_CAUSE_UNKNOWN,
                                   "libcurl does not accept an option of the session"};
  http_close(h);
  return NULL;
}

enum http_code http_header(struct http *h, const char *line) {
  if (h->running)
    http_cancel(h);
  const enum headers_code code = headers_add(&h->headers, line);
  if (code == HEADERS_OK)
    return HTTP_DONE;
  headers_clear(&h->headers);
  return http_fail(h, code == HEADERS_NO_MEMORY ? HTTP_NO_MEMORY : HTTP_CONFIG,
                   headers_message(code));
}

/* Gives each request a handle of its own. libcurl before 8.1.1 keeps a pointer into the freed
 * headers of a handle's last response, and writes there if the next response begins with a folded
 * line (curl issue 11101). Connections belong to the pool, so they are reused all the same. */
static bool http_renew(struct http *h) {
  curl_easy_cleanup(h->transfer.easy);
  h->transfer.easy = curl_easy_duphandle(h->session);
  return h->transfer.easy != NULL;
}

/* Frees the body. From then on, or once the caller has it, the pool does not count it. */
static void http_free_body(struct http *h) {
  buf_free(&h->response.body);
  pool_unclaim(h->pool, &h->transfer);
}

/* Removes everything that is left of the last request. */
static void http_reset(struct http *h, const struct http_request *request) {
  http_free_body(h);
  h->response.status = 0;
  head_reset(&h->response.head, request->max_headers);
  buf_init(&h->response.body, request->max_body);
  h->response.body.is_mapped = pool_is_limited(h->pool); /* it holds many bodies */
  h->failure = no_failure;
  h->error[0] = '\0';
  h->transfer.timeout_ms = request->timeout_ms;
  h->transfer.may_repeat = request->may_repeat;
}

/* Ends a failed request. A failure that a callback or http_header() has set already stays. */
static enum http_code http_end(struct http *h, CURLcode code) {
  http_free_body(h);
  if (h->failure.code == HTTP_DONE)
    h->failure = failure_of(h->transfer.easy, code, h->error);
  return h->failure.code;
}

/* Ends the request, whose body stays. */
static void http_leave(struct http *h) {
  pool_remove(h->pool, &h->transfer);
  h->running = false;
  headers_clear(&h->headers);
}

enum http_code http_start(struct http *h, const struct http_request *request) {
  if (h->running)
    http_leave(h);
  http_reset(h, request);
  struct curl_slist *headers = headers_list(&h->headers);
  const CURLcode code = headers && http_renew(h)
                            ? options_set_request(h->transfer.easy, request, headers, &h->address)
                            : CURLE_OUT_OF_MEMORY;
  if (code == CURLE_OK && pool_add(h->pool, &h->transfer)) {
    h->running = true;
    return HTTP_RUNNING;
  }
  headers_clear(&h->headers);
  return http_end(h, code == CURLE_OK ? CURLE_OUT_OF_MEMORY : code);
}

static int http_version(CURL *easy) {
  long version = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  switch (version) {
  case CURL_HTTP_VERSION_1_0:
    return 10;
  case CURL_HTTP_VERSION_1_1:
    return 11;
  case CURL_HTTP_VERSION_2_0:
    return 20;
  case CURL_HTTP_VERSION_3:
    return 30;
  default:
    return 0;
  }
}

void http_wait(struct http *h, int timeout_ms) {
  if (h->running && h->transfer.state == POOL_RUNNING)
    pool_wait(h->pool, timeout_ms);
  while (pool_next(h->pool) != NULL)
    ;
}

enum http_code http_result(struct http *h) {
  if (!h->running)
    return http_fail(h, HTTP_CONFIG, "no request was started");
  if (h->transfer.state == POOL_RUNNING)
    return HTTP_RUNNING;
  const CURLcode result = h->transfer.result;
  http_leave(h);
  /* libcurl may have completed a transfer that a callback had refused */
  if (h->failure.code != HTTP_DONE || result != CURLE_OK)
    return http_end(h, result);
  if (!head_is_over(&h->response.head)) {
    http_free_body(h);
    return http_fail(h, HTTP_NETWORK, "the connection was closed within the headers");
  }
  curl_easy_getinfo(h->transfer.easy, CURLINFO_RESPONSE_CODE, &h->response.status);
  h->response.version = http_version(h->transfer.easy);
  pool_unclaim(h->pool, &h->transfer);
  return HTTP_DONE;
}

struct http_response *http_response(struct http *h) {
  return &h->response;
}

static double http_time(struct http *h, CURLINFO info) {
  curl_off_t microseconds = 0;
  if (curl_easy_getinfo(h->transfer.easy, info, &microseconds) != CURLE_OK)
    return 0;
  return microseconds == 0 ? 0 : (double)microseconds / 1e6 + (double)h->transfer.lost_ms / 1e3;
}

void http_timing(struct http *h, struct http_timing *timing) {
  timing->name_lookup = http_time(h, CURLINFO_NAMELOOKUP_TIME_T);
  timing->connect = http_time(h, CURLINFO_CONNECT_TIME_T);
  timing->tls = http_time(h, CURLINFO_APPCONNECT_TIME_T);
  timing->first_byte = http_time(h, CURLINFO_STARTTRANSFER_TIME_T);
  timing->total = http_time(h, CURLINFO_TOTAL_TIME_T);
}

const struct http_failure *http_failure(const struct http *h) {
  return &h->failure;
}

bool http_certificate(const struct http *h, struct certificate *c) {
  long verdict = 0;
  if (!h->transfer.certificate)
    return false;
  certificate_read(h->transfer.certificate, c);
  curl_easy_getinfo(h->transfer.easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &verdict);
  c->is_of_proxy = verdict != 0;
  return true;
}

struct http *http_of(struct pool_transfer *t) {
  return (struct http *)t;
}

unsigned long http_id(const struct http *h) {
  return h->id;
}

void http_cancel(struct http *h) {
  http_leave(h);
  http_free_body(h);
}

void http_close(struct http *h) {
  if (!h)
    return;
  http_cancel(h);
  /* before the pool closes its multi handle: curl_multi_cleanup(3) requires this order */
  curl_easy_cleanup(h->transfer.easy);
  curl_easy_cleanup(h->session);
  pool_drop_certificate(&h->transfer);
  pool_release(h->pool);
  headers_free(&h->headers);
  free(h->agent.data);
  options_free_address(&h->address);
  head_free(&h->response.head);
  free(h);
}
