/* The table made of response headers: whatever they hold, its names are lower-case texts
 * without a colon, its values texts without white space around them. */
#include "../../src/lhttp.c"
#include "fuzz.h"

#include <lualib.h>

static bool is_trimmed(const char *text, size_t len) {
  return len == 0 || (!is_space(text[0]) && !is_space(text[len - 1]));
}

/* A list of what came under one name may have empty members. */
static bool is_list_trimmed(const char *text, size_t len) {
  while (len >= 2 && text[0] == ',' && text[1] == ' ')
    text += 2, len -= 2;
  while (len >= 2 && text[len - 2] == ',' && text[len - 1] == ' ')
    len -= 2;
  return is_trimmed(text, len);
}

static void check_pair(lua_State *L) {
  size_t name_len;
  size_t len;
  const char *name = lua_tolstring(L, -2, &name_len);
  claim(lua_type(L, -1) == LUA_TSTRING, "a value is a text");
  const char *value = lua_tolstring(L, -1, &len);
  claim(is_list_trimmed(value, len), "a value is trimmed");
  for (size_t i = 0; i < name_len; i++)
    claim(name[i] != ':' && !(name[i] >= 'A' && name[i] <= 'Z'), "a name is in lower case");
}

/* Under pcall: an error of Lua's would end the process. */
static int check_head(lua_State *L) {
  const struct buf *head = lua_touserdata(L, 1);
  const int top = lua_gettop(L);
  push_head(L, head);
  claim(lua_gettop(L) == top + 2, "two values are left");
  size_t len;
  const char *reason = lua_tolstring(L, -2, &len);
  claim(reason && is_trimmed(reason, len), "the reason is trimmed");
  claim(lua_istable(L, -1), "the headers are a table");
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
    check_pair(L);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  struct buf head;
  if (!L)
    L = luaL_newstate();
  buf_init(&head, 65536);
  if (buf_append(&head, data, size) == BUF_OK) {
    lua_pushcfunction(L, check_head);
    lua_pushlightuserdata(L, &head);
    claim(lua_pcall(L, 1, 0, 0) == 0, "headers raise no error");
  }
  buf_free(&head);
  return 0;
}
