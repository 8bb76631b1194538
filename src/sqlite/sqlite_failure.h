/* What a failure of SQLite means. Knows no Lua. */
#pragma once

#include "../file.h"

#include <stdbool.h>

#include <sqlite3.h>

#pragma GCC visibility push(hidden)

/* The kind is a word that callers compare:
 *   busy        another connection holds the lock
 *   full        no space, a quota or a limit
 *   readonly    this user may not write the file or its directory
 *   corrupt     the file is damaged
 *   foreign     another program's database, or no database
 *   remote      the file system does not suit
 *   constraint  the schema refuses a row
 *   range       a value does not fit into a number of this Lua
 *   io          any other failure of the system
 *   file        the file or its directory is refused, see file.h
 * The message is for people, see file.h; in the remedy, "{history}" stands for the setting that
 * names the file. The remedy may be empty. The message never has a value that was bound. */
struct database_failure {
  const char *kind;
  struct file_message message;
};

/* Describes the last failure of db, which had this result code. path: of the database. */
void sqlite_failure_set(struct database_failure *f, const char *path, sqlite3 *db, int code);

/* Sets a kind, "PATH TEXT" and a remedy. */
void sqlite_failure_say(struct database_failure *f, const char *kind, const char *path,
                        const char *text, const char *remedy);

/* Whether a result code says that the caller's SQL is wrong, not that the database failed. */
bool sqlite_failure_is_mistake(int code);

/* Whether a result code means that there was not enough memory. */
bool sqlite_failure_is_memory(int code);

#pragma GCC visibility pop
