/* Records as lua-cjson made them: which of them are not yet as they are documented. */
#include "binding.h"

#include <math.h>
#include <string.h>

/* Whether a number is an integer that a double holds exactly. */
static int is_count(lua_Number n) {
  return fabs(n) <= (lua_Number)PCAPI_EXACT && floor(n) == n;
}

/* Whether the value on top is what kind says, and not an empty string. */
static int is_settled(lua_State *L, char kind) {
  switch (lua_type(L, -1)) {
  case LUA_TSTRING:
    return kind == 's' && lua_rawlen(L, -1) > 0;
  case LUA_TBOOLEAN:
    return kind == 'b';
  case LUA_TNUMBER:
    return kind == 'n' && is_count(lua_tonumber(L, -1));
  default:
    return 0;
  }
}

/* Whether the value on top is missing or an empty string. */
static int is_gap(lua_State *L) {
  return lua_isnil(L, -1) || (lua_type(L, -1) == LUA_TSTRING && lua_rawlen(L, -1) == 0);
}

/* Moves a field of the record on top from the name at one index to the name at the next,
 * where that is a gap. */
static void move_field(lua_State *L, int from) {
  lua_pushvalue(L, from);
  lua_rawget(L, -2);
  lua_pushvalue(L, from + 1);
  lua_rawget(L, -3);
  const int has_place = is_gap(L);
  lua_pop(L, 1);
  if (has_place && !is_gap(L)) { /* first the one that goes, or the table grows for the other */
    lua_pushvalue(L, from);
    lua_pushnil(L);
    lua_rawset(L, -4);
    lua_pushvalue(L, from + 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  lua_pop(L, 1);
}

/* Pushes the strings of the array at an index; returns how many. */
static int push_names(lua_State *L, int index) {
  if (lua_isnil(L, index))
    return 0;
  luaL_checktype(L, index, LUA_TTABLE);
  const int n = (int)lua_rawlen(L, index);
  luaL_checkstack(L, n + 4, "too many names");
  for (int i = 1; i <= n; i++)
    lua_rawgeti(L, index, i);
  return n;
}

/* Whether the record on top has the n columns from an index on, each of its kind. */
static int has_columns(lua_State *L, int first, const char *kinds, int n) {
  int settled = 1;
  for (int i = 0; i < n && settled; i++) {
    lua_pushvalue(L, first + i);
    lua_rawget(L, -2);
    settled = is_settled(L, kinds[i]);
    lua_pop(L, 1);
  }
  return settled;
}

/* unsettled(records, columns, kinds, from, spellings) -> the first place, at from or after
 * it, whose record lacks one of the columns under that very name and of that kind (a
 * character each: s, b, and n for an integer); nil when there is none. Before, fields move from
 * other spellings to their names, where these are missing; both stand in spellings, in turn. Asking
 * this takes a fifth of the time of settling, and most answers need no settling at all. spellings
 * may be nil. */
static int lrecord_unsettled(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  const char *kinds = luaL_checkstring(L, 3);
  const size_t count = lua_rawlen(L, 1);
  lua_Integer at = luaL_checkinteger(L, 4);
  lua_settop(L, 5);
  const int columns = push_names(L, 2);
  luaL_argcheck(L, strlen(kinds) == (size_t)columns, 3, "a kind per column expected");
  const int spellings = push_names(L, 5);
  for (; at >= 1 && (size_t)at <= count; at++) {
    lua_rawgeti(L, 1, (int)at);
    int settled = lua_istable(L, -1);
    for (int i = 0; settled && i + 1 < spellings; i += 2)
      move_field(L, 6 + columns + i);
    settled = settled && has_columns(L, 6, kinds, columns);
    lua_pop(L, 1);
    if (!settled) {
      lua_pushinteger(L, at);
      return 1;
    }
  }
  return 0;
}

void lrecord_open(lua_State *L) {
  lua_pushcfunction(L, lrecord_unsettled);
  lua_setfield(L, -2, "unsettled");
}
