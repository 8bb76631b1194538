/* Sets the options of a session and of a request on libcurl's handles. Knows libcurl; knows no
 * Lua. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#pragma GCC visibility push(hidden)

/* The options of a session. Strings are copied. NULL: the default. */
struct http_options {
  const char *ca_file; /* PEM bundle; at most one of ca_file and ca_path */
  const char *ca_path; /* directory hashed by "openssl rehash" */
  const char *proxy;   /* "": no proxy; NULL: from the environment */
  const char *no_proxy;
  const char *user_agent;
  bool http_1_1;   /* offer HTTP/1.1 only; otherwise TLS negotiates HTTP/2 or 1.1 */
  bool allow_http; /* allow http:// too; the caller limits it to loopback addresses */
};

/* One request; http_start() copies everything. A compressed body is not decompressed: libcurl's own
 * decoders accept a body that is cut off, and decompress one that is compressed twice without a
 * limit. */
struct http_request {
  const char *method;
  const char *url;
  const char *body; /* NULL: none */
  size_t body_len;
  long timeout_ms;
  long connect_timeout_ms;
  size_t max_body; /* bytes, before decompression */
  size_t max_headers;
  bool may_repeat; /* see struct pool_transfer */
};

/* Sets the options that all requests of a session share. Returns the first failure. */
CURLcode options_set_session(CURL *easy, const struct http_options *o);

/* An address that was parsed. To parse it takes libcurl a fifteenth of the time of a small request.
 * All zero: none. */
struct address {
  char *text;
  CURLU *parsed;
};

void options_free_address(struct address *a);

/* Sets the options of a request on a new handle. The handle uses headers and *last, the address of
 * the last request, and does not copy them; *last becomes the address of this one. Returns the
 * first failure. */
CURLcode options_set_request(CURL *easy, const struct http_request *r, struct curl_slist *headers,
                             struct address *last);

#pragma GCC visibility pop
