/* Drives one libcurl multi handle: by libcurl's own polling, which is cheaper for a few transfers,
 * or by events.h, for hundreds. Knows libcurl and OpenSSL; knows neither HTTP nor Lua. */
#pragma once

#include <stdbool.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

#include "events.h"

#pragma GCC visibility push(hidden)

struct multi {
  CURLM *handle;
  struct events *events; /* NULL: libcurl polls */
  long long timer;       /* ms: when libcurl wants to be called; -1: at no time */
  unsigned records;      /* TLS records read since libcurl was called or passed on bytes */
  long long entered;     /* ms: when that was */
  bool failed;           /* out of memory: libcurl must not be called any more. 7.88 then divides by
                          * the size of a table that it does not have, or makes the next transfer
                          * wait for ever */
};

/* Opens a multi handle with default options. watched: by events.h. After a failure the caller still
 * calls multi_close(); errno says whether there was no descriptor. */
bool multi_open(struct multi *m, bool watched);

void multi_close(struct multi *m);

/* Guards the connection of a context: if the peer sends nothing but TLS records without use, for a
 * quarter of a second, it is treated as closed by the peer. The multi must outlive the connection.
 */
void multi_guard(struct multi *m, SSL_CTX *context);

/* For callbacks of libcurl: useful bytes have arrived. */
void multi_received(struct multi *m);

/* Does everything that needs no waiting for the network. */
void multi_act(struct multi *m);

/* Lets libcurl check all transfers; does nothing if libcurl polls, as multi_act() does it then. */
void multi_check_all(struct multi *m);

/* Waits for the network, at most timeout_ms milliseconds, and handles what is ready. Returns how
 * many sockets were ready, -1 after a signal. If libcurl polls, 0 may mean one socket. */
int multi_listen(struct multi *m, int timeout_ms);

/* Milliseconds of a clock that never jumps. */
long long multi_now(void);

#pragma GCC visibility pop
