/* What a client needs of the system and Lua does not offer: a monotonic clock,
 * sleep, random ids, what the terminal is, and standard streams that are safe. */
#include "binding.h"
#include "crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>

/* now() -> seconds of a clock that never jumps; its zero means nothing. */
static int sys_now(lua_State *L) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
  return 1;
}

/* sleep(seconds). Returns early when a signal arrives, so that the handler's Lua
 * hook can run; who must sleep on calls again. */
static int sys_sleep(lua_State *L) {
  const lua_Number seconds = luaL_checknumber(L, 1);
  luaL_argcheck(L, seconds < 1e9, 1, "seconds out of range");
  if (!(seconds > 0))
    return 0;
  struct timespec t;
  t.tv_sec = (time_t)seconds;
  t.tv_nsec = (long)((seconds - (lua_Number)t.tv_sec) * 1e9);
  nanosleep(&t, NULL);
  return 0;
}

static void random_bytes(lua_State *L, void *bytes, size_t n) {
  if (!crypto_random(bytes, n))
    luaL_error(L, "the system gives no random bytes");
}

/* random() -> a number in [0, 1), independent of math.random's state. */
static int sys_random(lua_State *L) {
  uint32_t bits;
  random_bytes(L, &bits, sizeof bits);
  lua_pushnumber(L, (lua_Number)bits / 4294967296.0);
  return 1;
}

/* uuid() -> a random UUID, version 4 (RFC 9562 §5.4). */
static int sys_uuid(lua_State *L) {
  static const char hex[] = "0123456789abcdef";
  unsigned char b[16];
  char text[36];
  random_bytes(L, b, sizeof b);
  b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
  b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
  char *p = text;
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *p++ = '-';
    *p++ = hex[b[i] >> 4];
    *p++ = hex[b[i] & 0x0f];
  }
  lua_pushlstring(L, text, sizeof text);
  return 1;
}

/* columns(fd) -> width of the terminal behind the descriptor; nil when it is
 * none. */
static int sys_columns(lua_State *L) {
  const int fd = (int)luaL_checkinteger(L, 1);
  struct winsize size;
  if (!isatty(fd))
    return 0;
  const int known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  lua_pushinteger(L, known ? size.ws_col : 80);
  return 1;
}

/* Opens a closed descriptor for the direction that nobody uses it in, so that reading
 * 0 and writing 1 and 2 fail by EBADF as before. Returns 0, or errno. */
static int guard_descriptor(int fd) {
  if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
    return 0;
  const int opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  if (opened == -1)
    return errno;
  if (opened == fd)
    return 0;
  const int failure = dup2(opened, fd) == -1 ? errno : 0;
  close(opened);
  return failure;
}

/* guard_descriptors() -> true; nil and a message where that fails. For a program at its
 * start: the next file or socket takes the lowest free descriptor, and what is printed
 * would go there. A library leaves the descriptors of its process alone. */
static int sys_guard_descriptors(lua_State *L) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    const int failure = guard_descriptor(fd);
    if (failure) {
      lua_pushnil(L);
      lua_pushfstring(L, "/dev/null: %s", strerror(failure));
      return 2;
    }
  }
  lua_pushboolean(L, 1);
  return 1;
}

void lsys_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"now", sys_now},
      {"sleep", sys_sleep},
      {"random", sys_random},
      {"uuid", sys_uuid},
      {"columns", sys_columns},
      {"guard_descriptors", sys_guard_descriptors},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
