/* One HTTP session over libcurl: it sends one request after the other. Knows libcurl, pool and buf;
 * knows no Lua.
 *
 * http_start() begins a request, and pool_wait() moves it on together with those of other sessions,
 * for a bounded time; then http_result() has the outcome. So the caller keeps control (signals,
 * progress, another event loop), and no callback has to leave libcurl early. Connections belong to
 * the pool. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "certificate.h"
#include "failure.h"
#include "head.h"
#include "options.h"
#include "pool.h"

#pragma GCC visibility push(hidden)

struct http_response {
  long status;
  int version; /* 10, 11, 20, 30; 0: unknown */
  struct head head;
  struct buf body;
};

struct http;

/* Opens a pool for sessions. After a failure it returns NULL and sets *failure. */
struct pool *http_pool(const struct pool_limits *limits, struct http_failure *failure);

/* Opens a session, which holds the pool; connects to nothing. After a failure it returns NULL and
 * sets *failure. */
struct http *http_open(struct pool *pool, const struct http_options *options,
                       struct http_failure *failure);

/* Adds a header "Name: value" to the next request. Cancels a running request. A header that is
 * refused removes those added before it, so that they never reach another request. */
enum http_code http_header(struct http *h, const char *line);

/* Starts a request; cancels a running one first. Returns HTTP_RUNNING, or a failure after which the
 * session may be used again. The added headers are used up in both cases. */
enum http_code http_start(struct http *h, const struct http_request *request);

/* Moves all requests of the pool on until one is done, for a caller that waits for h alone: it
 * makes the pool forget which requests are done. */
void http_wait(struct http *h, int timeout_ms);

/* Returns the outcome of the request: HTTP_RUNNING until the pool has finished it, then, once,
 * HTTP_DONE or a failure. */
enum http_code http_result(struct http *h);

/* Returns the session of a transfer from pool_next(); NULL for NULL. */
struct http *http_of(struct pool_transfer *t);

/* Returns the number of the session, unique in the process. */
unsigned long http_id(const struct http *h);

/* Returns the response after HTTP_DONE. Its buffers belong to the session; the caller may free them
 * early. */
struct http_response *http_response(struct http *h);

/* When each step of the last request was done, in seconds since its start; 0 for a step that was
 * not reached, or not needed on a reused connection. */
struct http_timing {
  double name_lookup;
  double connect;
  double tls;
  double first_byte;
  double total;
};

void http_timing(struct http *h, struct http_timing *timing);

/* Returns the last failure. Valid until the next request. */
const struct http_failure *http_failure(const struct http *h);

/* Reads the certificate that made the last request fail. Returns false if it is unknown, or not the
 * reason. Valid until the next request. */
bool http_certificate(const struct http *h, struct certificate *c);

/* Cancels the running request, if any, and closes its connection; removes the added headers. */
void http_cancel(struct http *h);

/* Closes the session. NULL is allowed. */
void http_close(struct http *h);

#pragma GCC visibility pop
