/* Allocators that fail on demand. Link with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc: then the calls of our own
 * objects come here, and curl_global_init_mem() sends libcurl's here as well. */
#ifndef FAIL_ALLOC_H
#define FAIL_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Lets the n-th allocation from now fail, and only that; 0: none. */
void fail_alloc_at(long n);

/* Whether the allocation that was to fail has been reached. */
bool fail_alloc_reached(void);

/* How many allocations there are still to be until the one that fails. */
long fail_alloc_left(void);

/* Makes libcurl use these allocators; before any other use of libcurl. */
void fail_alloc_for_curl(void);

/* For Lua states: a lua_Alloc. */
void *fail_alloc_for_lua(void *ud, void *block, size_t osize, size_t nsize);

#endif
