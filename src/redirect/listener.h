/* One answer of a sign-in page, taken on loopback (RFC 8252 §7.3): a port of 127.0.0.1 and
 * of ::1 where the browser is sent with a code or an error. Knows libmicrohttpd; does not know
 * Lua, and runs no thread.
 *
 * Any page that the browser shows, and any user of this machine, can send requests
 * here. So only one with the secret state counts, nothing of a request is echoed, and
 * connections that do nothing are dropped.
 */
#ifndef PCAPI_LISTENER_H
#define PCAPI_LISTENER_H

#include <stdint.h>

#pragma GCC visibility push(hidden)

#define LISTENER_CODE_MAX 8192
#define LISTENER_ERROR_MAX 256
#define LISTENER_DESCRIPTION_MAX 2048
#define LISTENER_STATE_MAX 256
#define LISTENER_PATH_MAX 256

enum listener_code {
  LISTENER_WAITING, /* wait again */
  LISTENER_ANSWERED,
  LISTENER_FAILED /* errno says why; the listener is of no more use */
};

/* What came, unescaped: a code or an error (RFC 6749 §4.1.2). "" is what did not. */
struct listener_answer {
  char code[LISTENER_CODE_MAX + 1];
  char error[LISTENER_ERROR_MAX + 1];
  char error_description[LISTENER_DESCRIPTION_MAX + 1];
};

struct listener;

/* Listens on a free port of 127.0.0.1, and of ::1 where the machine has it, for GET path?state=…
 * Both texts are copied, and are no longer than the maximum. NULL, with errno where the system
 * set it, when that cannot be. */
struct listener *listener_open(const char *state, const char *path);

uint16_t listener_port(const struct listener *l);

/* Serves requests for at most timeout_ms milliseconds, less when a signal arrives.
 * LISTENER_ANSWERED not before the browser has its page, or has gone. */
enum listener_code listener_wait(struct listener *l, int timeout_ms);

/* After LISTENER_ANSWERED; belongs to the listener. */
const struct listener_answer *listener_answer(const struct listener *l);

/* Stops listening. NULL is allowed. */
void listener_close(struct listener *l);

#pragma GCC visibility pop

#endif
