/* Allocators that fail on demand. With the linker option
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=mmap,--wrap=mremap our own code uses them;
 * fail_alloc_for_curl() makes libcurl use them too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Makes the n-th allocation from now fail, and only that one; 0: none. */
void fail_alloc_at(long n);

/* Whether the allocation that should fail was reached. */
bool fail_alloc_reached(void);

/* Returns how many allocations are left until the one that fails. */
long fail_alloc_left(void);

/* Makes libcurl use these allocators. Call it before any other function of libcurl. */
void fail_alloc_for_curl(void);

/* For Lua states: a lua_Alloc. */
void *fail_alloc_for_lua(void *ud, void *block, size_t osize, size_t nsize);
