/* Rows of csv, JSON and tables, by rows.h. A function here takes the records that are plain, in one
 * run: it ends before the first record that is not, which Lua code writes. So pcapi.format has all
 * rules, and this file has the usual case. Records are read without metamethods. */
#include "binding.h"
#include "rows.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ROOM ((size_t)65536) /* most bytes of a piece of text */
#define COLUMNS 64           /* most columns of a row, and most other fields of a record */
#define NAMES 8192           /* most bytes of the names of all columns, also as JSON has them */
#define DIGITS 24            /* most bytes of an integer */

enum format { CSV, JSON, JSONL };

enum kind { MISSING, NOTHING, BOOLEAN, INTEGER, TEXT }; /* NOTHING: null */

struct text {
  const char *at;
  size_t len;
};

struct value {
  enum kind kind;
  union {
    bool boolean;
    int64_t integer;
    struct text text; /* valid while the record holds it */
  } as;
};

/* A key of the record before, at the same place of its table. */
struct key {
  const char *at; /* equal only for the same string; NULL: there was none */
  int column;     /* from 0; -1: another field */
};

struct writer {
  enum format format;
  bool is_only; /* JSON: other fields than the columns are left out */
  int columns;
  struct text column[COLUMNS]; /* their names */
  struct text quoted[COLUMNS]; /* of JSON: the names with quotes and colon */
  struct value value[COLUMNS];
  struct key key[2 * COLUMNS];
  int others; /* fields of the record besides the columns */
  struct text other[COLUMNS];
  struct value other_value[COLUMNS];
  bool is_sorted; /* whether `order` is right for the names in `other` */
  int sorted;     /* how many they were then */
  int order[COLUMNS];
  struct rows out;
  char names[NAMES];
  char room[ROOM];
};

/* Reads the number on top of the stack. Returns false if it is not an integer, or may have lost
 * digits. */
static bool read_integer(lua_State *L, struct value *value) {
  value->kind = INTEGER;
#if LUA_VERSION_NUM >= 503
  if (lua_isinteger(L, -1)) {
    value->as.integer = lua_tointeger(L, -1);
    return true;
  }
#endif
  const double n = (double)lua_tonumber(L, -1);
  if (!(fabs(n) <= (double)PCAPI_EXACT) || floor(n) != n)
    return false;
  value->as.integer = (int64_t)n;
  return true;
}

/* Reads the value on top of the stack; leaves it there. Returns false if it is not plain. */
static bool read_value(lua_State *L, struct value *value) {
  switch (lua_type(L, -1)) {
  case LUA_TSTRING:
    value->kind = TEXT;
    value->as.text.at = lua_tolstring(L, -1, &value->as.text.len);
    return true;
  case LUA_TNUMBER:
    return read_integer(L, value);
  case LUA_TBOOLEAN:
    value->kind = BOOLEAN;
    value->as.boolean = lua_toboolean(L, -1);
    return true;
  case LUA_TLIGHTUSERDATA:
    value->kind = NOTHING;
    return lua_touserdata(L, -1) == NULL;
  case LUA_TNIL:
    value->kind = MISSING;
    return true;
  default:
    return false;
  }
}

/* Reads the columns of the record on top of the stack. Their names lie from index 2 on. */
static bool read_columns(lua_State *L, struct writer *w) {
  for (int i = 0; i < w->columns; i++) {
    lua_pushvalue(L, i + 2);
    lua_rawget(L, -2);
    const bool is_plain = read_value(L, &w->value[i]);
    lua_pop(L, 1);
    if (!is_plain)
      return false;
  }
  return true;
}

static int find_column(const struct writer *w, const char *name, size_t len) {
  for (int i = 0; i < w->columns; i++)
    if (w->column[i].len == len && memcmp(w->column[i].at, name, len) == 0)
      return i;
  return -1;
}

/* Returns where the value of a field belongs; NULL if there are too many fields. n: how many keys
 * of the record came before. Records often have the keys of the one before, in the same places. */
static struct value *place_of(struct writer *w, int n, const char *name, size_t len) {
  if (n >= 2 * COLUMNS)
    return NULL;
  struct key *key = &w->key[n];
  if (key->at != name) {
    key->at = name;
    key->column = find_column(w, name, len);
  }
  if (key->column >= 0)
    return &w->value[key->column];
  if (w->others == COLUMNS)
    return NULL;
  struct text *other = &w->other[w->others];
  w->is_sorted &= other->at == name;
  *other = (struct text){name, len};
  return &w->other_value[w->others++];
}

/* Sorts the names in `other`, as table.sort does. They are on the stack, too, from an index on. */
static void sort_others(lua_State *L, struct writer *w, int index) {
  for (int i = 0; i < w->others; i++) {
    int at = i;
    for (; at > 0 && lua_lessthan(L, index + i, index + w->order[at - 1]); at--)
      w->order[at] = w->order[at - 1];
    w->order[at] = i;
  }
  w->sorted = w->others;
  w->is_sorted = true;
}

/* Reads all fields of the record on top of the stack. It allocates nothing, so no collector runs
 * and what was read stays valid. */
static bool read_fields(lua_State *L, struct writer *w) {
  const int record = lua_gettop(L);
  bool is_plain = true;
  w->others = 0;
  for (int i = 0; i < w->columns; i++)
    w->value[i].kind = MISSING;
  lua_pushnil(L);
  for (int n = 0; is_plain && lua_next(L, record); n++) {
    size_t len;
    const int others = w->others;
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &len) : NULL;
    struct value *value = name ? place_of(w, n, name, len) : NULL;
    is_plain = value && read_value(L, value);
    lua_pop(L, 1);
    if (w->others > others)
      lua_pushvalue(L, -1); /* the name stays below the key */
  }
  if (is_plain && w->others > 0 && (!w->is_sorted || w->sorted != w->others))
    sort_others(L, w, record + 1);
  lua_settop(L, record);
  return is_plain;
}

static size_t write_integer(char digits[DIGITS], int64_t n) {
  return (size_t)snprintf(digits, DIGITS, "%lld", (long long)n);
}

/* Appends an integer or a boolean; nothing for any other value. */
static enum rows_code put_scalar(struct rows *out, const struct value *value) {
  char digits[DIGITS];
  if (value->kind == INTEGER)
    return rows_bytes(out, digits, write_integer(digits, value->as.integer));
  if (value->kind == BOOLEAN)
    return value->as.boolean ? rows_bytes(out, "true", 4) : rows_bytes(out, "false", 5);
  return ROWS_OK;
}

static enum rows_code put_csv(struct rows *out, const struct value *value) {
  return value->kind == TEXT ? rows_csv(out, value->as.text.at, value->as.text.len)
                             : put_scalar(out, value);
}

static enum rows_code put_json(struct rows *out, const struct value *value) {
  if (value->kind == TEXT)
    return rows_json(out, value->as.text.at, value->as.text.len);
  return value->kind == NOTHING ? rows_bytes(out, "null", 4) : put_scalar(out, value);
}

static enum rows_code put_csv_row(struct writer *w) {
  const char *start = w->out.at;
  enum rows_code code = ROWS_OK;
  for (int i = 0; i < w->columns && code == ROWS_OK; i++) {
    if (i > 0)
      code = rows_bytes(&w->out, ",", 1);
    if (code == ROWS_OK)
      code = put_csv(&w->out, &w->value[i]);
  }
  if (code == ROWS_OK && w->columns == 1 && w->out.at == start)
    code = rows_bytes(&w->out, "\"\"", 2); /* readers skip an empty line */
  return code == ROWS_OK ? rows_bytes(&w->out, "\r\n", 2) : code;
}

/* Appends a member and a comma. */
static enum rows_code put_member(struct rows *out, const struct text *quoted,
                                 const struct value *value) {
  enum rows_code code = rows_bytes(out, quoted->at, quoted->len);
  if (code == ROWS_OK)
    code = put_json(out, value);
  return code == ROWS_OK ? rows_bytes(out, ",", 1) : code;
}

static enum rows_code put_other(struct rows *out, const struct text *name,
                                const struct value *value) {
  static const struct text colon = {":", 1};
  enum rows_code code = rows_json(out, name->at, name->len);
  return code == ROWS_OK ? put_member(out, &colon, value) : code;
}

/* rows: how many rows precede this one. */
static enum rows_code put_json_row(struct writer *w, lua_Integer rows) {
  const char *begin = w->format == JSONL ? "{" : rows > 0 ? ",\n  {" : "\n  {";
  enum rows_code code = rows_bytes(&w->out, begin, strlen(begin));
  for (int i = 0; i < w->columns && code == ROWS_OK; i++)
    if (w->value[i].kind != MISSING)
      code = put_member(&w->out, &w->quoted[i], &w->value[i]);
  for (int i = 0; i < w->others && code == ROWS_OK; i++)
    code = put_other(&w->out, &w->other[w->order[i]], &w->other_value[w->order[i]]);
  if (code == ROWS_OK && w->out.at[-1] == ',')
    w->out.at--;
  return code == ROWS_OK ? rows_bytes(&w->out, "}\n", w->format == JSON ? 1 : 2) : code;
}

/* Writes the record on top of the stack. rows: how many rows precede it. */
static enum rows_code put_record(lua_State *L, struct writer *w, lua_Integer rows) {
  const bool has_columns = w->format == CSV || w->is_only;
  char *start = w->out.at;
  if (!(has_columns ? read_columns(L, w) : read_fields(L, w)))
    return ROWS_ODD;
  const enum rows_code code = w->format == CSV ? put_csv_row(w) : put_json_row(w, rows);
  if (code != ROWS_OK)
    w->out.at = start;
  return code;
}

/* Reads an argument that is a number of bytes of a piece. */
static size_t check_limit(lua_State *L, int index) {
  const lua_Integer limit = luaL_checkinteger(L, index);
  return limit < 0 ? 0 : limit > (lua_Integer)ROOM ? ROOM : (size_t)limit;
}

/* Returns a text, the index of the next record, and whether Lua code has to write that one. A
 * record for which a whole piece has no room is for Lua code, too. */
static int push_piece(lua_State *L, const char *room, const struct rows *out, size_t limit,
                      lua_Integer next, enum rows_code code) {
  const size_t len = (size_t)(out->at - room);
  lua_pushlstring(L, room, len);
  lua_pushinteger(L, next);
  lua_pushboolean(L, code == ROWS_ODD || (code == ROWS_FULL && len == 0 && limit == ROOM));
  return 3;
}

/* The function that rows() returns: write(list, first, limit, count) -> text, next, is_odd. Writes
 * the records from `first` on: at most `limit` bytes, and nothing of a record that is not plain.
 * count: how many rows precede them. */
static int lrows_write(lua_State *L) {
  struct writer *w = lua_touserdata(L, lua_upvalueindex(1));
  luaL_checktype(L, 1, LUA_TTABLE);
  const lua_Integer first = luaL_checkinteger(L, 2);
  const size_t limit = check_limit(L, 3);
  const lua_Integer count = luaL_checkinteger(L, 4);
  enum rows_code code = ROWS_OK;
  lua_Integer i = first;
  lua_settop(L, 1);
  luaL_checkstack(L, 2 * COLUMNS + 8, "too many columns");
  for (int c = 1; c <= w->columns; c++)
    lua_rawgeti(L, lua_upvalueindex(2), c);
  w->out = (struct rows){w->room, w->room + limit};
  /* the strings that these were may be gone */
  memset(w->key, 0, sizeof w->key);
  memset(w->other, 0, sizeof w->other);
  w->others = 0;
  w->is_sorted = false;
  for (;; i++) {
    lua_rawgeti(L, 1, (int)i);
    if (!lua_istable(L, -1)) {
      code = lua_isnil(L, -1) ? ROWS_OK : ROWS_ODD;
      break;
    }
    code = put_record(L, w, count + (i - first));
    lua_pop(L, 1);
    if (code != ROWS_OK)
      break;
  }
  return push_piece(L, w->room, &w->out, limit, i, code);
}

/* Sets the names of the columns, in the table at an index. Returns false if they are not plain. */
static bool set_columns(lua_State *L, struct writer *w, int index) {
  struct rows out = {w->names, w->names + NAMES};
  const size_t count = lua_rawlen(L, index);
  if (count > COLUMNS)
    return false;
  w->columns = (int)count;
  for (int i = 0; i < w->columns; i++) {
    lua_rawgeti(L, index, i + 1);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, index, "must be an array of strings");
    size_t len;
    const char *name = lua_tolstring(L, -1, &len);
    w->column[i] = (struct text){out.at, len};
    if (rows_bytes(&out, name, len) != ROWS_OK)
      return false;
    w->quoted[i].at = out.at;
    if (rows_json(&out, name, len) != ROWS_OK || rows_bytes(&out, ":", 1) != ROWS_OK)
      return false;
    w->quoted[i].len = (size_t)(out.at - w->quoted[i].at);
    lua_pop(L, 1);
  }
  return true;
}

/* rows(format, columns, is_only) -> a function that writes rows; nil if the names of the columns
 * are not plain, or are too many. The array of columns is part of the function. */
static int lrows_new(lua_State *L) {
  static const char *const formats[] = {"csv", "json", "jsonl", NULL};
  const enum format format = (enum format)luaL_checkoption(L, 1, NULL, formats);
  luaL_checktype(L, 2, LUA_TTABLE);
  const bool is_only = lua_toboolean(L, 3);
  struct writer *w = lua_newuserdata(L, sizeof *w);
  w->format = format;
  w->is_only = is_only;
  if (!set_columns(L, w, 2))
    return 0;
  lua_pushvalue(L, 2);
  lua_pushcclosure(L, lrows_write, 2);
  return 1;
}

/* The properties of a column of a table, over all its cells. */
struct facts {
  size_t width; /* of its cells */
  bool has_numbers;
  bool has_text;
};

static bool has_flag(lua_State *L, int t, const char *name) {
  lua_getfield(L, t, name);
  const bool is_set = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is_set;
}

static size_t get_size(lua_State *L, int t, const char *name) {
  lua_getfield(L, t, name);
  const lua_Integer n = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return n > 0 ? (size_t)n : 0;
}

/* For each column there are these on the stack, from index 3 on. */
enum { FIELD, CELLS, SHOWN, PER_COLUMN };

/* Reads the columns of a table at 1, and leaves 2 values on the stack below theirs. */
static void push_table_columns(lua_State *L, int count, struct facts *facts) {
  luaL_checkstack(L, PER_COLUMN * count + 10, "too many columns");
  for (int c = 0; c < count; c++) {
    lua_rawgeti(L, 1, c + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    const int t = lua_gettop(L);
    facts[c] = (struct facts){get_size(L, t, "cells_width"), has_flag(L, t, "has_numbers"),
                              has_flag(L, t, "has_text")};
    lua_getfield(L, t, "field");
    lua_getfield(L, t, "cells");
    lua_getfield(L, t, "shown");
    lua_remove(L, t);
  }
}

static void store_facts(lua_State *L, int count, const struct facts *facts) {
  for (int c = 0; c < count; c++) {
    lua_rawgeti(L, 1, c + 1);
    lua_pushinteger(L, (lua_Integer)facts[c].width);
    lua_setfield(L, -2, "cells_width");
    lua_pushboolean(L, facts[c].has_numbers);
    lua_setfield(L, -2, "has_numbers");
    lua_pushboolean(L, facts[c].has_text);
    lua_setfield(L, -2, "has_text");
    lua_pop(L, 1);
  }
}

static bool is_blank(const struct text *text) {
  for (size_t i = 0; i < text->len; i++)
    if (text->at[i] != ' ')
      return false;
  return true;
}

/* Pushes the cell for the value on top of the stack, or "-". Returns false and pushes nothing if
 * the value is not plain. */
static bool push_cell(lua_State *L, struct facts *facts) {
  char digits[DIGITS];
  struct value value;
  size_t width = 1;
  if (!read_value(L, &value))
    return false;
  if (value.kind == INTEGER) {
    width = write_integer(digits, value.as.integer);
    lua_pushlstring(L, digits, width);
    facts->has_numbers = true;
  } else if (value.kind == BOOLEAN) {
    width = value.as.boolean ? 3 : 2;
    lua_pushlstring(L, value.as.boolean ? "yes" : "no", width);
    facts->has_text = true;
  } else if (value.kind == TEXT && !is_blank(&value.as.text)) {
    if (!rows_width(value.as.text.at, value.as.text.len, &width))
      return false;
    lua_pushvalue(L, -1);
    facts->has_text |= value.as.text.len > 1 || *value.as.text.at != '-';
  } else {
    lua_pushliteral(L, "-");
  }
  if (width > facts->width)
    facts->width = width;
  return true;
}

/* Replaces the value on top of the stack by what the function at an index returns for it, if that
 * is something. */
static void show(lua_State *L, int function) {
  if (lua_isnil(L, -1) || lua_isnil(L, function))
    return;
  lua_pushvalue(L, function);
  lua_pushvalue(L, -2);
  lua_call(L, 1, 1);
  if (lua_toboolean(L, -1))
    lua_replace(L, -2);
  else
    lua_pop(L, 1);
}

/* Stores the cells of the record on top of the stack. Returns false if it is not plain; then some
 * of its cells may be stored. */
static bool store_cells(lua_State *L, int count, struct facts *facts, lua_Integer row) {
  const int record = lua_gettop(L);
  for (int c = 0; c < count; c++) {
    const int base = 3 + PER_COLUMN * c;
    lua_pushvalue(L, base + FIELD);
    lua_rawget(L, record);
    show(L, base + SHOWN);
    if (!push_cell(L, &facts[c])) {
      lua_settop(L, record);
      return false;
    }
    lua_rawseti(L, base + CELLS, (int)row);
    lua_pop(L, 1);
  }
  return true;
}

/* cells(columns, list, first, count) -> next, is_odd. Makes the cells of a table, from the records
 * from `first` on; count: how many rows precede them. Each column is a table: `field`, `cells`,
 * `shown` (a function or nil), and `cells_width`, `has_numbers` and `has_text`, which are set. */
static int lrows_cells(lua_State *L) {
  struct facts facts[COLUMNS];
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer i = luaL_checkinteger(L, 3);
  lua_Integer row = luaL_checkinteger(L, 4);
  const int columns = (int)lua_rawlen(L, 1);
  bool is_odd = columns > COLUMNS;
  lua_settop(L, 2);
  if (!is_odd) {
    push_table_columns(L, columns, facts);
    for (;; i++) {
      lua_rawgeti(L, 2, (int)i);
      is_odd = lua_istable(L, -1) ? !store_cells(L, columns, facts, ++row) : !lua_isnil(L, -1);
      if (is_odd || lua_isnil(L, -1))
        break;
      lua_pop(L, 1);
    }
    store_facts(L, columns, facts);
  }
  lua_pushinteger(L, i);
  lua_pushboolean(L, is_odd);
  return 2;
}

struct liner {
  struct rows out;
  char room[ROOM];
};

/* Reads the columns of a table at 1; pushes for each its cells and the states of its cells. */
static void push_line_columns(lua_State *L, int count, bool is_ascii, struct rows_column *columns) {
  luaL_checkstack(L, 2 * count + 8, "too many columns");
  for (int c = 0; c < count; c++) {
    lua_rawgeti(L, 1, c + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    const int t = lua_gettop(L);
    const size_t width = get_size(L, t, "width");
    columns[c] = (struct rows_column){width > 0 ? width : 1, has_flag(L, t, "is_numeric"),
                                      c == count - 1, is_ascii};
    lua_getfield(L, t, "cells");
    lua_getfield(L, t, "states");
    lua_remove(L, t);
  }
}

/* Whether a cell has a state. The states are at an index. */
static bool has_state(lua_State *L, int states, lua_Integer row) {
  if (!lua_istable(L, states))
    return false;
  lua_rawgeti(L, states, (int)row);
  const bool has = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return has;
}

/* Writes the line of a row. Its cells are in the tables from index 2 on. */
static enum rows_code put_line(lua_State *L, struct rows *out, int count,
                               const struct rows_column *columns, lua_Integer row) {
  char *start = out->at;
  enum rows_code code = ROWS_OK;
  for (int c = 0; c < count && code == ROWS_OK; c++) {
    size_t len = 0;
    lua_rawgeti(L, 2 + 2 * c, (int)row);
    const char *cell = lua_tolstring(L, -1, &len);
    code = !cell || has_state(L, 3 + 2 * c, row) ? ROWS_ODD : ROWS_OK;
    if (code == ROWS_OK && c > 0)
      code = rows_bytes(out, "  ", 2);
    if (code == ROWS_OK)
      code = rows_cell(out, &columns[c], cell, len);
    lua_pop(L, 1);
  }
  while (code == ROWS_OK && out->at > start && out->at[-1] == ' ')
    out->at--;
  code = code == ROWS_OK ? rows_bytes(out, "\n", 1) : code;
  if (code != ROWS_OK)
    out->at = start;
  return code;
}

/* The function that liner() returns: lines(columns, first, last, limit, is_ascii) -> text, next,
 * is_odd. Writes the rows of a table from `first` to `last`: at most `limit` bytes. Each column is
 * a table: `cells`, `width`, `is_numeric`, and `states` (a table, or nil). */
static int lrows_lines(lua_State *L) {
  struct liner *liner = lua_touserdata(L, lua_upvalueindex(1));
  struct rows_column columns[COLUMNS];
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Integer row = luaL_checkinteger(L, 2);
  const lua_Integer last = luaL_checkinteger(L, 3);
  const size_t limit = check_limit(L, 4);
  const bool is_ascii = lua_toboolean(L, 5);
  const int count = (int)lua_rawlen(L, 1);
  enum rows_code code = count > COLUMNS ? ROWS_ODD : ROWS_OK;
  liner->out = (struct rows){liner->room, liner->room + limit};
  lua_settop(L, 1);
  if (code == ROWS_OK)
    push_line_columns(L, count, is_ascii, columns);
  while (code == ROWS_OK && row <= last) {
    code = put_line(L, &liner->out, count, columns, row);
    row += code == ROWS_OK;
  }
  return push_piece(L, liner->room, &liner->out, limit, row, code);
}

static int lrows_liner(lua_State *L) {
  lua_newuserdata(L, sizeof(struct liner));
  lua_pushcclosure(L, lrows_lines, 1);
  return 1;
}

void lrows_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"rows", lrows_new}, {"cells", lrows_cells}, {"liner", lrows_liner}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_pushinteger(L, (lua_Integer)ROOM);
  lua_setfield(L, -2, "rows_room");
}
