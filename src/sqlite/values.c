#include "values.h"

#include "../binding.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LBLOB "pcapi.sqlite.blob"
#define TWO_63 9223372036854775808.0

void values_open(lua_State *L) {
  static const luaL_Reg none[] = {{NULL, NULL}};
  binding_class(L, LBLOB, NULL, none);
}

int values_blob(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  memcpy(lua_newuserdata(L, len), text, len);
  luaL_setmetatable(L, LBLOB);
  return 1;
}

static bool is_blob(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
    return false;
  luaL_getmetatable(L, LBLOB);
  const bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same;
}

/* Returns the length of the character at s, which has left bytes; 0: it is not UTF-8. */
static size_t character(const unsigned char *s, size_t left) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length: no shorter form */
  const size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
  if (len < 2)
    return len;
  if (len > left || s[0] > 0xf4)
    return 0;
  uint32_t code = s[0] & (0xffu >> (len + 1));
  for (size_t i = 1; i < len; i++) {
    if ((s[i] & 0xc0) != 0x80)
      return 0;
    code = code << 6 | (s[i] & 0x3fu);
  }
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return code < least[len] || surrogate || code > 0x10ffff ? 0 : len;
}

static bool is_utf8(const char *text, size_t len) {
  for (size_t at = 0; at < len;) {
    const size_t n = character((const unsigned char *)text + at, len - at);
    if (n == 0)
      return false;
    at += n;
  }
  return true;
}

/* How a value was bound: a result code, or why it cannot be. */
struct bound {
  int code;
  const char *problem; /* NULL: none */
};

static struct bound refuse(const char *problem) {
  return (struct bound){.code = SQLITE_OK, .problem = problem};
}

static struct bound done(int code) {
  return code == SQLITE_TOOBIG ? refuse("is longer than 16 MiB") : (struct bound){.code = code};
}

/* A float that is an integer is stored as one: Lua 5.1 has no other integers, and in newer ones an
 * integer must not change its type by a division. */
static struct bound bind_number(lua_State *L, int index, sqlite3_stmt *stmt, int i) {
#if LUA_VERSION_NUM >= 503
  if (lua_isinteger(L, index))
    return done(sqlite3_bind_int64(stmt, i, lua_tointeger(L, index)));
#endif
  const double n = (double)lua_tonumber(L, index);
  if (!isfinite(n))
    return refuse("is not a finite number");
  if (n >= -TWO_63 && n < TWO_63 && (double)(sqlite3_int64)n == n)
    return done(sqlite3_bind_int64(stmt, i, (sqlite3_int64)n));
  return done(sqlite3_bind_double(stmt, i, n));
}

static struct bound bind_text(lua_State *L, int index, sqlite3_stmt *stmt, int i) {
  size_t len;
  const char *text = lua_tolstring(L, index, &len);
  if (!is_utf8(text, len))
    return refuse("is not UTF-8; bytes are stored with blob()");
  return done(sqlite3_bind_text64(stmt, i, text, len, SQLITE_TRANSIENT, SQLITE_UTF8));
}

static struct bound bind(lua_State *L, int index, sqlite3_stmt *stmt, int i) {
  switch (lua_type(L, index)) {
  case LUA_TNIL:
    return done(sqlite3_bind_null(stmt, i));
  case LUA_TBOOLEAN:
    return done(sqlite3_bind_int(stmt, i, lua_toboolean(L, index)));
  case LUA_TNUMBER:
    return bind_number(L, index, stmt, i);
  case LUA_TSTRING:
    return bind_text(L, index, stmt, i);
  default:
    if (!is_blob(L, index))
      return refuse("must be nil, a boolean, a number, a string or a blob");
    return done(sqlite3_bind_blob64(stmt, i, lua_touserdata(L, index), lua_rawlen(L, index),
                                    SQLITE_TRANSIENT));
  }
}

static int bind_array(lua_State *L, int first, sqlite3_stmt *stmt) {
  const int wanted = sqlite3_bind_parameter_count(stmt);
  const int given = lua_gettop(L) - first + 1;
  if (given != wanted)
    return luaL_error(L, "the statement has %d parameters, not %d", wanted, given);
  for (int i = 1; i <= wanted; i++) {
    const struct bound bound = bind(L, first + i - 1, stmt, i);
    if (bound.problem)
      return luaL_error(L, "parameter %d %s", i, bound.problem);
    if (bound.code != SQLITE_OK)
      return bound.code;
  }
  return SQLITE_OK;
}

/* Returns the number of the parameter with the name on top of the stack; raises an error if there
 * is none. */
static int find_parameter(lua_State *L, sqlite3_stmt *stmt) {
  if (lua_type(L, -1) != LUA_TSTRING)
    return luaL_error(L, "names of parameters must be strings");
  const char *name = lua_pushfstring(L, ":%s", lua_tostring(L, -1));
  const int i = sqlite3_bind_parameter_index(stmt, name);
  if (i == 0)
    return luaL_error(L, "the statement has no parameter %s", name);
  lua_pop(L, 1);
  return i;
}

/* A parameter that the table lacks is NULL. */
static int bind_table(lua_State *L, int table, sqlite3_stmt *stmt) {
  for (int i = sqlite3_bind_parameter_count(stmt); i > 0; i--)
    if (!sqlite3_bind_parameter_name(stmt, i))
      return luaL_error(L, "parameter %d has no name; pass values, not a table", i);
  sqlite3_clear_bindings(stmt);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    lua_pushvalue(L, -2); /* its name */
    const int i = find_parameter(L, stmt);
    lua_pop(L, 1);
    const struct bound bound = bind(L, lua_gettop(L), stmt, i);
    if (bound.problem)
      return luaL_error(L, "parameter %s %s", sqlite3_bind_parameter_name(stmt, i), bound.problem);
    if (bound.code != SQLITE_OK)
      return bound.code;
  }
  return SQLITE_OK;
}

int values_bind(lua_State *L, int first, sqlite3_stmt *stmt) {
  if (lua_gettop(L) == first && lua_type(L, first) == LUA_TTABLE)
    return bind_table(L, first, stmt);
  return bind_array(L, first, stmt);
}

void values_push_names(lua_State *L, sqlite3_stmt *stmt) {
  const int count = sqlite3_column_count(stmt);
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    const char *name = sqlite3_column_name(stmt, i);
    if (!name) {
      binding_no_memory(L);
      return;
    }
    for (int j = 0; j < i; j++) {
      const char *other = sqlite3_column_name(stmt, j);
      if (other && strcmp(name, other) == 0)
        luaL_error(L, "two columns have the name %s; use AS", name);
    }
    lua_pushstring(L, name);
    lua_rawseti(L, -2, i + 1);
  }
}

/* Pushes an integer that this Lua holds exactly. */
static int push_integer(lua_State *L, sqlite3_int64 n) {
#if LUA_VERSION_NUM >= 503
  if (n < LUA_MININTEGER || n > LUA_MAXINTEGER)
    return SQLITE_RANGE;
  lua_pushinteger(L, (lua_Integer)n);
#else
  if (n < -PCAPI_EXACT - 1 || n > PCAPI_EXACT + 1)
    return SQLITE_RANGE;
  lua_pushnumber(L, (lua_Number)n);
#endif
  return SQLITE_OK;
}

static int push_column(lua_State *L, sqlite3_stmt *stmt, int i) {
  const void *bytes = NULL;
  switch (sqlite3_column_type(stmt, i)) {
  case SQLITE_NULL:
    lua_pushnil(L);
    return SQLITE_OK;
  case SQLITE_INTEGER:
    return push_integer(L, sqlite3_column_int64(stmt, i));
  case SQLITE_FLOAT:
    lua_pushnumber(L, sqlite3_column_double(stmt, i));
    return SQLITE_OK;
  case SQLITE_TEXT:
    bytes = sqlite3_column_text(stmt, i);
    if (!bytes)
      return SQLITE_NOMEM;
    break;
  default:
    bytes = sqlite3_column_blob(stmt, i); /* NULL if it is empty */
  }
  lua_pushlstring(L, bytes ? bytes : "", (size_t)sqlite3_column_bytes(stmt, i));
  return SQLITE_OK;
}

int values_push_row(lua_State *L, int names, sqlite3_stmt *stmt) {
  const int count = sqlite3_column_count(stmt);
  lua_createtable(L, 0, count);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, names, i + 1);
    const int code = push_column(L, stmt, i);
    if (code != SQLITE_OK)
      return code;
    lua_rawset(L, -3);
  }
  return SQLITE_OK;
}

static bool is_plain(const unsigned char *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (text[i] < ' ' || text[i] == 0x7f || text[i] == '"' || text[i] == ',')
      return false;
  return len > 0;
}

static size_t add(luaL_Buffer *b, const char *text, size_t len) {
  luaL_addlstring(b, text, len);
  return len;
}

static size_t add_quoted(luaL_Buffer *b, const unsigned char *text, size_t len) {
  size_t added = add(b, "\"", 1);
  for (size_t i = 0; i < len; i++)
    if (text[i] == '"')
      added += add(b, "\"\"", 2);
    else if (text[i] < ' ' || text[i] == 0x7f)
      added += add(b, "\xef\xbf\xbd", 3);
    else
      added += add(b, (const char *)text + i, 1);
  return added + add(b, "\"", 1);
}

static size_t add_hexadecimal(luaL_Buffer *b, const unsigned char *bytes, size_t len) {
  static const char digits[] = "0123456789abcdef";
  size_t added = add(b, "\\x", 2);
  for (size_t i = 0; i < len; i++) {
    const char pair[] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
    added += add(b, pair, sizeof pair);
  }
  return added;
}

static int add_cell(luaL_Buffer *b, sqlite3_stmt *stmt, int i, size_t *len) {
  const int type = sqlite3_column_type(stmt, i);
  if (type == SQLITE_NULL)
    return SQLITE_OK;
  const unsigned char *text =
      type == SQLITE_BLOB ? sqlite3_column_blob(stmt, i) : sqlite3_column_text(stmt, i);
  const size_t bytes = (size_t)sqlite3_column_bytes(stmt, i);
  if (type == SQLITE_BLOB)
    *len += add_hexadecimal(b, text, bytes);
  else if (!text)
    return SQLITE_NOMEM;
  else if (is_plain(text, bytes))
    *len += add(b, (const char *)text, bytes);
  else
    *len += add_quoted(b, text, bytes);
  return SQLITE_OK;
}

int values_add_csv(luaL_Buffer *b, sqlite3_stmt *stmt, size_t *len) {
  const int count = sqlite3_column_count(stmt);
  *len = 0;
  for (int i = 0; i < count; i++) {
    const int code = add_cell(b, stmt, i, len);
    if (code != SQLITE_OK)
      return code;
    *len += add(b, i + 1 < count ? "," : "\n", 1);
  }
  return SQLITE_OK;
}
