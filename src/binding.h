/* Declares the parts of the Lua binding, and the functions that they share. Each part has one
 * opener, which pcapi_core.c calls with the module's table on top of the stack; the opener adds the
 * functions of its part to that table.
 *
 * A function of the binding raises an error for a wrong argument and for lack of memory. Every
 * other failure returns nil and a message; then a kind, if there are several, and a detail. */
#pragma once

#include "compat.h"

#include <limits.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

struct buf;
struct head;

void lbuf_open(lua_State *L);
void lcrypto_open(lua_State *L);
void lfile_open(lua_State *L);
void lhead_open(lua_State *L);
void lhttp_open(lua_State *L);
void linflate_open(lua_State *L);
void ljson_open(lua_State *L);
void lreader_open(lua_State *L);
void lrows_open(lua_State *L);
void lsort_open(lua_State *L);
void lsys_open(lua_State *L);

/* The largest body in bytes, whatever limit the caller sets. */
#define BINDING_BODY_MAX ((lua_Number)(INT_MAX / 2))

/* Pushes an empty buffer that holds at most max bytes. Lua frees it with the userdata; the caller
 * may free it earlier. */
struct buf *lbuf_push(lua_State *L, size_t max);

/* Returns the buffer at an index of the stack; raises an error if it is none. */
struct buf *lbuf_check(lua_State *L, int index);

/* Sets the reason phrase and the headers of a complete head in the response on top of the stack: a
 * table without a metatable. */
void lhead_set(lua_State *L, const struct head *head);

/* Pushes nil, the message and, unless it is NULL, the kind of the failure: a word that callers
 * compare. Returns how many values those are. A caller that has a detail, such as a cause or an
 * offset, pushes it afterwards and returns one more. */
static inline int binding_fail(lua_State *L, const char *message, const char *kind) {
  lua_pushnil(L);
  lua_pushstring(L, message);
  if (!kind)
    return 2;
  lua_pushstring(L, kind);
  return 3;
}

/* Returns the number t[name], or another one if that is nil. Raises an error for any other value. */
static inline double binding_number(lua_State *L, int t, const char *name, double otherwise) {
  lua_getfield(L, t, name);
  const double n = lua_isnil(L, -1) ? otherwise : (double)luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return n;
}

/* Raises the error for lack of memory; does not return. */
static inline int binding_no_memory(lua_State *L) {
  return luaL_error(L, "not enough memory");
}

/* Registers the metatable of a userdata. methods: NULL for a userdata that Lua code never holds.
 * Leaves nothing on the stack. */
static inline void binding_class(lua_State *L, const char *name, const luaL_Reg *methods,
                                 const luaL_Reg *metamethods) {
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, metamethods, 0);
  if (methods) {
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
  }
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_pop(L, 1);
}

#pragma GCC visibility pop
