/* One HTTP session over libcurl: a request goes in, an answer comes out, and the
 * session is there for the next one. Knows libcurl, pool and buf; does not know Lua.
 *
 * http_start() begins an exchange, and the pool moves it on, with those of other
 * sessions: pool_wait() for a bounded time, then http_result(). So the caller keeps
 * control (signals, progress, another loop) and no callback of ours ever has to leave
 * libcurl early. Connections belong to the pool.
 */
#ifndef PCAPI_HTTP_H
#define PCAPI_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "head.h"
#include "pool.h"

#pragma GCC visibility push(hidden)

enum http_code {
  HTTP_DONE,     /* an answer is there, whatever its status */
  HTTP_RUNNING,  /* not yet */
  HTTP_TIMEOUT,  /* the time of the exchange, or of connecting, is over */
  HTTP_NETWORK,  /* no name, no connection, or it broke */
  HTTP_TLS,      /* the peer could not be verified, or no common TLS */
  HTTP_PROTOCOL, /* not HTTP, undecodable, or larger than the ceiling */
  HTTP_CONFIG,   /* the request or an option of the session cannot be used */
  HTTP_NO_MEMORY
};

#define HTTP_NO_DESCRIPTOR "no descriptor is left"

/* How a session connects. Strings are copied. NULL means the default. */
struct http_options {
  const char *ca_file; /* PEM bundle; at most one of ca_file and ca_path */
  const char *ca_path; /* directory hashed by "openssl rehash" */
  const char *proxy;   /* "" switches proxies off; NULL: the environment */
  const char *no_proxy;
  const char *user_agent;
  bool http_1_1;   /* offer HTTP/1.1 only; else TLS negotiates HTTP/2 or 1.1 */
  bool allow_http; /* http:// as well; the caller keeps it to loopback */
};

/* One request. All of it is copied by http_start(). Times in milliseconds. A response whose
 * body is compressed has it as it came: libcurl's own decoders call a body complete that was
 * cut, and decompress without an end for one that is compressed twice. */
struct http_request {
  const char *method;
  const char *url;
  const char *body; /* NULL: none */
  size_t body_len;
  long timeout_ms;
  long connect_timeout_ms;
  size_t max_body; /* bytes as they come */
  size_t max_headers;
  bool may_repeat; /* see struct pool_transfer */
};

/* What is behind a code, where it is known and has a cure of its own. */
enum http_cause {
  HTTP_CAUSE_UNKNOWN,
  HTTP_CAUSE_DESCRIPTORS, /* none is left */
  HTTP_CAUSE_PROXY_LOGIN, /* the proxy wants another user name and password */
  HTTP_CAUSE_PROXY_RULE,  /* the proxy does not let anybody connect there */
  HTTP_CAUSE_NOT_YET_VALID, /* or this machine's clock is behind */
  HTTP_CAUSE_EXPIRED,       /* or this machine's clock is ahead */
  HTTP_CAUSE_CA,            /* none that is known signed its certificate */
  HTTP_CAUSE_HOST           /* the certificate is for another host */
};

struct http_answer {
  long status;
  int version;        /* 10, 11, 20, 30; 0 when unknown */
  struct head head;
  struct buf body;
};

struct http;

/* Opens a pool for sessions; NULL with *code set where it cannot. */
struct pool *http_pool(const struct pool_limits *limits, enum http_code *code);

/* Opens a session, which holds the pool; connects to nothing. Returns NULL with *code
 * set. */
struct http *http_open(struct pool *pool, const struct http_options *options, enum http_code *code);

/* Adds a header line "Name: value" to the request that is started next. An
 * exchange still in flight is given up. A line that is refused takes those
 * before it along: what one request may say must never reach the next. */
enum http_code http_header(struct http *h, const char *line);

/* Begins an exchange; one still in flight is given up first. Returns
 * HTTP_RUNNING, or an error after which the session may be used again. The
 * header lines collected so far are used up in both cases. */
enum http_code http_start(struct http *h, const struct http_request *request);

/* What became of the exchange: HTTP_RUNNING while the pool has not finished it;
 * whatever else it returns ends it. */
enum http_code http_result(struct http *h);

/* The session whose transfer this is, as pool_next() gives it; NULL for NULL. */
struct http *http_of(struct pool_transfer *t);

/* A number of its own, for finding what belongs to a session. */
unsigned long http_id(const struct http *h);

/* The answer after HTTP_DONE; its buffers belong to the session and may be
 * freed early. */
struct http_answer *http_answer(struct http *h);

/* When the steps of the last exchange were done, in seconds since its start; 0
 * for a step that was not reached, or not needed on a kept connection. */
struct http_timing {
  double name_lookup;
  double connect;
  double tls;
  double first_byte;
  double total;
};

void http_timing(struct http *h, struct http_timing *timing);

/* What went wrong last, in words; never NULL. Valid until the next start. */
const char *http_message(const struct http *h);
enum http_cause http_cause(const struct http *h);

/* Gives up the exchange in flight, if any, and its connection; forgets header lines
 * that were collected. */
void http_cancel(struct http *h);

/* Closes the session. NULL is allowed. */
void http_close(struct http *h);

#pragma GCC visibility pop

#endif
