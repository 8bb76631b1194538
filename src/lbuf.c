/* A buf that Lua owns: it is freed when a Lua error strikes. */
#include "binding.h"
#include "buf.h"

#define LBUF "pcapi.core.buf"

struct buf *lbuf_push(lua_State *L, size_t max) {
  struct buf *b = lua_newuserdata(L, sizeof *b);
  buf_init(b, max);
  luaL_getmetatable(L, LBUF);
  lua_setmetatable(L, -2);
  return b;
}

static int lbuf_gc(lua_State *L) {
  buf_free(luaL_checkudata(L, 1, LBUF));
  return 0;
}

void lbuf_open(lua_State *L) {
  luaL_newmetatable(L, LBUF);
  lua_pushcfunction(L, lbuf_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1); /* metatable */
}
