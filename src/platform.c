#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mremap, pipe2 */
#endif
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/random.h>
#endif

#if PLATFORM_LINUX

#include <netinet/in.h>
#include <netinet/tcp.h>

int platform_socket(int family, int type, int protocol) {
  return socket(family, type | SOCK_CLOEXEC, protocol);
}

bool platform_pipe(int fds[2]) {
  return pipe2(fds, O_CLOEXEC) == 0;
}

bool platform_cookie(int fd, unsigned long long *cookie) {
  socklen_t len = sizeof *cookie;
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &len) == 0;
}

long long platform_silence(int fd) {
  struct tcp_info info;
  socklen_t len = sizeof info;
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0
             ? (long long)info.tcpi_last_data_recv
             : -1;
}

void *platform_remap(void *block, size_t size, size_t wanted) {
  return mremap(block, size, wanted, MREMAP_MAYMOVE);
}

#else

/* Another thread that forks between the two calls still passes the descriptor on: macOS has no flag
 * for it, as Linux and the BSDs have. */
static int set_cloexec(int fd) {
  if (fd >= 0)
    fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

int platform_socket(int family, int type, int protocol) {
  return set_cloexec(socket(family, type, protocol));
}

bool platform_pipe(int fds[2]) {
  if (pipe(fds) != 0)
    return false;
  set_cloexec(fds[0]);
  set_cloexec(fds[1]);
  return true;
}

bool platform_cookie(int fd, unsigned long long *cookie) {
  (void)fd, (void)cookie;
  return false;
}

long long platform_silence(int fd) {
  (void)fd;
  return -1;
}

void *platform_remap(void *block, size_t size, size_t wanted) {
  void *moved = mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (moved == MAP_FAILED)
    return MAP_FAILED;
  memcpy(moved, block, size < wanted ? size : wanted);
  munmap(block, size);
  return moved;
}

#endif

bool platform_random(void *bytes, size_t n) {
  return getentropy(bytes, n) == 0;
}

int platform_sync(int fd) {
#ifdef F_FULLFSYNC
  if (fcntl(fd, F_FULLFSYNC) == 0)
    return 0; /* a file system that lacks it, such as that of a server, has fsync() */
#endif
  return fsync(fd);
}
