#include "database.h"

#include "file_system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SLICE 0.25 /* seconds of one wait in database_begin() */
#define PATH_SIZE sizeof(((struct database *)0)->path)
#define LONGEST_AFFIX (sizeof "-journal" - 1)

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Sleeps longer and longer while a lock is held. Returns 0 when the time is over. */
static int on_busy(void *data, int count) {
  static const int milliseconds[] = {1, 2, 5, 10, 15, 20, 25, 50};
  const int last = (int)(sizeof milliseconds / sizeof *milliseconds) - 1;
  const struct database *d = data;
  if (now() >= d->until)
    return 0;
  sqlite3_sleep(milliseconds[count < last ? count : last]);
  return 1;
}

void database_init(struct database *d) {
  memset(d, 0, sizeof *d);
}

bool database_is_own(const struct database *d) {
  return d->owner == getpid();
}

static enum database_code remember(struct database *d, enum database_code code) {
  if (d->mode != DATABASE_IDLE && d->failed == DATABASE_DONE)
    d->failed = code;
  return code;
}

/* Keeps the first failure of a transaction: it caused the others. */
static enum database_code say(struct database *d, const char *kind, const char *text,
                              const char *remedy) {
  if (d->failed == DATABASE_DONE)
    sqlite_failure_say(&d->failure, kind, d->path, text, remedy);
  return remember(d, DATABASE_FAILED);
}

enum database_code database_fail(struct database *d, int code) {
  if (sqlite_failure_is_memory(code))
    return remember(d, DATABASE_NO_MEMORY);
  if (d->failed == DATABASE_DONE)
    sqlite_failure_set(&d->failure, d->path, d->db, code);
  return remember(d, DATABASE_FAILED);
}

static enum database_code result(struct database *d, int code) {
  return code == SQLITE_OK ? DATABASE_DONE : database_fail(d, code);
}

/* In a remedy of file.h, "{store}" is the directory of tokens. */
static void name_setting(char *remedy, size_t size) {
  char *at = strstr(remedy, "{store}");
  if (!at)
    return;
  char rest[sizeof((struct file_message *)0)->remedy];
  snprintf(rest, sizeof rest, "%s", at + strlen("{store}"));
  snprintf(at, size - (size_t)(at - remedy), "{history}%s", rest);
}

static enum database_code file_result(struct database *d, enum file_code code) {
  switch (code) {
  case FILE_DONE:
    return DATABASE_DONE;
  case FILE_ABSENT:
    return DATABASE_ABSENT;
  case FILE_NO_MEMORY:
    return DATABASE_NO_MEMORY;
  default:
    d->failure.kind = "file";
    name_setting(d->failure.message.remedy, sizeof d->failure.message.remedy);
    return DATABASE_FAILED;
  }
}

static enum database_code execute(struct database *d, const char *sql) {
  return result(d, sqlite3_exec(d->db, sql, NULL, NULL, NULL));
}

/* Runs a statement and writes its first value, as text, to value; "" if there is no row. */
static enum database_code ask(struct database *d, const char *sql, char *value, size_t size) {
  sqlite3_stmt *stmt = NULL;
  value[0] = '\0';
  int code = sqlite3_prepare_v2(d->db, sql, -1, &stmt, NULL);
  if (code == SQLITE_OK)
    code = sqlite3_step(stmt);
  if (code == SQLITE_ROW) {
    const unsigned char *text = sqlite3_column_text(stmt, 0);
    code = text ? SQLITE_DONE : SQLITE_NOMEM;
    snprintf(value, size, "%s", text ? (const char *)text : "");
  }
  const enum database_code done = code == SQLITE_DONE ? DATABASE_DONE : database_fail(d, code);
  sqlite3_finalize(stmt);
  return done;
}

static enum database_code ask_number(struct database *d, const char *sql, int64_t *number) {
  char value[32];
  const enum database_code code = ask(d, sql, value, sizeof value);
  *number = strtoll(value, NULL, 10);
  return code;
}

/* Writes the real path of a file of a directory: SQLite refuses a link anywhere in a path, but
 * links above the directory are allowed, and a relative path that begins with "file:" is a URI for
 * SQLite. shown: the path in messages. */
static enum database_code resolve(struct database *d, const char *directory, const char *name,
                                  const char *shown, char path[PATH_SIZE]) {
  char real[PATH_MAX];
  const char *problem = NULL;
  const sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
  if (!realpath(directory, real))
    problem = "could not be opened: its directory has no path";
  else if (snprintf(path, PATH_SIZE, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name) +
               (int)LONGEST_AFFIX >
           vfs->mxPathname)
    problem = "has a path that is too long for SQLite";
  if (!problem)
    return DATABASE_DONE;
  sqlite_failure_say(&d->failure, "file", shown, problem, "Set {history} to a shorter path");
  return DATABASE_FAILED;
}

/* Finds or makes the file, and checks where it is. */
static enum database_code find_file(struct database *d, struct file_place place, bool create) {
  struct file_message *message = &d->failure.message;
  enum database_code code =
      file_result(d, create ? file_make(place, message) : file_check(place, message));
  const char *unsafe = code == DATABASE_DONE ? file_system_unsafe(place.directory) : NULL;
  if (!unsafe)
    return code;
  char text[128];
  snprintf(text, sizeof text, "is on a file system (%s) on which SQLite can lose data", unsafe);
  return say(d, "remote", text, "Set {history} to a file on a local disk");
}

/* Settings of the connection that do not touch the file. */
static enum database_code configure(struct database *d) {
  static const struct {
    int option;
    int value;
  } options[] = {
      {SQLITE_DBCONFIG_DEFENSIVE, 1},
      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
      {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
      {SQLITE_DBCONFIG_DQS_DML, 0}, /* "text" is a name: a mistyped one is an error, not a text */
      {SQLITE_DBCONFIG_DQS_DDL, 0},
      {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1}, /* until the database is known to be ours */
  };
  int code = SQLITE_OK;
  for (size_t i = 0; code == SQLITE_OK && i < sizeof options / sizeof *options; i++)
    code = sqlite3_db_config(d->db, options[i].option, options[i].value, NULL);
  sqlite3_limit(d->db, SQLITE_LIMIT_LENGTH, DATABASE_VALUE_MAX);
  sqlite3_limit(d->db, SQLITE_LIMIT_SQL_LENGTH, DATABASE_SQL_MAX);
  sqlite3_limit(d->db, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(d->db, SQLITE_LIMIT_WORKER_THREADS, 0);
  if (code == SQLITE_OK)
    code = sqlite3_busy_handler(d->db, on_busy, d);
  /* temp_store: no rows in files elsewhere. mmap_size: an error of the disk is an error, no signal.
   */
  return code == SQLITE_OK ? execute(d, "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; "
                                        "PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON")
                           : database_fail(d, code);
}

/* Refuses another program's database before anything is written. *empty: a new file. */
static enum database_code check_identity(struct database *d, int32_t id, bool *empty) {
  int64_t found = 0;
  int64_t objects = 0;
  /* in this order: another process that makes the database sets the id before it makes tables */
  enum database_code code = ask_number(d, "SELECT count(*) FROM sqlite_schema", &objects);
  if (code == DATABASE_DONE)
    code = ask_number(d, "PRAGMA application_id", &found);
  *empty = found == 0 && objects == 0;
  if (code == DATABASE_DONE && found != id && !*empty)
    return say(d, "foreign", "is a database of another program",
               "Move it away, or set {history} to another file");
  return code;
}

/* Makes the journal a write-ahead log. SQLite does not always call the busy handler here. */
static enum database_code use_wal(struct database *d) {
  char mode[16];
  enum database_code code;
  do
    code = ask(d, "PRAGMA journal_mode = WAL", mode, sizeof mode);
  while (code == DATABASE_FAILED && strcmp(d->failure.kind, "busy") == 0 && on_busy(d, 5));
  if (code == DATABASE_DONE && strcmp(mode, "wal") != 0)
    return say(d, "remote", "is on a file system that cannot share memory, which SQLite needs",
               "Set {history} to a file on a local disk");
  return code;
}

/* FULL syncs the log at each commit: what was shown to the user must not become new again after a
 * power failure. NORMAL would be enough for a killed process. */
static enum database_code prepare_file(struct database *d, int32_t id) {
  bool empty = false;
  char sql[64];
  snprintf(sql, sizeof sql, "PRAGMA application_id = %ld", (long)id);
  enum database_code code = check_identity(d, id, &empty);
  if (code == DATABASE_DONE)
    code = use_wal(d);
  if (code == DATABASE_DONE)
    code = execute(d, "PRAGMA synchronous = FULL");
  if (code == DATABASE_DONE && empty)
    code = execute(d, sql);
  if (code != DATABASE_DONE)
    return code;
  sqlite3_db_config(d->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
  return result(d, sqlite3_prepare_v2(d->db, "ROLLBACK", -1, &d->rollback, NULL));
}

enum database_code database_open(struct database *d, struct file_place place,
                                 const struct database_options *options) {
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX |
                    SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  char path[PATH_SIZE];
  database_init(d);
  d->owner = getpid();
  d->patience = options->patience;
  d->until = now() + d->patience;
  snprintf(d->path, sizeof d->path, "%s/%s", place.directory, place.name);
  enum database_code code = find_file(d, place, options->create);
  if (code == DATABASE_DONE)
    code = resolve(d, place.directory, place.name, d->path, path);
  if (code == DATABASE_DONE)
    code = result(d, sqlite3_open_v2(path, &d->db, flags, NULL));
  if (code == DATABASE_DONE && sqlite3_db_readonly(d->db, "main")) /* SQLite opened it so instead */
    code = database_fail(d, SQLITE_READONLY);
  if (code == DATABASE_DONE)
    code = configure(d);
  if (code == DATABASE_DONE)
    code = prepare_file(d, options->application_id);
  if (code != DATABASE_DONE)
    database_close(d);
  return code;
}

/* With other connections open, closing alone would leave erased text in the log. What cannot be
 * moved now stays there. */
static void checkpoint_now(struct database *d) {
  d->until = 0;
  sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

void database_close(struct database *d) {
  if (d->db && database_is_own(d)) {
    if (d->rollback) /* opened completely */
      checkpoint_now(d);
    sqlite3_finalize(d->rollback);
    sqlite3_close_v2(d->db);
  }
  d->db = NULL;
  d->rollback = NULL;
}

void database_patience(struct database *d) {
  d->failed = DATABASE_DONE;
  d->deadline = now() + d->patience;
}

static double earlier(double a, double b) {
  return a < b ? a : b;
}

/* With a write-ahead log SQLite does not see that its file was removed, and what it then writes is
 * lost. */
static enum database_code check_place(struct database *d) {
  int moved = 0;
  if (sqlite3_file_control(d->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved)
    return database_fail(d, SQLITE_READONLY_DBMOVED);
  return DATABASE_DONE;
}

enum database_code database_begin(struct database *d, enum database_mode mode) {
  d->until = earlier(now() + SLICE, d->deadline);
  const int code =
      sqlite3_exec(d->db, mode == DATABASE_WRITE ? "BEGIN IMMEDIATE" : "BEGIN", NULL, NULL, NULL);
  if ((code & 0xff) == SQLITE_BUSY && now() < d->deadline)
    return DATABASE_WAITING;
  if (code != SQLITE_OK)
    return database_fail(d, code);
  d->mode = mode;
  d->until = now() + d->patience;
  return check_place(d) == DATABASE_DONE ? DATABASE_DONE : database_end(d, false);
}

enum database_code database_end(struct database *d, bool commit) {
  enum database_code code = d->failed;
  if (code == DATABASE_DONE && commit)
    code = execute(d, "COMMIT");
  if (!sqlite3_get_autocommit(d->db)) { /* some failures have rolled back already */
    sqlite3_step(d->rollback);          /* prepared: it works without memory */
    sqlite3_reset(d->rollback);
  }
  d->mode = DATABASE_IDLE;
  d->failed = DATABASE_DONE;
  return code;
}

enum database_code database_check(struct database *d) {
  char found[160]; /* lines */
  char text[sizeof found + 16];
  d->until = now() + d->patience;
  const enum database_code code = ask(d, "PRAGMA quick_check(1)", found, sizeof found);
  if (code != DATABASE_DONE || strcmp(found, "ok") == 0)
    return code;
  for (char *end = strchr(found, '\n'); end; end = strchr(end, '\n'))
    *end = ' ';
  snprintf(text, sizeof text, "is damaged: %s", found);
  return say(d, "corrupt", text, "Restore a backup, or move it away to begin a new one");
}

enum database_code database_checkpoint(struct database *d) {
  d->until = now() + d->patience;
  return result(d, sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
}

/* VACUUM INTO copies a consistent state while others write, without what was erased. It attaches
 * the new file, which the limit forbids otherwise. */
static int copy_to(struct database *d, const char *path) {
  sqlite3_stmt *stmt = NULL;
  sqlite3_limit(d->db, SQLITE_LIMIT_ATTACHED, 1);
  int code = sqlite3_prepare_v2(d->db, "VACUUM INTO ?", -1, &stmt, NULL);
  if (code == SQLITE_OK)
    code = sqlite3_bind_text(stmt, 1, path, -1, SQLITE_TRANSIENT);
  if (code == SQLITE_OK)
    code = sqlite3_step(stmt);
  sqlite3_finalize(stmt);
  sqlite3_limit(d->db, SQLITE_LIMIT_ATTACHED, 0);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Says which of the two files failed. */
static enum database_code fail_backup(struct database *d, const char *target, int code) {
  struct database_failure *f = &d->failure;
  if (sqlite_failure_is_memory(code))
    return DATABASE_NO_MEMORY;
  sqlite_failure_set(f, target, d->db, code);
  if (strcmp(f->kind, "corrupt") == 0 || strcmp(f->kind, "busy") == 0)
    sqlite_failure_set(f, d->path, d->db, code);
  return DATABASE_FAILED;
}

static enum database_code make_copy(struct database *d, struct file_place place) {
  struct file_message *message = &d->failure.message;
  char name[NAME_MAX + 1];
  char path[PATH_SIZE];
  char target[PATH_SIZE];
  file_name_new(place, name);
  snprintf(target, sizeof target, "%s/%s", place.directory, place.name);
  d->until = now() + d->patience;
  enum database_code code = file_result(d, file_begin(place, message));
  if (code != DATABASE_DONE)
    return code;
  code = resolve(d, place.directory, name, target, path);
  if (code == DATABASE_DONE) {
    const int copied = copy_to(d, path);
    code = copied == SQLITE_OK ? DATABASE_DONE : fail_backup(d, target, copied);
  }
  if (code == DATABASE_DONE)
    code = file_result(d, file_publish(place, message));
  if (code != DATABASE_DONE)
    file_abandon(place);
  return code;
}

/* A remedy with a setting is one for the database, not for its copy. */
enum database_code database_backup(struct database *d, struct file_place place) {
  const enum database_code code = make_copy(d, place);
  char *remedy = d->failure.message.remedy;
  if (code == DATABASE_FAILED && strstr(remedy, "{history}"))
    snprintf(remedy, sizeof d->failure.message.remedy, "Choose another path for the copy");
  return code;
}
