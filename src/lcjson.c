#include "lcjson.h"
#include "platform.h"
#include "reader.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>

/* The C library's locale "C", which writes numbers as JSON does. */
struct c_locale {
  locale_t locale;
};

/* Another finalizer may decode JSON after this one. */
static int free_locale(lua_State *L) {
  struct c_locale *c = lua_touserdata(L, 1);
  if (c->locale)
    freelocale(c->locale);
  c->locale = (locale_t)0; /* uselocale() then changes nothing */
  return 0;
}

static void push_locale(lua_State *L) {
  struct c_locale *c = lua_newuserdata(L, sizeof *c);
  c->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!c->locale)
    luaL_error(L, "not enough memory for a locale");
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, free_locale);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
}

/* Like lua_pcall(), but in the locale at an index. cjson reads and writes numbers with functions
 * that depend on the locale of the process, which the host program may change at any time. */
static int call_in_locale(lua_State *L, int index, int args, int results) {
  const struct c_locale *c = lua_touserdata(L, index);
  const locale_t before = uselocale(c->locale);
  const int status = lua_pcall(L, args, results, 0);
  uselocale(before);
  return status;
}

/* When cjson makes an instance it stores the decimal point of the current locale, for all
 * instances. This restores the decimal point of the host program, which may use cjson itself. new:
 * the index of cjson's function. cjson ends the process if the decimal point is not a single byte.
 */
static void restore_decimal_point(lua_State *L, int new) {
  const char *point = nl_langinfo(RADIXCHAR);
  if (strcmp(point, ".") == 0 || strlen(point) != 1)
    return;
  lua_pushvalue(L, new);
  if (lua_pcall(L, 0, 0, 0) != 0)
    lua_pop(L, 1); /* no memory: the next failure tries again */
}

/* Calls the function `name` of the instance on top of the stack with the value above it; pops the
 * value. */
static void set_option(lua_State *L, const char *name) {
  lua_getfield(L, -2, name);
  lua_insert(L, -2);
  lua_call(L, 1, 0);
}

/* Returns decode and encode of a new instance, and cjson's function new. */
static int open_cjson(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "new");
  lua_pushvalue(L, -1);
  lua_call(L, 0, 1);
  lua_pushinteger(L, READER_DEPTH);
  set_option(L, "decode_max_depth");
  lua_pushboolean(L, 0);
  set_option(L, "decode_invalid_numbers"); /* NaN, Infinity and 0x10 are not JSON */
  lua_pushboolean(L, 0);
  set_option(L, "encode_keep_buffer"); /* it would stay as large as the largest text */
  lua_getfield(L, -1, "decode");       /* these keep the instance alive */
  lua_getfield(L, -2, "encode");
  lua_pushvalue(L, -4);
  return 3;
}

void lcjson_push(lua_State *L) {
  push_locale(L);
  const int locale = lua_gettop(L);
  lua_pushcfunction(L, open_cjson);
  if (call_in_locale(L, locale, 0, 3) != 0)
    lua_error(L);
  restore_decimal_point(L, -1);
  lua_pushvalue(L, locale);
  lua_remove(L, locale);
}

/* Calls decode or encode of the instance with the value on top of the stack. */
static int call_codec(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(LCJSON_CODEC));
  lua_insert(L, -2);
  return call_in_locale(L, lua_upvalueindex(LCJSON_LOCALE), 1, 1);
}

int lcjson_encode(lua_State *L) {
  return call_codec(L);
}

const char *lcjson_place(lua_State *L) {
  return lua_type(L, -1) == LUA_TSTRING ? strstr(lua_tostring(L, -1), LCJSON_PLACE) : NULL;
}

/* Whether cjson expects another decimal point than ".", as another instance was made since. */
static int has_wrong_point(lua_State *L) {
  lua_pushliteral(L, "0.5");
  const int status = call_codec(L);
  lua_pop(L, 1);
  return status == LUA_ERRRUN;
}

/* Replaces the string on top of the stack by a copy without unpaired surrogates, which cjson does
 * not accept, and without invalid UTF-8, which it returns as it is. A program that cuts a name in
 * its middle makes both. Returns whether there were any. */
static int mend(lua_State *L) {
  size_t len;
  const char *text = lua_tolstring(L, -1, &len);
  char *copy = lua_newuserdata(L, 3 * len + 1);
  const size_t mended = reader_mend(text, len, copy);
  const int is_changed = mended != len || memcmp(copy, text, len) != 0;
  if (is_changed) {
    lua_pushlstring(L, copy, mended);
    lua_replace(L, -3);
  }
  lua_pop(L, 1);
  return is_changed;
}

/* Decodes again with the right decimal point: a new instance sets it. The string is below the error
 * on top of the stack, which the result replaces. */
static int decode_with_point(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(LCJSON_NEW));
  if (call_in_locale(L, lua_upvalueindex(LCJSON_LOCALE), 0, 0) != 0)
    return lua_error(L);
  lua_pop(L, 1); /* the error */
  lua_pushvalue(L, -1);
  return call_codec(L);
}

/* Decodes a text that cjson has refused again, as cjson itself may be at fault. The string is below
 * the error, and stays there. Returns the status; the result replaces the error. */
static int decode_again(lua_State *L, int is_wrong) {
  int status = LUA_ERRRUN;
  if (is_wrong)
    status = decode_with_point(L);
  if (status != LUA_ERRRUN)
    return status;
  lua_pushvalue(L, -2);
  if (mend(L)) {
    lua_replace(L, -2);
    return call_codec(L);
  }
  lua_pop(L, 1);
  return status;
}

int lcjson_decode(lua_State *L) {
  lua_pushvalue(L, -1);
  int status = call_codec(L);
  if (status == LUA_ERRRUN && lcjson_place(L)) {
    const int is_wrong = has_wrong_point(L);
    status = decode_again(L, is_wrong);
    if (is_wrong)
      restore_decimal_point(L, lua_upvalueindex(LCJSON_NEW));
  } else if (status == 0) {
    lua_pushvalue(L, -2);
    if (mend(L)) {
      lua_replace(L, -2);
      status = call_codec(L);
    } else {
      lua_pop(L, 1);
    }
  }
  lua_remove(L, -2);
  return status;
}
