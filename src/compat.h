/* One source for Lua 5.1-5.4 and LuaJIT. The shims are static and renamed by
 * macro, so that they meet neither LuaJIT's own copies nor another module's. */
#ifndef PCAPI_COMPAT_H
#define PCAPI_COMPAT_H

#include <lua.h>
#include <lauxlib.h>

#if LUA_VERSION_NUM < 502

#define lua_rawlen lua_objlen
#define luaL_setfuncs pcapi_setfuncs

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

/* A .so built for another Lua loads silently unless something refuses. Against
 * 5.1 headers that is the linker: there is no lua_objlen from 5.2 on. */
#define luaL_checkversion(L) ((void)lua_objlen(L, 1))

#endif

/* for the one symbol that a module shows */
#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

#if LUA_VERSION_NUM >= 503
#define PCAPI_HAS_INTEGERS 1
#else
#define PCAPI_HAS_INTEGERS 0
#endif

#endif
