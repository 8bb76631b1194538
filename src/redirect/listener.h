/* Receives one authorization response on a loopback redirect URI (RFC 8252 §7.3): a port of
 * 127.0.0.1 and of ::1, to which the browser is redirected with a code or an error. Uses
 * libmicrohttpd; knows no Lua and runs no thread.
 *
 * Any web page in the browser, and any user of this machine, can send requests here. So only a
 * request with the secret state counts, nothing of a request is echoed, and idle connections
 * are closed. */
#pragma once

#include <stdint.h>

#pragma GCC visibility push(hidden)

#define LISTENER_CODE_MAX 8192
#define LISTENER_ERROR_MAX 256
#define LISTENER_DESCRIPTION_MAX 2048
#define LISTENER_STATE_MAX 256
#define LISTENER_PATH_MAX 256

enum listener_code {
  LISTENER_WAITING, /* wait again */
  LISTENER_DONE,
  LISTENER_FAILED /* with errno; the listener can only be closed */
};

/* The unescaped parameters of the response: a code or an error (RFC 6749 §4.1.2). "" if one is
 * missing. */
struct listener_response {
  char code[LISTENER_CODE_MAX + 1];
  char error[LISTENER_ERROR_MAX + 1];
  char error_description[LISTENER_DESCRIPTION_MAX + 1];
};

struct listener;

/* Listens on a free port of 127.0.0.1, and of ::1 if the machine has IPv6, for GET path?state=…
 * Copies both texts, which must not be longer than the maximum. On failure NULL, with errno if
 * the system set it, else 0. */
struct listener *listener_open(const char *state, const char *path);

uint16_t listener_port(const struct listener *l);

/* Serves requests for at most timeout_ms milliseconds; a signal ends it earlier. Returns
 * LISTENER_DONE after the browser has received its page, or has disconnected. */
enum listener_code listener_wait(struct listener *l, int timeout_ms);

/* To be called after LISTENER_DONE. The result belongs to the listener. */
const struct listener_response *listener_response(const struct listener *l);

/* Stops listening. NULL is allowed. */
void listener_close(struct listener *l);

#pragma GCC visibility pop
