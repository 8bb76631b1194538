#include "lsink.h"

#include <string.h>

void lsink_begin(struct lsink *s, const struct reader *r) {
  s->reader = r;
  s->depth = 0;
  memset(s->has_raw, 0, sizeof s->has_raw);
  memset(s->news, 0, sizeof s->news);
  s->repeated = 0;
  memset(s->value, 0, sizeof s->value);
}

static void push_text(lua_State *L, const struct reader_slot *slot) {
  char small[768];
  if (slot->is_plain) {
    lua_pushlstring(L, slot->as.text, slot->size);
  } else if (slot->size <= sizeof small / 3) {
    lua_pushlstring(L, small, reader_text(slot, small));
  } else {
    char *large = lua_newuserdata(L, 3 * (size_t)slot->size);
    lua_pushlstring(L, large, reader_text(slot, large));
    lua_remove(L, -2);
  }
}

#define NEWS_MAX 64 /* a key with so many values of its own, such as an id, has no repeated ones */

static size_t hash_of(const char *text, size_t len) {
  uint64_t first = 0;
  uint64_t last = 0;
  if (len >= 8) {
    memcpy(&first, text, 8);
    memcpy(&last, text + len - 8, 8);
  } else if (len > 0) {
    first = (unsigned char)text[0];
    last = (unsigned char)text[len - 1];
  }
  return (size_t)((first ^ (last + len)) * 0x9E3779B97F4A7C15ULL >> 32) % LSINK_VALUES;
}

/* Stores the string on top of the stack for the next time that it is met. */
static void store_value(struct lsink *s, struct lsink_value *value) {
  lua_State *L = s->L;
  const int t = s->base + LSINK_AGAIN;
  if (lua_isnil(L, t)) {
    lua_newtable(L);
    lua_replace(L, t);
  }
  if (value->at == 0)
    value->at = ++s->repeated;
  lua_pushvalue(L, -1);
  lua_rawseti(L, t, value->at);
  value->text = lua_tostring(L, -1); /* the bytes of the JSON text may be released */
  value->is_made = true;
}

/* Pushes the string at a slot. Records often repeat a value, such as the tenant: to compare the bytes
 * is cheaper than to look up the string that Lua has, which hashes each byte. */
static void push_string(struct lsink *s, const struct reader_slot *slot) {
  lua_State *L = s->L;
  if (slot->key == READER_NO_KEY || !slot->is_plain || s->news[slot->key] == NEWS_MAX) {
    push_text(L, slot);
    return;
  }
  struct lsink_value *value = &s->value[hash_of(slot->as.text, slot->size)];
  const bool is_same = value->text && value->size == slot->size &&
                       memcmp(value->text, slot->as.text, slot->size) == 0;
  if (is_same && value->is_made) {
    lua_rawgeti(L, s->base + LSINK_AGAIN, value->at);
    s->news[slot->key] = 0;
    return;
  }
  lua_pushlstring(L, slot->as.text, slot->size);
  if (is_same) {
    store_value(s, value);
  } else {
    value->text = slot->as.text;
    value->size = slot->size;
    value->is_made = false;
    s->news[slot->key]++;
  }
}

static void push_number(lua_State *L, double n) {
  lua_pushnumber(L, (lua_Number)n);
  pcapi_make_integer(L);
}

void lsink_push_integer(lua_State *L, int64_t n) {
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, (lua_Integer)n);
#else
  lua_pushnumber(L, (lua_Number)n);
#endif
}

void lsink_push_raw(struct lsink *s, uint8_t key) {
  lua_State *L = s->L;
  if (!s->has_raw[key]) {
    lua_pushlstring(L, s->reader->key[key].text, s->reader->key[key].len);
    lua_replace(L, s->base + LSINK_RAW + key);
    s->has_raw[key] = true;
  }
  lua_pushvalue(L, s->base + LSINK_RAW + key);
}

size_t lsink_push_name(struct lsink *s, size_t i) {
  if (lsink_slot(s, i)->kind == READER_NAME) {
    push_text(s->L, lsink_slot(s, i));
    return i + 1;
  }
  lsink_push_raw(s, lsink_slot(s, i)->key);
  return i;
}

/* Removes the member whose name is on top of the stack from the table below it; pops the name. */
static void remove_member(lua_State *L) {
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  const bool is_missing = lua_isnil(L, -1);
  lua_pop(L, 1);
  lua_pushnil(L);
  if (is_missing) /* the usual case; Lua 5.1 would make room for it */
    lua_pop(L, 2);
  else
    lua_rawset(L, -3);
}

size_t lsink_set_member(struct lsink *s, size_t i) {
  i = lsink_push_name(s, i);
  if (lsink_slot(s, i)->kind == READER_NULL) {
    remove_member(s->L);
    return i + 1;
  }
  i = lsink_push_value(s, i);
  lua_rawset(s->L, -3);
  return i;
}

/* Pushes a table with room for the contents of the container at a slot. */
static void push_table(lua_State *L, const struct reader_slot *slot) {
  const bool is_object = slot->kind == READER_OBJECT;
  luaL_checkstack(L, 6, "JSON nested too deep");
  lua_createtable(L, is_object ? 0 : (int)slot->size, is_object ? (int)slot->size : 0);
}

/* Pushes the table of the container at slot i. */
static size_t push_container(struct lsink *s, size_t i) {
  lua_State *L = s->L;
  const bool is_object = lsink_slot(s, i)->kind == READER_OBJECT;
  int n = 0;
  push_table(L, lsink_slot(s, i));
  for (i++; lsink_slot(s, i)->kind != READER_CLOSE;) {
    if (is_object) {
      i = lsink_set_member(s, i);
    } else {
      i = lsink_push_value(s, i);
      lua_rawseti(L, -2, ++n);
    }
  }
  return i + 1;
}

/* The recursion is at most READER_DEPTH deep. */
size_t lsink_push_value(struct lsink *s, size_t i) {
  const struct reader_slot *slot = lsink_slot(s, i);
  switch (slot->kind) {
  case READER_STRING:
    push_string(s, slot);
    break;
  case READER_INTEGER:
    lsink_push_integer(s->L, slot->as.integer);
    break;
  case READER_NUMBER:
    push_number(s->L, slot->as.number);
    break;
  case READER_NULL:
    lua_pushlightuserdata(s->L, NULL);
    break;
  case READER_TRUE:
  case READER_FALSE:
    lua_pushboolean(s->L, slot->kind == READER_TRUE);
    break;
  default:
    return push_container(s, i);
  }
  return i + 1;
}

void lsink_store(struct lsink *s) {
  if (s->depth > 0 && s->is_object[s->depth])
    lua_rawset(s->L, -3);
  else if (s->depth > 0)
    lua_rawseti(s->L, -2, ++s->count[s->depth]);
}

void lsink_open(struct lsink *s, const struct reader_slot *slot) {
  const bool is_object = slot->kind == READER_OBJECT;
  push_table(s->L, slot);
  s->depth++;
  s->is_object[s->depth] = is_object;
  s->count[s->depth] = 0;
}

void lsink_close(struct lsink *s) {
  s->depth--;
  lsink_store(s);
}
