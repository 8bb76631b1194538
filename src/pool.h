/* A pool of connections and the transfers that use them: one at a time, or hundreds at once with
 * one descriptor for another event loop. Knows libcurl and OpenSSL; knows neither HTTP headers nor
 * Lua.
 *
 * Transfers share the connections of their pool, and the pool keeps idle connections for later
 * transfers. Nothing runs in the background: pool_wait() moves all transfers on, in the thread of
 * its caller. */
#pragma once

#include <stdbool.h>

#include <curl/curl.h>
#include <openssl/x509.h>

#include "budget.h"

#pragma GCC visibility push(hidden)

struct pool;

/* Limits of open connections, active and idle; 0 is no limit. A transfer that finds no free
 * connection waits within libcurl, in no particular order, and the wait counts against its
 * timeout. */
struct pool_limits {
  long connections;
  long host_connections;
  long idle;       /* connections to keep; 0: as many as libcurl chooses */
  long silence_ms; /* see pool_transfer.may_repeat; 0 disables it */
  size_t memory;   /* bytes of all bodies, see pool_claim(); 0: no limit */
  /* By events.h: only sockets that are ready are handled, and there is a descriptor. Without it
   * every transfer is checked each time, which costs less for one and too much for hundreds. */
  bool watched;
};

/* One transfer, part of its owner's struct, which must not move between pool_add() and the end of
 * the transfer. The owner sets the first three fields. */
struct pool_transfer {
  CURL *easy;      /* its CURLOPT_PRIVATE is the transfer itself */
  long timeout_ms; /* as its CURLOPT_TIMEOUT_MS; 0: none */
  /* The request may be sent twice. If an idle connection is reused and then stays silent for
   * silence_ms, the request is sent again on a new connection, within the same deadline. A request
   * that may not be repeated gets a new connection from the start: libcurl itself repeats a request
   * if a reused connection turns out to be closed. */
  bool may_repeat;

  struct pool *pool;
  bool has_received;           /* bytes of the response have arrived */
  bool has_head;               /* the head of the response is complete */
  bool had_stray_bytes;        /* its connection held unread bytes before the request was sent */
  bool may_pause;              /* libcurl can stop its bytes, see pool_claim() */
  bool is_paused;
  struct share share;          /* of the pool's memory */
  int sent;                    /* how often libcurl has begun to send the request */
  int local_port, remote_port; /* of its connection; 0: none yet */
  long long started;           /* ms, of the first attempt */
  long long lost_ms;           /* from there to the start of the last attempt */
  long long deadline;          /* ms */
  long long silence_check;     /* ms: when to check whether the connection is silent */
  const void *tls; /* SSL_CTX of its last new connection, to compare; may be freed */
  /* After CURLE_PEER_FAILED_VERIFICATION: the certificate that was refused, see
   * pool_drop_certificate(). NULL: unknown. */
  X509 *certificate;
  enum { POOL_IDLE, POOL_RUNNING, POOL_DONE } state;
  CURLcode result; /* in POOL_DONE */
  bool refused;
  struct pool_transfer *previous, *next; /* in the list of its state */
};

/* Opens a pool; connects to nothing. Returns NULL if there is no memory or no descriptor; errno
 * says which. */
struct pool *pool_open(const struct pool_limits *limits);

/* The opener and the owner of every transfer hold the pool. The last pool_release() closes it. */
struct pool *pool_hold(struct pool *p);
void pool_release(struct pool *p);

/* Starts an idle transfer. Returns false if memory is short, or ever was in this pool: libcurl is
 * then unreliable. The transfer stays idle. */
bool pool_add(struct pool *p, struct pool_transfer *t);

/* Ends a transfer in any state; it is idle then. A running transfer loses its connection, or its
 * stream of an HTTP/2 connection. The memory that it has claimed stays counted. */
void pool_remove(struct pool *p, struct pool_transfer *t);

/* For callbacks of libcurl: ends the transfer with CURLE_WRITE_ERROR as soon as possible. A
 * callback that only returned a failure would not end it: over HTTP/2 libcurl 7.88 then waits for
 * bytes that do not come. */
void pool_refuse(struct pool *p, struct pool_transfer *t);

/* For callbacks of libcurl: bytes of the response have arrived. */
void pool_received(struct pool *p, struct pool_transfer *t);

/* For callbacks of libcurl: claims room for a body of so many bytes in all. Returns false if the
 * transfer has to wait for room: then the callback returns CURL_WRITEFUNC_PAUSE, and is called again
 * with the same bytes. One transfer is always allowed to go on, so that a body that is larger than
 * the memory arrives.
 *
 * Over HTTP/2 it returns true in any case. The server may send what the window of the stream allows
 * (32 MiB with libcurl 7.88, 10 MiB with 8.5), and libcurl would store it itself. */
bool pool_claim(struct pool *p, struct pool_transfer *t, size_t bytes);

/* Returns what a transfer that is idle has claimed: its body was freed, or is not the core's any
 * more. May be called twice. */
void pool_unclaim(struct pool *p, struct pool_transfer *t);

/* Whether the pool has a limit of memory. */
bool pool_is_limited(const struct pool *p);

/* Whether there is room for the response to one more request. */
bool pool_has_room(const struct pool *p);

/* For callbacks of libcurl: the head of the response is complete and valid, so the connection may
 * be reused. Before this call, and after pool_refuse(), the connection is closed when its last
 * transfer ends: over HTTP/2 libcurl would reuse it, whatever came. */
void pool_allow_reuse(struct pool_transfer *t);

/* Moves all transfers on until one is done, at most timeout_ms milliseconds; returns early after a
 * signal. With 0 it does everything that needs no waiting. */
void pool_wait(struct pool *p, int timeout_ms);

/* Takes the transfer that was done first; it is idle then. Returns NULL if none is done. */
struct pool_transfer *pool_next(struct pool *p);

/* Frees the certificate of a transfer. So does the next pool_add(). */
void pool_drop_certificate(struct pool_transfer *t);

/* Prepares a handle for transfers of the pool, which must outlive their connections. */
CURLcode pool_set_callbacks(struct pool *p, CURL *easy);

/* For another event loop, with a watched pool: a descriptor that is readable when pool_wait(p, 0)
 * has work (-1: the pool is not watched), and the milliseconds until it has to be called in any case
 * (-1: only the descriptor reports work). With poll() the descriptor is never readable, and the time
 * is short, see events_interval(). */
int pool_descriptor(const struct pool *p);
long pool_timeout(const struct pool *p);

#pragma GCC visibility pop
