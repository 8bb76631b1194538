/* An instance of lua-cjson of our own, as other code of the process may change the settings of the
 * shared one. It works in every locale of the process. Unpaired surrogates and invalid UTF-8 become
 * U+FFFD. */
#pragma once

#include "compat.h"

#pragma GCC visibility push(hidden)

/* The first upvalues of each C function that calls lcjson_decode() or lcjson_encode(). */
enum {
  LCJSON_CODEC = 1, /* the function decode or encode of the instance */
  LCJSON_NEW,
  LCJSON_LOCALE,
  LCJSON_UPVALUES = LCJSON_LOCALE /* how many there are */
};

/* Makes an instance. Pushes its functions decode and encode, then new and the locale. */
void lcjson_push(lua_State *L);

/* Replaces the string on top of the stack by its value, or by an error. Returns the status, as
 * lua_pcall() does. */
int lcjson_decode(lua_State *L);

/* Replaces the value on top of the stack by its JSON text, or by an error. Returns the status, as
 * lua_pcall() does. */
int lcjson_encode(lua_State *L);

/* Returns the place in the error on top of the stack: LCJSON_PLACE and the number of a character,
 * counted from 1. NULL if it is not an error of cjson about the text. */
const char *lcjson_place(lua_State *L);
#define LCJSON_PLACE " at character "

#pragma GCC visibility pop
