/* The Lua binding of inflate.h. */
#include "binding.h"
#include "inflate.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define LINFLATE "pcapi.core.inflate"
#define BODY_MAX ((lua_Number)(INT_MAX / 2)) /* as lhttp.c has it */
#define STEP 131072                          /* bytes that come out in a step */

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

/* The results at the end: the body, or what linflate_fail pushes. */
static int linflate_end(lua_State *L, enum inflate_code code, struct buf *body) {
  int results = 1;
  if (code == INFLATE_DONE)
    lua_pushlstring(L, body->data ? body->data : "", body->len);
  else
    results = linflate_fail(L, code, body);
  buf_free(body); /* now: it is large, and Lua does not know that */
  return results;
}

/* Leaves a buffer for the body on the stack. */
static struct buf *linflate_begin(lua_State *L) {
  luaL_checktype(L, 1, LUA_TSTRING);
  const lua_Number max = luaL_checknumber(L, 2);
  luaL_argcheck(L, max > 0, 2, "must be a positive number of bytes");
  return lbuf_push(L, (size_t)(max < BODY_MAX ? max : BODY_MAX));
}

/* inflate(text, max_bytes) -> the body that text holds compressed, see inflate.h; or nil,
 * message, and what is wrong with it: "too_large" (it has more than max_bytes), "foreign"
 * (neither gzip nor deflate), "no_memory", or "broken" (damaged, cut, or something follows),
 * with what it held up to there as a fourth value */
static int linflate(lua_State *L) {
  struct buf *body = linflate_begin(L);
  size_t len;
  const char *text = lua_tolstring(L, 1, &len);
  return linflate_end(L, inflate_body(text, len, body), body);
}

struct steps {
  struct inflate *state; /* NULL once all is over */
};

/* One step: upvalues are the text, which the state reads, its buffer, and a struct steps. */
static int linflate_step(lua_State *L) {
  struct buf *body = lua_touserdata(L, lua_upvalueindex(2));
  struct steps *steps = lua_touserdata(L, lua_upvalueindex(3));
  if (!steps->state)
    return luaL_error(L, "all was decompressed already");
  const enum inflate_code code = inflate_step(steps->state, STEP);
  if (code == INFLATE_GOES_ON) {
    lua_pushboolean(L, 0);
    return 1;
  }
  inflate_close(steps->state);
  steps->state = NULL;
  return linflate_end(L, code, body);
}

/* inflation(text, max_bytes) -> a function that decompresses a part at each call, about a
 * quarter of a millisecond's: it gives false while there is more, and then what inflate gives.
 * Or nil, message, "no_memory". */
static int linflation(lua_State *L) {
  struct buf *body = linflate_begin(L);
  size_t len;
  const char *text = lua_tolstring(L, 1, &len);
  struct steps *steps = lua_newuserdata(L, sizeof *steps);
  steps->state = NULL;
  luaL_getmetatable(L, LINFLATE);
  lua_setmetatable(L, -2);
  steps->state = inflate_open(text, len, body);
  if (!steps->state)
    return linflate_fail(L, INFLATE_NO_MEMORY, body);
  lua_pushvalue(L, 1);
  lua_insert(L, -3); /* text, buffer, steps */
  lua_pushcclosure(L, linflate_step, 3);
  return 1;
}

static int linflate_gc(lua_State *L) {
  struct steps *steps = luaL_checkudata(L, 1, LINFLATE);
  inflate_close(steps->state);
  steps->state = NULL;
  return 0;
}

void linflate_open(lua_State *L) {
  luaL_newmetatable(L, LINFLATE);
  lua_pushcfunction(L, linflate_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1); /* metatable */
  lua_pushcfunction(L, linflate);
  lua_setfield(L, -2, "inflate");
  lua_pushcfunction(L, linflation);
  lua_setfield(L, -2, "inflation");
}
