/* Tells file systems on which SQLite's WAL is not safe. Knows neither SQLite nor Lua. */
#pragma once

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* Returns the name of the path's file system if other machines may use the same file, or if its
 * locks and shared memory cannot be relied on; otherwise NULL. */
const char *file_system_unsafe(const char *path);

/* The same for the type that macOS and the BSDs give a file system, such as "nfs", and whether they
 * call it local. */
const char *file_system_unsafe_type(const char *type, bool is_local);

#pragma GCC visibility pop
