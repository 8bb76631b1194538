/* JSON texts to Lua tables and back. lua-cjson decodes; this file corrects its results: a byte
 * order mark is ignored, integral floats become integers, null in an object is a missing member. */
#include "binding.h"
#include "jsontext.h"
#include "lcjson.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Whether the value on top of the stack is null, or a number too large for a double. Such a number
 * is read as null: JSON has no infinity, and few callers expect one. */
static int is_null(lua_State *L) {
  const int type = lua_type(L, -1);
  return type == LUA_TLIGHTUSERDATA || (type == LUA_TNUMBER && isinf(lua_tonumber(L, -1)));
}

/* Makes the number on top of the stack an integer if its value is integral, or null if it is
 * infinite. Returns whether it did either. */
static int normalise_number(lua_State *L) {
  if (!is_null(L))
    return pcapi_make_integer(L);
  lua_pop(L, 1);
  lua_pushlightuserdata(L, NULL);
  return 1;
}

/* Normalises the value on top of the stack, whose key is below it, in the table at t; pops it. A
 * null in an array stays, as it holds a place. Returns 1 for a scalar that jsontext_scalars()
 * counts. */
static size_t normalise_pair(lua_State *L, int t) {
  const int type = lua_type(L, -1);
  const int is_new = type == LUA_TNUMBER && normalise_number(L);
  const int is_removed = lua_type(L, -1) == LUA_TLIGHTUSERDATA && lua_type(L, -2) == LUA_TSTRING;
  if (is_removed || is_new) {
    lua_pushvalue(L, -2);
    if (is_removed)
      lua_pushnil(L);
    else
      lua_pushvalue(L, -2);
    lua_rawset(L, t); /* an existing key: lua_next() allows it */
  }
  lua_pop(L, 1);
  return type == LUA_TNUMBER || type == LUA_TLIGHTUSERDATA;
}

/* Normalises the table on top of the stack and the tables in it. Stops after `left` scalars: a list
 * of 10,000 records without numbers is not walked at all. Returns how many are left. The recursion
 * is at most JSONTEXT_DEPTH deep. */
static size_t normalise(lua_State *L, size_t left) {
  const int t = lua_gettop(L);
  luaL_checkstack(L, 4, "JSON nested too deep");
  for (lua_pushnil(L); left > 0 && lua_next(L, t);) {
    if (lua_type(L, -1) == LUA_TTABLE)
      lua_pop(L, 1);
    else
      left -= normalise_pair(L, t);
  }
  lua_settop(L, t);
  for (lua_pushnil(L); left > 0 && lua_next(L, t); lua_pop(L, 1))
    if (lua_type(L, -1) == LUA_TTABLE)
      left = normalise(L, left);
  lua_settop(L, t);
  return left;
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
 * from
 * 1. before: how many bytes precede its text; -1 if a bracket was added in front. Raises any other
 * error again: a debug hook raises one here if Ctrl-C is pressed meanwhile. */
static int fail_by_cjson(lua_State *L, long before) {
  const char *message = lua_tostring(L, -1);
  const char *place = lcjson_place(L);
  if (!place)
    return lua_error(L);
  const long character = strtol(place + strlen(LCJSON_PLACE), NULL, 10);
  lua_pushlstring(L, message, (size_t)(place - message));
  return fail_at(L, lua_tostring(L, -1), (size_t)(character + before - 1));
}

/* decode(text) -> value; or nil, message, offset in bytes from 1 */
static int json_decode(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  const size_t bom = jsontext_bom(text, len);
  lua_settop(L, 1);
  if (is_utf16(text + bom, len - bom))
    return fail_at(L, UTF16, bom + (text[bom] ? 1 : 0));
  const size_t scalars = jsontext_scalars(text, len);
  if (bom)
    lua_pushlstring(L, text + bom, len - bom);
  else
    lua_pushvalue(L, 1);
  const int status = lcjson_decode(L);
  if (status == LUA_ERRMEM)
    return lua_error(L);
  if (status != 0)
    return fail_by_cjson(L, (long)bom);
  /* cjson takes a zero byte for the end of the text. JSON contains none (RFC 8259 §2), and text
   * after it must not be lost. */
  const char *zero = memchr(text, '\0', len);
  if (zero)
    return fail_at(L, ZERO_BYTE, (size_t)(zero - text));
  if (lua_type(L, -1) == LUA_TTABLE)
    normalise(L, scalars);
  else if (lua_type(L, -1) == LUA_TNUMBER)
    normalise_number(L);
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

/* count(text, enough) -> the number of values in the text, and of records, see jsontext.h; or only
 * an upper bound of the values, if it is at most enough */
static int json_count(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  const lua_Number enough = luaL_checknumber(L, 2);
  const size_t bound = jsontext_bound(text, len);
  lua_settop(L, 0);
  if ((lua_Number)bound <= enough) {
    lua_pushnumber(L, (lua_Number)bound);
    return 1;
  }
  const struct jsontext_size size = jsontext_count(text, len);
  lua_pushnumber(L, (lua_Number)size.values);
  lua_pushnumber(L, (lua_Number)size.records);
  return 2;
}

/* Upvalues of the function that pieces() returns, after those of lcjson.h. */
enum { TEXT = LCJSON_UPVALUES + 1, WALK, LEAST, STACK };

/* Pushes the piece and `more` after it, in brackets of its kind. */
static void push_wrapped(lua_State *L, const char *text, const struct jsontext_piece *piece,
                         const char *more) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addchar(&b, piece->kind);
  luaL_addlstring(&b, text + piece->from, piece->to - piece->from);
  luaL_addstring(&b, more);
  luaL_addchar(&b, piece->kind == '{' ? '}' : ']');
  luaL_pushresult(&b);
}

/* Normalises the array on top of the stack, and appends its elements to the array below it. Pops
 * both. */
static void merge_elements(lua_State *L, size_t scalars) {
  const int into = lua_gettop(L) - 1;
  normalise(L, scalars);
  const int count = (int)lua_rawlen(L, -1);
  const int before = (int)lua_rawlen(L, into);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, into, before + i);
  }
  lua_pop(L, 2);
}

/* Normalises the object on top of the stack, and copies its members to the object below it. Pops
 * both. A null member removes an earlier member of the same name. */
static void merge_members(lua_State *L, size_t scalars) {
  const int into = lua_gettop(L) - 1;
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    if (!is_null(L))
      continue;
    lua_pushvalue(L, -2);
    lua_pushnil(L);
    lua_rawset(L, into);
  }
  normalise(L, scalars);
  for (lua_pushnil(L); lua_next(L, -2);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, into);
  }
  lua_pop(L, 2);
}

static void merge(lua_State *L, char kind, size_t scalars) {
  if (kind == '[')
    merge_elements(L, scalars);
  else
    merge_members(L, scalars);
}

/* Pushes the table of the container at a depth. */
static void push_container(lua_State *L, int depth) {
  lua_rawgeti(L, lua_upvalueindex(STACK), depth);
}

/* Decodes a piece, wrapped. Pushes its table and returns 0, or pushes a failure and returns how
 * many values that is. */
static int decode_piece(lua_State *L, const char *text, const struct jsontext_piece *piece,
                        const char *more) {
  const char *zero = memchr(text + piece->from, '\0', piece->to - piece->from);
  if (zero)
    return fail_at(L, ZERO_BYTE, (size_t)(zero - text));
  push_wrapped(L, text, piece, more);
  const int status = lcjson_decode(L);
  if (status == LUA_ERRMEM)
    return lua_error(L);
  return status ? fail_by_cjson(L, (long)piece->from - 1) : 0;
}

/* Adds the elements or members of a piece to their container. Returns 0, or as decode_piece(). */
static int add_run(lua_State *L, const char *text, const struct jsontext_piece *piece, int depth) {
  push_container(L, depth);
  const int results = decode_piece(L, text, piece, "");
  if (results > 0)
    return results;
  /* the bracket or comma before the piece shows whether it begins with a scalar */
  merge(L, piece->kind, jsontext_scalars(text + piece->from - 1, piece->to - piece->from + 1));
  return 0;
}

/* Makes the table of a container that opens, and adds it to the container around it. Returns 0, or
 * as decode_piece(). */
static int add_container(lua_State *L, const char *text, const struct jsontext_piece *piece,
                         int depth) {
  if (!piece->kind) {
    lua_newtable(L);
    lua_rawseti(L, lua_upvalueindex(STACK), depth);
    return 0;
  }
  push_container(L, depth - 1);
  const int results = decode_piece(L, text, piece, "[]");
  if (results > 0)
    return results;
  lua_pushnil(L);
  lua_next(L, -2); /* the decoded table holds one value, the container */
  lua_rawseti(L, lua_upvalueindex(STACK), depth);
  lua_pop(L, 1);
  merge(L, piece->kind, 0);
  return 0;
}

/* Decodes the next piece. Returns 0 while more is left; then pushes what decode() returns, and
 * returns how many values that is. */
static int decode_next(lua_State *L, struct jsontext_walk *w, const char *text, size_t len) {
  struct jsontext_piece piece = {0, 0, 0};
  const size_t least = (size_t)lua_tointeger(L, lua_upvalueindex(LEAST));
  switch (jsontext_next(w, text, len, least, &piece)) {
  case JSONTEXT_OPEN:
    return add_container(L, text, &piece, w->opened);
  case JSONTEXT_RUN:
    return add_run(L, text, &piece, w->opened);
  case JSONTEXT_CLOSE:
    return 0;
  case JSONTEXT_END:
    push_container(L, 1);
    return 1;
  case JSONTEXT_WHOLE:
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(TEXT));
    return json_decode(L);
  case JSONTEXT_DEEP:
    return fail_at(L, "Found too many nested data structures", w->at);
  default:
    return fail_at(
        L, w->at < len ? "Found an unexpected character" : "Expected more but found the end",
        w->at);
  }
}

/* The function that pieces() returns. */
static int json_next_piece(lua_State *L) {
  size_t len;
  const char *text = lua_tolstring(L, lua_upvalueindex(TEXT), &len);
  struct jsontext_walk *w = lua_touserdata(L, lua_upvalueindex(WALK));
  lua_settop(L, 0);
  const int results = decode_next(L, w, text, len);
  lua_pushboolean(L, results == 0);
  lua_insert(L, -1 - results);
  return results + 1;
}

/* pieces(text, least) -> a function that decodes the text like decode(), in pieces of about least
 * bytes. Each call returns true while more is left; the last one returns false and what decode()
 * returns. */
static int json_pieces(lua_State *L) {
  luaL_checkstring(L, 1);
  luaL_argcheck(L, luaL_checkinteger(L, 2) > 0, 2, "must be a positive number of bytes");
  lua_settop(L, 2);
  for (int i = 1; i <= LCJSON_UPVALUES; i++)
    lua_pushvalue(L, lua_upvalueindex(i));
  lua_pushvalue(L, 1);
  struct jsontext_walk *w = lua_newuserdata(L, sizeof *w);
  memset(w, 0, sizeof *w);
  lua_pushvalue(L, 2);
  lua_newtable(L);
  lua_pushcclosure(L, json_next_piece, STACK);
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
  lcjson_push(L);
  add_function(L, t, "decode", json_decode, t + 1);
  add_function(L, t, "pieces", json_pieces, t + 1);
  add_function(L, t, "encode", json_encode, t + 2);
  lua_settop(L, t);
  lua_pushcfunction(L, json_count);
  lua_setfield(L, t, "count");
  lua_pushlightuserdata(L, NULL); /* cjson's value for null in an array */
  lua_setfield(L, t, "null");
}
