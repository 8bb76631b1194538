/* Interprets libcurl's failures: finds a code, a message, and the cause if there is a remedy for
 * it. Uses libcurl's codes and messages, OpenSSL's verdict on a certificate, and the status with
 * which a proxy refuses. Knows no Lua. */
#pragma once

#include <curl/curl.h>

#pragma GCC visibility push(hidden)

enum http_code {
  HTTP_DONE,     /* there is a response, whatever its status */
  HTTP_RUNNING,  /* there is none yet */
  HTTP_TIMEOUT,  /* the request or the connection attempt timed out */
  HTTP_NETWORK,  /* the host was not found or not reached, or the connection broke */
  HTTP_TLS,      /* the certificate was not accepted, or there is no common version of TLS */
  HTTP_PROTOCOL, /* the response is not valid HTTP, or exceeds a limit */
  HTTP_CONFIG,   /* the request or an option of the session is unusable */
  HTTP_NO_MEMORY
};

enum http_cause {
  HTTP_CAUSE_UNKNOWN,
  HTTP_CAUSE_DESCRIPTORS,   /* no file descriptor is left */
  HTTP_CAUSE_PROXY_LOGIN,   /* the proxy requires another user name or password */
  HTTP_CAUSE_PROXY_RULE,    /* the proxy does not allow connections to this host */
  HTTP_CAUSE_NOT_YET_VALID, /* the certificate; or the clock of this machine is behind */
  HTTP_CAUSE_EXPIRED,       /* the certificate; or the clock of this machine is ahead */
  HTTP_CAUSE_CA,            /* no known CA has signed the certificate */
  HTTP_CAUSE_HOST,          /* the certificate is for another host */
  HTTP_CAUSE_CA_FILE,       /* the file of CAs, or a certificate in it, cannot be read */
  HTTP_CAUSE_NO_TLS,        /* the peer speaks something else than TLS */
  HTTP_CAUSE_TLS_VERSION,   /* the peer does not speak TLS 1.2 or later */
  HTTP_CAUSE_CONNECT        /* a timeout before the connection was ready for the request */
};

struct http_failure {
  enum http_code code;
  enum http_cause cause;
  const char *message; /* a literal, or libcurl's error buffer */
};

#define FAILURE_NO_MEMORY "not enough memory"
#define FAILURE_NO_DESCRIPTOR "no file descriptor is left"
#define FAILURE_BODY_TOO_LARGE "the response is larger than max_body"

/* Returns what an error code of libcurl means, without looking at a transfer. */
enum http_code failure_code(CURLcode code);

/* Returns what the failure of a transfer means. words: libcurl's error buffer, which must outlive
 * the result. */
struct http_failure failure_of(CURL *easy, CURLcode code, const char *words);

#pragma GCC visibility pop
