/* What Linux does otherwise than macOS and the BSDs, in one place. PCAPI_PORTABLE (make
 * EVENTS=poll) chooses the other side on Linux too, so that it is compiled and tested there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#if defined __linux__ && !defined PCAPI_PORTABLE
#define PLATFORM_LINUX 1
#else
#define PLATFORM_LINUX 0
#endif

/* the time of modification in a struct stat, with nanoseconds */
#ifdef __APPLE__
#define PLATFORM_MTIM st_mtimespec
#else
#define PLATFORM_MTIM st_mtim
#endif

/* uselocale(): elsewhere in <locale.h> */
#if defined __APPLE__ || defined __FreeBSD__ || defined __DragonFly__
#include <xlocale.h>
#endif

#pragma GCC visibility push(hidden)

/* Like socket(2) and pipe(2), but child processes do not inherit the descriptors. */
int platform_socket(int family, int type, int protocol);
bool platform_pipe(int fds[2]);

/* Sets *cookie to the kernel's unique id of a socket. Returns false if the descriptor is no socket,
 * or the kernel has no such ids: only Linux since 4.6 has. */
bool platform_cookie(int fd, unsigned long long *cookie);

/* Returns for how many milliseconds the peer of a socket has sent nothing; -1: unknown. Known on
 * Linux only; macOS and OpenBSD do not tell it, FreeBSD and NetBSD in other units. */
long long platform_silence(int fd);

/* Whether platform_silence() knows it. */
#define PLATFORM_KNOWS_SILENCE PLATFORM_LINUX

/* Fills bytes, at most 256, with random ones. Returns false if the system has none. */
bool platform_random(void *bytes, size_t n);

/* Like fsync(2). On macOS that leaves the bytes in the disk's cache, so another call is used. */
int platform_sync(int fd);

/* Changes the size of a mapping of mmap(2), which may move. Returns MAP_FAILED, and changes
 * nothing, if there is no memory. */
void *platform_remap(void *block, size_t size, size_t wanted);

#pragma GCC visibility pop
