/* What the parts that know Lua share: one opener each, called by pcapi_core.c
 * with the module table on top of the stack; each adds its functions there. */
#ifndef PCAPI_BINDING_H
#define PCAPI_BINDING_H

#include "compat.h"

#include <stddef.h>

#pragma GCC visibility push(hidden)

void lbuf_open(lua_State *L);
void lcrypto_open(lua_State *L);
void lfile_open(lua_State *L);
void lhttp_open(lua_State *L);
void linflate_open(lua_State *L);
void ljson_open(lua_State *L);
void lrecord_open(lua_State *L);
void lsys_open(lua_State *L);

/* 2^53 - 1: from there on a double may have lost digits of an integer. */
#define PCAPI_EXACT ((lua_Integer)9007199254740991)

/* Leaves an empty buffer of that ceiling on the stack, which is freed at the latest when
 * Lua collects it. It may be freed before. */
struct buf *lbuf_push(lua_State *L, size_t max);

#pragma GCC visibility pop

#endif
