/* One SQLite database in a private file, opened safely: journal_mode WAL, foreign keys, no attached
 * files. Knows no Lua.
 *
 * All statements run between database_begin() and database_end(). A failure in between stays: the
 * transaction cannot be committed any more. */
#pragma once

#include "sqlite_failure.h"

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#pragma GCC visibility push(hidden)

#define DATABASE_VALUE_MAX (16 * 1024 * 1024) /* bytes of a value, and of a row */
#define DATABASE_SQL_MAX (1024 * 1024)
#define DATABASE_PATIENCE_MAX 600 /* seconds */

enum database_code {
  DATABASE_DONE,
  DATABASE_ABSENT,  /* no such file */
  DATABASE_WAITING, /* another connection holds the lock; the time is not over */
  DATABASE_FAILED,  /* d->failure says why */
  DATABASE_NO_MEMORY
};

enum database_mode { DATABASE_IDLE, DATABASE_READ, DATABASE_WRITE };

struct database {
  sqlite3 *db;            /* NULL: closed */
  sqlite3_stmt *rollback; /* NULL: not yet open */
  enum database_mode mode;
  enum database_code failed; /* DATABASE_DONE, or the first failure of the transaction */
  struct database_failure failure;
  double patience; /* seconds to wait for a lock of another connection */
  double until;    /* the monotonic time at which a wait of SQLite ends */
  double deadline; /* the monotonic time at which database_begin() fails */
  pid_t owner;     /* the process that opened it */
  char path[PATH_MAX + NAME_MAX + 2];
};

struct database_options {
  int32_t application_id; /* the number in the file's header that makes it ours */
  double patience;
  bool create; /* whether a missing file is created */
};

/* A closed database: safe to close. */
void database_init(struct database *d);

/* Opens the file, and makes it if it is missing. Refuses a file that is not private, as file.h has
 * it, one on a network file system, one with another application_id, and one that is no database.
 * An empty file gets the application_id. DATABASE_FAILED and the others leave d closed. */
enum database_code database_open(struct database *d, struct file_place place,
                                 const struct database_options *options);

/* Closes it, and moves what the write-ahead log has into the file unless others use it. The caller
 * has finalized all statements. In a forked child it only forgets the connection: closing would
 * disturb the parent's. May be called twice. */
void database_close(struct database *d);

/* Whether this process opened it. */
bool database_is_own(const struct database *d);

/* Starts to wait for a transaction. Then database_begin() is called until it does not return
 * DATABASE_WAITING: it waits for a quarter of a second at most, so that the caller can look at
 * signals. */
void database_patience(struct database *d);
enum database_code database_begin(struct database *d, enum database_mode mode);

/* Ends the transaction. Rolls it back unless commit is true and nothing has failed. The caller has
 * reset all statements. Returns d->failed, or the failure of the commit. */
enum database_code database_end(struct database *d, bool commit);

/* Makes a failure of a result code of SQLite, with its extended code and message, and remembers the
 * first one of a transaction. Returns DATABASE_FAILED or DATABASE_NO_MEMORY. */
enum database_code database_fail(struct database *d, int code);

/* Verifies all pages of the file. */
enum database_code database_check(struct database *d);

/* Moves all of the write-ahead log into the file and empties the log, so that the log has no text
 * that was erased. Waits for other connections. */
enum database_code database_checkpoint(struct database *d);

/* Writes a copy to a new file, which appears when it is complete. */
enum database_code database_backup(struct database *d, struct file_place place);

#pragma GCC visibility pop
