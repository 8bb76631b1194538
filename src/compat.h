/* One source for Lua 5.1 to 5.4 and LuaJIT. The functions that an older Lua lacks are static and
 * renamed by macro, so that they clash neither with LuaJIT's own nor with another module's. */
#pragma once

#include <lua.h>
#include <lauxlib.h>

/* 2^53 - 1: a double holds every integer up to here exactly. */
#define PCAPI_EXACT ((lua_Integer)9007199254740991)

/* for the only symbol that a module exports */
#define EXPORT __attribute__((visibility("default")))

#if LUA_VERSION_NUM < 502

#define lua_rawlen lua_objlen
#define lua_setuservalue lua_setfenv
#define lua_getuservalue lua_getfenv
#define luaL_setfuncs pcapi_setfuncs
#define luaL_setmetatable pcapi_setmetatable

/* LuaJIT declares these too, with the same meaning */
#undef luaL_newlib
#define luaL_newlib(L, l) (lua_newtable(L), luaL_setfuncs(L, l, 0))

static inline void pcapi_setfuncs(lua_State *L, const luaL_Reg *l, int nup) {
  luaL_checkstack(L, nup, "too many upvalues");
  for (; l->name; l++) {
    for (int i = 0; i < nup; i++)
      lua_pushvalue(L, -nup);
    lua_pushcclosure(L, l->func, nup);
    lua_setfield(L, -(nup + 2), l->name);
  }
  lua_pop(L, nup);
}

static inline void pcapi_setmetatable(lua_State *L, const char *name) {
  luaL_getmetatable(L, name);
  lua_setmetatable(L, -2);
}

/* A module built for another Lua must not load. With the headers of 5.1 the linker refuses it:
 * Lua 5.2 and later have no lua_objlen. */
#define luaL_checkversion(L) ((void)lua_objlen(L, 1))

#endif

/* Lua 5.4 lacks it; 5.1 has nothing else */
#if LUA_VERSION_NUM >= 502 && !defined lua_lessthan
#define lua_lessthan(L, a, b) lua_compare(L, a, b, LUA_OPLT)
#endif

/* Makes the float on top of the stack an integer, if this Lua has integers and a double holds
 * that integer exactly. Returns whether it did. */
static inline int pcapi_make_integer(lua_State *L) {
#if LUA_VERSION_NUM >= 503
  int is_integral = 0;
  if (lua_isinteger(L, -1))
    return 0;
  const lua_Integer n = lua_tointegerx(L, -1, &is_integral);
  /* from 2^53 on the float may have lost digits, and must not look exact */
  if (!is_integral || n > PCAPI_EXACT || n < -PCAPI_EXACT)
    return 0;
  lua_pop(L, 1);
  lua_pushinteger(L, n);
  return 1;
#else
  (void)L;
  return 0;
#endif
}
