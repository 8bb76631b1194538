#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mremap */
#endif
#include "fail_alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <curl/curl.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__real_mremap(void *block, size_t size, size_t wanted, int flags, ...);
void *__wrap_mremap(void *block, size_t size, size_t wanted, int flags, ...);

/* atomic: libcurl's resolver allocates in another thread */
static atomic_long until_failure;
static atomic_bool armed;

void fail_alloc_at(long n) {
  atomic_store(&until_failure, n);
  atomic_store(&armed, n > 0);
}

bool fail_alloc_reached(void) {
  return !atomic_load(&armed);
}

long fail_alloc_left(void) {
  return atomic_load(&until_failure);
}

static bool fails_now(void) {
  if (!atomic_load(&armed) || atomic_fetch_sub(&until_failure, 1) != 1)
    return false;
  atomic_store(&armed, false);
  return true;
}

void *__wrap_malloc(size_t size) {
  return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
  return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *block, size_t size) {
  return fails_now() ? NULL : __real_realloc(block, size);
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  return fails_now() ? MAP_FAILED : __real_mmap(address, size, protection, flags, fd, offset);
}

void *__wrap_mremap(void *block, size_t size, size_t wanted, int flags, ...) {
  return fails_now() ? MAP_FAILED : __real_mremap(block, size, wanted, flags);
}

static char *fail_strdup(const char *text) {
  const size_t size = strlen(text) + 1;
  char *copy = __wrap_malloc(size);
  return copy ? memcpy(copy, text, size) : NULL;
}

void fail_alloc_for_curl(void) {
  curl_global_init_mem(CURL_GLOBAL_DEFAULT, __wrap_malloc, free, __wrap_realloc, fail_strdup,
                       __wrap_calloc);
}

void *fail_alloc_for_lua(void *ud, void *block, size_t osize, size_t nsize) {
  (void)ud;
  (void)osize;
  if (nsize == 0) {
    free(block);
    return NULL;
  }
  /* Lua requires that shrinking never fails */
  if (block && nsize <= osize)
    return __real_realloc(block, nsize);
  return __wrap_realloc(block, nsize);
}
