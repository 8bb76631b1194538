/* Holds the reader against lua-cjson, and against a strict grammar of JSON. The reader is called
 * alone: lua-cjson never reads what it refuses. Everything below is written anew, so that it shares
 * no mistake with the code under test.
 *
 * A Lua module: check(text) raises an error if a property does not hold; run(seed, count, seconds)
 * makes texts and checks each. spec/fuzz/json.c includes this file. */
#include <lauxlib.h>
#include <lua.h>

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEPTH 100
#define EXACT 9007199254740991.0

/* --- A strict grammar: RFC 8259, section by section ------------------------------------------ */

struct grammar {
  const unsigned char *p, *end;
  int depth, deepest;
};

static void g_space(struct grammar *g) {
  while (g->p < g->end && strchr(" \t\n\r", *g->p) && *g->p)
    g->p++;
}

static bool g_take(struct grammar *g, const char *word) {
  const size_t n = strlen(word);
  if ((size_t)(g->end - g->p) < n || memcmp(g->p, word, n) != 0)
    return false;
  g->p += n;
  return true;
}

static int g_digits(struct grammar *g) {
  int n = 0;
  for (; g->p < g->end && *g->p >= '0' && *g->p <= '9'; n++)
    g->p++;
  return n;
}

static bool g_number(struct grammar *g) { /* §6 */
  g_take(g, "-");
  if (!g_take(g, "0") && g_digits(g) == 0)
    return false;
  if (g_take(g, ".") && g_digits(g) == 0)
    return false;
  if (g_take(g, "e") || g_take(g, "E")) {
    if (!g_take(g, "+"))
      g_take(g, "-");
    return g_digits(g) > 0;
  }
  return true;
}

static bool g_string(struct grammar *g) { /* §7 */
  if (!g_take(g, "\""))
    return false;
  while (g->p < g->end && *g->p != '"') {
    if (*g->p < 0x20)
      return false;
    if (*g->p++ != '\\')
      continue;
    if (g->p == g->end || !*g->p || !strchr("\"\\/bfnrtu", *g->p))
      return false;
    if (*g->p++ == 'u')
      for (int i = 0; i < 4; i++, g->p++)
        if (g->p == g->end || !*g->p || !strchr("0123456789abcdefABCDEF", *g->p))
          return false;
  }
  return g_take(g, "\"");
}

static bool g_value(struct grammar *g);

static bool g_items(struct grammar *g, bool is_object, const char *close) { /* §4, §5 */
  if (++g->depth > g->deepest)
    g->deepest = g->depth;
  g_space(g);
  if (!g_take(g, close)) {
    do {
      g_space(g);
      if (is_object && (!g_string(g) || (g_space(g), !g_take(g, ":"))))
        return false;
      if (!g_value(g))
        return false;
    } while (g_take(g, ","));
    if (!g_take(g, close))
      return false;
  }
  g->depth--;
  return true;
}

static bool g_value(struct grammar *g) { /* §3; deeper than 3000 is not looked at */
  bool ok;
  g_space(g);
  if (g->depth > 3000)
    return false;
  if (g_take(g, "{"))
    ok = g_items(g, true, "}");
  else if (g_take(g, "["))
    ok = g_items(g, false, "]");
  else if (g->p < g->end && *g->p == '"')
    ok = g_string(g);
  else
    ok = g_take(g, "true") || g_take(g, "false") || g_take(g, "null") || g_number(g);
  g_space(g);
  return ok;
}

static bool is_json(const char *text, size_t len, int *deepest) {
  const unsigned char *p = (const unsigned char *)text;
  struct grammar g = {p, p + len, 0, 0};
  const bool ok = g_value(&g) && g.p == g.end;
  *deepest = g.deepest;
  return ok;
}

/* --- UTF-8, by decoding: Unicode 3.9, D92, and U+FFFD for each maximal subpart ----------------- */

static size_t u_repair(const char *text, size_t len, char *out) {
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  const unsigned char *s = (const unsigned char *)text;
  size_t n = 0;
  for (size_t i = 0; i < len;) {
    const int more = s[i] < 0x80 ? 0 : s[i] < 0xC0 ? -1 : s[i] < 0xE0 ? 1 : s[i] < 0xF0 ? 2
                     : s[i] < 0xF8 ? 3 : -1;
    uint32_t c = more > 0 ? s[i] & (0x3FU >> more) : s[i];
    int k = 0;
    bool is_open = more >= 0;
    /* a byte belongs to the subpart as long as some character begins like this */
    for (; is_open && k < more && i + (size_t)k + 1 < len; k++) {
      const unsigned char b = s[i + (size_t)k + 1];
      const uint32_t next = c << 6 | (b & 0x3FU);
      const int rest = more - k - 1;
      const uint32_t low = next << (6 * rest);
      const uint32_t high = low | ((1U << (6 * rest)) - 1);
      const bool all_surrogates = low >= 0xD800 && high <= 0xDFFF;
      if (b < 0x80 || b > 0xBF || high < least[more] || low > 0x10FFFF || all_surrogates)
        break;
      c = next;
    }
    /* a lead byte that begins no character stands alone */
    is_open = is_open && !(s[i] == 0xC0 || s[i] == 0xC1 || s[i] > 0xF4);
    if (is_open && k == more) {
      memcpy(out + n, s + i, (size_t)more + 1);
      n += (size_t)more + 1;
    } else {
      memcpy(out + n, "\xEF\xBF\xBD", 3);
      n += 3;
    }
    i += (size_t)(is_open ? k : 0) + 1;
  }
  return n;
}

/* Replaces escapes of unpaired surrogates in place, as lua-cjson refuses them. */
static void u_pair(char *text, size_t len) {
  for (size_t i = 0; i + 1 < len;) {
    unsigned one = 0;
    unsigned two = 0;
    if (text[i] != '\\') {
      i++;
    } else if (i + 6 <= len && sscanf(text + i, "\\u%4x", &one) == 1 && one >> 11 == 0x1B) {
      if (one < 0xDC00 && i + 12 <= len && sscanf(text + i + 6, "\\u%4x", &two) == 1 &&
          two >= 0xDC00 && two < 0xE000) {
        i += 12;
      } else {
        memcpy(text + i + 2, "fffd", 4);
        i += 6;
      }
    } else {
      i += 2;
    }
  }
}

/* --- Equality, but for the differences that are wanted ------------------------------------------ */

static bool same(lua_State *L, int ours, int theirs);

static bool same_number(lua_State *L, int ours, int theirs) {
  const double number = lua_tonumber(L, theirs);
  const bool is_exact = floor(number) == number && fabs(number) <= EXACT;
  if (lua_type(L, ours) != LUA_TNUMBER || lua_tonumber(L, ours) != number)
    return false;
#if LUA_VERSION_NUM >= 503
  /* 64 bits: lua-cjson rounds beyond 2^53 */
  return lua_isinteger(L, ours) ? is_exact || fabs(number) > EXACT : !is_exact;
#else
  return is_exact || !is_exact;
#endif
}

static bool same_string(lua_State *L, int ours, int theirs) {
  size_t len;
  size_t n;
  const char *text = lua_tolstring(L, theirs, &len);
  const char *our_text = lua_type(L, ours) == LUA_TSTRING ? lua_tolstring(L, ours, &n) : NULL;
  if (our_text && n == len && memcmp(our_text, text, n) == 0) {
    char *copy = malloc(3 * len + 1);
    const bool is_valid = u_repair(text, len, copy) == len && memcmp(copy, text, len) == 0;
    free(copy);
    return is_valid;
  }
  char *copy = malloc(3 * len + 1);
  const size_t repaired = u_repair(text, len, copy);
  const bool is_same = our_text && repaired == n && memcmp(copy, our_text, n) == 0;
  free(copy);
  return is_same;
}

/* Pushes the value that ours has under the key of theirs at an index. */
static void push_ours(lua_State *L, int ours, int key) {
  if (lua_type(L, key) == LUA_TSTRING) {
    size_t len;
    const char *text = lua_tolstring(L, key, &len);
    char *copy = malloc(3 * len + 1);
    lua_pushlstring(L, copy, u_repair(text, len, copy));
    free(copy);
  } else {
    lua_pushvalue(L, key);
  }
  lua_rawget(L, ours);
}

static bool is_utf8_table(lua_State *L, int theirs) {
  for (lua_pushnil(L); lua_next(L, theirs); lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING && !same_string(L, lua_gettop(L) - 1, lua_gettop(L) - 1)) {
      lua_pop(L, 2);
      return false;
    }
  }
  return true;
}

static bool same_table(lua_State *L, int ours, int theirs) {
  int count = 0;
  if (lua_type(L, ours) != LUA_TTABLE)
    return false;
  luaL_checkstack(L, 10, "compare");
  const bool is_utf8 = is_utf8_table(L, theirs); /* else two names may become one */
  for (lua_pushnil(L); lua_next(L, theirs); lua_pop(L, 2)) {
    const int value = lua_gettop(L);
    push_ours(L, ours, value - 1);
    const bool is_null = lua_islightuserdata(L, value) && lua_type(L, value - 1) == LUA_TSTRING;
    count += !is_null;
    if (is_null ? is_utf8 && !lua_isnil(L, -1) : is_utf8 && !same(L, value + 1, value))
      return false;
  }
  for (lua_pushnil(L); lua_next(L, ours); lua_pop(L, 1))
    count--;
  return count == 0 || !is_utf8;
}

static bool same(lua_State *L, int ours, int theirs) {
  switch (lua_type(L, theirs)) {
  case LUA_TTABLE:
    return same_table(L, ours, theirs);
  case LUA_TNUMBER:
    return same_number(L, ours, theirs);
  case LUA_TSTRING:
    return same_string(L, ours, theirs);
  default:
    return lua_rawequal(L, ours, theirs);
  }
}

/* --- The properties of one text ----------------------------------------------------------------- */

enum { READ = 1, READER, DECODE, PLAIN }; /* upvalues of check() and run() */

static int finding(lua_State *L, const char *what) {
  return luaL_error(L, "does not hold: %s", what);
}

/* Pushes the result of the text in steps of so many bytes, and a message or nil. */
static void read_in_steps(lua_State *L, int text, int bytes) {
  lua_pushvalue(L, lua_upvalueindex(READER));
  lua_pushvalue(L, text);
  lua_newtable(L);
  lua_call(L, 2, 1);
  for (;;) {
    lua_pushvalue(L, -1);
    lua_pushinteger(L, bytes);
    lua_call(L, 1, 3);
    if (!lua_toboolean(L, -3))
      break;
    lua_pop(L, 3);
  }
  lua_remove(L, -3);
  lua_remove(L, -3);
}

/* Pushes lua-cjson's value. Returns whether it accepts the text. */
static bool by_cjson(lua_State *L, const char *text, size_t len) {
  lua_pushvalue(L, lua_upvalueindex(PLAIN));
  lua_pushlstring(L, text, len);
  if (lua_pcall(L, 1, 1, 0) == 0)
    return true;
  lua_pop(L, 1);
  char *copy = malloc(len + 1);
  memcpy(copy, text, len);
  copy[len] = '\0';
  u_pair(copy, len);
  lua_pushvalue(L, lua_upvalueindex(PLAIN));
  lua_pushlstring(L, copy, len);
  free(copy);
  return lua_pcall(L, 1, 1, 0) == 0;
}

/* The properties of a text that was checked. */
struct verdict {
  bool is_json;
  bool is_accepted;
};

static struct verdict check(lua_State *L, int index) {
  size_t len;
  int deepest;
  const char *whole = lua_tolstring(L, index, &len);
  const size_t bom = len >= 3 && memcmp(whole, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  const char *text = whole + bom;
  struct verdict verdict = {.is_json = is_json(text, len - bom, &deepest)};
  const int top = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(READ));
  lua_pushvalue(L, index);
  lua_newtable(L);
  lua_call(L, 2, 4); /* value, facts; or nil, message, offset, word */
  const bool is_refused = lua_type(L, top + 2) == LUA_TSTRING;
  const char *word = lua_tostring(L, top + 4);
  verdict.is_accepted = !is_refused;
  if (!is_refused) {
    if (!verdict.is_json || deepest > DEPTH)
      finding(L, "the reader accepts JSON only, of at most 100 levels");
    if (!by_cjson(L, text, len - bom))
      finding(L, "lua-cjson accepts what the reader accepts");
    const bool is_nil = lua_isnil(L, top + 1) && lua_islightuserdata(L, -1);
    if (!is_nil && !same(L, top + 1, lua_gettop(L)))
      finding(L, "the reader gives lua-cjson's value");
    if (lua_isnil(L, top + 1) != is_nil)
      finding(L, "only null is nil");
  } else {
    const lua_Integer at = lua_tointeger(L, top + 3);
    if (at < 1 || at > (lua_Integer)len + 1)
      finding(L, "an offset is within the text");
    if (verdict.is_json && !word)
      finding(L, "the reader accepts all JSON");
    if (word && strcmp(word, "infinite") == 0 && !isinf(strtod(whole + at - 1, NULL)))
      finding(L, "a number that is refused is too large for a double");
    if (word && strcmp(word, "deep") == 0 && verdict.is_json && deepest <= DEPTH)
      finding(L, "100 levels are accepted");
  }
  lua_settop(L, top + 4);
  if (len % 4 != 0) { /* the rest takes twice as long */
    lua_settop(L, top);
    return verdict;
  }
  read_in_steps(L, index, (int)(len / 5) + 1);
  if (is_refused != (lua_type(L, -1) == LUA_TSTRING))
    finding(L, "steps are accepted if and only if the whole text is");
  if (!is_refused && !lua_isnil(L, top + 1)) {
    lua_pop(L, 1);
    const int steps = lua_gettop(L);
    if (!by_cjson(L, text, len - bom) || !same(L, steps, lua_gettop(L)))
      finding(L, "steps give the same value");
  }
  lua_pushvalue(L, lua_upvalueindex(DECODE));
  lua_pushvalue(L, index);
  lua_call(L, 1, 2);
  if (!is_refused && !lua_isnil(L, -1))
    finding(L, "decode() accepts what the reader accepts");
  lua_settop(L, top);
  return verdict;
}

static int l_check(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  check(L, 1);
  return 0;
}

/* --- Texts -------------------------------------------------------------------------------------- */

static uint64_t state;

static uint32_t random_below(uint32_t n) { /* xorshift64* */
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)((state * 2685821657736338717ULL >> 32) % n);
}

struct text {
  char *at;
  size_t len, cap;
};

static void add_bytes(struct text *t, const char *bytes, size_t n) {
  if (t->len + n > t->cap) {
    t->cap = 2 * (t->len + n);
    t->at = realloc(t->at, t->cap);
    if (!t->at)
      abort();
  }
  memcpy(t->at + t->len, bytes, n);
  t->len += n;
}

static void add(struct text *t, const char *string) {
  add_bytes(t, string, strlen(string));
}

static void add_space(struct text *t) {
  static const char *const spaces[] = {" ", "\n", "\t", "\r", "\r\n  ", "                 "};
  if (random_below(6) == 0)
    add(t, spaces[random_below(6)]);
}

static void add_digits(struct text *t, uint32_t most) {
  for (uint32_t n = random_below(most) + 1; n > 0; n--)
    add_bytes(t, &"0123456789"[random_below(10)], 1);
}

static void add_number(struct text *t) {
  static const char *const edges[] = {
      "0", "-0", "1", "-1", "9007199254740991", "9007199254740992", "9007199254740993",
      "-9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
      "-9223372036854775809", "18446744073709551616", "1e22", "1e23", "123456789e22",
      "9007199254740993e0", "1e-22", "1e-23", "4.9e-324", "2.4703282292062327e-324", "1e-400",
      "2.2250738585072011e-308", "2.2250738585072014e-308", "1.7976931348623157e308", "0e999999",
      "0.0e-99999999999999999999", "-0.0", "5.0", "1E+2", "10e-1", "100000000000000000000",
      "0.1", "0.3", "1.5", "2.5e-3", "8.41e21", "9007199254740993.0", "1e15", "1e-7", "0.000001"};
  if (random_below(3) == 0) {
    add(t, edges[random_below(sizeof edges / sizeof *edges)]);
    return;
  }
  if (random_below(3) == 0)
    add(t, "-");
  if (random_below(4) == 0) {
    add(t, "0");
  } else {
    add_bytes(t, &"123456789"[random_below(9)], 1);
    if (random_below(2))
      add_digits(t, random_below(20) == 0 ? 60 : 18);
  }
  if (random_below(3) == 0) {
    add(t, ".");
    add_digits(t, random_below(20) == 0 ? 900 : 17);
  }
  if (random_below(4) == 0) {
    add(t, random_below(2) ? "e" : "E");
    if (random_below(2))
      add(t, random_below(2) ? "-" : "+");
    char exponent[12];
    snprintf(exponent, sizeof exponent, "%u", random_below(random_below(4) ? 30 : 220));
    add(t, exponent);
  }
}

static void add_utf8(struct text *t, uint32_t c) {
  char b[4];
  size_t n = 0;
  if (c < 0x80) {
    b[n++] = (char)c;
  } else if (c < 0x800) {
    b[n++] = (char)(0xC0 + c / 64);
  } else if (c < 0x10000) {
    b[n++] = (char)(0xE0 + c / 4096);
    b[n++] = (char)(0x80 + c / 64 % 64);
  } else {
    b[n++] = (char)(0xF0 + c / 262144);
    b[n++] = (char)(0x80 + c / 4096 % 64);
    b[n++] = (char)(0x80 + c / 64 % 64);
  }
  if (c >= 0x80)
    b[n++] = (char)(0x80 + c % 64);
  add_bytes(t, b, n);
}

static void add_character(struct text *t) {
  static const char *const escapes[] = {"\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t",
                                        "\\u0000", "\\ud83d\\ude00", "\\uD834\\uDD1E", "\\u00fC"};
  static const uint32_t edges[] = {0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF,
                                   0x10000, 0x10FFFF, 0x20AC, 0xE9};
  char escape[8];
  switch (random_below(12)) {
  case 0:
    add(t, escapes[random_below(12)]);
    break;
  case 1:
    add_utf8(t, edges[random_below(12)]);
    break;
  case 2:
    snprintf(escape, sizeof escape, "\\u%04x", random_below(0x10000));
    add(t, escape);
    break;
  case 3:
    snprintf(escape, sizeof escape, "\\u%04X", 0xD800 + random_below(0x800));
    add(t, escape);
    break;
  default:
    add_bytes(t, &"abcdefghij ,:[]{}-0123456789.eE/'xyzMFA@"[random_below(40)], 1);
  }
}

static void add_string(struct text *t) {
  static const char *const names[] = {"a", "b", "items", "upn", "tenantId", "objectId", "",
                                      "lastNonMfaCompliantLoginDateTime"};
  add(t, "\"");
  if (random_below(2)) {
    add(t, names[random_below(8)]);
  } else {
    const bool is_plain = random_below(3) == 0;
    for (uint32_t n = random_below(random_below(30) ? 12 : 120); n > 0; n--)
      if (is_plain)
        add(t, "x");
      else
        add_character(t);
  }
  add(t, "\"");
}

static uint32_t budget; /* of values of the text */

static void add_value(struct text *t, int depth);

static void add_container(struct text *t, int depth, bool is_object) {
  uint32_t n = random_below(random_below(12) ? 6 : 40);
  add(t, is_object ? "{" : "[");
  for (uint32_t i = 0; i < n && budget > 0; i++) {
    if (i > 0)
      add(t, ",");
    add_space(t);
    if (is_object) {
      add_string(t);
      add_space(t);
      add(t, ":");
    }
    add_value(t, depth - 1);
  }
  add_space(t);
  add(t, is_object ? "}" : "]");
}

static void add_value(struct text *t, int depth) {
  static const char *const words[] = {"true", "false", "null"};
  budget -= budget > 0;
  add_space(t);
  const uint32_t kind = random_below(depth > 0 ? 12 : 7);
  if (kind < 2)
    add(t, words[random_below(3)]);
  else if (kind < 4)
    add_number(t);
  else if (kind < 7)
    add_string(t);
  else
    add_container(t, depth, kind < 10);
  add_space(t);
}

/* Records as a service sends them: the same names in the same order, with a change now and then. */
static void add_records(struct text *t) {
  static const char *const names[] = {"upn", "objectId", "tenantId", "when", "n", "ok"};
  add(t, "{\"totalCount\":5,\"items\":[");
  const uint32_t n = random_below(random_below(40) ? 12 : 200);
  for (uint32_t i = 0; i < n; i++) {
    bool is_first = true;
    add(t, i > 0 ? ",{" : "{");
    for (uint32_t k = 0; k < 6; k++) {
      if (random_below(10) == 0)
        continue;
      add(t, is_first ? "\"" : ",\"");
      is_first = false;
      add(t, names[random_below(30) ? k : random_below(6)]);
      add(t, "\":");
      if (k < 4)
        add_string(t);
      else
        add_value(t, random_below(20) == 0 ? 2 : 0);
    }
    add(t, "}");
  }
  add(t, "]}");
}

static void add_strict(struct text *t) {
  const uint32_t kind = random_below(40);
  budget = random_below(100) ? 60 : 3000;
  if (kind == 0) {
    const uint32_t depth = 90 + random_below(11);
    const bool is_object = random_below(2);
    for (uint32_t i = 0; i < depth; i++)
      add(t, is_object ? "{\"a\":" : "[");
    add(t, "1");
    for (uint32_t i = 0; i < depth; i++)
      add(t, is_object ? "}" : "]");
  } else if (kind < 8) {
    add_records(t);
  } else {
    add_value(t, kind < 20 ? 2 : 6);
  }
}

/* Changes a text so that it may no longer be JSON. */
static void mutate(struct text *t) {
  static const char *const odd[] = {
      "1.", "01", "+1", "-", "- 1", ".5", "1e", "1e+", "0x10", "NaN", "inf", "-Infinity", "1e999",
      "-1e400", "nul", "True", "'a'", "\"\\x\"", "\"\\ud8zz\"", "\"\\u12\"", "\"\n\"", "\"\t\"",
      ",", ",,", ":", "[", "]", "{", "}", "\"", "\\", "//", "/*", "\x01", "\x7F", "\x80", "\xC0\x80",
      "\xC3", "\xE2\x82", "\xED\xA0\x80", "\xF0\x9F\x98", "\xF4\x90\x80\x80", "\xFF", "\xEF\xBB\xBF",
      "\v", "\f", "{\"a\"}", "{a:1}", "[1 2]", "\"a\" \"b\""};
  for (uint32_t n = random_below(3) + 1; n > 0 && t->len > 0; n--) {
    const size_t at = random_below((uint32_t)t->len);
    struct text rest = {NULL, 0, 0};
    add_bytes(&rest, t->at + at, t->len - at);
    const uint32_t kind = random_below(5);
    const size_t skip = kind == 0 ? 1 : kind == 1 ? random_below((uint32_t)rest.len) : 0;
    t->len = at;
    if (kind == 2) {
      const char byte = (char)random_below(256);
      add_bytes(t, &byte, 1);
    } else if (kind > 2) {
      const uint32_t which = random_below(sizeof odd / sizeof *odd + 1);
      if (which < sizeof odd / sizeof *odd)
        add(t, odd[which]);
      else
        add_bytes(t, "\0", 1);
    }
    add_bytes(t, rest.at + skip, rest.len - skip);
    free(rest.at);
  }
}

/* run(seed, count, seconds) -> the number of texts, of those that the strict generator made, and of
 * those that were accepted; or nil, a message, and the text that broke a property */
static int run(lua_State *L) {
  state = (uint64_t)luaL_checknumber(L, 1) * 2654435769U + 1;
  const double count = luaL_checknumber(L, 2);
  const double seconds = luaL_checknumber(L, 3);
  const time_t start = time(NULL);
  struct text t = {NULL, 0, 0};
  double n = 0;
  double strict = 0;
  double accepted = 0;
  lua_settop(L, 3);
  while (n < count && difftime(time(NULL), start) < seconds) {
    t.len = 0;
    const bool is_strict = random_below(10) < 6;
    if (random_below(50) == 0)
      add(&t, "\xEF\xBB\xBF");
    add_strict(&t);
    if (!is_strict)
      mutate(&t);
    lua_pushlstring(L, t.at, t.len);
    for (int i = READ; i <= PLAIN; i++)
      lua_pushvalue(L, lua_upvalueindex(i));
    lua_pushcclosure(L, l_check, PLAIN);
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 0, 0) != 0) {
      lua_pushnil(L);
      lua_insert(L, -2);
      lua_pushvalue(L, -3);
      free(t.at);
      return 3;
    }
    int deepest;
    const size_t bom = t.len >= 3 && memcmp(t.at, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    const bool ok = is_json(t.at + bom, t.len - bom, &deepest);
    if (is_strict && !ok) {
      lua_pushnil(L);
      lua_pushliteral(L, "the strict generator makes JSON only");
      lua_pushvalue(L, 4);
      return 3;
    }
    strict += is_strict;
    accepted += ok;
    n++;
    lua_settop(L, 3);
  }
  free(t.at);
  lua_pushnumber(L, n);
  lua_pushnumber(L, strict);
  lua_pushnumber(L, accepted);
  return 3;
}

int luaopen_json_texts(lua_State *L);

int luaopen_json_texts(lua_State *L) {
  lua_settop(L, 0);
  lua_newtable(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "pcapi.core");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "read");
  lua_getfield(L, -2, "reader");
  lua_getfield(L, -3, "decode");
  lua_getglobal(L, "require");
  lua_pushliteral(L, "cjson");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "new");
  lua_call(L, 0, 1);
  lua_getfield(L, -1, "decode_max_depth");
  lua_pushinteger(L, DEPTH);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode_invalid_numbers");
  lua_pushboolean(L, 0);
  lua_call(L, 1, 0);
  lua_getfield(L, -1, "decode");
  lua_replace(L, -3);
  lua_pop(L, 1);
  for (int k = 0; k < 2; k++) {
    for (int i = READ; i <= PLAIN; i++)
      lua_pushvalue(L, -PLAIN);
    lua_pushcclosure(L, k == 0 ? l_check : run, PLAIN);
    lua_setfield(L, 1, k == 0 ? "check" : "run");
  }
  lua_settop(L, 1);
  return 1;
}
