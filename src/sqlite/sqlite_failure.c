#include "sqlite_failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PRIMARY 0xff /* the bits of an extended result code that are the primary one */
#define MOVE_AWAY "Move it away, or set {history} to another file"
#define MAY_WRITE                                                                                  \
  "Give this user the right to write to the file and its directory, or set {history} to a path "   \
  "where it has that right"
#define TRY_LATER "Try again when the other process has ended"

void sqlite_failure_say(struct database_failure *f, const char *kind, const char *path,
                        const char *text, const char *remedy) {
  f->kind = kind;
  snprintf(f->message.text, sizeof f->message.text, "%s %s", path, text);
  snprintf(f->message.remedy, sizeof f->message.remedy, "%s", remedy);
}

bool sqlite_failure_is_mistake(int code) {
  switch (code & PRIMARY) {
  case SQLITE_ERROR:
  case SQLITE_LOCKED: /* by another statement of this connection */
  case SQLITE_TOOBIG:
  case SQLITE_MISUSE:
  case SQLITE_RANGE:
  case SQLITE_AUTH:
    return true;
  default:
    return false;
  }
}

bool sqlite_failure_is_memory(int code) {
  return code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM;
}

/* Returns the errno of the last failure. For some failures of a commit SQLite knows it only as that
 * of a file: the write-ahead log, or the database. */
static int system_error(sqlite3 *db) {
  static const int pointers[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
  int error = sqlite3_system_errno(db);
  for (size_t i = 0; error == 0 && i < sizeof pointers / sizeof *pointers; i++) {
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(db, "main", pointers[i], &file) == SQLITE_OK && file && file->pMethods)
      file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
  }
  return error;
}

/* Says what an errno means for a database that could not be read, written or opened. */
static void say_errno(struct database_failure *f, const char *path, int error) {
  char text[128];
  snprintf(text, sizeof text, "could not be %s: %s", error == ENOENT ? "opened" : "used",
           error ? strerror(error) : "the system does not say why");
  switch (error) {
  case ENOSPC:
    sqlite_failure_say(f, "full", path, text, "Free space on that disk");
    break;
  case EDQUOT:
    sqlite_failure_say(f, "full", path, text, "Free space there, or raise the quota");
    break;
  case EFBIG:
    sqlite_failure_say(f, "full", path, text, "Raise the limit on file sizes (ulimit -f)");
    break;
  case EACCES:
  case EPERM:
  case EROFS:
    sqlite_failure_say(f, "readonly", path, text, MAY_WRITE);
    break;
  default:
    sqlite_failure_say(f, "io", path, text, "Check that path and its disk");
  }
}

void sqlite_failure_set(struct database_failure *f, const char *path, sqlite3 *db, int code) {
  char text[256];
  switch (code & PRIMARY) {
  case SQLITE_BUSY:
  case SQLITE_PROTOCOL:
  case SQLITE_SCHEMA:
    sqlite_failure_say(f, "busy", path, "is locked by another process", TRY_LATER);
    break;
  case SQLITE_FULL:
    sqlite_failure_say(f, "full", path, "has no space to grow", "Free space on that disk");
    break;
  case SQLITE_CORRUPT:
    sqlite_failure_say(f, "corrupt", path, "is damaged",
                       "Restore a backup, or move it away to begin a new one");
    break;
  case SQLITE_NOTADB:
    sqlite_failure_say(f, "foreign", path, "is not an SQLite database", MOVE_AWAY);
    break;
  case SQLITE_CONSTRAINT:
  case SQLITE_MISMATCH:
    snprintf(text, sizeof text, "refuses a row: %s", sqlite3_errmsg(db));
    sqlite_failure_say(f, "constraint", path, text, "");
    break;
  case SQLITE_READONLY:
    if (code == SQLITE_READONLY_DBMOVED)
      sqlite_failure_say(f, "io", path, "was moved or removed while it was in use", "Try again");
    else
      sqlite_failure_say(f, "readonly", path, "cannot be written by this user", MAY_WRITE);
    break;
  case SQLITE_RANGE:
    sqlite_failure_say(f, "range", path, "has an integer that is too large for this Lua",
                       "Use Lua 5.3 or later");
    break;
  default:
    say_errno(f, path, system_error(db));
  }
}
