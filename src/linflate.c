/* The Lua binding of inflate.h. */
#include "binding.h"
#include "inflate.h"

#include <string.h>

#define LINFLATE "pcapi.core.inflate"
#define STEP 131072 /* bytes of output of a step */

/* Returns nil, a message and a kind; after "damaged" also the part that could be decompressed. Lack
 * of memory is a failure here and no error: the sender of a body decides how much it needs. */
static int linflate_fail(lua_State *L, enum inflate_code code, const struct buf *body) {
  static const char *const kinds[] = {
      [INFLATE_UNCOMPRESSED] = "uncompressed", [INFLATE_DAMAGED] = "damaged",
      [INFLATE_INCOMPLETE] = "damaged",        [INFLATE_TRAILING] = "damaged",
      [INFLATE_TOO_LARGE] = "too_large",       [INFLATE_NO_MEMORY] = "no_memory",
  };
  const int results = binding_fail(L, inflate_message(code), kinds[code]);
  if (strcmp(kinds[code], "damaged") != 0)
    return results;
  lua_pushlstring(L, body->data ? body->data : "", body->len);
  return results + 1;
}

/* Returns the body, or what linflate_fail() returns. Frees the buffer. */
static int linflate_end(lua_State *L, enum inflate_code code, struct buf *body) {
  int results = 1;
  if (code == INFLATE_DONE)
    lua_pushlstring(L, body->data ? body->data : "", body->len);
  else
    results = linflate_fail(L, code, body);
  buf_free(body); /* now, as it is large and Lua does not know that */
  return results;
}

/* Checks the arguments: a string and the largest size in bytes. Pushes a buffer for the body. */
static struct buf *linflate_begin(lua_State *L) {
  luaL_checktype(L, 1, LUA_TSTRING);
  const lua_Number max = luaL_checknumber(L, 2);
  luaL_argcheck(L, max > 0, 2, "must be a positive number of bytes");
  return lbuf_push(L, (size_t)(max < BINDING_BODY_MAX ? max : BINDING_BODY_MAX));
}

/* inflate(text, max_bytes) -> the decompressed body, see inflate.h; or nil, message, and a kind:
 * "too_large" (more than max_bytes), "uncompressed" (neither gzip nor deflate), "no_memory", or
 * "damaged" (invalid, cut off or followed by other data), then with the part that could be
 * decompressed */
static int linflate(lua_State *L) {
  struct buf *body = linflate_begin(L);
  size_t len;
  const char *text = lua_tolstring(L, 1, &len);
  return linflate_end(L, inflate_body(text, len, body), body);
}

struct steps {
  struct inflate *state; /* NULL when the last step is done */
};

/* Does one step. Upvalues: the text, which the state reads, the buffer for the body, and a struct
 * steps. */
static int linflate_step(lua_State *L) {
  struct buf *body = lua_touserdata(L, lua_upvalueindex(2));
  struct steps *steps = lua_touserdata(L, lua_upvalueindex(3));
  if (!steps->state)
    return luaL_error(L, "the body was decompressed already");
  const enum inflate_code code = inflate_step(steps->state, STEP);
  if (code == INFLATE_RUNNING) {
    lua_pushboolean(L, 0);
    return 1;
  }
  inflate_close(steps->state);
  steps->state = NULL;
  return linflate_end(L, code, body);
}

/* inflater(text, max_bytes) -> a function that decompresses a part in each call, which takes about
 * a quarter of a millisecond. It returns false while more is left, then what inflate() returns. Or
 * nil, message, "no_memory" */
static int linflate_steps(lua_State *L) {
  struct buf *body = linflate_begin(L);
  size_t len;
  const char *text = lua_tolstring(L, 1, &len);
  struct steps *steps = lua_newuserdata(L, sizeof *steps);
  steps->state = NULL;
  luaL_setmetatable(L, LINFLATE);
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
  static const luaL_Reg metamethods[] = {{"__gc", linflate_gc}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"inflate", linflate}, {"inflater", linflate_steps}, {NULL, NULL}};
  binding_class(L, LINFLATE, NULL, metamethods);
  luaL_setfuncs(L, functions, 0);
}
