#include "http.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/x509_vfy.h>

#if LIBCURL_VERSION_NUM < 0x075700
#error "pcapi needs libcurl 7.87 or later (CA cache; TLS that raises no SIGPIPE)"
#elif LIBCURL_VERSION_NUM == 0x080b01
#error "libcurl 8.11.1 may close files of the host program (CVE-2025-0665); take another one"
#endif

#define BUFFER_SIZE 102400L
#define BODY_TOO_LARGE "the answer is larger than max_body"

struct http {
  struct pool_transfer transfer; /* first: http_of() relies on it */
  CURL *session;                 /* what stays the same; each exchange has a copy */
  struct pool *pool;
  unsigned long id;
  struct curl_slist *headers;
  struct http_answer answer;
  enum http_code refusal; /* HTTP_DONE: no bytes of the response were refused */
  enum http_cause cause;
  bool has_accept_encoding; /* among headers */
  bool running;
  const char *message; /* a literal, or error */
  char error[CURL_ERROR_SIZE];
};

static enum http_code http_fail(struct http *h, enum http_code code, const char *message) {
  h->message = message;
  return code;
}

/* libcurl's codes, folded to what a caller can act on. */
static enum http_code http_classify(CURLcode code) {
  switch (code) {
  case CURLE_OK:
    return HTTP_DONE;
  case CURLE_OPERATION_TIMEDOUT:
    return HTTP_TIMEOUT;
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_INVALIDCERTSTATUS:
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
  case CURLE_USE_SSL_FAILED:
    return HTTP_TLS;
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CRL_BADFILE:
  case CURLE_URL_MALFORMAT:
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_NOT_BUILT_IN:
  case CURLE_BAD_FUNCTION_ARGUMENT:
  case CURLE_FAILED_INIT:
  case CURLE_UNKNOWN_OPTION:
    return HTTP_CONFIG;
  case CURLE_WRITE_ERROR:
  case CURLE_FILESIZE_EXCEEDED:
  case CURLE_BAD_CONTENT_ENCODING:
  case CURLE_WEIRD_SERVER_REPLY:
    return HTTP_PROTOCOL;
  case CURLE_OUT_OF_MEMORY:
    return HTTP_NO_MEMORY;
  default:
    return HTTP_NETWORK;
  }
}

/* Whether the request was on its way: what fails from then on is not a setting's fault. */
static bool http_was_sent(struct http *h) {
  curl_off_t prepared = 0;
  return curl_easy_getinfo(h->transfer.easy, CURLINFO_PRETRANSFER_TIME_T, &prepared) == CURLE_OK &&
         prepared > 0;
}

/* libcurl may leave words here that are of a kept connection which it closed before: only what
 * fails to send or to receive has such. */
static bool is_of_another(const char *error) {
  return strncmp(error, "Send failure", strlen("Send failure")) == 0;
}

#define HTTP_TOO_LARGE 100 /* CURLE_TOO_LARGE, since 8.6 */

/* Some codes of libcurl's say too little. A peer that hangs up within the handshake
 * has a network's trouble, not a certificate's: only OpenSSL's words tell. */
static enum http_code http_refine(struct http *h, CURLcode code) {
  if (code == CURLE_SSL_CONNECT_ERROR &&
      (strstr(h->error, "SYSCALL") || strstr(h->error, "unexpected eof") ||
       strstr(h->error, "reset by peer") || is_of_another(h->error)))
    return HTTP_NETWORK;
  if (code == CURLE_COULDNT_RESOLVE_PROXY && strstr(h->error, "syntax"))
    return HTTP_CONFIG; /* its address is none; a name that is unknown is the network's */
  if ((int)code == HTTP_TOO_LARGE || strstr(h->error, "Too large response headers") ||
      strstr(h->error, "chunked-encoding"))
    return HTTP_PROTOCOL;
  const enum http_code kind = http_classify(code);
  return kind == HTTP_CONFIG && http_was_sent(h) ? HTTP_PROTOCOL : kind;
}

/* OpenSSL's verdict on a certificate (X509_V_ERR_*, openssl/x509_vfy.h). */
static enum http_cause http_verdict(struct http *h) {
  long verdict = 0;
  long of_proxy = 0;
  curl_easy_getinfo(h->transfer.easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
  curl_easy_getinfo(h->transfer.easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &of_proxy);
  switch (verdict ? verdict : of_proxy) {
  case X509_V_ERR_UNSPECIFIED: /* libcurl's own check of the name comes before it asks OpenSSL */
    return HTTP_CAUSE_HOST;
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return HTTP_CAUSE_NOT_YET_VALID;
  case X509_V_ERR_CERT_HAS_EXPIRED:
    return HTTP_CAUSE_EXPIRED;
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    return HTTP_CAUSE_CA;
  default:
    return HTTP_CAUSE_UNKNOWN;
  }
}

/* Whether its time was over while it waited for a connection of the pool, of which libcurl
 * says nothing, or that it failed to resolve a name after 0 ms. */
static bool http_waited(struct http *h) {
  return !http_was_sent(h) && (!h->error[0] || strstr(h->error, "with timeout after"));
}

#define DESCRIPTORS 4 /* that a new connection needs: a socket, a name, a file and a folder of CAs */

/* libcurl names the file of CAs, or the host, when there was no descriptor for it. */
static bool descriptors_are_short(void) {
  int fds[DESCRIPTORS];
  int count = 0;
  while (count < DESCRIPTORS && (fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    count++;
  const bool is_short = count < DESCRIPTORS && (errno == EMFILE || errno == ENFILE);
  while (count > 0)
    close(fds[--count]);
  return is_short;
}

/* Whether a status of CONNECT says that the proxy will not: a failure of the moment does not. */
static bool is_refusal(long status) {
  return status >= 300 && status < 500 && status != 408 && status != 425 && status != 429;
}

/* A proxy that refuses says so again the next time, and may lock an account meanwhile. */
static enum http_cause http_proxy_refusal(struct http *h) {
  long status = 0;
  long socks = CURLPX_OK;
  curl_easy_getinfo(h->transfer.easy, CURLINFO_HTTP_CONNECTCODE, &status);
  curl_easy_getinfo(h->transfer.easy, CURLINFO_PROXY_ERROR, &socks);
  if (status == 407 || status == 401 || /* which tinyproxy says */
      socks == CURLPX_USER_REJECTED || socks == CURLPX_NO_AUTH || socks == CURLPX_IDENTD_DIFFER)
    return HTTP_CAUSE_PROXY_LOGIN;
  return is_refusal(status) || socks == CURLPX_REPLY_NOT_ALLOWED ? HTTP_CAUSE_PROXY_RULE
                                                                 : HTTP_CAUSE_UNKNOWN;
}

static enum http_cause http_find_cause(struct http *h, CURLcode code) {
  if (code == CURLE_PEER_FAILED_VERIFICATION)
    return http_verdict(h);
  if (code == CURLE_OPERATION_TIMEDOUT || http_was_sent(h))
    return HTTP_CAUSE_UNKNOWN;
  const enum http_cause refusal = http_proxy_refusal(h);
  if (refusal == HTTP_CAUSE_UNKNOWN && descriptors_are_short())
    return HTTP_CAUSE_DESCRIPTORS;
  return refusal;
}

/* libcurl's words, where they are of this failure. */
static const char *http_words(struct http *h, CURLcode code) {
  const bool is_stream = code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR;
  return h->error[0] && (is_stream || !is_of_another(h->error)) ? h->error
                                                                : curl_easy_strerror(code);
}

/* Ends a failed exchange with libcurl's own words, or ours where those say too little. */
static enum http_code http_fail_curl(struct http *h, CURLcode code) {
  if (h->refusal != HTTP_DONE)
    return http_fail(h, h->refusal, h->message);
  if (code == CURLE_OUT_OF_MEMORY)
    return http_fail(h, HTTP_NO_MEMORY, "not enough memory");
  if (code == CURLE_FILESIZE_EXCEEDED)
    return http_fail(h, HTTP_PROTOCOL, BODY_TOO_LARGE);
  if (code == CURLE_OPERATION_TIMEDOUT && http_waited(h))
    return http_fail(h, HTTP_TIMEOUT, "the time was over before there was a connection");
  if (code == CURLE_ABORTED_BY_CALLBACK)
    return http_fail(h, HTTP_NETWORK, "the connection broke; whether the request was carried out "
                                      "is not known, and it may not be sent twice");
  if (code == CURLE_WEIRD_SERVER_REPLY && !h->error[0])
    return http_fail(h, HTTP_PROTOCOL, head_message(HEAD_TOO_LARGE));
  h->cause = http_find_cause(h, code);
  switch (h->cause) {
  case HTTP_CAUSE_DESCRIPTORS:
    return http_fail(h, HTTP_CONFIG, HTTP_NO_DESCRIPTOR);
  case HTTP_CAUSE_PROXY_LOGIN:
  case HTTP_CAUSE_PROXY_RULE:
    return http_fail(h, HTTP_CONFIG, "the proxy refuses to connect");
  default:
    return http_fail(h, http_refine(h, code), http_words(h, code));
  }
}

/* Refuses the bytes of a callback, whose value this is. libcurl stops reading then; over
 * HTTP/2 7.88 waits afterwards for bytes that do not come, so the pool ends the transfer. */
static size_t http_refuse(struct http *h, enum http_code refusal, const char *message) {
  if (h->refusal == HTTP_DONE) {
    h->refusal = refusal;
    h->message = message;
  }
  pool_refuse(h->pool, &h->transfer);
  return 0;
}

static size_t http_on_body(char *data, size_t size, size_t n, void *userdata) {
  struct http *h = userdata;
  pool_hear(h->pool, &h->transfer);
  switch (buf_append(&h->answer.body, data, size * n)) {
  case BUF_OK:
    return size * n;
  case BUF_TOO_LARGE:
    return http_refuse(h, HTTP_PROTOCOL, BODY_TOO_LARGE);
  default:
    return http_refuse(h, HTTP_NO_MEMORY, "not enough memory");
  }
}

static size_t http_on_header(char *data, size_t size, size_t n, void *userdata) {
  struct http *h = userdata;
  pool_hear(h->pool, &h->transfer);
  const enum head_code code = head_line(&h->answer.head, data, size * n);
  if (code == HEAD_OK && head_is_over(&h->answer.head) && !h->transfer.has_head)
    pool_trust(&h->transfer);
  if (code == HEAD_OK)
    return size * n;
  return http_refuse(h, code == HEAD_NO_MEMORY ? HTTP_NO_MEMORY : HTTP_PROTOCOL,
                     head_message(code));
}

/* True for a directory made by "openssl rehash": it holds names like 0a1b2c3d.0 */
static bool is_hashed_directory(const char *path) {
  DIR *dir = path ? opendir(path) : NULL;
  if (!dir)
    return false;
  bool found = false;
  const struct dirent *entry;
  while (!found && (entry = readdir(dir)) != NULL) {
    size_t i = 0;
    while (i < 8 && isxdigit((unsigned char)entry->d_name[i]))
      i++;
    found = i == 8 && entry->d_name[8] == '.' && isdigit((unsigned char)entry->d_name[9]);
  }
  closedir(dir);
  return found;
}

/* Sets an option of e unless one before it failed; code says which. */
#define SET(option, value)                                                                         \
  if (code == CURLE_OK)                                                                            \
  code = curl_easy_setopt(e, option, value)

/* One source of CA certificates, never two. The hashed directory costs a
 * short-lived process a third of the bundle, whose every certificate is parsed;
 * and libcurl keeps a parsed bundle for the next connection only while no
 * CURLOPT_CAPATH is set (lib/vtls/openssl.c, since 7.87). */
static CURLcode http_set_ca(CURL *e, const struct http_options *o) {
  const curl_version_info_data *built = curl_version_info(CURLVERSION_NOW);
  const char *file = o->ca_file;
  const char *path = o->ca_path;
  if (!file && !path) {
    if (is_hashed_directory(built->capath))
      path = built->capath;
    else
      file = built->cainfo;
  }
  if (!file && !path)
    return CURLE_OK; /* libcurl was built to ask the system itself */
  file = path ? NULL : file;
  CURLcode code = CURLE_OK;
  SET(CURLOPT_CAINFO, file);
  SET(CURLOPT_CAPATH, path);
  SET(CURLOPT_PROXY_CAINFO, file); /* of a proxy that is reached by https:// */
  SET(CURLOPT_PROXY_CAPATH, path);
  return code;
}

/* What stays the same for every request of the session. */
static CURLcode http_set_session(struct http *h, const struct http_options *o) {
  CURL *e = h->session;
  CURLcode code = http_set_ca(e, o);
  if (code == CURLE_OK)
    code = pool_set_sockets(h->pool, e);
  SET(CURLOPT_NOSIGNAL, 1L); /* signals belong to the host process */
  SET(CURLOPT_PROTOCOLS_STR, o->allow_http ? "http,https" : "https");
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_PATH_AS_IS, 1L); /* what was looked at is what is sent */
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  SET(CURLOPT_SSL_VERIFYPEER, 1L);
  SET(CURLOPT_SSL_VERIFYHOST, 2L);
  SET(CURLOPT_HTTP_VERSION, o->http_1_1 ? (long)CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS);
  SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  /* rather a stream of a connection than a connection more */
  SET(CURLOPT_PIPEWAIT, 1L);
  /* giving up must not wait for a name that is still being resolved */
  SET(CURLOPT_QUICK_EXIT, 1L);
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  /* over HTTP/2 libcurl 7.88 waits for ever behind headers that are longer than its buffer */
  SET(CURLOPT_BUFFERSIZE, BUFFER_SIZE);
  SET(CURLOPT_ERRORBUFFER, h->error);
  SET(CURLOPT_WRITEFUNCTION, http_on_body);
  SET(CURLOPT_WRITEDATA, h);
  SET(CURLOPT_HEADERFUNCTION, http_on_header);
  SET(CURLOPT_HEADERDATA, h);
  if (o->user_agent)
    SET(CURLOPT_USERAGENT, o->user_agent);
  /* http:// is for this machine; a proxy would see the token */
  const char *proxy = o->allow_http ? "" : o->proxy;
  if (proxy)
    SET(CURLOPT_PROXY, proxy);
  if (o->no_proxy)
    SET(CURLOPT_NOPROXY, o->no_proxy);
  return code;
}

static CURLcode global_result;

static void http_global_init(void) {
  global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct pool *http_pool(const struct pool_limits *limits, enum http_code *code) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, http_global_init);
  *code = http_classify(global_result);
  struct pool *pool = global_result == CURLE_OK ? pool_open(limits) : NULL;
  if (!pool && global_result == CURLE_OK)
    *code = errno == EMFILE || errno == ENFILE ? HTTP_CONFIG : HTTP_NO_MEMORY;
  return pool;
}

struct http *http_open(struct pool *pool, const struct http_options *options,
                       enum http_code *code) {
  static atomic_ulong ids; /* other threads may have Lua states of their own */
  *code = HTTP_NO_MEMORY;
  struct http *h = calloc(1, sizeof *h);
  if (!h)
    return NULL;
  h->message = "";
  h->id = atomic_fetch_add(&ids, 1) + 1;
  h->pool = pool_hold(pool);
  h->session = curl_easy_init();
  if (h->session) {
    CURLcode set = http_set_session(h, options);
    if (set == CURLE_OK) {
      *code = HTTP_DONE;
      return h;
    }
    *code = http_classify(set);
  }
  http_close(h);
  return NULL;
}

static void http_drop_headers(struct http *h) {
  curl_slist_free_all(h->headers);
  h->headers = NULL;
  h->has_accept_encoding = false;
}

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* Whether one of the eight bytes at text is below a space, or 127. Tokens are long, and
 * byte by byte this costs as much as copying them twice. */
static bool may_hold_control(const char *text) {
  uint64_t word;
  memcpy(&word, text, sizeof word);
  const uint64_t del = word ^ EACH_BYTE(0x7f);
  return (((word - EACH_BYTE(' ')) | (del - EACH_BYTE(1))) & ~word & EACH_BYTE(0x80)) != 0;
}

static bool is_control(char c) {
  return ((unsigned char)c < ' ' && c != '\t') || c == '\x7f';
}

/* A line break would begin a header of somebody else's; other control characters
 * have no place in one either (RFC 9110 §5.5). */
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
  const bool sound = is_header_line(line);
  if (strncasecmp(line, ACCEPT_ENCODING, strlen(ACCEPT_ENCODING) - 1) == 0)
    h->has_accept_encoding = true;
  struct curl_slist *headers = sound ? curl_slist_append(h->headers, line) : NULL;
  if (headers) {
    h->headers = headers;
    return HTTP_DONE;
  }
  http_drop_headers(h);
  if (sound)
    return http_fail(h, HTTP_NO_MEMORY, "not enough memory");
  return http_fail(h, HTTP_CONFIG, "a header holds a line break or a control character");
}

/* On a fresh handle, which sends a GET unless it is told otherwise. */
static CURLcode http_set_method(CURL *e, const struct http_request *r) {
  CURLcode code = CURLE_OK;
  if (strcmp(r->method, "HEAD") == 0) /* the length that it tells is of a body that does not come */
    return curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
  SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)r->max_body);
  if (r->body || strcmp(r->method, "POST") == 0) {
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
    SET(CURLOPT_COPYPOSTFIELDS, r->body ? r->body : "");
  }
  if (r->body || strcmp(r->method, "GET") != 0)
    SET(CURLOPT_CUSTOMREQUEST, r->method);
  return code;
}

static CURLcode http_set_request(struct http *h, const struct http_request *r) {
  CURL *e = h->transfer.easy;
  CURLcode code = http_set_method(e, r);
  SET(CURLOPT_URL, r->url);
  SET(CURLOPT_HTTPHEADER, h->headers);
  SET(CURLOPT_TIMEOUT_MS, r->timeout_ms);
  SET(CURLOPT_CONNECTTIMEOUT_MS, r->connect_timeout_ms);
  return code;
}

/* A handle of its own for each exchange: libcurl before 8.1.1 keeps a pointer into the
 * headers of a handle's last response, which it has freed, and writes there when the next one
 * begins with a folded line (curl issue 11101). Connections belong to the pool. */
static bool http_renew(struct http *h) {
  curl_easy_cleanup(h->transfer.easy);
  h->transfer.easy = curl_easy_duphandle(h->session);
  return h->transfer.easy != NULL;
}

/* Nothing of the last exchange is left. */
static void http_reset(struct http *h, const struct http_request *request) {
  buf_free(&h->answer.head.text);
  buf_free(&h->answer.body);
  h->answer.status = 0;
  head_init(&h->answer.head, request->max_headers);
  buf_init(&h->answer.body, request->max_body);
  h->refusal = HTTP_DONE;
  h->cause = HTTP_CAUSE_UNKNOWN;
  h->error[0] = '\0';
  h->transfer.timeout_ms = request->timeout_ms;
  h->transfer.may_repeat = request->may_repeat;
}

/* libcurl is not told that bodies may be compressed, or it would prepare its own decoders. */
static bool http_accept_encodings(struct http *h) {
  return h->has_accept_encoding || http_header(h, ACCEPT_ENCODING "gzip, deflate") == HTTP_DONE;
}

enum http_code http_start(struct http *h, const struct http_request *request) {
  if (h->running)
    http_cancel(h);
  http_reset(h, request);
  CURLcode code = http_accept_encodings(h) && http_renew(h) ? http_set_request(h, request)
                                                            : CURLE_OUT_OF_MEMORY;
  if (code == CURLE_OK && pool_add(h->pool, &h->transfer)) {
    h->running = true;
    return HTTP_RUNNING;
  }
  http_drop_headers(h);
  return http_fail_curl(h, code == CURLE_OK ? CURLE_OUT_OF_MEMORY : code);
}

enum http_code http_result(struct http *h) {
  if (!h->running)
    return http_fail(h, HTTP_CONFIG, "no exchange was started");
  if (h->transfer.state == POOL_RUNNING)
    return HTTP_RUNNING;
  /* it may have been over before it could be ended */
  const CURLcode result = h->refusal == HTTP_DONE ? h->transfer.result : CURLE_WRITE_ERROR;
  http_cancel(h);
  if (result != CURLE_OK) {
    buf_free(&h->answer.body);
    return http_fail_curl(h, result);
  }
  if (!head_is_over(&h->answer.head)) {
    buf_free(&h->answer.body);
    return http_fail(h, HTTP_NETWORK, "the connection was closed within the headers");
  }
  long version = 0;
  curl_easy_getinfo(h->transfer.easy, CURLINFO_RESPONSE_CODE, &h->answer.status);
  curl_easy_getinfo(h->transfer.easy, CURLINFO_HTTP_VERSION, &version);
  h->answer.version = version == CURL_HTTP_VERSION_1_0   ? 10
                      : version == CURL_HTTP_VERSION_1_1 ? 11
                      : version == CURL_HTTP_VERSION_2_0 ? 20
                      : version == CURL_HTTP_VERSION_3   ? 30
                                                         : 0;
  return HTTP_DONE;
}

struct http_answer *http_answer(struct http *h) {
  return &h->answer;
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

const char *http_message(const struct http *h) {
  return h->message;
}

enum http_cause http_cause(const struct http *h) {
  return h->cause;
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
  /* before the multi handle of the pool: curl_multi_cleanup(3) asks for this order */
  curl_easy_cleanup(h->transfer.easy);
  curl_easy_cleanup(h->session);
  pool_release(h->pool);
  buf_free(&h->answer.head.text);
  buf_free(&h->answer.body);
  free(h);
}
