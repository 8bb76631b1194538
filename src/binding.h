/* What the parts that know Lua share: one opener each, called by pcapi_core.c
 * with the module table on top of the stack; each adds its functions there. */
#ifndef PCAPI_BINDING_H
#define PCAPI_BINDING_H

#include "compat.h"

#pragma GCC visibility push(hidden)

void lcrypto_open(lua_State *L);
void lfile_open(lua_State *L);
void lhttp_open(lua_State *L);
void ljson_open(lua_State *L);
void lsys_open(lua_State *L);

#pragma GCC visibility pop

#endif
