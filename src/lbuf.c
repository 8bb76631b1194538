/* A buf that Lua owns: a Lua error frees it. */
#include "binding.h"
#include "buf.h"

#define LBUF "pcapi.core.buf"

struct buf *lbuf_push(lua_State *L, size_t max) {
  struct buf *b = lua_newuserdata(L, sizeof *b);
  buf_init(b, max);
  luaL_setmetatable(L, LBUF);
  return b;
}

struct buf *lbuf_check(lua_State *L, int index) {
  return luaL_checkudata(L, index, LBUF);
}

/* buffer:free(), and __gc: in any order, any number of times */
static int lbuf_free(lua_State *L) {
  buf_free(lbuf_check(L, 1));
  return 0;
}

static int lbuf_len(lua_State *L) {
  lua_pushnumber(L, (lua_Number)lbuf_check(L, 1)->len);
  return 1;
}

/* buffer:text() -> the bytes as a string */
static int lbuf_text(lua_State *L) {
  const struct buf *b = lbuf_check(L, 1);
  lua_pushlstring(L, b->len > 0 ? b->data : "", b->len);
  return 1;
}

void lbuf_open(lua_State *L) {
  static const luaL_Reg methods[] = {{"text", lbuf_text}, {"free", lbuf_free}, {NULL, NULL}};
  static const luaL_Reg metamethods[] = {{"__gc", lbuf_free}, {"__len", lbuf_len}, {NULL, NULL}};
  binding_class(L, LBUF, methods, metamethods);
}
