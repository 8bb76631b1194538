/* The Lua binding of http.h and pool.h: two userdata, a pool and a session in it. */
#include "binding.h"
#include "http.h"
#include "jsontext.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>

#define LHTTP "pcapi.core.http"
#define LPOOL "pcapi.core.pool"
#define HEADERS_EXPECTED 16
#define NAME_EXPECTED 64 /* bytes of a header's name; longer ones cost more */
#define SLICE_MAX 60 /* seconds; a longer wait is asked for again */

struct lhttp {
  struct http *http; /* NULL: closed */
};

struct lpool {
  struct pool *pool; /* NULL: closed */
};

static atomic_int live; /* sessions and pools open in this process, for leak tests */

static struct lhttp *lhttp_check(lua_State *L) {
  struct lhttp *s = luaL_checkudata(L, 1, LHTTP);
  luaL_argcheck(L, s->http, 1, "session is closed");
  return s;
}

static struct pool *lpool_check(lua_State *L) {
  const struct lpool *p = luaL_checkudata(L, 1, LPOOL);
  luaL_argcheck(L, p->pool, 1, "pool is closed");
  return p->pool;
}

/* Returns nil, kind, message, and a cause or nil. Memory is Lua's own error, as everywhere in
 * Lua. */
static int lhttp_fail(lua_State *L, enum http_code code, const char *message,
                      enum http_cause cause) {
  static const char *const causes[] = {
      [HTTP_CAUSE_DESCRIPTORS] = "descriptors", [HTTP_CAUSE_PROXY_LOGIN] = "proxy_login",
      [HTTP_CAUSE_PROXY_RULE] = "proxy_rule",   [HTTP_CAUSE_NOT_YET_VALID] = "not_yet_valid",
      [HTTP_CAUSE_EXPIRED] = "expired",         [HTTP_CAUSE_CA] = "ca",
      [HTTP_CAUSE_HOST] = "host",
  };
  static const char *const kinds[] = {
      [HTTP_TIMEOUT] = "timeout",   [HTTP_NETWORK] = "network", [HTTP_TLS] = "tls",
      [HTTP_PROTOCOL] = "protocol", [HTTP_CONFIG] = "config",
  };
  if (code == HTTP_NO_MEMORY)
    return luaL_error(L, "not enough memory");
  lua_pushnil(L);
  lua_pushstring(L, kinds[code]);
  lua_pushstring(L, message);
  lua_pushstring(L, causes[cause]); /* nil for NULL */
  return 4;
}

/* Leaves t[name] on the stack, which keeps the result alive; NULL when absent. */
static const char *opt_string(lua_State *L, int t, const char *name, size_t *len) {
  lua_getfield(L, t, name);
  if (lua_isnil(L, -1))
    return NULL;
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "%s must be a string", name);
  size_t n;
  const char *s = lua_tolstring(L, -1, &n);
  if (len)
    *len = n;
  else if (memchr(s, '\0', n)) /* libcurl would see half of it */
    luaL_error(L, "%s holds a zero byte", name);
  return s;
}

static bool opt_boolean(lua_State *L, int t, const char *name) {
  lua_getfield(L, t, name);
  const bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

static lua_Number need_number(lua_State *L, int t, const char *name, lua_Number max) {
  lua_getfield(L, t, name);
  const lua_Number n = lua_tonumber(L, -1);
  if (lua_type(L, -1) != LUA_TNUMBER || !(n > 0))
    luaL_error(L, "%s must be a positive number", name);
  lua_pop(L, 1);
  return n < max ? n : max;
}

static long opt_count(lua_State *L, int t, const char *name) {
  lua_getfield(L, t, name);
  const lua_Number n = lua_tonumber(L, -1); /* 0 for nil */
  if ((!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TNUMBER) || !(n >= 0 && n <= INT_MAX))
    luaL_error(L, "%s must be a count", name);
  lua_pop(L, 1);
  return (long)n;
}

static long opt_milliseconds(lua_State *L, int t, const char *name) {
  lua_getfield(L, t, name);
  const bool is_given = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return is_given ? (long)(need_number(L, t, name, 1e6) * 1000) : 0;
}

/* pool{connections, host_connections, kept, watched, silence} -> pool, or nil, kind, message.
 * Counts; 0 is no limit, for kept the number that libcurl chooses. silence: seconds after which
 * a request that may be repeated is sent again on a fresh connection, see pool.h. */
static int lpool_new(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const struct pool_limits limits = {
      .connections = opt_count(L, 1, "connections"),
      .host_connections = opt_count(L, 1, "host_connections"),
      .kept = opt_count(L, 1, "kept"),
      .watched = opt_boolean(L, 1, "watched"),
      .silence_ms = opt_milliseconds(L, 1, "silence"),
  };
  struct lpool *p = lua_newuserdata(L, sizeof *p);
  p->pool = NULL; /* closed first: an error from here on meets a safe __gc */
  luaL_getmetatable(L, LPOOL);
  lua_setmetatable(L, -2);
  enum http_code code = HTTP_DONE;
  p->pool = http_pool(&limits, &code);
  if (!p->pool)
    return lhttp_fail(L, code, HTTP_NO_DESCRIPTOR, HTTP_CAUSE_DESCRIPTORS);
  atomic_fetch_add(&live, 1);
  return 1;
}

/* pool:http{ca_file, ca_path, proxy, no_proxy, user_agent, http_1_1, allow_http}
 * -> session, or nil, kind, message */
static int lhttp_new(lua_State *L) {
  struct pool *pool = lpool_check(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  const struct http_options options = {
      .ca_file = opt_string(L, 2, "ca_file", NULL),
      .ca_path = opt_string(L, 2, "ca_path", NULL),
      .proxy = opt_string(L, 2, "proxy", NULL),
      .no_proxy = opt_string(L, 2, "no_proxy", NULL),
      .user_agent = opt_string(L, 2, "user_agent", NULL),
      .http_1_1 = opt_boolean(L, 2, "http_1_1"),
      .allow_http = opt_boolean(L, 2, "allow_http"),
  };
  struct lhttp *s = lua_newuserdata(L, sizeof *s);
  s->http = NULL; /* closed first: an error from here on meets a safe __gc */
  luaL_getmetatable(L, LHTTP);
  lua_setmetatable(L, -2);
  enum http_code code = HTTP_DONE;
  s->http = http_open(pool, &options, &code);
  if (!s->http)
    return lhttp_fail(L, code, "libcurl does not accept an option of the session",
                      HTTP_CAUSE_UNKNOWN);
  atomic_fetch_add(&live, 1);
  return 1;
}

/* Adds the lines of the array on top of the stack to the request; pops it. */
static enum http_code add_headers(lua_State *L, struct http *http) {
  enum http_code code = HTTP_DONE;
  const size_t n = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
  for (size_t i = 1; i <= n && code == HTTP_DONE; i++) {
    size_t len;
    lua_rawgeti(L, -1, (int)i);
    const char *line = lua_tolstring(L, -1, &len);
    if (!line || strlen(line) != len)
      luaL_error(L, "header %d is not a line of text", (int)i);
    code = http_header(http, line);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return code;
}

/* session:start{method, url, headers, body, timeout, connect_timeout, max_body,
 * max_headers, may_repeat} -> true, or nil, kind, message. Times in seconds, headers an
 * array of "Name: value". Everything is copied. */
static int lhttp_start(lua_State *L) {
  struct lhttp *s = lhttp_check(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  http_cancel(s->http); /* header lines as well, left by a start that raised */
  struct http_request r = {.body_len = 0};
  r.method = opt_string(L, 2, "method", NULL);
  r.url = opt_string(L, 2, "url", NULL);
  r.body = opt_string(L, 2, "body", &r.body_len);
  if (!r.method || !r.url)
    return luaL_error(L, "method and url are needed");
  r.may_repeat = opt_boolean(L, 2, "may_repeat");
  r.timeout_ms = (long)(need_number(L, 2, "timeout", 1e6) * 1000) + 1;
  r.connect_timeout_ms = (long)(need_number(L, 2, "connect_timeout", 1e6) * 1000) + 1;
  r.max_body = (size_t)need_number(L, 2, "max_body", (lua_Number)(INT_MAX / 2));
  r.max_headers = (size_t)need_number(L, 2, "max_headers", (lua_Number)(INT_MAX / 2));
  lua_getfield(L, 2, "headers");
  enum http_code code = add_headers(L, s->http);
  if (code == HTTP_DONE)
    code = http_start(s->http, &r);
  if (code != HTTP_RUNNING)
    return lhttp_fail(L, code, http_message(s->http), http_cause(s->http));
  lua_pushboolean(L, 1);
  return 1;
}

/* Pushes the value between p and end without surrounding white space. */
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

/* Joins what the table at t has under the name on top of the stack with a value that comes
 * later. Pops the name and the value below it. */
static void join_header(lua_State *L, int t, const char *between) {
  lua_pushvalue(L, -1);
  lua_rawget(L, t); /* value, name, first */
  if (!lua_isnil(L, -1)) {
    lua_pushstring(L, between);
    lua_pushvalue(L, -4);
    lua_concat(L, 3);
    lua_replace(L, -3);
  } else {
    lua_pop(L, 1);
  }
  lua_insert(L, -2);
  lua_rawset(L, t);
}

/* Sets t[name] for the header line [p, end). A name that comes again is a list (RFC 9110 §5.3);
 * a line that begins with a space goes on from the one before, whose name is on top of the
 * stack (RFC 9112 §5.2). Leaves the name of this one there. */
static void set_header(lua_State *L, int t, const char *p, const char *end) {
  const bool goes_on = p < end && (*p == ' ' || *p == '\t');
  const char *colon = goes_on ? p : memchr(p, ':', (size_t)(end - p));
  if (!colon || p == end || (goes_on && lua_isnil(L, -1)))
    return;
  if (!goes_on) {
    lua_pop(L, 1);
    push_lower(L, p, colon);
  }
  push_trimmed(L, goes_on ? p : colon + 1, end);
  lua_pushvalue(L, -2);
  join_header(L, t, goes_on ? " " : ", ");
}

/* Leaves the reason phrase and the table of headers on the stack. */
static void push_head(lua_State *L, const struct buf *head) {
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
    set_header(L, lua_gettop(L) - 1, p, eol ? eol : end);
  }
  lua_pop(L, 1); /* the name of the last line */
}

/* pool:wait(seconds): moves all exchanges on until one is over, or so long, or until a
 * signal arrives. */
static int lpool_wait(lua_State *L) {
  struct pool *pool = lpool_check(L);
  const lua_Number seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, seconds >= 0, 2, "seconds out of range");
  /* rounded up: who waits for a moment is not to come a little before it */
  const lua_Number ms = (seconds < SLICE_MAX ? seconds : SLICE_MAX) * 1000;
  pool_wait(pool, (int)ms + (ms > (lua_Number)(int)ms));
  return 0;
}

/* pool:next() -> the id of a session whose exchange is over, each once, or nil */
static int lpool_next(lua_State *L) {
  struct pool_transfer *t = pool_next(lpool_check(L));
  if (!t)
    return 0;
  lua_pushnumber(L, (lua_Number)http_id(http_of(t)));
  return 1;
}

/* pool:descriptor() -> readable when wait(0) has work; nil: it is not watched */
static int lpool_descriptor(lua_State *L) {
  const int descriptor = pool_descriptor(lpool_check(L));
  if (descriptor < 0)
    return 0;
  lua_pushinteger(L, descriptor);
  return 1;
}

/* pool:timeout() -> seconds until wait(0) has work in any case, or nil */
static int lpool_timeout(lua_State *L) {
  const long timeout_ms = pool_timeout(lpool_check(L));
  if (timeout_ms < 0)
    return 0;
  lua_pushnumber(L, (lua_Number)timeout_ms / 1000);
  return 1;
}

/* As for a session. Sessions that are open keep what they need of the pool. */
static int lpool_close(lua_State *L) {
  struct lpool *p = luaL_checkudata(L, 1, LPOOL);
  if (p->pool) {
    pool_release(p->pool);
    p->pool = NULL;
    atomic_fetch_sub(&live, 1);
  }
  return 0;
}

static int lpool_tostring(lua_State *L) {
  const struct lpool *p = luaL_checkudata(L, 1, LPOOL);
  lua_pushfstring(L, "%s (%s)", LPOOL, p->pool ? "open" : "closed");
  return 1;
}

/* session:id() -> the number that pool:next() gives */
static int lhttp_id(lua_State *L) {
  lua_pushnumber(L, (lua_Number)http_id(lhttp_check(L)->http));
  return 1;
}

/* session:result() -> false while the answer is on its way; then
 * {status, reason, version, headers}, or nil, kind, message, cause. */
static int lhttp_result(lua_State *L) {
  struct lhttp *s = lhttp_check(L);
  const enum http_code code = http_result(s->http);
  if (code == HTTP_RUNNING) {
    lua_pushboolean(L, 0);
    return 1;
  }
  if (code != HTTP_DONE)
    return lhttp_fail(L, code, http_message(s->http), http_cause(s->http));
  struct http_answer *answer = http_answer(s->http);
  lua_createtable(L, 0, 5); /* a place for the body too */
  lua_pushinteger(L, (lua_Integer)answer->status);
  lua_setfield(L, -2, "status");
  lua_pushnumber(L, (lua_Number)answer->version / 10);
  lua_setfield(L, -2, "version");
  push_head(L, &answer->head.text);
  lua_setfield(L, -3, "headers");
  lua_setfield(L, -2, "reason");
  return 1;
}

/* session:body(is_json) -> the body of the answer, once: its buffer is given back, so that
 * it is not held twice while tables are made of it. JSON text loses a byte order mark, where
 * that costs no second copy. */
static int lhttp_body(lua_State *L) {
  struct lhttp *s = lhttp_check(L);
  struct buf *body = &http_answer(s->http)->body;
  const size_t skip = lua_toboolean(L, 2) && body->len > 0 ? jsontext_bom(body->data, body->len) : 0;
  if (body->len == skip)
    lua_pushliteral(L, "");
  else
    lua_pushlstring(L, body->data + skip, body->len - skip);
  buf_free(body);
  return 1;
}

static void set_seconds(lua_State *L, const char *name, double seconds) {
  lua_pushnumber(L, (lua_Number)seconds);
  lua_setfield(L, -2, name);
}

/* session:timing() -> {name_lookup, connect, tls, first_byte, total}, seconds since
 * the start of the last exchange; 0 for what was not reached or not needed. */
static int lhttp_timing(lua_State *L) {
  struct http_timing timing;
  http_timing(lhttp_check(L)->http, &timing);
  lua_createtable(L, 0, 5);
  set_seconds(L, "name_lookup", timing.name_lookup);
  set_seconds(L, "connect", timing.connect);
  set_seconds(L, "tls", timing.tls);
  set_seconds(L, "first_byte", timing.first_byte);
  set_seconds(L, "total", timing.total);
  return 1;
}

/* session:cancel(): gives up the exchange in flight, if any. */
static int lhttp_cancel(lua_State *L) {
  http_cancel(lhttp_check(L)->http);
  return 0;
}

/* close, __gc and __close: any of them, in any order, any number of times. */
static int lhttp_close(lua_State *L) {
  struct lhttp *s = luaL_checkudata(L, 1, LHTTP);
  if (s->http) {
    http_close(s->http);
    s->http = NULL;
    atomic_fetch_sub(&live, 1);
  }
  return 0;
}

static int lhttp_tostring(lua_State *L) {
  const struct lhttp *s = luaL_checkudata(L, 1, LHTTP);
  lua_pushfstring(L, "%s (%s)", LHTTP, s->http ? "open" : "closed");
  return 1;
}

/* live() -> number of open sessions and pools */
static int lhttp_live(lua_State *L) {
  lua_pushinteger(L, atomic_load(&live));
  return 1;
}

/* Leaves nothing on the stack. */
static void new_class(lua_State *L, const char *name, const luaL_Reg *methods,
                      const luaL_Reg *metamethods) {
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, metamethods, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_pop(L, 1);
}

/* lower(text) -> text with the letters A to Z in lower case, and no other */
static int lhttp_lower(lua_State *L) {
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  push_lower(L, text, text + len);
  return 1;
}

void lhttp_open(lua_State *L) {
  static const luaL_Reg pool_methods[] = {
      {"http", lhttp_new},
      {"wait", lpool_wait},
      {"next", lpool_next},
      {"descriptor", lpool_descriptor},
      {"timeout", lpool_timeout},
      {"close", lpool_close},
      {NULL, NULL},
  };
  static const luaL_Reg pool_metamethods[] = {
      {"__gc", lpool_close},
      {"__close", lpool_close},
      {"__tostring", lpool_tostring},
      {NULL, NULL},
  };
  static const luaL_Reg methods[] = {
      {"start", lhttp_start}, {"result", lhttp_result},
      {"body", lhttp_body},   {"timing", lhttp_timing},
      {"id", lhttp_id},       {"cancel", lhttp_cancel},
      {"close", lhttp_close}, {NULL, NULL},
  };
  static const luaL_Reg metamethods[] = {
      {"__gc", lhttp_close},
      {"__close", lhttp_close},
      {"__tostring", lhttp_tostring},
      {NULL, NULL},
  };
  new_class(L, LPOOL, pool_methods, pool_metamethods);
  new_class(L, LHTTP, methods, metamethods);
  lua_pushcfunction(L, lpool_new);
  lua_setfield(L, -2, "pool");
  lua_pushcfunction(L, lhttp_live);
  lua_setfield(L, -2, "live");
  lua_pushcfunction(L, lhttp_lower);
  lua_setfield(L, -2, "lower");
}
