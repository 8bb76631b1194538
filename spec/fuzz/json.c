/* Compares our decoder with lua-cjson; see json_check.lua. */
#include "fuzz.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int luaopen_pcapi_core(lua_State *L);

static lua_State *open_state(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_requiref(L, "pcapi.core", luaopen_pcapi_core, 0);
  if (luaL_dofile(L, "spec/fuzz/json_check.lua")) {
    fprintf(stderr, "json: %s\n", lua_tostring(L, -1));
    exit(1);
  }
  return L; /* with the function of json_check.lua on its stack */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  if (!L)
    L = open_state();
  lua_pushvalue(L, -1);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 1, 0, 0) != 0)
    claim(false, lua_tostring(L, -1));
  return 0;
}
