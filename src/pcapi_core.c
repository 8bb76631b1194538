/* luaopen_pcapi_core, the only symbol that this library shows. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#include "binding.h"

#include <dlfcn.h>

#include <curl/curl.h>

/* What was built against what, for bug reports and for specs that must know
 * which library they really loaded; and where libcurl has the system's CAs, nil for none. */
static void push_build(lua_State *L) {
  const curl_version_info_data *built = curl_version_info(CURLVERSION_NOW);
  lua_newtable(L);
  lua_pushinteger(L, LUA_VERSION_NUM);
  lua_setfield(L, -2, "lua");
  lua_pushliteral(L, LIBCURL_VERSION);
  lua_setfield(L, -2, "libcurl_headers");
  lua_pushstring(L, curl_version());
  lua_setfield(L, -2, "libcurl");
  lua_pushstring(L, built->cainfo);
  lua_setfield(L, -2, "ca_file");
  lua_pushstring(L, built->capath);
  lua_setfield(L, -2, "ca_path");
}

EXPORT int luaopen_pcapi_core(lua_State *L);

/* Keeps this library in the process when a Lua state closes. libcurl's global
 * state, and that of the libraries under it, is made once per process; unloading
 * them would lose it, and the next state would make it again. */
static void stay_loaded(void) {
  static const char anchor = 0; /* some address within */
  Dl_info self;
  if (dladdr(&anchor, &self) && self.dli_fname)
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

EXPORT int luaopen_pcapi_core(lua_State *L) {
  luaL_checkversion(L);
  stay_loaded();
  lua_newtable(L);
  lbuf_open(L);
  lcrypto_open(L);
  lfile_open(L);
  lhttp_open(L);
  linflate_open(L);
  ljson_open(L);
  lrecord_open(L);
  lsys_open(L);
  push_build(L);
  lua_setfield(L, -2, "build");
  return 1;
}
