/* Lists of records by their times. Times of the usual form are read by filter.h; for all others a
 * function of Lua is called. */
#include "binding.h"
#include "filter.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct row {
  double time; /* NaN: none */
  int at;      /* index of the record, from 1 */
};

/* Compares two rows by their places, for rows without a time or with the same. */
static int by_place(const struct row *a, const struct row *b) {
  return a->at < b->at ? -1 : 1; /* never equal */
}

/* Rows without a time come last, in either order. */
static int compare(const struct row *a, const struct row *b, int sign) {
  if (isnan(a->time) || isnan(b->time))
    return isnan(a->time) && isnan(b->time) ? by_place(a, b) : isnan(a->time) ? 1 : -1;
  return a->time == b->time ? by_place(a, b) : a->time < b->time ? -sign : sign;
}

static int oldest_first(const void *a, const void *b) {
  return compare(a, b, 1);
}

static int newest_first(const void *a, const void *b) {
  return compare(a, b, -1);
}

/* Returns the time of the value on top of the stack; pops it. The function that reads other forms
 * is at an index. */
static double pop_time(lua_State *L, int parse) {
  double time = NAN;
  if (lua_type(L, -1) == LUA_TSTRING) {
    struct filter_text text;
    text.at = lua_tolstring(L, -1, &text.len);
    if (!filter_time(text, &time)) {
      lua_pushvalue(L, parse);
      lua_pushvalue(L, -2);
      lua_call(L, 1, 1);
      time = lua_type(L, -1) == LUA_TNUMBER ? (double)lua_tonumber(L, -1) : NAN;
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  return time;
}

/* Whether a list is sorted already, as the service often returns it. */
static bool is_sorted(const struct row *rows, int count, int (*order)(const void *, const void *)) {
  for (int i = 1; i < count; i++)
    if (order(&rows[i - 1], &rows[i]) > 0)
      return false;
  return true;
}

/* Returns how many records a list has: up to the first nil, as ipairs counts them. */
static int count_records(lua_State *L, int list) {
  int count = 0;
  bool is_nil = false;
  while (!is_nil) {
    lua_rawgeti(L, list, count + 1);
    is_nil = lua_isnil(L, -1);
    lua_pop(L, 1);
    count += !is_nil;
  }
  return count;
}

/* sort_by_time(list, field, descending, parse) -> a new array of the same records. Records with the
 * same time keep their order; those without come last. parse: returns the seconds of a time in any
 * other form than filter_time() knows, or nil. */
static int lsort_by_time(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TSTRING);
  luaL_checktype(L, 4, LUA_TFUNCTION);
  int (*order)(const void *, const void *) = lua_toboolean(L, 3) ? newest_first : oldest_first;
  lua_settop(L, 4);
  const int count = count_records(L, 1);
  struct row *rows = lua_newuserdata(L, ((size_t)count + 1) * sizeof *rows);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 1, i + 1);
    lua_pushvalue(L, 2);
    lua_gettable(L, -2);
    rows[i] = (struct row){pop_time(L, 4), i + 1};
    lua_pop(L, 1);
  }
  if (!is_sorted(rows, count, order))
    qsort(rows, (size_t)count, sizeof *rows, order);
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 1, rows[i].at);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* readable_time(text) -> the time as "2024-02-03 07:08:09"; nil if it has another form than
 * filter_time() knows, or a zone */
static int lsort_readable(lua_State *L) {
  struct filter_text text;
  double seconds;
  char shown[] = "0000-00-00 00:00:00";
  text.at = luaL_checklstring(L, 1, &text.len);
  if (!filter_time(text, &seconds))
    return 0;
  memcpy(shown, text.at, 10);
  if (text.len > 10) {
    if (memchr(text.at + 19, '+', text.len - 19) || memchr(text.at + 19, '-', text.len - 19))
      return 0;
    memcpy(shown + 11, text.at + 11, 8);
  }
  lua_pushlstring(L, shown, sizeof shown - 1);
  return 1;
}

/* record_time(text) -> seconds since the epoch, an integer if there is no fraction; nil if it has
 * another form than filter_time() knows, or means "no date" */
static int lsort_record_time(lua_State *L) {
  struct filter_text text;
  double seconds;
  text.at = luaL_checklstring(L, 1, &text.len);
  if (!filter_time(text, &seconds))
    return 0;
#if LUA_VERSION_NUM >= 503
  if (seconds == floor(seconds)) {
    lua_pushinteger(L, (lua_Integer)seconds);
    return 1;
  }
#endif
  lua_pushnumber(L, seconds);
  return 1;
}

void lsort_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"sort_by_time", lsort_by_time},
                                       {"readable_time", lsort_readable},
                                       {"record_time", lsort_record_time},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
