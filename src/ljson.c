/* JSON text to Lua tables, by lua-cjson. What it gets wrong for these answers is
 * put right here: a byte order mark, integers as floats, null inside objects. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* newlocale */
#endif
#include "binding.h"
#include "jsontext.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Upvalues of all that decodes. */
enum { DECODE = 1, NEW, PLAIN, TEXT, WALK, LEAST, STACK };

/* A locale of the C library whose numbers are written as JSON has them. */
struct plain {
  locale_t locale;
};

/* A finalizer of others may decode after this one. */
static int free_plain(lua_State *L) {
  struct plain *plain = lua_touserdata(L, 1);
  if (plain->locale)
    freelocale(plain->locale);
  plain->locale = (locale_t)0; /* to uselocale: no change */
  return 0;
}

static void push_plain(lua_State *L) {
  struct plain *plain = lua_newuserdata(L, sizeof *plain);
  plain->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!plain->locale)
    luaL_error(L, "not enough memory for a locale");
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, free_plain);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
}

/* As lua_pcall, in the locale at an index: the C library's own functions read and write
 * numbers as the host's locale has them, and a host may set that at any time. */
static int call_plain(lua_State *L, int index, int args, int results) {
  const struct plain *plain = lua_touserdata(L, index);
  const locale_t before = uselocale(plain->locale);
  const int status = lua_pcall(L, args, results, 0);
  uselocale(before);
  return status;
}

/* cjson remembers the decimal point of the locale in which one of its instances was made
 * last, for all of them. Makes it the host's again, for the host's own sake; cjson ends the
 * process where that is no single byte. new: the function of cjson. */
static void give_point_back(lua_State *L, int new) {
  const char *point = nl_langinfo(RADIXCHAR);
  if (strcmp(point, ".") == 0 || strlen(point) != 1)
    return;
  lua_pushvalue(L, new);
  if (lua_pcall(L, 0, 0, 0) != 0)
    lua_pop(L, 1); /* no memory: the next failure tries again */
}

static void set_option(lua_State *L, const char *name, int value) {
  lua_getfield(L, -1, name);
  lua_pushinteger(L, value);
  lua_call(L, 1, 0);
}

static void set_switch(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  lua_pushboolean(L, 0);
  lua_call(L, 1, 0);
}

/* Returns the functions decode and encode of an own cjson instance, as the shared one has
 * settings that other code of the process may change, and new. */
static int open_cjson(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "new");
  lua_pushvalue(L, -1);
  lua_call(L, 0, 1);
  set_option(L, "decode_max_depth", JSONTEXT_DEPTH);
  set_switch(L, "decode_invalid_numbers"); /* NaN, Infinity, 0x10: not JSON */
  set_switch(L, "encode_keep_buffer");     /* for ever as large as the largest text */
  lua_getfield(L, -1, "decode");           /* these keep the instance alive */
  lua_getfield(L, -2, "encode");
  lua_pushvalue(L, -4);
  return 3;
}

/* Whether the value on top is null, or a number too large for a double, which is read as
 * null: JSON has no infinity, and few who read numbers expect one. */
static int is_null(lua_State *L) {
  const int type = lua_type(L, -1);
  return type == LUA_TLIGHTUSERDATA || (type == LUA_TNUMBER && isinf(lua_tonumber(L, -1)));
}

/* Makes the number on top an integer where that loses nothing, or null. Returns whether it
 * did either. */
static int settle_number(lua_State *L) {
  if (is_null(L)) {
    lua_pop(L, 1);
    lua_pushlightuserdata(L, NULL);
    return 1;
  }
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
  return 0;
#endif
}

/* Settles the key-value pair on top of the stack in the table at t: integral
 * floats become integers, and a null member goes. In an array null stays, since
 * there it holds a place. Pops the value. Returns 1 when it met a scalar that
 * jsontext_scalars() counts. */
static size_t settle_pair(lua_State *L, int t) {
  const int type = lua_type(L, -1);
  const int is_new = type == LUA_TNUMBER && settle_number(L);
  const int goes = lua_type(L, -1) == LUA_TLIGHTUSERDATA && lua_type(L, -2) == LUA_TSTRING;
  if (goes || is_new) {
    lua_pushvalue(L, -2);
    if (goes)
      lua_pushnil(L);
    else
      lua_pushvalue(L, -2);
    lua_rawset(L, t); /* an existing key: lua_next allows it */
  }
  lua_pop(L, 1);
  return type == LUA_TNUMBER || type == LUA_TLIGHTUSERDATA;
}

/* Settles the table on top of the stack and the tables in it, and stops once
 * left scalars were met: a list of 10,000 records without a number is not
 * walked at all. Returns how many are left. Depth: JSONTEXT_DEPTH at most. */
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

#define PLACE " at character "
#define ZERO_BYTE "Expected the end but found a zero byte"
#define UTF16 "Found a zero byte, as in UTF-16 or UTF-32; JSON comes as UTF-8"

/* cjson refuses a text whose first or second byte is zero, and tells no place. */
static int is_utf16(const char *text, size_t len) {
  return len >= 2 && (!text[0] || !text[1]);
}

/* Where the error on top tells its place in the text; NULL when it is not of cjson. */
static const char *place_in(lua_State *L) {
  return lua_type(L, -1) == LUA_TSTRING ? strstr(lua_tostring(L, -1), PLACE) : NULL;
}

/* Turns cjson's error on top into nil, message, offset. cjson counts characters
 * from 1; so many bytes stood before them, which may be -1. Errors of others go on: a debug
 * hook raises one in here when Ctrl-C is pressed meanwhile. */
static int push_error(lua_State *L, lua_Integer before) {
  const char *message = lua_tostring(L, -1);
  const char *at = place_in(L);
  if (!at)
    return lua_error(L);
  const long character = strtol(at + strlen(PLACE), NULL, 10);
  lua_pushnil(L);
  lua_pushlstring(L, message, (size_t)(at - message));
  lua_pushinteger(L, (lua_Integer)character + before);
  return 3;
}

/* Pushes an error of our own: nil, message, offset. */
static int push_mistake(lua_State *L, const char *message, size_t at) {
  lua_pushnil(L);
  lua_pushstring(L, message);
  lua_pushinteger(L, (lua_Integer)at + 1);
  return 3;
}

/* Replaces the text on top by what cjson makes of it, or by its error; returns the status. */
static int call_decoder(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(DECODE));
  lua_insert(L, -2);
  return call_plain(L, lua_upvalueindex(PLAIN), 1, 1);
}

/* Whether cjson takes another byte than "." for the decimal point. */
static int has_other_point(lua_State *L) {
  lua_pushliteral(L, "0.5");
  const int status = call_decoder(L);
  lua_pop(L, 1);
  return status == LUA_ERRRUN;
}

/* Replaces the text on top by one without halves of surrogate pairs, of which cjson accepts
 * none: some program has cut a name in its middle. Returns whether there were any. */
static int mend(lua_State *L) {
  size_t len;
  const char *text = lua_tolstring(L, -1, &len);
  char *copy = memcpy(lua_newuserdata(L, len + 1), text, len);
  const size_t count = jsontext_mend(copy, len);
  if (count > 0) {
    lua_pushlstring(L, copy, len);
    lua_replace(L, -3);
  }
  lua_pop(L, 1);
  return count > 0;
}

/* Replaces the text on top by its value, or by an error; returns the status. What cjson
 * refuses it gets again where the fault may be its own. */
static int decode_on_top(lua_State *L) {
  lua_pushvalue(L, -1);
  int status = call_decoder(L);
  if (status != LUA_ERRRUN || !place_in(L)) {
    lua_remove(L, -2);
    return status;
  }
  const int is_other = has_other_point(L);
  if (is_other) {
    lua_pushvalue(L, lua_upvalueindex(NEW));
    if (call_plain(L, lua_upvalueindex(PLAIN), 0, 0) != 0)
      return lua_error(L);
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    status = call_decoder(L);
  }
  lua_insert(L, -2);
  if (status == LUA_ERRRUN && mend(L)) {
    lua_replace(L, -2);
    status = call_decoder(L);
  } else {
    lua_pop(L, 1);
  }
  if (is_other)
    give_point_back(L, lua_upvalueindex(NEW));
  return status;
}

/* decode(text) -> value, or nil, message, offset in bytes from 1. */
static int json_decode(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  const size_t bom = jsontext_bom(text, len);
  lua_settop(L, 1);
  if (is_utf16(text + bom, len - bom))
    return push_mistake(L, UTF16, bom + (text[bom] != 0));
  const size_t scalars = jsontext_scalars(text, len);
  if (bom)
    lua_pushlstring(L, text + bom, len - bom);
  else
    lua_pushvalue(L, 1);
  const int status = decode_on_top(L);
  if (status == LUA_ERRMEM)
    return lua_error(L);
  if (status != 0)
    return push_error(L, (lua_Integer)bom);
  /* cjson takes a zero byte for the end of the text. JSON holds none (RFC 8259 §2), and
   * what stands behind it must not get lost in silence. */
  const char *zero = memchr(text, '\0', len);
  if (zero)
    return push_mistake(L, ZERO_BYTE, (size_t)(zero - text));
  if (lua_type(L, -1) == LUA_TTABLE)
    settle(L, scalars);
  else if (lua_type(L, -1) == LUA_TNUMBER)
    settle_number(L);
  if (lua_type(L, -1) == LUA_TLIGHTUSERDATA)
    lua_pushnil(L);
  return 1;
}

/* encode(value) -> text; raises for what JSON cannot hold. */
static int json_encode(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(DECODE)); /* its place; here it encodes */
  lua_insert(L, 1);
  if (call_plain(L, lua_upvalueindex(PLAIN), 1, 1) != 0)
    return lua_error(L);
  return 1;
}

/* count(text, enough) -> how many values the text holds, or an upper bound that is not more
 * than enough; and how many elements its longest list, which is nil beside a bound. */
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

/* Pushes text[from, to) and more, within brackets of the kind. */
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

/* Moves what the table on top holds behind the elements, or over the members, of the one
 * below it, and settles it. Pops both. */
static void merge(lua_State *L, char kind, size_t scalars) {
  const int into = lua_gettop(L) - 1;
  if (kind == '[') {
    settle(L, scalars);
    const int count = (int)lua_rawlen(L, -1);
    const int before = (int)lua_rawlen(L, into);
    for (int i = 1; i <= count; i++) {
      lua_rawgeti(L, -1, i);
      lua_rawseti(L, into, before + i);
    }
    lua_pop(L, 2);
    return;
  }
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    if (!is_null(L))
      continue;
    lua_pushvalue(L, -2); /* null takes away what came before under its name */
    lua_pushnil(L);
    lua_rawset(L, into);
  }
  settle(L, scalars);
  for (lua_pushnil(L); lua_next(L, -2);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, into);
  }
  lua_pop(L, 2);
}

/* Pushes the table of the container that is open, from the array of them. */
static void push_open(lua_State *L, int depth) {
  lua_rawgeti(L, lua_upvalueindex(STACK), depth);
}

/* Decodes the piece, wrapped. Returns 0 with its table on top; or pushes an error and returns
 * how much that is. */
static int decode_piece(lua_State *L, const char *text, const struct jsontext_piece *piece,
                        const char *more) {
  const char *zero = memchr(text + piece->from, '\0', piece->to - piece->from);
  if (zero)
    return push_mistake(L, ZERO_BYTE, (size_t)(zero - text));
  push_wrapped(L, text, piece, more);
  const int status = decode_on_top(L);
  if (status == LUA_ERRMEM)
    return lua_error(L);
  return status ? push_error(L, (lua_Integer)piece->from - 1) : 0;
}

static int add_run(lua_State *L, const char *text, const struct jsontext_piece *piece, int depth) {
  push_open(L, depth);
  const int failed = decode_piece(L, text, piece, "");
  if (failed)
    return failed;
  /* the bracket or the comma in front of it shows whether it begins with a scalar */
  merge(L, piece->kind, jsontext_scalars(text + piece->from - 1, piece->to - piece->from + 1));
  return 0;
}

/* Makes the table of a container that opens at that depth, in the one around it. */
static int add_container(lua_State *L, const char *text, const struct jsontext_piece *piece,
                         int depth) {
  if (!piece->kind) {
    lua_newtable(L);
    lua_rawseti(L, lua_upvalueindex(STACK), depth);
  } else {
    push_open(L, depth - 1);
    const int failed = decode_piece(L, text, piece, "[]");
    if (failed)
      return failed;
    lua_pushnil(L);
    lua_next(L, -2); /* what was decoded holds one thing, the container */
    lua_rawseti(L, lua_upvalueindex(STACK), depth);
    lua_pop(L, 1);
    merge(L, piece->kind, 0);
  }
  return 0;
}

/* Decodes what follows. Returns 0 while there is more; else pushes what decode gives, and
 * returns how much that is. */
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
    push_open(L, 1);
    return 1;
  case JSONTEXT_WHOLE:
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(TEXT));
    return json_decode(L);
  case JSONTEXT_DEEP:
    return push_mistake(L, "Found too many nested data structures", w->at);
  default:
    return push_mistake(L,
                        w->at < len ? "Found a character that does not belong there"
                                    : "Expected more but found the end",
                        w->at);
  }
}

/* The function that pieces() gives. */
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

/* pieces(text, least) -> function that decodes the text as decode does, in pieces of about so
 * many bytes. Each call returns true while there is more to do; then false and what decode
 * gives, and is the last one. */
static int json_pieces(lua_State *L) {
  luaL_checkstring(L, 1);
  luaL_argcheck(L, luaL_checkinteger(L, 2) > 0, 2, "bytes expected");
  lua_settop(L, 2);
  for (int i = DECODE; i <= PLAIN; i++)
    lua_pushvalue(L, lua_upvalueindex(i));
  lua_pushvalue(L, 1);
  struct jsontext_walk *w = lua_newuserdata(L, sizeof *w);
  memset(w, 0, sizeof *w);
  lua_pushvalue(L, 2);
  lua_newtable(L);
  lua_pushcclosure(L, json_next_piece, STACK);
  return 1;
}

/* Adds a function with the upvalues DECODE, NEW and PLAIN to the table at t. The first is at
 * an index, the others stand behind it: decode, encode, new, plain. */
static void add_function(lua_State *L, int t, const char *name, lua_CFunction f, int first) {
  lua_pushvalue(L, first);
  lua_pushvalue(L, t + 3);
  lua_pushvalue(L, t + 4);
  lua_pushcclosure(L, f, 3);
  lua_setfield(L, t, name);
}

void ljson_open(lua_State *L) {
  const int t = lua_gettop(L);
  push_plain(L);
  lua_pushcfunction(L, open_cjson);
  if (call_plain(L, t + 1, 0, 3) != 0)
    lua_error(L);
  lua_pushvalue(L, t + 1);
  lua_remove(L, t + 1);
  give_point_back(L, t + 3);
  add_function(L, t, "decode", json_decode, t + 1);
  add_function(L, t, "pieces", json_pieces, t + 1);
  add_function(L, t, "encode", json_encode, t + 2);
  lua_settop(L, t);
  lua_pushcfunction(L, json_count);
  lua_setfield(L, t, "count");
  lua_pushlightuserdata(L, NULL); /* what cjson gives for null in an array */
  lua_setfield(L, t, "null");
}
