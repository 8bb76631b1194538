/* Sockets of connections on loopback. */
#include "sockets.h"
#include "check.h"
#include "fail_alloc.h"
#include "platform.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener;
static struct sockaddr_in server = {.sin_family = AF_INET};

static void listen_on_loopback(void) {
  socklen_t len = sizeof server;
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(bind(listener, (struct sockaddr *)&server, len) == 0 && listen(listener, 64) == 0 &&
            getsockname(listener, (struct sockaddr *)&server, &len) == 0,
        "the server listens");
}

static int port_of(int fd) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t len = sizeof address;
  return getsockname(fd, (struct sockaddr *)&address, &len) == 0 ? ntohs(address.sin_port) : 0;
}

static int open_connected(struct sockets *s, long long now) {
  const int fd = sockets_open(s, AF_INET, SOCK_STREAM, 0, now);
  check(fd >= 0 && connect(fd, (struct sockaddr *)&server, sizeof server) == 0, "it connects");
  return fd;
}

/* As the pool does when a request is sent on the connection. */
static struct socket_entry *find(struct sockets *s, int fd) {
  return sockets_find(s, port_of(fd), ntohs(server.sin_port));
}

/* Whether a read reaches the end of the stream. */
static bool is_shut(int fd) {
  char byte;
  return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void finds_by_ports(void) {
  struct sockets s = {.all = NULL};
  int fds[20];
  for (int i = 0; i < 20; i++)
    fds[i] = open_connected(&s, i);
  check(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, "child processes do not inherit it");
  const int to = ntohs(server.sin_port);
  for (int i = 0; i < 20; i++) {
    const struct socket_entry *found = sockets_find(&s, port_of(fds[i]), to);
    check(found && found->fd == fds[i] && found->opened == i, "a connection is found by its ports");
  }
  check(!sockets_find(&s, port_of(fds[0]), to + 1), "but not by one port alone");
  const int gone = port_of(fds[7]);
  check(sockets_close(&s, fds[7]) == 0 && !sockets_find(&s, gone, to),
        "a closed socket is removed");
  check(sockets_close(&s, fds[7]) == -1, "closing it again fails, like close()");
  for (int i = 0; i < 20; i++)
    if (i != 7)
      sockets_close(&s, fds[i]);
  check(s.count == 0, "the table is empty at the end");
  sockets_free(&s);
}

static void shuts_down(void) {
  struct sockets s = {.all = NULL};
  const int old = open_connected(&s, 100), used = open_connected(&s, 100),
            retired = open_connected(&s, 300), young = open_connected(&s, 300);
  const int connecting = sockets_open(&s, AF_INET, SOCK_STREAM, 0, 100);
  check(find(&s, old) && find(&s, used) && find(&s, retired) && find(&s, young), "all are found");
  s.all[1].used = true;
  s.all[2].retired = true;
  check(!sockets_shut_down(&s, 200), "no retired socket is used");
  check(is_shut(old) && is_shut(retired), "old and retired sockets are shut down");
  check(!is_shut(used) && !is_shut(young), "used and new sockets are not");
  check(connect(connecting, (struct sockaddr *)&server, sizeof server) == 0,
        "a socket that is connecting is left alone");
  s.all[1].retired = true;
  check(sockets_shut_down(&s, 0) && !is_shut(used), "a retired socket that is used is reported");
  s.all[1].used = false;
  check(!sockets_shut_down(&s, 0) && is_shut(used), "and is shut down when it is no longer used");
  while (s.count > 0)
    sockets_close(&s, s.all[0].fd);
  sockets_free(&s);
}

/* libcurl before 8.2 closes some sockets by itself, and the host program may get their descriptors.
 */
static void ignores_descriptors_of_the_host(bool is_known) {
  struct sockets s = {.all = NULL};
  const int fd = open_connected(&s, 100);
  check(!is_known || find(&s, fd), "it may have served a request");
  const int foreign = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(connect(foreign, (struct sockaddr *)&server, sizeof server) == 0,
        "another socket connects");
  check(dup2(foreign, fd) == fd, "it takes the descriptor");
  close(foreign);
  sockets_shut_down(&s, 200);
  check(!is_shut(fd), "a descriptor that was reused is not shut down");
  /* without cookies, a connection that never served a request is known by nothing */
  check((is_known || PLATFORM_LINUX) ? !find(&s, fd) : find(&s, fd) != NULL, "and is not found");
  close(fd);
  check(open_connected(&s, 500) == fd && s.count == 1 && s.all[0].opened == 500,
        "a new socket replaces the old entry");
  sockets_close(&s, fd);
  sockets_free(&s);
}

static void measures_silence(void) {
  struct sockets s = {.all = NULL};
  const int fd = open_connected(&s, 1000);
  check(sockets_silence(&s.all[0], 1000) == 0, "it is not silent for longer than it is open");
  usleep(60000);
  const long long silence = sockets_silence(&s.all[0], 100000);
  check(PLATFORM_KNOWS_SILENCE ? silence >= 40 && silence < 20000 : silence == 99000,
        "it is silent since it connected");
  check(find(&s, fd) != NULL, "it is found");
  sockets_received(&s, port_of(fd), ntohs(server.sin_port), 99000);
  check((sockets_silence(&s.all[0], 100000) == 1000) == !PLATFORM_KNOWS_SILENCE,
        "where the kernel does not tell, the last bytes of a response count");
  check(sockets_silence(&s.all[0], 1010) <= 10,
        "but it is never silent for longer than it is open");
  sockets_close(&s, fd);
  sockets_free(&s);
}

static void survives_lack_of_memory(void) {
  struct sockets s = {.all = NULL};
  fail_alloc_at(1);
  check(sockets_open(&s, AF_INET, SOCK_STREAM, 0, 0) == -1, "opening fails without memory");
  fail_alloc_at(0);
  check(sockets_open(&s, -1, SOCK_STREAM, 0, 0) == -1 && s.count == 0,
        "opening fails if the system refuses");
  sockets_free(&s);
}

int main(void) {
  listen_on_loopback();
  finds_by_ports();
  shuts_down();
  ignores_descriptors_of_the_host(false);
  ignores_descriptors_of_the_host(true);
  measures_silence();
  survives_lack_of_memory();
  close(listener);
  return check_result("sockets");
}
