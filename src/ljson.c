/* JSON text to Lua tables, by lua-cjson. What it gets wrong for these answers is
 * put right here: a byte order mark, integers as floats, null inside objects. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include "binding.h"
#include "jsontext.h"

#include <stdlib.h>
#include <string.h>

#define JSON_MAX_DEPTH 100
#define PCAPI_EXACT ((lua_Integer)9007199254740991) /* 2^53 - 1 */

/* Leaves the decode function of an own cjson instance on the stack: the shared
 * one has settings that other code of the process may change. */
static void push_decoder(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "new");
  lua_call(L, 0, 1);
  lua_remove(L, -2); /* the shared instance */
  lua_getfield(L, -1, "decode_max_depth");
  lua_pushinteger(L, JSON_MAX_DEPTH);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode_invalid_numbers"); /* NaN, Infinity, 0x10: not JSON */
  lua_pushboolean(L, 0);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode");
  lua_remove(L, -2); /* the instance; its decode function keeps it alive */
}

/* Makes the number on top an integer where that loses nothing. Returns whether
 * it did. */
static int to_integer(lua_State *L) {
#if PCAPI_HAS_INTEGERS
  int exact = 0;
  if (lua_isinteger(L, -1))
    return 0;
  const lua_Integer n = lua_tointegerx(L, -1, &exact);
  /* from 2^53 on cjson's float may have lost digits, and must not look exact */
  if (!exact || n > PCAPI_EXACT || n < -PCAPI_EXACT)
    return 0;
  lua_pop(L, 1);
  lua_pushinteger(L, n);
  return 1;
#else
  (void)L;
  return 0;
#endif
}

/* Settles the key-value pair on top of the stack in the table at t: integral
 * floats become integers, and a null member goes. In an array null stays, since
 * there it holds a place. Pops the value. Returns 1 when it met a scalar that
 * jsontext_scalars() counts. */
static size_t settle_pair(lua_State *L, int t) {
  const int type = lua_type(L, -1);
  if (type == LUA_TNUMBER && to_integer(L)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, t); /* an existing key: lua_next allows it */
    return 1;
  }
  lua_pop(L, 1);
  if (type == LUA_TLIGHTUSERDATA && lua_type(L, -1) == LUA_TSTRING) {
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, t);
  }
  return type == LUA_TNUMBER || type == LUA_TLIGHTUSERDATA;
}

/* Settles the table on top of the stack and the tables in it, and stops once
 * left scalars were met: a list of 10,000 records without a number is not
 * walked at all. Returns how many are left. Depth: JSON_MAX_DEPTH at most. */
static size_t settle(lua_State *L, size_t left) {
  const int t = lua_gettop(L);
  luaL_checkstack(L, 4, "JSON nested too deep");
  for (lua_pushnil(L); left > 0 && lua_next(L, t);) {
    if (lua_type(L, -1) == LUA_TTABLE)
      lua_pop(L, 1);
    else
      left -= settle_pair(L, t);
  }
  lua_settop(L, t);
  for (lua_pushnil(L); left > 0 && lua_next(L, t); lua_pop(L, 1))
    if (lua_type(L, -1) == LUA_TTABLE)
      left = settle(L, left);
  lua_settop(L, t);
  return left;
}

#define UTF16 "JSON parser does not support UTF-16"

/* Turns cjson's error on top into nil, message, offset. cjson counts characters
 * from 1; bom bytes were cut off before. Errors of others go on: a debug hook raises one
 * in here when Ctrl-C is pressed meanwhile. */
static int push_error(lua_State *L, size_t bom) {
  const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  const char *at = strstr(message, " at character ");
  if (!at && strncmp(message, UTF16, strlen(UTF16)) != 0)
    return lua_error(L);
  if (!at) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  const long character = strtol(at + strlen(" at character "), NULL, 10);
  lua_pushnil(L);
  lua_pushlstring(L, message, (size_t)(at - message));
  lua_pushinteger(L, (lua_Integer)character + (lua_Integer)bom);
  return 3;
}

/* cjson takes a zero byte for the end of the text. JSON holds none (RFC 8259 §2),
 * and what stands behind it must not get lost in silence. */
static int push_zero_byte(lua_State *L, size_t at) {
  lua_pushnil(L);
  lua_pushliteral(L, "Expected the end but found a zero byte");
  lua_pushinteger(L, (lua_Integer)at + 1);
  return 3;
}

/* decode(text) -> value, or nil, message, offset in bytes from 1.
 * Upvalue 1: the decoder. */
static int json_decode(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  const size_t bom = jsontext_bom(text, len);
  lua_settop(L, 1);
  const size_t scalars = jsontext_scalars(text, len);
  lua_pushvalue(L, lua_upvalueindex(1));
  if (bom)
    lua_pushlstring(L, text + bom, len - bom);
  else
    lua_pushvalue(L, 1);
  const int status = lua_pcall(L, 1, 1, 0);
  if (status == LUA_ERRMEM)
    return lua_error(L);
  if (status != 0)
    return push_error(L, bom);
  const char *zero = memchr(text, '\0', len);
  if (zero)
    return push_zero_byte(L, (size_t)(zero - text));
  if (lua_type(L, -1) == LUA_TTABLE)
    settle(L, scalars);
  else if (lua_type(L, -1) == LUA_TNUMBER)
    to_integer(L);
  else if (lua_type(L, -1) == LUA_TLIGHTUSERDATA)
    lua_pushnil(L);
  return 1;
}

/* Whether the value on top is what kind says, and not an empty string. */
static int is_settled(lua_State *L, char kind) {
  switch (lua_type(L, -1)) {
  case LUA_TSTRING:
    return kind == 's' && lua_rawlen(L, -1) > 0;
  case LUA_TBOOLEAN:
    return kind == 'b';
  case LUA_TNUMBER:
    return kind == 'n';
  default:
    return 0;
  }
}

/* unsettled(records, columns, kinds, from) -> the first place, at from or after
 * it, whose record lacks one of the columns under that very name and of that kind
 * (a character each: s, b, n); nil when there is none. Asking this takes a fifth
 * of the time of settling, and most answers need no settling at all. */
static int json_unsettled(lua_State *L) {
  size_t n;
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  const char *kinds = luaL_checklstring(L, 3, &n);
  const size_t count = lua_rawlen(L, 1);
  luaL_checkstack(L, (int)n + 2, "too many columns");
  lua_Integer at = luaL_checkinteger(L, 4);
  lua_settop(L, 3);
  for (size_t i = 1; i <= n; i++)
    lua_rawgeti(L, 2, (int)i);
  for (; at >= 1 && (size_t)at <= count; at++) {
    lua_rawgeti(L, 1, (int)at);
    int settled = lua_istable(L, -1);
    for (size_t i = 0; i < n && settled; i++) {
      lua_pushvalue(L, 4 + (int)i);
      lua_rawget(L, -2);
      settled = is_settled(L, kinds[i]);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
    if (!settled) {
      lua_pushinteger(L, at);
      return 1;
    }
  }
  return 0;
}

/* respell(text, names) -> text with member names of records rewritten by the map names:
 * from -> to. A copy, but where none of them occurs. */
static int json_respell(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  char *copy = NULL;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_pushnil(L); /* a place for what holds the copy */
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
      continue;
    const char *from = lua_tostring(L, -2);
    if (!memmem(text, len, from, strlen(from)))
      continue;
    if (!copy) {
      copy = memcpy(lua_newuserdata(L, len), text, len);
      lua_replace(L, 3);
    }
    jsontext_respell(copy, len, from, lua_tostring(L, -1));
  }
  if (copy)
    lua_pushlstring(L, copy, len);
  else
    lua_pushvalue(L, 1);
  return 1;
}

/* Pushes text[from, to) within brackets. */
static void push_piece(lua_State *L, const char *text, size_t from, size_t to) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addchar(&b, '[');
  luaL_addlstring(&b, text + from, to - from);
  luaL_addchar(&b, ']');
  luaL_pushresult(&b);
}

/* The function that pieces() gives. Upvalues: the text, its walk, the least size. */
static int json_next_piece(lua_State *L) {
  size_t len;
  size_t from = 0;
  size_t to = 0;
  const char *text = lua_tolstring(L, lua_upvalueindex(1), &len);
  struct jsontext_pieces *p = lua_touserdata(L, lua_upvalueindex(2));
  const size_t least = (size_t)lua_tointeger(L, lua_upvalueindex(3));
  switch (jsontext_piece(p, text, len, least, &from, &to)) {
  case JSONTEXT_PIECE:
    push_piece(L, text, from, to);
    return 1;
  case JSONTEXT_END:
    lua_pushnil(L);
    lua_pushlstring(L, text, p->list_start);
    lua_pushlstring(L, text + p->list_end, len - p->list_end);
    lua_concat(L, 2);
    return 2;
  default:
    return 0;
  }
}

/* pieces(text, least) -> function. Each call gives the next records of the text's list, as
 * an array in JSON of at least so many bytes while there are so many; then nil and the text
 * without them; or nothing when the text has to be decoded as a whole. */
static int json_pieces(lua_State *L) {
  luaL_checkstring(L, 1);
  luaL_argcheck(L, luaL_checkinteger(L, 2) > 0, 2, "bytes expected");
  lua_settop(L, 2);
  struct jsontext_pieces *p = lua_newuserdata(L, sizeof *p);
  memset(p, 0, sizeof *p);
  lua_insert(L, 2);
  lua_pushcclosure(L, json_next_piece, 3);
  return 1;
}

void ljson_open(lua_State *L) {
  push_decoder(L);
  lua_pushcclosure(L, json_decode, 1);
  lua_setfield(L, -2, "decode");
  lua_pushcfunction(L, json_respell);
  lua_setfield(L, -2, "respell");
  lua_pushcfunction(L, json_pieces);
  lua_setfield(L, -2, "pieces");
  lua_pushcfunction(L, json_unsettled);
  lua_setfield(L, -2, "unsettled");
  lua_pushlightuserdata(L, NULL); /* what cjson gives for null in an array */
  lua_setfield(L, -2, "null");
}
