/* Makes Lua values of the head of a response. */
#include "binding.h"
#include "head.h"

#include <string.h>

#define NAME_EXPECTED 64 /* bytes of a header's name; a longer one takes more time */

/* A copy of a head, in a userdata. The text follows the fields. */
struct copy {
  size_t count;
  struct head_field fields[];
};

static const char *text_of(const struct copy *head, struct head_span span) {
  return (const char *)(head->fields + head->count) + span.at;
}

static void push_lower(lua_State *L, const char *text, size_t len) {
  char name[NAME_EXPECTED];
  luaL_Buffer b;
  if (len <= NAME_EXPECTED) {
    for (size_t i = 0; i < len; i++)
      name[i] = head_lower(text[i]);
    lua_pushlstring(L, name, len);
    return;
  }
  luaL_buffinit(L, &b);
  for (size_t i = 0; i < len; i++)
    luaL_addchar(&b, head_lower(text[i]));
  luaL_pushresult(&b);
}

/* Joins a field to the value on top of the stack, which it replaces; nil: there was none. */
static void join_field(lua_State *L, const struct copy *head, const struct head_field *f) {
  const bool is_first = lua_isnil(L, -1);
  if (is_first)
    lua_pop(L, 1);
  else
    lua_pushstring(L, f->name.len > 0 ? ", " : " "); /* RFC 9110 §5.3 */
  lua_pushlstring(L, text_of(head, f->value), f->value.len);
  if (!is_first)
    lua_concat(L, 3);
}

/* Pushes a table of the headers. Names are in lower case. */
static void push_headers(lua_State *L, const struct copy *head) {
  lua_createtable(L, 0, (int)head->count);
  lua_pushnil(L); /* the name of the last header */
  for (const struct head_field *f = head->fields; f < head->fields + head->count; f++) {
    if (f->name.len > 0) {
      lua_pop(L, 1);
      push_lower(L, text_of(head, f->name), f->name.len);
    }
    lua_pushvalue(L, -1);
    lua_pushvalue(L, -1);
    lua_rawget(L, -4);
    join_field(L, head, f);
    lua_rawset(L, -4);
  }
  lua_pop(L, 1);
}

static const char head_key = 0; /* its address is the key of the head in a response's metatable */

/* Pushes the head of the response at index 1 and returns it; or pushes nothing and returns NULL, if
 * its headers are a table already. */
static const struct copy *push_head(lua_State *L) {
  lua_pushliteral(L, "headers");
  lua_rawget(L, 1);
  if (lua_isnil(L, -1) && lua_getmetatable(L, 1)) {
    lua_pushlightuserdata(L, (void *)&head_key);
    lua_rawget(L, -2);
    lua_replace(L, -3);
    lua_pop(L, 1);
  }
  const struct copy *head = lua_type(L, -1) == LUA_TUSERDATA ? lua_touserdata(L, -1) : NULL;
  if (!head)
    lua_pop(L, 1);
  return head;
}

/* response.headers: made at the first use, as most responses are read without it. */
static int response_index(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "headers") != 0)
    return 0;
  const struct copy *head = push_head(L);
  if (!head)
    return 0;
  push_headers(L, head);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, 1);
  lua_pushnil(L);
  lua_setmetatable(L, 1);
  return 1;
}

static void push_copy(lua_State *L, const struct head *h) {
  size_t count;
  const struct head_field *fields = head_fields(h, &count);
  const size_t size = count * sizeof *fields;
  struct copy *head = lua_newuserdata(L, sizeof *head + size + h->text.len);
  head->count = count;
  if (count > 0)
    memcpy(head->fields, fields, size);
  memcpy(head->fields + count, h->text.data, h->text.len);
}

void lhead_set(lua_State *L, const struct head *h) {
  lua_pushlstring(L, h->text.data + h->reason.at, h->reason.len);
  lua_setfield(L, -2, "reason");
  lua_createtable(L, 0, 2);
  lua_pushlightuserdata(L, (void *)&head_key);
  push_copy(L, h);
  lua_rawset(L, -3);
  lua_pushcfunction(L, response_index);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

#define NAMES_MAX 8 /* of one call */

/* The names that a caller looks for. */
struct names {
  int count;
  struct {
    const char *text;
    size_t len;
  } all[NAMES_MAX];
};

/* Returns the number of the name that a field has, from 1; 0: none. */
static int find_name(const struct names *names, const char *name, size_t len) {
  for (int i = 0; i < names->count; i++)
    if (names->all[i].len == len && head_is_word(name, len, names->all[i].text, len))
      return i + 1;
  return 0;
}

/* Pushes the value of each name, nil for none. */
static void push_values(lua_State *L, const struct copy *head, const struct names *names) {
  const int base = lua_gettop(L);
  int found = 0;
  lua_settop(L, base + names->count);
  for (const struct head_field *f = head->fields; f < head->fields + head->count; f++) {
    if (f->name.len > 0)
      found = find_name(names, text_of(head, f->name), f->name.len);
    if (found > 0) {
      lua_pushvalue(L, base + found);
      join_field(L, head, f);
      lua_replace(L, base + found);
    }
  }
}

/* header(response, name...) -> the value of each header, nil for none; names are in lower case. For
 * the response of any transport. It makes no table. */
static int lhead_header(lua_State *L) {
  struct names names = {.count = lua_gettop(L) - 1};
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argcheck(L, names.count <= NAMES_MAX, NAMES_MAX + 2, "too many names");
  for (int i = 0; i < names.count; i++)
    names.all[i].text = luaL_checklstring(L, i + 2, &names.all[i].len);
  const struct copy *head = push_head(L);
  if (head) {
    push_values(L, head, &names);
    return names.count;
  }
  lua_getfield(L, 1, "headers");
  for (int i = 0; i < names.count; i++) {
    lua_pushvalue(L, i + 2);
    lua_gettable(L, names.count + 2);
  }
  return names.count;
}

/* lower(text) -> text with the letters A to Z in lower case; other characters stay */
static int lhead_lower(lua_State *L) {
  size_t len;
  size_t i = 0;
  const char *text = luaL_checklstring(L, 1, &len);
  while (i < len && head_lower(text[i]) == text[i])
    i++;
  if (i == len) /* as most are: no new string */
    lua_settop(L, 1);
  else
    push_lower(L, text, len);
  return 1;
}

void lhead_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"lower", lhead_lower}, {"header", lhead_header}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
