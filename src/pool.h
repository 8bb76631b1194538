/* Transfers over one libcurl multi handle: a few, or hundreds at once with one descriptor
 * that tells when to move them on. Knows libcurl and epoll; does not know Lua, nor HTTP.
 *
 * A pool shares connections among its transfers and keeps them for those to come.
 * Nothing runs by itself: pool_wait() moves everything on, in the caller's thread.
 */
#ifndef PCAPI_POOL_H
#define PCAPI_POOL_H

#include <stdbool.h>

#include <curl/curl.h>

#pragma GCC visibility push(hidden)

struct pool;

/* Connections open at once, in use or kept; 0 is no limit. What finds none free waits
 * inside libcurl, in no order that can be relied on, while its own time runs. */
struct pool_limits {
  long connections;
  long host_connections;
  long kept; /* connections kept for later */
  /* Watched, only what is ready is looked at, and there is a descriptor. Otherwise all
   * are looked at every time, which costs less for one and too much for hundreds. */
  bool watched;
  long silence_ms; /* see pool_transfer.may_repeat; 0 for no such rule */
};

/* One transfer, part of its owner's struct. It stays in the pool from pool_add() until
 * it is taken or cancelled. The owner sets easy, timeout_ms and may_repeat. */
struct pool_transfer {
  struct pool *pool;
  CURL *easy;      /* its CURLOPT_PRIVATE is the transfer itself */
  long timeout_ms; /* as its CURLOPT_TIMEOUT_MS; 0 for none */
  /* The request may be sent twice. If a connection that was there before says nothing at all
   * for silence_ms, it is sent again on a fresh one, within the same deadline. A request
   * that may not gets a fresh connection to begin with, and is not sent again: libcurl repeats
   * it by itself when a kept connection turns out to be closed. */
  bool may_repeat;
  bool heard;     /* bytes of the response have come; false at pool_add() */
  bool has_head;  /* all header lines have come; false at pool_add() */
  bool was_spoilt; /* its connection had bytes in it that belong to no request */
  int sent;       /* times that libcurl has begun to send the request */
  int local_port, remote_port; /* of its connection; 0 for none yet */
  long long started;   /* ms, of the first attempt */
  long long lost_ms;   /* from there to the start of the attempt that counts */
  long long deadline;
  long long silent_at; /* when to look whether it has heard something */
  enum { POOL_IDLE, POOL_RUNNING, POOL_DONE } state;
  CURLcode result; /* in POOL_DONE */
  bool refused;
  struct pool_transfer *previous, *next; /* in the queue of those that are done */
};

/* Opens a pool; connects to nothing. NULL: no memory, or no descriptor is left. */
struct pool *pool_open(const struct pool_limits *limits);

/* Every transfer's owner holds the pool; the last one to release it closes it. */
struct pool *pool_hold(struct pool *p);
void pool_release(struct pool *p);

/* Begins a transfer that is idle. False: no memory, now or once before: what libcurl does
 * in this pool after that cannot be trusted. The transfer is still idle. */
bool pool_add(struct pool *p, struct pool_transfer *t);

/* Ends a transfer, whatever its state; it is idle then. What was running loses its
 * connection, or its stream of one. */
void pool_remove(struct pool *p, struct pool_transfer *t);

/* For callbacks of libcurl: ends a transfer with CURLE_WRITE_ERROR as soon as that may be
 * done. To fail from within a callback would not do: over HTTP/2 libcurl 7.88 then waits
 * for bytes that do not come. */
void pool_refuse(struct pool *p, struct pool_transfer *t);

/* For callbacks of libcurl: bytes of the response have come. */
void pool_hear(struct pool *p, struct pool_transfer *t);

/* For callbacks of libcurl: all header lines have come, and are sound. Until then, and after
 * pool_refuse(), the connection is closed when its last transfer ends: over HTTP/2 libcurl would
 * keep it whatever came. */
void pool_trust(struct pool_transfer *t);

/* Moves all on until one is done, for at most timeout_ms milliseconds, and returns early
 * when a signal arrives. With 0 it still does all that can be done at once. */
void pool_wait(struct pool *p, int timeout_ms);

/* Takes the transfer that has been done for the longest, which is idle then; NULL when
 * none is. */
struct pool_transfer *pool_next(struct pool *p);

/* Makes the sockets of a handle's connections known to the pool, which must outlive them. */
CURLcode pool_set_sockets(struct pool *p, CURL *easy);

/* For another event loop, of a pool that is watched: a descriptor that is readable when
 * pool_wait(p, 0) has work (-1: none), and milliseconds until it has work in any case
 * (-1: only the descriptor tells). */
int pool_descriptor(const struct pool *p);
long pool_timeout(const struct pool *p);

#pragma GCC visibility pop

#endif
