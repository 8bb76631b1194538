/* JSON texts to Lua tables, by reader.h. */
#pragma once

#include "compat.h"
#include "reader.h"

#pragma GCC visibility push(hidden)

/* Reads the string at an index. Pushes its value and returns READER_END; or pushes nothing and
 * returns the failure, with its place from 0. Null members are left out; a null in an array, and
 * alone, is a light userdata of NULL. */
enum reader_code lreader_read(lua_State *L, int index, size_t *at);

#pragma GCC visibility pop
