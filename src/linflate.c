/* The Lua binding of inflate.h. */
#include "binding.h"
#include "inflate.h"

#include <limits.h>
#include <stdio.h>

#define BODY_MAX ((lua_Number)(INT_MAX / 2)) /* as lhttp.c has it */

/* Returns nil, message, and "too_large" where it was that. Memory too is a message, not
 * Lua's own error: how much a body asks for, its sender decides. */
static int linflate_fail(lua_State *L, enum inflate_code code, size_t max) {
  char message[64];
  lua_pushnil(L);
  if (code != INFLATE_TOO_LARGE) {
    lua_pushstring(L, inflate_message(code));
    return 2;
  }
  snprintf(message, sizeof message, "the body is larger than %zu bytes", max);
  lua_pushstring(L, message);
  lua_pushliteral(L, "too_large");
  return 3;
}

/* inflate(text, max_bytes) -> the body that text holds compressed, see inflate.h; or nil,
 * message, and "too_large" as a third value when it has more than max_bytes */
static int linflate(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  const lua_Number max = luaL_checknumber(L, 2);
  luaL_argcheck(L, max > 0, 2, "must be a positive number of bytes");
  struct buf *body = lbuf_push(L, (size_t)(max < BODY_MAX ? max : BODY_MAX));
  const enum inflate_code code = inflate_body(text, len, body);
  if (code == INFLATE_DONE)
    lua_pushlstring(L, body->data ? body->data : "", body->len);
  buf_free(body); /* now: it is large, and Lua does not know that */
  return code == INFLATE_DONE ? 1 : linflate_fail(L, code, body->max);
}

void linflate_open(lua_State *L) {
  lua_pushcfunction(L, linflate);
  lua_setfield(L, -2, "inflate");
}
