/* Makes Lua values of the head of a response. */
#include "binding.h"
#include "head.h"

#include <string.h>

#define HEADERS_EXPECTED 16
#define NAME_EXPECTED 64 /* bytes of a header's name; a longer one takes more time */

/* Pushes the text from p to end without surrounding white space. */
static void push_trimmed(lua_State *L, const char *p, const char *end) {
  while (p < end && head_is_space(*p))
    p++;
  while (end > p && head_is_space(end[-1]))
    end--;
  lua_pushlstring(L, p, (size_t)(end - p));
}

static void push_lower(lua_State *L, const char *p, const char *end) {
  char name[NAME_EXPECTED];
  luaL_Buffer b;
  if (end - p <= NAME_EXPECTED) {
    size_t n = 0;
    for (; p < end; p++)
      name[n++] = head_lower(*p);
    lua_pushlstring(L, name, n);
    return;
  }
  luaL_buffinit(L, &b);
  for (; p < end; p++)
    luaL_addchar(&b, head_lower(*p));
  luaL_pushresult(&b);
}

/* Adds a value to the table at t. The name is on top of the stack, the value below it; pops both.
 * If the table has a value of that name, the new one is appended to it. */
static void add_value(lua_State *L, int t, const char *separator) {
  lua_pushvalue(L, -1);
  lua_rawget(L, t); /* value, name, first value */
  if (!lua_isnil(L, -1)) {
    lua_pushstring(L, separator);
    lua_pushvalue(L, -4);
    lua_concat(L, 3);
    lua_replace(L, -3);
  } else {
    lua_pop(L, 1);
  }
  lua_insert(L, -2);
  lua_rawset(L, t);
}

/* Adds the header line [p, end) to the table at t. The name of the header before it is on top of
 * the stack, or nil; its own name replaces that. A line that begins with white space continues the
 * header before it (RFC 9112 §5.2). */
static void add_line(lua_State *L, int t, const char *p, const char *end) {
  const bool continues = p < end && (*p == ' ' || *p == '\t');
  const char *colon = continues ? p : memchr(p, ':', (size_t)(end - p));
  if (!colon || p == end || (continues && lua_isnil(L, -1)))
    return;
  if (!continues) {
    lua_pop(L, 1);
    push_lower(L, p, colon);
  }
  push_trimmed(L, continues ? p : colon + 1, end);
  lua_pushvalue(L, -2);
  add_value(L, t, continues ? " " : ", ");
}

void lhead_push(lua_State *L, const struct buf *head) {
  const char *p = head->data;
  const char *end = p + head->len;
  const char *eol = memchr(p, '\n', head->len);
  const char *space = eol ? memchr(p, ' ', (size_t)(eol - p)) : NULL;
  const char *reason = space ? memchr(space + 1, ' ', (size_t)(eol - space - 1)) : NULL;
  if (reason)
    push_trimmed(L, reason, eol);
  else
    lua_pushliteral(L, "");
  lua_createtable(L, 0, HEADERS_EXPECTED);
  lua_pushnil(L);
  while (eol && (p = eol + 1) < end) {
    eol = memchr(p, '\n', (size_t)(end - p));
    add_line(L, lua_gettop(L) - 1, p, eol ? eol : end);
  }
  lua_pop(L, 1); /* the name of the last header */
}

/* lower(text) -> text with the letters A to Z in lower case; other characters stay */
static int lhead_lower(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  push_lower(L, text, text + len);
  return 1;
}

void lhead_open(lua_State *L) {
  lua_pushcfunction(L, lhead_lower);
  lua_setfield(L, -2, "lower");
}
