/* The Lua binding of inflate.h. */
#include "binding.h"
#include "inflate.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define BODY_MAX ((lua_Number)(INT_MAX / 2)) /* as lhttp.c has it */

static const char *linflate_word(enum inflate_code code) {
  switch (code) {
  case INFLATE_TOO_LARGE:
    return "too_large";
  case INFLATE_NO_MEMORY:
    return "no_memory";
  case INFLATE_FOREIGN:
    return "foreign";
  default:
    return "broken";
  }
}

/* Pushes nil, a message, the word, and after "broken" what was decompressed before that.
 * Memory too is a message, not Lua's own error: how much a body asks for, its sender
 * decides. */
static int linflate_fail(lua_State *L, enum inflate_code code, const struct buf *body) {
  char message[64];
  lua_pushnil(L);
  if (code == INFLATE_TOO_LARGE) {
    snprintf(message, sizeof message, "the body is larger than %zu bytes", body->max);
    lua_pushstring(L, message);
  } else {
    lua_pushstring(L, inflate_message(code));
  }
  const char *word = linflate_word(code);
  lua_pushstring(L, word);
  if (strcmp(word, "broken") != 0)
    return 3;
  lua_pushlstring(L, body->data ? body->data : "", body->len);
  return 4;
}

/* inflate(text, max_bytes) -> the body that text holds compressed, see inflate.h; or nil,
 * message, and what is wrong with it: "too_large" (it has more than max_bytes), "foreign"
 * (neither gzip nor deflate), "no_memory", or "broken" (damaged, cut, or something follows),
 * with what it held up to there as a fourth value */
static int linflate(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  const lua_Number max = luaL_checknumber(L, 2);
  luaL_argcheck(L, max > 0, 2, "must be a positive number of bytes");
  struct buf *body = lbuf_push(L, (size_t)(max < BODY_MAX ? max : BODY_MAX));
  const enum inflate_code code = inflate_body(text, len, body);
  int results = 1;
  if (code == INFLATE_DONE)
    lua_pushlstring(L, body->data ? body->data : "", body->len);
  else
    results = linflate_fail(L, code, body);
  buf_free(body); /* now: it is large, and Lua does not know that */
  return results;
}

void linflate_open(lua_State *L) {
  lua_pushcfunction(L, linflate);
  lua_setfield(L, -2, "inflate");
}
