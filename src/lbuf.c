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

static int lbuf_gc(lua_State *L) {
  buf_free(luaL_checkudata(L, 1, LBUF));
  return 0;
}

void lbuf_open(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", lbuf_gc}, {NULL, NULL}};
  binding_class(L, LBUF, NULL, metamethods);
}
