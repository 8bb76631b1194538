/* luaopen_pcapi_core, the only symbol that this library exports. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#include "binding.h"
#include "platform.h"

#include <dlfcn.h>

#include <curl/curl.h>

/* Pushes a table with the versions that this library was built with and runs with, with how it
 * waits for sockets (see events.h), and with libcurl's paths to the system's CA certificates (nil: libcurl has none). curl_version() would
 * also ask OpenLDAP, which loads plugins for that: as long as half of the rest of the start. */
static void push_build(lua_State *L) {
  const curl_version_info_data *built = curl_version_info(CURLVERSION_NOW);
  lua_newtable(L);
  lua_pushinteger(L, LUA_VERSION_NUM);
  lua_setfield(L, -2, "lua");
  lua_pushstring(L, PLATFORM_LINUX ? "epoll" : "poll");
  lua_setfield(L, -2, "events");
  lua_pushliteral(L, LIBCURL_VERSION);
  lua_setfield(L, -2, "libcurl_headers");
  lua_pushfstring(L, "libcurl/%s %s zlib/%s", built->version,
                  built->ssl_version ? built->ssl_version : "without TLS",
                  built->libz_version ? built->libz_version : "none");
  lua_setfield(L, -2, "libcurl");
  lua_pushstring(L, built->cainfo);
  lua_setfield(L, -2, "ca_file");
  lua_pushstring(L, built->capath);
  lua_setfield(L, -2, "ca_path");
}

/* Keeps this library in the process after its Lua state closes. libcurl, and the libraries that it
 * uses, have a global state that is made once in a process. Unloading would lose it, and the next
 * Lua state would make it again. */
static void stay_loaded(void) {
  static const char anchor = 0; /* an address within this library */
  Dl_info self;
  if (dladdr(&anchor, &self) && self.dli_fname)
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

EXPORT int luaopen_pcapi_core(lua_State *L);

EXPORT int luaopen_pcapi_core(lua_State *L) {
  luaL_checkversion(L);
  stay_loaded();
  lua_newtable(L);
  lbuf_open(L);
  lcrypto_open(L);
  lfile_open(L);
  lhead_open(L);
  lhttp_open(L);
  linflate_open(L);
  ljson_open(L);
  lreader_open(L);
  lrows_open(L);
  lsort_open(L);
  lsys_open(L);
  push_build(L);
  lua_setfield(L, -2, "build");
  return 1;
}
