/* luaopen_pcapi_core, the only symbol that this library shows. */
#include "binding.h"

#include <curl/curl.h>

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

/* What was built against what, for bug reports and for specs that must know
 * which library they really loaded. */
static void push_build(lua_State *L) {
  lua_newtable(L);
  lua_pushinteger(L, LUA_VERSION_NUM);
  lua_setfield(L, -2, "lua");
  lua_pushliteral(L, LIBCURL_VERSION);
  lua_setfield(L, -2, "libcurl_headers");
  lua_pushstring(L, curl_version());
  lua_setfield(L, -2, "libcurl");
}

EXPORT int luaopen_pcapi_core(lua_State *L);

EXPORT int luaopen_pcapi_core(lua_State *L) {
  luaL_checkversion(L);
  lua_newtable(L);
  lhttp_open(L);
  ljson_open(L);
  lsys_open(L);
  push_build(L);
  lua_setfield(L, -2, "build");
  return 1;
}
