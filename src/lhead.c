/* Makes Lua values of the head of a response. */
#include "binding.h"
#include "head.h"

#include <string.h>

#define HEADERS_EXPECTED 16
#define NAME_EXPECTED 64 /* bytes of a header's name; a longer one takes more time */

/* One header of a head; or, without a name, a line that continues the one before it (RFC 9112
 * §5.2). */
struct field {
  const char *name; /* NULL: none */
  size_t name_len;
  const char *value; /* without surrounding white space */
  size_t len;
};

static void trim(struct field *f) {
  for (; f->len > 0 && head_is_space(*f->value); f->value++)
    f->len--;
  while (f->len > 0 && head_is_space(f->value[f->len - 1]))
    f->len--;
}

/* Reads the next header at *p, and moves *p behind it. Returns false at the end. */
static bool read_field(const char **p, const char *end, struct field *f) {
  while (*p < end) {
    const char *line = *p;
    const char *eol = memchr(line, '\n', (size_t)(end - line));
    eol = eol ? eol : end;
    *p = eol < end ? eol + 1 : end;
    const bool continues = *line == ' ' || *line == '\t';
    const char *colon = continues ? NULL : memchr(line, ':', (size_t)(eol - line));
    const char *value = colon ? colon + 1 : line;
    *f = (struct field){colon ? line : NULL, (size_t)(value - line), value, (size_t)(eol - value)};
    f->name_len -= colon != NULL;
    trim(f);
    if (colon || continues)
      return true;
  }
  return false;
}

/* Returns the place behind the status line. */
static const char *skip_status(const char *head, size_t len) {
  const char *eol = memchr(head, '\n', len);
  return eol ? eol + 1 : head + len;
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
static void join_field(lua_State *L, const struct field *f) {
  const bool is_first = lua_isnil(L, -1);
  if (is_first)
    lua_pop(L, 1);
  else
    lua_pushstring(L, f->name ? ", " : " "); /* RFC 9110 §5.3 */
  lua_pushlstring(L, f->value, f->len);
  if (!is_first)
    lua_concat(L, 3);
}

/* Pushes a table of the headers of a complete head. Names are in lower case. */
static void push_headers(lua_State *L, const char *head, size_t len) {
  const char *p = skip_status(head, len);
  struct field f;
  lua_createtable(L, 0, HEADERS_EXPECTED);
  lua_pushnil(L); /* the name of the last header */
  while (read_field(&p, head + len, &f)) {
    if (f.name)
      push_lower(L, f.name, f.name_len);
    else
      lua_pushvalue(L, -1);
    lua_replace(L, -2);
    if (lua_isnil(L, -1))
      continue;
    lua_pushvalue(L, -1);
    lua_pushvalue(L, -1);
    lua_rawget(L, -4);
    join_field(L, &f);
    lua_rawset(L, -4);
  }
  lua_pop(L, 1);
}

static const char head_key = 0; /* its address is the key of the head in a response's metatable */

/* Pushes the head of the response at index 1 and returns true; or pushes nothing, if its headers
 * are a table already. */
static bool push_head(lua_State *L) {
  lua_pushliteral(L, "headers");
  lua_rawget(L, 1);
  if (lua_isnil(L, -1) && lua_getmetatable(L, 1)) {
    lua_pushlightuserdata(L, (void *)&head_key);
    lua_rawget(L, -2);
    lua_replace(L, -3);
    lua_pop(L, 1);
  }
  if (lua_type(L, -1) == LUA_TSTRING)
    return true;
  lua_pop(L, 1);
  return false;
}

/* response.headers: made at the first use, as most responses are read without it. */
static int response_index(lua_State *L) {
  size_t len;
  if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "headers") != 0 || !push_head(L))
    return 0;
  const char *head = lua_tolstring(L, -1, &len);
  push_headers(L, head, len);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, 1);
  lua_pushnil(L);
  lua_setmetatable(L, 1);
  return 1;
}

void lhead_set(lua_State *L, const struct buf *head) {
  const char *eol = skip_status(head->data, head->len);
  const char *space = memchr(head->data, ' ', (size_t)(eol - head->data));
  const char *reason = space ? memchr(space + 1, ' ', (size_t)(eol - space - 1)) : NULL;
  struct field f = {.value = reason ? reason : eol, .len = reason ? (size_t)(eol - reason) : 0};
  trim(&f);
  lua_pushlstring(L, f.value, f.len);
  lua_setfield(L, -2, "reason");
  lua_createtable(L, 0, 2);
  lua_pushlightuserdata(L, (void *)&head_key);
  lua_pushlstring(L, head->data, head->len);
  lua_rawset(L, -3);
  lua_pushcfunction(L, response_index);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

/* Returns which of the names at the indices from 2 to last a field has; 0: none. */
static int index_of(lua_State *L, const struct field *f, int last) {
  for (int i = 2; i <= last; i++) {
    size_t len;
    const char *name = lua_tolstring(L, i, &len);
    if (head_is_word(f->name, f->name_len, name, len))
      return i;
  }
  return 0;
}

/* header(response, name...) -> the value of each header, nil for none; names are in lower case. For
 * the response of any transport. It makes no table. */
static int lhead_header(lua_State *L) {
  const int last = lua_gettop(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  for (int i = 2; i <= last; i++)
    luaL_checktype(L, i, LUA_TSTRING);
  luaL_checkstack(L, last + 8, NULL);
  if (!push_head(L)) {
    lua_getfield(L, 1, "headers");
    for (int i = 2; i <= last; i++) {
      lua_pushvalue(L, i);
      lua_gettable(L, last + 1);
    }
    return last - 1;
  }
  size_t len;
  const char *head = lua_tolstring(L, -1, &len);
  const char *p = skip_status(head, len);
  struct field f;
  int found = 0;
  lua_settop(L, 2 * last); /* nil for each name */
  while (read_field(&p, head + len, &f)) {
    if (f.name)
      found = index_of(L, &f, last);
    if (!found)
      continue;
    lua_pushvalue(L, last + found);
    join_field(L, &f);
    lua_replace(L, last + found);
  }
  return last - 1;
}

/* lower(text) -> text with the letters A to Z in lower case; other characters stay */
static int lhead_lower(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  push_lower(L, text, len);
  return 1;
}

bool lhead_says_json(lua_State *L) {
  lua_pushcfunction(L, lhead_header);
  lua_pushvalue(L, -2);
  lua_pushliteral(L, "content-type");
  lua_call(L, 2, 1);
  const char *type = lua_tostring(L, -1);
  const bool is_json = type && (strstr(type, "/json") || strstr(type, "+json"));
  lua_pop(L, 1);
  return is_json;
}

void lhead_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"lower", lhead_lower}, {"header", lhead_header}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
