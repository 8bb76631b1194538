/* Functions of the system that Lua lacks: a monotonic clock, sleep, waiting for input, random ids,
 * the width of the terminal, a guard for the standard streams, and the default action of Ctrl-C. */
#include "binding.h"
#include "crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>

/* now() -> seconds of a clock that never jumps, since an arbitrary time */
static int sys_now(lua_State *L) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
  return 1;
}

/* sleep(seconds): returns early after a signal, so that the Lua hook of its handler can run. The
 * caller repeats it to sleep on. */
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

/* readable(fd, seconds) -> whether a read of the descriptor returns at once. Waits so long, but
 * returns early after a signal, so that the Lua hook of its handler can run: LuaJIT goes on with a
 * read. */
static int sys_readable(lua_State *L) {
  struct pollfd polled = {.fd = (int)luaL_checkinteger(L, 1), .events = POLLIN};
  const lua_Number seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, seconds >= 0 && seconds < 1e6, 2, "seconds out of range");
  lua_pushboolean(L, poll(&polled, 1, (int)(seconds * 1000)) > 0);
  return 1;
}

static void random_bytes(lua_State *L, void *bytes, size_t n) {
  if (!crypto_random(bytes, n))
    luaL_error(L, "the system provides no random bytes");
}

/* random() -> a number in [0, 1), independent of the state of math.random */
static int sys_random(lua_State *L) {
  uint32_t bits;
  random_bytes(L, &bits, sizeof bits);
  lua_pushnumber(L, (lua_Number)bits / 4294967296.0);
  return 1;
}

/* uuid() -> a random UUID, version 4 (RFC 9562 §5.4) */
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

/* columns(fd) -> width of the terminal; nil if the descriptor is not a terminal */
static int sys_columns(lua_State *L) {
  const int fd = (int)luaL_checkinteger(L, 1);
  struct winsize size;
  if (!isatty(fd))
    return 0;
  const int known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  lua_pushinteger(L, known ? size.ws_col : 80);
  return 1;
}

/* Opens a descriptor if it is closed, for the direction that is not used: reading 0 and writing 1
 * and 2 still fail with EBADF. Returns 0 or an errno. */
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

/* guard_descriptors() -> true, or nil, message. For the start of a program whose standard streams
 * may be closed: otherwise the next file or socket gets one of their descriptors, and output goes
 * there. A library must not change the descriptors of its process. */
static int sys_guard_descriptors(lua_State *L) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    const int failure = guard_descriptor(fd);
    if (failure)
      return binding_fail(L, lua_pushfstring(L, "/dev/null: %s", strerror(failure)), NULL);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* default_interrupt(): from now on Ctrl-C ends the process at once. For the end of a program: the
 * handler of the interpreter uses the Lua state, which is closed while the process still runs
 * functions of atexit. A library must not change how its process handles signals. */
static int sys_default_interrupt(lua_State *L) {
  (void)L;
  signal(SIGINT, SIG_DFL);
  return 0;
}

void lsys_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"now", sys_now},
      {"sleep", sys_sleep},
      {"readable", sys_readable},
      {"random", sys_random},
      {"uuid", sys_uuid},
      {"columns", sys_columns},
      {"guard_descriptors", sys_guard_descriptors},
      {"default_interrupt", sys_default_interrupt},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
