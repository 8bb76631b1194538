/* Holds the reader against lua-cjson; see helper/json_texts.c. */
#include "fuzz.h"
#include "helper/json_texts.c"

#include <lualib.h>

int luaopen_pcapi_core(lua_State *L);

static lua_State *open_state(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_requiref(L, "pcapi.core", luaopen_pcapi_core, 0);
  lua_settop(L, 0);
  lua_pushcfunction(L, luaopen_json_texts);
  if (lua_pcall(L, 0, 1, 0)) {
    fprintf(stderr, "json: %s\n", lua_tostring(L, -1));
    exit(1);
  }
  lua_getfield(L, -1, "check");
  return L; /* with check() on top of its stack */
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
