#include "http.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
  struct curl_slist *headers;
  bool has_accept_encoding; /* among headers */
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
  h->session = curl_easy_init();
  CURLcode code = h->session ? set_callbacks(h) : CURLE_OUT_OF_MEMORY;
  if (code == CURLE_OK)
    code = options_set_session(h->session, options);
  if (code == CURLE_OK)
    return h;
  *failure = (struct http_failure){failure_code(code), HTTP_CAUSE_UNKNOWN,
                                   "libcurl does not accept an option of the session"};
  http_close(h);
  return NULL;
}

static void http_drop_headers(struct http *h) {
  curl_slist_free_all(h->headers);
  h->headers = NULL;
  h->has_accept_encoding = false;
}

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* Whether one of the eight bytes at text is below a space, or 127. Tokens are long: a test of
 * single bytes takes as long as copying them twice. */
static bool may_hold_control(const char *text) {
  uint64_t word;
  memcpy(&word, text, sizeof word);
  const uint64_t del = word ^ EACH_BYTE(0x7f);
  return (((word - EACH_BYTE(' ')) | (del - EACH_BYTE(1))) & ~word & EACH_BYTE(0x80)) != 0;
}

static bool is_control(char c) {
  return ((unsigned char)c < ' ' && c != '\t') || c == '\x7f';
}

/* A line break would begin another header; other control characters are not allowed either (RFC
 * 9110 §5.5). */
static bool is_header_line(const char *line) {
  const char *end = line + strlen(line);
  while (end - line >= 8 && !may_hold_control(line))
    line += 8;
  while (line < end && !is_control(*line))
    line++;
  return line == end;
}

#define ACCEPT_ENCODING "Accept-Encoding: "

enum http_code http_header(struct http *h, const char *line) {
  if (h->running)
    http_cancel(h);
  const bool is_valid = is_header_line(line);
  if (strncasecmp(line, ACCEPT_ENCODING, strlen(ACCEPT_ENCODING) - 1) == 0)
    h->has_accept_encoding = true;
  struct curl_slist *headers = is_valid ? curl_slist_append(h->headers, line) : NULL;
  if (headers) {
    h->headers = headers;
    return HTTP_DONE;
  }
  http_drop_headers(h);
  if (is_valid)
    return http_fail(h, HTTP_NO_MEMORY, FAILURE_NO_MEMORY);
  return http_fail(h, HTTP_CONFIG, "a header holds a line break or a control character");
}

/* The header is set here and not by an option, as libcurl would then prepare its own decoders. */
static bool http_accept_encodings(struct http *h) {
  return h->has_accept_encoding || http_header(h, ACCEPT_ENCODING "gzip, deflate") == HTTP_DONE;
}

/* Gives each request a handle of its own. libcurl before 8.1.1 keeps a pointer into the freed
 * headers of a handle's last response, and writes there if the next response begins with a folded
 * line (curl issue 11101). Connections belong to the pool, so they are reused all the same. */
static bool http_renew(struct http *h) {
  curl_easy_cleanup(h->transfer.easy);
  h->transfer.easy = curl_easy_duphandle(h->session);
  return h->transfer.easy != NULL;
}

/* Removes everything that is left of the last request. */
static void http_reset(struct http *h, const struct http_request *request) {
  buf_free(&h->response.head.text);
  buf_free(&h->response.body);
  h->response.status = 0;
  head_init(&h->response.head, request->max_headers);
  buf_init(&h->response.body, request->max_body);
  h->failure = no_failure;
  h->error[0] = '\0';
  h->transfer.timeout_ms = request->timeout_ms;
  h->transfer.may_repeat = request->may_repeat;
}

/* Ends a failed request. A failure that a callback or http_header() has set already stays. */
static enum http_code http_end(struct http *h, CURLcode code) {
  buf_free(&h->response.body);
  if (h->failure.code == HTTP_DONE)
    h->failure = failure_of(h->transfer.easy, code, h->error);
  return h->failure.code;
}

enum http_code http_start(struct http *h, const struct http_request *request) {
  if (h->running)
    http_cancel(h);
  http_reset(h, request);
  const CURLcode code = http_accept_encodings(h) && http_renew(h)
                            ? options_set_request(h->transfer.easy, request, h->headers)
                            : CURLE_OUT_OF_MEMORY;
  if (code == CURLE_OK && pool_add(h->pool, &h->transfer)) {
    h->running = true;
    return HTTP_RUNNING;
  }
  http_drop_headers(h);
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

enum http_code http_result(struct http *h) {
  if (!h->running)
    return http_fail(h, HTTP_CONFIG, "no request was started");
  if (h->transfer.state == POOL_RUNNING)
    return HTTP_RUNNING;
  const CURLcode result = h->transfer.result;
  http_cancel(h);
  /* libcurl may have completed a transfer that a callback had refused */
  if (h->failure.code != HTTP_DONE || result != CURLE_OK)
    return http_end(h, result);
  if (!head_is_over(&h->response.head)) {
    buf_free(&h->response.body);
    return http_fail(h, HTTP_NETWORK, "the connection was closed within the headers");
  }
  curl_easy_getinfo(h->transfer.easy, CURLINFO_RESPONSE_CODE, &h->response.status);
  h->response.version = http_version(h->transfer.easy);
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
  pool_remove(h->pool, &h->transfer);
  h->running = false;
  http_drop_headers(h);
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
  buf_free(&h->response.head.text);
  buf_free(&h->response.body);
  free(h);
}
