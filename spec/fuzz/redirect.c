/* The listener of a sign-in: only a request with its state counts, and its replies are HTTP.
 * "$PORT" in the input is replaced by its port, which differs in each run. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include "redirect/listener.h"
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATE "sTaTe-0123456789"
#define LONGEST 16384

/* Returns -1 if the machine has no port left, as each input takes one for a while, or if
 * libFuzzer's alarm interrupts the call. */
static int connect_to(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  claim(fd >= 0, "a socket opens");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    claim(errno == EADDRNOTAVAIL || errno == EINTR, "the listener accepts a connection");
    close(fd);
    return -1;
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static size_t with_port(struct input in, uint16_t port, char *text) {
  size_t n = 0;
  while (in.left > 0 && n < LONGEST - 8) {
    if (in.left >= 5 && memcmp(in.data, "$PORT", 5) == 0) {
      n += (size_t)sprintf(text + n, "%u", port);
      in.data += 5, in.left -= 5;
    } else {
      text[n++] = (char)take_byte(&in);
    }
  }
  return n;
}

static void check_reply(int fd) {
  char reply[LONGEST];
  const ssize_t n = recv(fd, reply, sizeof reply, 0);
  if (n > 0) {
    claim(n >= 9 && memcmp(reply, "HTTP/1.", 7) == 0, "the reply is HTTP");
    claim(!memmem(reply, (size_t)n, STATE, strlen(STATE)), "the state is not echoed");
  }
}

static void check_response(const struct listener_response *r, const char *text, size_t n) {
  claim(memmem(text, n, STATE, strlen(STATE)) || memchr(text, '%', n),
        "only a request with the state counts");
  claim(r->code[0] || r->error[0], "a response has a code or an error");
  claim(strlen(r->code) <= LISTENER_CODE_MAX && strlen(r->error) <= LISTENER_ERROR_MAX,
        "a response obeys its limits");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char text[LONGEST];
  struct listener *l = listener_open(STATE, "/cb");
  claim(l != NULL, "a listener opens");
  const size_t n = with_port((struct input){data, size}, listener_port(l), text);
  const int fd = connect_to(listener_port(l));
  if (fd < 0) {
    listener_close(l);
    return -1; /* this input goes into no corpus */
  }
  enum listener_code code = listener_wait(l, 0);
  send(fd, text, n, MSG_NOSIGNAL);
  shutdown(fd, SHUT_WR);
  for (int i = 0; i < 4 && code == LISTENER_WAITING; i++)
    code = listener_wait(l, 0);
  claim(code != LISTENER_FAILED, "no request makes the listener fail");
  if (code == LISTENER_DONE)
    check_response(listener_response(l), text, n);
  check_reply(fd);
  close(fd);
  listener_close(l);
  return 0;
}
