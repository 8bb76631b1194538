/* The head of a response and the table made of it: names are strings in lower case without a colon
 * or a space, values are strings without surrounding white space. */
#include "binding.h"
#include "fuzz.h"
#include "head.h"

#include <string.h>

#include <lualib.h>

#define HEADERS_MAX 1024

static bool is_trimmed(const char *text, size_t len) {
  return len == 0 || (!head_is_space(text[0]) && !head_is_space(text[len - 1]));
}

/* A value that is joined with an empty one may begin or end with a space. */
static bool is_joined_trimmed(const char *text, size_t len) {
  return len == 0 || (!strchr("\t\r\n", text[0]) && !strchr("\t\r\n", text[len - 1]));
}

static void check_pair(lua_State *L) {
  size_t name_len;
  size_t len;
  const char *name = lua_tolstring(L, -2, &name_len);
  claim(name && name_len > 0 && lua_type(L, -1) == LUA_TSTRING, "names and values are strings");
  const char *value = lua_tolstring(L, -1, &len);
  claim(is_joined_trimmed(value, len), "a value is trimmed");
  for (size_t i = 0; i < name_len; i++)
    claim(name[i] != ':' && name[i] != ' ' && !(name[i] >= 'A' && name[i] <= 'Z'),
          "a name is in lower case, without colon and space");
}

/* core.header() returns the value that the table has. The names and values of the table on top of
 * the stack are checked; the response is at index 1, and at index 2 another of the same head. */
static void check_pairs(lua_State *L) {
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    check_pair(L);
    lua_getglobal(L, "header");
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -4);
    lua_call(L, 2, 1);
    claim(lua_rawequal(L, -1, -2), "one header has the same value as in the table");
    lua_pop(L, 1);
  }
}

static void push_response(lua_State *L, const struct head *head) {
  const int top = lua_gettop(L);
  lua_newtable(L);
  lhead_set(L, head);
  claim(lua_gettop(L) == top + 1, "the response stays on the stack");
}

/* Called by lua_pcall(), as an uncaught Lua error ends the process. */
static int check_head(lua_State *L) {
  const struct head *head = lua_touserdata(L, 1);
  lua_settop(L, 0);
  push_response(L, head);
  push_response(L, head);
  size_t len;
  lua_getfield(L, 1, "reason");
  const char *reason = lua_tolstring(L, -1, &len);
  claim(reason && is_trimmed(reason, len), "the reason is trimmed");
  lua_getfield(L, 1, "headers");
  claim(lua_istable(L, -1), "the headers are a table");
  check_pairs(L);
  return 0;
}

/* Adds lines to a head until it is over or refuses one. */
static enum head_code read_lines(struct head *head, struct input in) {
  enum head_code code = HEAD_OK;
  while (in.left > 0 && code == HEAD_OK && !head_is_over(head)) {
    const uint8_t *line = in.data;
    const size_t left = in.left;
    take_part(&in, '\n');
    code = head_line(head, (const char *)line, left - in.left);
    claim(head->text.len <= HEADERS_MAX, "the limit holds");
  }
  return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  struct head head = {.state = HEAD_START};
  if (!L) {
    L = luaL_newstate();
    lua_newtable(L);
    lhead_open(L);
    lua_getfield(L, -1, "header");
    lua_setglobal(L, "header");
    lua_settop(L, 0);
  }
  head_reset(&head, HEADERS_MAX);
  const enum head_code code = read_lines(&head, (struct input){data, size});
  claim((code == HEAD_OK) == (head_message(code) == NULL), "a refusal has a message");
  if (code == HEAD_OK && head_is_over(&head)) {
    lua_pushcfunction(L, check_head);
    lua_pushlightuserdata(L, &head);
    claim(lua_pcall(L, 1, 0, 0) == 0, "headers cause no Lua error");
  }
  head_free(&head);
  return 0;
}
