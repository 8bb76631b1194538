/* JSON texts to Lua tables and back. The reader reads them (lreader.h). lua-cjson says what is wrong
 * with a text that the reader refuses, reads the texts that only it takes, and writes JSON. With
 * PCAPI_JSON=cjson in the environment lua-cjson reads all texts; this file corrects its results: a
 * byte order mark is ignored, integral floats become integers, null in an object is a missing
 * member. */
#include "binding.h"
#include "lcjson.h"
#include "lreader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The findings of a walk over a decoded value. */
struct walk {
  lua_Number values;
  bool is_infinite; /* a number is too large for a double */
};

static void normalise(lua_State *L, struct walk *w);

/* Normalises the element or member on top of the stack, whose key is below it, in the table at t;
 * pops it. A null in an array stays, as it holds a place. */
static void normalise_item(lua_State *L, int t, struct walk *w) {
  const bool is_removed =
      lua_type(L, -1) == LUA_TLIGHTUSERDATA && lua_type(L, -2) == LUA_TSTRING;
  const bool is_number = lua_type(L, -1) == LUA_TNUMBER;
  normalise(L, w);
  if (is_removed || is_number) {
    lua_pushvalue(L, -2);
    if (is_removed)
      lua_pushnil(L);
    else
      lua_pushvalue(L, -2);
    lua_rawset(L, t); /* an existing key: lua_next() allows it */
  }
  lua_pop(L, 1);
}

/* Normalises the value on top of the stack, in its place. The recursion is at most READER_DEPTH
 * deep. */
static void normalise(lua_State *L, struct walk *w) {
  w->values++;
  if (lua_type(L, -1) == LUA_TNUMBER) {
    w->is_infinite |= isinf(lua_tonumber(L, -1));
    pcapi_make_integer(L);
  } else if (lua_type(L, -1) == LUA_TTABLE) {
    const int t = lua_gettop(L);
    luaL_checkstack(L, 6, "JSON nested too deep");
    for (lua_pushnil(L); lua_next(L, t);)
      normalise_item(L, t, w);
  }
}

#define ZERO_BYTE "Expected the end but found a zero byte"
#define UTF16 "Found a zero byte, as in UTF-16 or UTF-32; JSON must be UTF-8"

/* cjson refuses a text whose first or second byte is zero, without a place. */
static int is_utf16(const char *text, size_t len) {
  return len >= 2 && (!text[0] || !text[1]);
}

/* Returns nil, the message and a place in the text, in bytes from 1. at: the same place from 0. */
static int fail_at(lua_State *L, const char *message, size_t at) {
  const int results = binding_fail(L, message, NULL);
  lua_pushinteger(L, (lua_Integer)at + 1);
  return results + 1;
}

/* Returns what fail_at() returns, for cjson's error on top of the stack. cjson counts characters
 * from 1. before: how many bytes precede its text. Raises any other error again: a debug hook raises
 * one here if Ctrl-C is pressed meanwhile. */
static int fail_by_cjson(lua_State *L, size_t before) {
  const char *message = lua_tostring(L, -1);
  const char *place = lcjson_place(L);
  if (!place)
    return lua_error(L);
  const long character = strtol(place + strlen(LCJSON_PLACE), NULL, 10);
  lua_pushlstring(L, message, (size_t)(place - message));
  return fail_at(L, lua_tostring(L, -1), (size_t)(character - 1) + before);
}

/* Decodes the string at 1 by lua-cjson. Returns what json_judge() returns, but for the number. */
static int judge(lua_State *L, struct walk *w) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  const size_t bom = reader_bom(text, len);
  lua_settop(L, 1);
  if (is_utf16(text + bom, len - bom))
    return fail_at(L, UTF16, bom + (text[bom] ? 1 : 0));
  lua_pushlstring(L, text + bom, len - bom);
  const int status = lcjson_decode(L);
  if (status == LUA_ERRMEM)
    return lua_error(L);
  if (status != 0)
    return fail_by_cjson(L, bom);
  /* cjson takes a zero byte for the end of the text. JSON contains none (RFC 8259 §2), and text
   * after it must not be lost. */
  const char *zero = memchr(text, '\0', len);
  if (zero)
    return fail_at(L, ZERO_BYTE, (size_t)(zero - text));
  normalise(L, w);
  if (w->is_infinite)
    return binding_fail(L, reader_message(READER_INFINITE), NULL);
  if (lua_type(L, -1) == LUA_TLIGHTUSERDATA)
    lua_pushnil(L);
  return 1;
}

/* judge(text) -> value, the number of values; or nil, message, offset. By lua-cjson alone. */
static int json_judge(lua_State *L) {
  struct walk w = {0, false};
  const int results = judge(L, &w);
  if (results > 1)
    return results;
  lua_pushnumber(L, w.values);
  return 2;
}

/* Like decode(), by lua-cjson alone. */
static int json_decode_by_cjson(lua_State *L) {
  struct walk w = {0, false};
  return judge(L, &w);
}

/* decode(text) -> value; or nil, message, offset in bytes from 1 */
static int json_decode(lua_State *L) {
  size_t at;
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  const enum reader_code code = lreader_read(L, 1, &at);
  if (code == READER_REFUSED || code == READER_CUT)
    return json_decode_by_cjson(L);
  if (code != READER_END)
    return fail_at(L, reader_message(code), at);
  if (lua_type(L, -1) == LUA_TLIGHTUSERDATA)
    lua_pushnil(L);
  return 1;
}

/* encode(value) -> text; raises an error for a value that JSON cannot represent */
static int json_encode(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  if (lcjson_encode(L) != 0)
    return lua_error(L);
  return 1;
}

/* Adds a function to the table at t, with the upvalues of lcjson.h. codec: the index of the first;
 * the other two are on top of the stack. */
static void add_function(lua_State *L, int t, const char *name, lua_CFunction f, int codec) {
  lua_pushvalue(L, codec);
  lua_pushvalue(L, -3);
  lua_pushvalue(L, -3);
  lua_pushcclosure(L, f, LCJSON_UPVALUES);
  lua_setfield(L, t, name);
}

void ljson_open(lua_State *L) {
  const int t = lua_gettop(L);
  const char *wanted = getenv("PCAPI_JSON");
  const bool by_cjson = wanted && strcmp(wanted, "cjson") == 0;
  lcjson_push(L);
  add_function(L, t, "decode", by_cjson ? json_decode_by_cjson : json_decode, t + 1);
  add_function(L, t, "judge", json_judge, t + 1);
  add_function(L, t, "encode", json_encode, t + 2);
  lua_settop(L, t);
  lua_pushstring(L, by_cjson ? "cjson" : "reader");
  lua_setfield(L, t, "json");
  lua_pushlightuserdata(L, NULL); /* cjson's value for null in an array */
  lua_setfield(L, t, "null");
}
