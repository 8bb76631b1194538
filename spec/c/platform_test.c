/* Both sides of platform.h, each in its build: they must behave alike. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include "platform.h"
#include "check.h"
#include "fail_alloc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_closed_on_exec(int fd) {
  return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static void opens_what_children_do_not_inherit(void) {
  int fds[2] = {-1, -1};
  char byte = 0;
  const int fd = platform_socket(AF_INET, SOCK_STREAM, 0);
  check(fd >= 0 && is_closed_on_exec(fd), "child processes do not inherit a socket");
  check(platform_socket(-1, SOCK_STREAM, 0) == -1,
        "a socket that the system refuses does not open");
  check(platform_pipe(fds) && is_closed_on_exec(fds[0]) && is_closed_on_exec(fds[1]), "nor a pipe");
  check(write(fds[1], "x", 1) == 1 && read(fds[0], &byte, 1) == 1 && byte == 'x',
        "through which bytes come");
  close(fd);
  close(fds[0]);
  close(fds[1]);
}

static void tells_sockets_apart(void) {
  unsigned long long first = 0, second = 0;
  const int fd = platform_socket(AF_INET, SOCK_STREAM, 0);
  const int other = platform_socket(AF_INET, SOCK_STREAM, 0);
  check(platform_cookie(fd, &first) == PLATFORM_LINUX &&
            platform_cookie(other, &second) == PLATFORM_LINUX,
        "Linux has cookies");
  check((first != second) == PLATFORM_LINUX, "which differ");
  check(!platform_cookie(0, &first), "but not for what is no socket");
  close(fd);
  close(other);
}

static void makes_random_bytes(void) {
  unsigned char bytes[256] = {0}, others[256] = {0};
  check(platform_random(bytes, sizeof bytes) && platform_random(others, sizeof others),
        "it makes 256 random bytes");
  check(memcmp(bytes, others, sizeof bytes) != 0, "which differ each time");
}

#define PAGES ((size_t)64 * 1024)

static char *map(size_t size) {
  return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void changes_the_size_of_a_mapping(void) {
  char *block = map(PAGES);
  check(block != MAP_FAILED, "a mapping is made");
  memset(block, 'x', PAGES);
  fail_alloc_at(1);
  check(platform_remap(block, PAGES, 4 * PAGES) == MAP_FAILED && block[PAGES - 1] == 'x',
        "without memory nothing changes");
  fail_alloc_at(0);
  block = platform_remap(block, PAGES, 4 * PAGES);
  check(block != MAP_FAILED && block[0] == 'x' && block[PAGES - 1] == 'x' && block[PAGES] == 0,
        "it grows, and keeps what it holds");
  block = platform_remap(block, 4 * PAGES, PAGES / 2);
  check(block != MAP_FAILED && block[PAGES / 2 - 1] == 'x', "it shrinks");
  munmap(block, PAGES / 2);
}

static void syncs(void) {
  char path[256];
  check_folder(path, sizeof path);
  const int fd = mkstemp(path);
  check(fd >= 0 && write(fd, "x", 1) == 1 && platform_sync(fd) == 0, "it syncs a file");
  close(fd);
  unlink(path);
  check(platform_sync(fd) == -1, "but not one that is closed");
}

int main(void) {
  opens_what_children_do_not_inherit();
  tells_sockets_apart();
  makes_random_bytes();
  changes_the_size_of_a_mapping();
  syncs();
  return check_result("platform");
}
