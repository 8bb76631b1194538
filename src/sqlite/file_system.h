/* Tells file systems on which SQLite's WAL is not safe. Knows neither SQLite nor Lua. */
#pragma once

#pragma GCC visibility push(hidden)

/* Returns the name of the path's file system if other machines may use the same file, or if its
 * locks and shared memory cannot be relied on; otherwise NULL. */
const char *file_system_unsafe(const char *path);

#pragma GCC visibility pop
