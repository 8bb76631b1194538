/* luaopen_pcapi_sqlite: the Lua binding of database.h. A separate module, so that only programs
 * that have a history load SQLite. What its callers need, no general binding: statements run only
 * in the function that is given to transaction() or read(), and are compiled once per connection.
 *
 * A failure of the database raises an error there, which ends the function; transaction() and
 * read() roll back and return nil, message, kind, remedy. SQLite ends a transaction by itself after
 * some failures, so no statement may run after one. */
#include "../binding.h"
#include "database.h"
#include "values.h"

#include <string.h>

#define LCONNECTION "pcapi.sqlite"
#define LSTATEMENT "pcapi.sqlite.statement"
#define OLDEST 3037000 /* STRICT tables */
#define ENDED "a statement has ended the transaction"
#define CACHE_MAX 256         /* statements; a history has far fewer */
#define PIECE ((size_t)65536) /* bytes of CSV after which a text ends with its line */

/* Of the names that SQLite makes of a file's name. */
#define LONGEST_AFFIX (sizeof "-journal" - 1)

struct lconnection;

/* A compiled statement: a userdata in a table of the connection, and in its list. Lua may collect
 * either first, so each forgets the other. */
struct lstatement {
  sqlite3_stmt *stmt;        /* NULL: finalized */
  struct lconnection *owner; /* NULL: in no list */
  struct lstatement *previous, *next;
  int execution; /* counts, so that an iterator knows its own */
  bool in_use;   /* by an iterator */
};

/* Its user value is the table: text to lstatement. */
struct lconnection {
  struct database d;
  struct lstatement *first;
  int cached;
};

static void unlink_statement(struct lstatement *s) {
  if (!s->owner)
    return;
  if (s->previous)
    s->previous->next = s->next;
  else
    s->owner->first = s->next;
  if (s->next)
    s->next->previous = s->previous;
  s->owner = NULL;
}

static void finalize(struct lstatement *s) {
  if (s->owner && database_is_own(&s->owner->d))
    sqlite3_finalize(s->stmt);
  s->stmt = NULL;
  unlink_statement(s);
}

static int lstatement_gc(lua_State *L) {
  finalize(luaL_checkudata(L, 1, LSTATEMENT));
  return 0;
}

/* Returns the connection at index 1; raises an error if it is closed. */
static struct lconnection *check_open(lua_State *L) {
  struct lconnection *c = luaL_checkudata(L, 1, LCONNECTION);
  luaL_argcheck(L, c->d.db, 1, "connection is closed");
  return c;
}

/* Returns the connection at index 1; raises an error if it is in a transaction. */
static struct lconnection *check_idle(lua_State *L) {
  struct lconnection *c = check_open(L);
  if (c->d.mode != DATABASE_IDLE)
    luaL_error(L, "not possible in a transaction");
  if (!database_is_own(&c->d))
    luaL_error(L, "the connection belongs to the process that opened it");
  return c;
}

/* Raises the failure that ends a transaction; does not return. */
static int raise_failure(lua_State *L, struct lconnection *c) {
  if (c->d.failed == DATABASE_NO_MEMORY)
    return binding_no_memory(L);
  return luaL_error(L, "%s", c->d.failure.message.text);
}

/* Raises an error unless a statement can run. */
static void check_running(lua_State *L, struct lconnection *c) {
  if (c->d.mode == DATABASE_IDLE)
    luaL_error(L, "statements run in the function of transaction() or read()");
  if (c->d.failed != DATABASE_DONE)
    raise_failure(L, c);
  if (sqlite3_get_autocommit(c->d.db))
    luaL_error(L, ENDED);
}

/* Raises the error for a result code: the caller's mistake, or a failure. Does not return. */
static int raise_code(lua_State *L, struct lconnection *c, int code) {
  if (sqlite_failure_is_mistake(code))
    return luaL_error(L, "%s", sqlite3_errmsg(c->d.db));
  database_fail(&c->d, code);
  return raise_failure(L, c);
}

/* Returns nil, message, kind and, if there is one, the remedy. Clears the stack. */
static int return_failure(lua_State *L, struct lconnection *c, enum database_code code) {
  lua_settop(L, 1);
  if (code == DATABASE_NO_MEMORY)
    return binding_no_memory(L);
  if (code == DATABASE_ABSENT)
    return binding_fail(L, lua_pushfstring(L, "%s does not exist", c->d.path), "absent");
  binding_fail(L, c->d.failure.message.text, c->d.failure.kind);
  if (!c->d.failure.message.remedy[0])
    return 3;
  lua_pushstring(L, c->d.failure.message.remedy);
  return 4;
}

/* Returns true, or what return_failure() returns. */
static int return_result(lua_State *L, struct lconnection *c, enum database_code code) {
  if (code != DATABASE_DONE)
    return return_failure(L, c, code);
  lua_pushboolean(L, 1);
  return 1;
}

/* Splits the path at an index. directory: holds PATH_MAX bytes. */
static struct file_place check_place(lua_State *L, int index, char *directory) {
  size_t len;
  const char *path = luaL_checklstring(L, index, &len);
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  const size_t name_at = (size_t)(name - path);
  const bool valid = name_at < PATH_MAX && len - name_at <= NAME_MAX - LONGEST_AFFIX &&
                     file_is_name(name, len - name_at);
  luaL_argcheck(L, valid, index, "must be the path of a file");
  memcpy(directory, path, name_at);
  if (name_at > 1)
    directory[name_at - 1] = '\0';
  else
    memcpy(directory, slash ? "/" : ".", 2);
  return (struct file_place){.directory = directory, .name = name};
}

/* Returns a number of the options at index 2, within bounds. */
static lua_Number check_number(lua_State *L, const char *name, lua_Number least, lua_Number most) {
  lua_getfield(L, 2, name);
  const lua_Number n = lua_tonumber(L, -1);
  if (lua_type(L, -1) != LUA_TNUMBER || !(n >= least && n <= most))
    luaL_error(L, "option %s is missing or out of range", name);
  lua_pop(L, 1);
  return n;
}

/* open(path, options) -> connection, or nil, message, kind, remedy. Options:
 *   application_id  the number that the header of our files has, 1 to 2^31 - 1
 *   busy_timeout    seconds to wait for another connection, at most 600
 *   create          whether a missing file is made (kind "absent") */
static int lsqlite_open(lua_State *L) {
  char directory[PATH_MAX];
  const struct file_place place = check_place(L, 1, directory);
  luaL_checktype(L, 2, LUA_TTABLE);
  struct database_options options;
  options.application_id = (int32_t)check_number(L, "application_id", 1, INT32_MAX);
  options.patience = (double)check_number(L, "busy_timeout", 0, DATABASE_PATIENCE_MAX);
  lua_getfield(L, 2, "create");
  options.create = lua_toboolean(L, -1) != 0;
  struct lconnection *c = lua_newuserdata(L, sizeof *c);
  database_init(&c->d); /* closed first: __gc is safe after an error from here on */
  c->first = NULL;
  c->cached = 0;
  luaL_setmetatable(L, LCONNECTION);
  lua_newtable(L);
  lua_setuservalue(L, -2);
  const enum database_code code = database_open(&c->d, place, &options);
  return code == DATABASE_DONE ? 1 : return_failure(L, c, code);
}

/* Whether a text has nothing but blanks and comments. */
static int is_blank(struct lconnection *c, const char *text, bool *blank) {
  sqlite3_stmt *stmt = NULL;
  const int code = sqlite3_prepare_v2(c->d.db, text, -1, &stmt, NULL);
  *blank = code == SQLITE_OK && !stmt;
  sqlite3_finalize(stmt);
  return sqlite_failure_is_mistake(code) ? SQLITE_OK : code;
}

/* Compiles the text at index 2. Raises an error unless it is one statement. */
static void compile(lua_State *L, struct lconnection *c, struct lstatement *s) {
  size_t len;
  bool blank = true;
  const char *rest = NULL;
  const char *sql = luaL_checklstring(L, 2, &len);
  luaL_argcheck(L, strlen(sql) == len, 2, "must not have zero bytes");
  int code = sqlite3_prepare_v3(c->d.db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, &rest);
  if (code == SQLITE_OK && *rest)
    code = is_blank(c, rest, &blank);
  if (code != SQLITE_OK)
    raise_code(L, c, code);
  luaL_argcheck(L, s->stmt && blank, 2, "must be one statement");
  if (c->d.mode == DATABASE_READ && !sqlite3_stmt_readonly(s->stmt))
    luaL_error(L, "read() takes statements that only read");
}

/* Pushes a new statement of the text at index 2. */
static struct lstatement *push_statement(lua_State *L, struct lconnection *c) {
  struct lstatement *s = lua_newuserdata(L, sizeof *s);
  memset(s, 0, sizeof *s);
  luaL_setmetatable(L, LSTATEMENT);
  s->owner = c;
  s->next = c->first;
  if (c->first)
    c->first->previous = s;
  c->first = s;
  compile(L, c, s);
  return s;
}

/* Pushes the table of statements. */
static void push_cache(lua_State *L, struct lconnection *c) {
  if (c->cached++ == CACHE_MAX) { /* texts that differ each time: begin anew */
    lua_newtable(L);
    lua_setuservalue(L, 1);
    c->cached = 1;
  }
  lua_getuservalue(L, 1);
}

/* Pushes the statement of the text at index 2, compiled before or now. A statement that an iterator
 * uses stays with it. */
static struct lstatement *find_statement(lua_State *L, struct lconnection *c) {
  luaL_checktype(L, 2, LUA_TSTRING);
  lua_getuservalue(L, 1);
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  struct lstatement *s = lua_touserdata(L, -1);
  if (s && !s->in_use && (c->d.mode == DATABASE_WRITE || sqlite3_stmt_readonly(s->stmt))) {
    lua_remove(L, -2);
    return s;
  }
  lua_pop(L, 2);
  s = push_statement(L, c);
  push_cache(L, c);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -3);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return s;
}

/* Ends an execution. A failure of the statement was reported before. */
static void finish(struct lstatement *s) {
  s->in_use = false;
  if (!s->stmt) /* could not be compiled */
    return;
  sqlite3_reset(s->stmt);
  sqlite3_clear_bindings(s->stmt);
}

/* Binds the arguments from index 3 on to the statement of the text at index 2, and pushes it. */
static struct lstatement *start(lua_State *L, struct lconnection *c) {
  check_running(L, c);
  const int top = lua_gettop(L);
  struct lstatement *s = find_statement(L, c);
  lua_insert(L, 3); /* below the arguments */
  lua_settop(L, top + 1);
  sqlite3_reset(s->stmt); /* an error may have ended its last execution */
  s->execution++;
  const int code = values_bind(L, 4, s->stmt);
  if (code != SQLITE_OK)
    raise_code(L, c, code);
  return s;
}

/* Returns whether there is a row. Raises an error if the statement fails, or ends the transaction.
 */
static bool step(lua_State *L, struct lconnection *c, struct lstatement *s) {
  const int code = sqlite3_step(s->stmt);
  if (code != SQLITE_ROW && code != SQLITE_DONE)
    raise_code(L, c, code);
  if (sqlite3_get_autocommit(c->d.db))
    luaL_error(L, ENDED);
  return code == SQLITE_ROW;
}

/* Pushes the current row. names: the index of their array. */
static void push_row(lua_State *L, struct lconnection *c, struct lstatement *s, int names) {
  const int code = values_push_row(L, names, s->stmt);
  if (code == SQLITE_RANGE) {
    database_fail(&c->d, code);
    raise_failure(L, c);
  }
  if (code != SQLITE_OK)
    raise_code(L, c, code);
}

/* connection:run(sql, ...) -> the number of changed rows */
static int lconnection_run(lua_State *L) {
  struct lconnection *c = check_open(L);
  struct lstatement *s = start(L, c);
  const int before = sqlite3_total_changes(c->d.db);
  if (step(L, c, s))
    return luaL_error(L, "the statement returns rows: use row() or rows()");
  finish(s);
  const bool changed = sqlite3_total_changes(c->d.db) != before;
  lua_pushinteger(L, changed ? sqlite3_changes(c->d.db) : 0);
  return 1;
}

/* connection:row(sql, ...) -> the row, a table from column name to value; nil if there is none.
 * Raises an error if there are more. */
static int lconnection_row(lua_State *L) {
  struct lconnection *c = check_open(L);
  struct lstatement *s = start(L, c);
  if (step(L, c, s)) {
    values_push_names(L, s->stmt);
    push_row(L, c, s, lua_gettop(L));
    if (step(L, c, s))
      return luaL_error(L, "the statement returns more than one row: use rows()");
  } else {
    lua_pushnil(L);
  }
  finish(s);
  return 1;
}

/* Returns the statement of an iterator. Its first upvalues: connection, statement, execution. */
static struct lstatement *check_iterator(lua_State *L) {
  struct lstatement *s = lua_touserdata(L, lua_upvalueindex(2));
  check_running(L, lua_touserdata(L, lua_upvalueindex(1)));
  if (!s->in_use || s->execution != (int)lua_tointeger(L, lua_upvalueindex(3)))
    luaL_error(L, "these rows are over");
  return s;
}

/* The iterator of rows(). Its fourth upvalue: the names of the columns, nil at first. */
static int lrows_next(lua_State *L) {
  struct lconnection *c = lua_touserdata(L, lua_upvalueindex(1));
  struct lstatement *s = check_iterator(L);
  if (!step(L, c, s)) {
    finish(s);
    return 0;
  }
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(4));
  if (lua_isnil(L, 1)) {
    values_push_names(L, s->stmt);
    lua_pushvalue(L, -1);
    lua_replace(L, lua_upvalueindex(4));
    lua_replace(L, 1);
  }
  push_row(L, c, s, 1);
  return 1;
}

/* The iterator of csv(). Its fourth upvalue: true after the last row. */
static int lcsv_next(lua_State *L) {
  if (lua_toboolean(L, lua_upvalueindex(4)))
    return 0;
  struct lconnection *c = lua_touserdata(L, lua_upvalueindex(1));
  struct lstatement *s = check_iterator(L);
  luaL_Buffer b;
  lua_settop(L, 0);
  luaL_buffinit(L, &b);
  size_t len = 0, line;
  bool more = true;
  while (len < PIECE && (more = step(L, c, s))) {
    const int code = values_add_csv(&b, s->stmt, &line);
    if (code != SQLITE_OK)
      raise_code(L, c, code);
    len += line;
  }
  luaL_pushresult(&b);
  if (!more) {
    finish(s);
    lua_pushboolean(L, 1);
    lua_replace(L, lua_upvalueindex(4));
  }
  return len > 0;
}

/* Starts a statement and returns its iterator. */
static int iterate(lua_State *L, lua_CFunction next) {
  struct lconnection *c = check_open(L);
  struct lstatement *s = start(L, c);
  s->in_use = true;
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 3);
  lua_pushinteger(L, s->execution);
  lua_pushnil(L);
  lua_pushcclosure(L, next, 4);
  return 1;
}

/* connection:rows(sql, ...) -> an iterator over the rows, each a table as row() has it */
static int lconnection_rows(lua_State *L) {
  return iterate(L, lrows_next);
}

/* connection:csv(sql, ...) -> an iterator over texts of whole lines of CSV, see values.h */
static int lconnection_csv(lua_State *L) {
  return iterate(L, lcsv_next);
}

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* Calls a function, so that the hook of a signal handler, such as that of Ctrl-C, can run. */
static void look_at_signals(lua_State *L) {
  lua_pushcfunction(L, nothing);
  lua_call(L, 0, 0);
}

/* Whether the function, whose results are at index 2 and above, wants a rollback. */
static bool refuses(lua_State *L) {
  return lua_gettop(L) > 2 && lua_isnil(L, 2) && !lua_isnil(L, 3);
}

/* Calls the function at index 2 in a transaction. C, not Lua: a function that yields would let
 * other tasks run statements in its transaction, but no Lua yields across this call. */
static int transact(lua_State *L, enum database_mode mode) {
  struct lconnection *c = check_idle(L);
  enum database_code code;
  luaL_checktype(L, 2, LUA_TFUNCTION);
  database_patience(&c->d);
  while ((code = database_begin(&c->d, mode)) == DATABASE_WAITING)
    look_at_signals(L);
  if (code != DATABASE_DONE)
    return return_failure(L, c, code);
  lua_pushvalue(L, 1);
  lua_insert(L, 3); /* the function's first argument */
  const int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
  const bool ended = c->d.failed == DATABASE_DONE && sqlite3_get_autocommit(c->d.db);
  for (struct lstatement *s = c->first; s; s = s->next)
    finish(s);
  code = database_end(&c->d, status == 0 && !ended && !refuses(L));
  if (code != DATABASE_DONE)
    return return_failure(L, c, code);
  if (status != 0)
    return lua_error(L);
  if (ended)
    return luaL_error(L, ENDED);
  if (lua_gettop(L) == 1)
    lua_pushboolean(L, 1);
  return lua_gettop(L) - 1;
}

/* connection:transaction(f, ...) -> what f(connection, ...) returns, true if that is nothing; or
 * nil, message, kind, remedy. The changes are kept if f returns anything but nil and an error. */
static int lconnection_transaction(lua_State *L) {
  return transact(L, DATABASE_WRITE);
}

/* connection:read(f, ...): the same, for statements that only read: they see one state of the
 * database, while others write. */
static int lconnection_read(lua_State *L) {
  return transact(L, DATABASE_READ);
}

/* connection:check() -> true, or nil, message, kind, remedy: of kind "corrupt" if the file is
 * damaged */
static int lconnection_check(lua_State *L) {
  struct lconnection *c = check_idle(L);
  return return_result(L, c, database_check(&c->d));
}

/* connection:checkpoint() -> true, or nil, message, kind, remedy. Afterwards no file has what was
 * erased. */
static int lconnection_checkpoint(lua_State *L) {
  struct lconnection *c = check_idle(L);
  return return_result(L, c, database_checkpoint(&c->d));
}

/* connection:backup(path) -> true, or nil, message, kind, remedy. Never replaces a file. */
static int lconnection_backup(lua_State *L) {
  char directory[PATH_MAX];
  struct lconnection *c = check_idle(L);
  return return_result(L, c, database_backup(&c->d, check_place(L, 2, directory)));
}

/* __gc: in any order with those of statements. */
static int lconnection_gc(lua_State *L) {
  struct lconnection *c = luaL_checkudata(L, 1, LCONNECTION);
  while (c->first)
    finalize(c->first);
  database_close(&c->d);
  return 0;
}

/* close and __close: any number of times. */
static int lconnection_close(lua_State *L) {
  const struct lconnection *c = luaL_checkudata(L, 1, LCONNECTION);
  if (c->d.mode != DATABASE_IDLE)
    return luaL_error(L, "not possible in a transaction");
  return lconnection_gc(L);
}

static int lconnection_tostring(lua_State *L) {
  const struct lconnection *c = luaL_checkudata(L, 1, LCONNECTION);
  lua_pushfstring(L, "%s (%s)", LCONNECTION, c->d.db ? c->d.path : "closed");
  return 1;
}

static void open_classes(lua_State *L) {
  static const luaL_Reg of_statements[] = {{"__gc", lstatement_gc}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"transaction", lconnection_transaction},
      {"read", lconnection_read},
      {"run", lconnection_run},
      {"row", lconnection_row},
      {"rows", lconnection_rows},
      {"csv", lconnection_csv},
      {"check", lconnection_check},
      {"checkpoint", lconnection_checkpoint},
      {"backup", lconnection_backup},
      {"close", lconnection_close},
      {NULL, NULL},
  };
  static const luaL_Reg metamethods[] = {
      {"__gc", lconnection_gc},
      {"__close", lconnection_close},
      {"__tostring", lconnection_tostring},
      {NULL, NULL},
  };
  binding_class(L, LSTATEMENT, NULL, of_statements);
  binding_class(L, LCONNECTION, methods, metamethods);
}

EXPORT int luaopen_pcapi_sqlite(lua_State *L);

EXPORT int luaopen_pcapi_sqlite(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"open", lsqlite_open},
      {"blob", values_blob},
      {NULL, NULL},
  };
  luaL_checkversion(L);
  if (sqlite3_libversion_number() < OLDEST)
    return luaL_error(L, "SQLite %s is too old: 3.37 is needed", sqlite3_libversion());
  open_classes(L);
  values_open(L);
  luaL_newlib(L, functions);
  lua_pushstring(L, sqlite3_libversion());
  lua_setfield(L, -2, "version");
  return 1;
}
