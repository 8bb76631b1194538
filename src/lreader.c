/* Reads JSON texts, whole or in steps, from strings and from buffers of the core. */
#include "lreader.h"
#include "binding.h"
#include "buf.h"
#include "lrecords.h"

#include <math.h>

/* From this length on, the bytes of a buffer are released as they are read: they and their tables
 * would be in memory at once. */
#define RELEASED ((size_t)8 * 1024 * 1024)

struct reading {
  struct reader reader;
  struct lrecords records; /* what is made of the text */
  size_t max_values;
  struct buf *released; /* the buffer whose bytes are released; NULL: none */
  int height;           /* values of the stack that are stored between two steps */
  bool is_over;
};

static void reading_begin(struct reading *g, const char *text, size_t len, size_t max_values) {
  reader_begin(&g->reader, text, len, max_values);
  g->max_values = max_values;
  g->released = NULL;
  g->height = LRECORDS_HEIGHT;
  g->is_over = false;
}

/* Makes the collector do the work for the tables of so many bytes of text before they are made, and
 * not while: it would mark them again and again, though all of them are needed. The older Lua cannot
 * do this without a pause for the whole work; for Lua 5.5 a step is always a single one, and its
 * argument a size_t of bytes. */
static void collect_before(lua_State *L, size_t bytes) {
#if LUA_VERSION_NUM == 503 || LUA_VERSION_NUM == 504
  const int kilobytes = (int)(bytes / 400); /* tables take two and a half times the text */
  if (kilobytes > 16 && lua_gc(L, LUA_GCISRUNNING, 0) == 1) {
    lua_gc(L, LUA_GCSTEP, kilobytes);
    lua_gc(L, LUA_GCSTEP, -kilobytes);
  }
#else
  (void)L, (void)bytes;
#endif
}

/* Reads on until the text ends, or `bytes` of it are read. The stack of the sink is on top of that of
 * L; if the text has ended, its value is above. Returns whether more is left. */
static bool run(struct reading *g, lua_State *L, size_t bytes) {
  struct reader *r = &g->reader;
  const char *start = r->at;
  const size_t left = (size_t)(r->end - start);
  enum reader_code code;
  g->records.sink.L = L;
  collect_before(L, left < bytes ? left : bytes);
  do {
    code = reader_read(r);
    if (code <= READER_END)
      lrecords_consume(&g->records);
  } while (code == READER_MORE && !g->records.is_too_long && (size_t)(r->at - start) < bytes);
  return code == READER_MORE && !g->records.is_too_long;
}

/* Reads the whole text. Pushes the stack of the sink, and above it the value. */
static void read_whole(lua_State *L, struct reading *g, int options) {
  g->records.sink.base = lua_gettop(L) + 1;
  lrecords_push_stack(L, options);
  run(g, L, SIZE_MAX);
}

enum reader_code lreader_read(lua_State *L, int index, size_t *at) {
  size_t len;
  const char *text = lua_tolstring(L, index, &len);
  const int top = lua_gettop(L);
  struct reading g;
  reading_begin(&g, text, len, SIZE_MAX);
  lrecords_begin(&g.records, &g.reader, L, 0);
  read_whole(L, &g, 0);
  if (g.reader.code == READER_END)
    lua_replace(L, top + 1);
  lua_settop(L, top + (g.reader.code == READER_END));
  *at = (size_t)(g.reader.at - text);
  return g.reader.code;
}

/* Returns the text at an index: a string, or a buffer of the core. */
static const char *check_text(lua_State *L, int index, size_t *len) {
  if (lua_type(L, index) == LUA_TSTRING)
    return lua_tolstring(L, index, len);
  const struct buf *b = lbuf_check(L, index);
  *len = b->len;
  return b->len > 0 ? b->data : "";
}

/* Begins to read the text at 1 with the options at 2. */
static void check_reading(lua_State *L, struct reading *g) {
  size_t len;
  const char *text = check_text(L, 1, &len);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  const double values = binding_number(L, 2, "values", HUGE_VAL);
  reading_begin(g, text, len,
                values < (double)SIZE_MAX ? (size_t)(values > 0 ? values : 0) : SIZE_MAX);
  lrecords_begin(&g->records, &g->reader, L, 2);
}

/* Pushes nil, a message, the place from 1, and for a failure that lua-cjson cannot judge a word. */
static int push_failure(lua_State *L, const struct reading *g) {
  static const char *const words[] = {
      [READER_DEEP] = "deep",     [READER_INFINITE] = "infinite",
      [READER_VALUES] = "values", [READER_LARGE] = "large",
  };
  const bool is_too_long = g->records.is_too_long;
  const enum reader_code code = is_too_long ? READER_VALUES : g->reader.code;
  const char *word = is_too_long ? "records" : words[code];
  if (code == READER_VALUES)
    lua_gc(L, LUA_GCCOLLECT, 0); /* what was made may be much */
  lua_pushnil(L);
  lua_pushstring(L, reader_message(code));
  lua_pushinteger(L, (lua_Integer)(g->reader.at - g->reader.text) + 1);
  lua_pushstring(L, word || !g->released ? word : "released"); /* nil for NULL */
  return 4;
}

/* Sets a field of the table on top of the stack, if the flag is set. */
static void set_flag(lua_State *L, const char *name, bool is_set) {
  if (is_set) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, name);
  }
}

/* Pushes a table of what was found about the list; nil if none was wanted. */
static void push_facts(lua_State *L, const struct reading *g) {
  const struct lrecords *r = &g->records;
  if (!r->is_wanted) {
    lua_pushnil(L);
    return;
  }
  lua_createtable(L, 0, 4);
  lua_pushvalue(L, r->sink.base + LRECORDS_LIST);
  lua_setfield(L, -2, "list");
  lua_pushvalue(L, r->sink.base + LRECORDS_ODD);
  lua_setfield(L, -2, "odd"); /* usually nil, which takes no room */
  set_flag(L, "is_array", !r->sink.is_object[1]);
  set_flag(L, "is_released", g->released != NULL);
  lua_pushnumber(L, (lua_Number)r->total);
  lua_setfield(L, -2, "total");
  lua_pushnumber(L, (lua_Number)(g->max_values - g->reader.values_left));
  lua_setfield(L, -2, "values");
}

/* Returns what read() returns. The stack of the sink and the value are on top of the stack of L. */
static int push_results(lua_State *L, const struct reading *g) {
  if (g->reader.code != READER_END || g->records.is_too_long) {
    lua_settop(L, 0); /* drop what was made */
    return push_failure(L, g);
  }
  if (lua_type(L, -1) == LUA_TLIGHTUSERDATA) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
  push_facts(L, g);
  return 2;
}

/* read(text, options) -> value, facts; or nil, message, offset in bytes from 1, word */
static int lreader_whole(lua_State *L) {
  struct reading g;
  check_reading(L, &g);
  read_whole(L, &g, 2);
  return push_results(L, &g);
}

/* Upvalues of the function that reader() returns. */
enum { TEXT = 1, READING, STORED };

/* Whether a slot of the stack, counted from 0, is that of a key that was not met yet. */
static bool is_unused(const struct reading *g, int i) {
  const int keys = g->reader.keys;
  return (i >= LSINK_RAW + keys && i < LSINK_RAW + READER_KEYS) ||
         (i >= LRECORDS_NAMES + keys && i < LRECORDS_NAMES + READER_KEYS);
}

/* Pushes what is stored in the table at 2, from index 3 on. */
static void restore_stack(lua_State *L, const struct reading *g) {
  luaL_checkstack(L, g->height + 12, "too many values");
  for (int i = 0; i < g->height; i++)
    if (is_unused(g, i))
      lua_pushnil(L);
    else
      lua_rawgeti(L, 2, i + 1);
}

/* Stores the stack from index 3 on in the table at 2. */
static void save_stack(lua_State *L, struct reading *g) {
  g->height = lua_gettop(L) - 2;
  for (int i = 0; i < g->height; i++) {
    if (is_unused(g, i))
      continue;
    lua_pushvalue(L, i + 3);
    lua_rawseti(L, 2, i + 1);
  }
}

/* The function that reader() returns: reads on for about so many bytes. Returns true while more is
 * left; then false and what read() returns. */
static int lreader_next(lua_State *L) {
  struct reading *g = lua_touserdata(L, lua_upvalueindex(READING));
  const lua_Integer bytes = luaL_checkinteger(L, 1);
  luaL_argcheck(L, bytes > 0, 1, "must be a positive number of bytes");
  if (g->is_over)
    return luaL_error(L, "the text was read to its end");
  g->is_over = true; /* also after an error */
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(STORED));
  restore_stack(L, g);
  g->records.sink.base = 3;
  if (run(g, L, (size_t)bytes)) {
    save_stack(L, g);
    if (g->released)
      buf_release(g->released, (size_t)(g->reader.at - g->reader.text));
    g->is_over = false;
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L); /* drop what is stored */
  lua_replace(L, lua_upvalueindex(STORED));
  const int results = push_results(L, g);
  lua_pushboolean(L, 0);
  lua_insert(L, -1 - results);
  return results + 1;
}

/* reader(text, options) -> a function that reads like read(), in steps. */
static int lreader_start(lua_State *L) {
  struct reading checked;
  check_reading(L, &checked); /* before there is a large userdata */
  lua_pushvalue(L, 1);
  struct reading *g = lua_newuserdata(L, sizeof *g);
  *g = checked;
  g->records.sink.reader = &g->reader;
  if (lua_type(L, 1) == LUA_TUSERDATA && (size_t)(g->reader.end - g->reader.text) >= RELEASED)
    g->released = lbuf_check(L, 1);
  lua_createtable(L, LRECORDS_HEIGHT, 0);
  lua_getfield(L, 2, "list");
  lua_rawseti(L, -2, LRECORDS_SPEC + 1);
  lua_getfield(L, 2, "criteria");
  lua_rawseti(L, -2, LRECORDS_CRITERIA + 1);
  lua_pushcclosure(L, lreader_next, STORED);
  return 1;
}

void lreader_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"read", lreader_whole}, {"reader", lreader_start}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
