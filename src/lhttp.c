/* The Lua binding of http.h and pool.h: two userdata, a pool and a session of it. */
#include "binding.h"
#include "buf.h"
#include "http.h"
#include "reader.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define LHTTP "pcapi.core.http"
#define LPOOL "pcapi.core.pool"
#define SLICE_MAX 60    /* seconds of one wait; the caller repeats it for a longer one */
#define SECONDS_MAX 1e6 /* of a timeout */
#define MEMORY_MAX ((lua_Number)(SIZE_MAX / 4))

struct lhttp {
  struct http *http; /* NULL: closed */
};

struct lpool {
  struct pool *pool; /* NULL: closed */
};

static atomic_int live; /* open sessions and pools of the process, for leak tests */

static struct http *lhttp_check(lua_State *L) {
  const struct lhttp *s = luaL_checkudata(L, 1, LHTTP);
  luaL_argcheck(L, s->http, 1, "session is closed");
  return s->http;
}

static struct pool *lpool_check(lua_State *L) {
  const struct lpool *p = luaL_checkudata(L, 1, LPOOL);
  luaL_argcheck(L, p->pool, 1, "pool is closed");
  return p->pool;
}

/* Returns nil, a message, a kind, and a cause or nil. */
static int lhttp_fail(lua_State *L, const struct http_failure *failure) {
  static const char *const causes[] = {
      [HTTP_CAUSE_DESCRIPTORS] = "descriptors",
      [HTTP_CAUSE_PROXY_LOGIN] = "proxy_login",
      [HTTP_CAUSE_PROXY_RULE] = "proxy_rule",
      [HTTP_CAUSE_NOT_YET_VALID] = "not_yet_valid",
      [HTTP_CAUSE_EXPIRED] = "expired",
      [HTTP_CAUSE_CA] = "ca",
      [HTTP_CAUSE_HOST] = "host",
      [HTTP_CAUSE_CA_FILE] = "ca_file",
      [HTTP_CAUSE_NO_TLS] = "no_tls",
      [HTTP_CAUSE_TLS_VERSION] = "tls_version",
      [HTTP_CAUSE_CONNECT] = "connect",
  };
  static const char *const kinds[] = {
      [HTTP_TIMEOUT] = "timeout",   [HTTP_NETWORK] = "network", [HTTP_TLS] = "tls",
      [HTTP_PROTOCOL] = "protocol", [HTTP_CONFIG] = "config",
  };
  if (failure->code == HTTP_NO_MEMORY)
    return binding_no_memory(L);
  const int results = binding_fail(L, failure->message, kinds[failure->code]);
  lua_pushstring(L, causes[failure->cause]); /* nil for NULL */
  return results + 1;
}

/* Pushes t[name] and returns it; the string is valid while it is on the stack. NULL if it is nil.
 */
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
  else if (memchr(s, '\0', n)) /* libcurl would ignore the rest */
    luaL_error(L, "%s contains a zero byte", name);
  return s;
}

static bool opt_boolean(lua_State *L, int t, const char *name) {
  lua_getfield(L, t, name);
  const bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

static lua_Number check_positive(lua_State *L, int t, const char *name, lua_Number max) {
  lua_getfield(L, t, name);
  const lua_Number n = lua_tonumber(L, -1);
  if (lua_type(L, -1) != LUA_TNUMBER || !(n > 0))
    luaL_error(L, "%s must be a positive number", name);
  lua_pop(L, 1);
  return n < max ? n : max;
}

/* A timeout of the caller is rounded up, as 0 would be no timeout. */
static long check_timeout(lua_State *L, int t, const char *name) {
  return (long)(check_positive(L, t, name, SECONDS_MAX) * 1000) + 1;
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
  return is_given ? (long)(check_positive(L, t, name, SECONDS_MAX) * 1000) : 0;
}

static size_t opt_bytes(lua_State *L, int t, const char *name) {
  lua_getfield(L, t, name);
  const bool is_given = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return is_given ? (size_t)check_positive(L, t, name, MEMORY_MAX) + 1 : 0;
}

/* pool{connections, host_connections, idle, watched, silence, memory} -> pool, or nil, message,
 * kind, cause. The first three are counts: 0 means no limit, for idle the number that libcurl
 * chooses. silence: seconds after which a request that may be repeated is sent again on a new
 * connection; memory: bytes of all bodies, see pool.h for both. */
static int lpool_new(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const struct pool_limits limits = {
      .connections = opt_count(L, 1, "connections"),
      .host_connections = opt_count(L, 1, "host_connections"),
      .idle = opt_count(L, 1, "idle"),
      .watched = opt_boolean(L, 1, "watched"),
      .silence_ms = opt_milliseconds(L, 1, "silence"),
      .memory = opt_bytes(L, 1, "memory"),
  };
  struct http_failure failure;
  struct lpool *p = lua_newuserdata(L, sizeof *p);
  p->pool = NULL; /* before any error, so that __gc is safe */
  luaL_setmetatable(L, LPOOL);
  p->pool = http_pool(&limits, &failure);
  if (!p->pool)
    return lhttp_fail(L, &failure);
  atomic_fetch_add(&live, 1);
  return 1;
}

/* pool:http{ca_file, ca_path, proxy, no_proxy, user_agent, http_1_1, allow_http}
 * -> session, or nil, message, kind */
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
  struct http_failure failure;
  struct lhttp *s = lua_newuserdata(L, sizeof *s);
  s->http = NULL; /* before any error, so that __gc is safe */
  luaL_setmetatable(L, LHTTP);
  s->http = http_open(pool, &options, &failure);
  if (!s->http)
    return lhttp_fail(L, &failure);
  atomic_fetch_add(&live, 1);
  return 1;
}

/* Adds the headers in the array on top of the stack to the request; pops it. */
static enum http_code add_headers(lua_State *L, struct http *http) {
  enum http_code code = HTTP_DONE;
  const size_t n = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
  for (size_t i = 1; i <= n && code == HTTP_DONE; i++) {
    size_t len;
    lua_rawgeti(L, -1, (int)i);
    const char *line = lua_tolstring(L, -1, &len);
    if (!line || strlen(line) != len)
      luaL_error(L, "header %d is not a string without zero bytes", (int)i);
    code = http_header(http, line);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return code;
}

/* session:start({method, url, headers, body, timeout, connect_timeout, max_body, max_headers},
 * may_repeat) -> true, or nil, message, kind. Timeouts are in seconds, sizes in bytes; headers is
 * an array of "Name: value". Everything is copied. may_repeat: the request may be sent twice. */
static int lhttp_start(lua_State *L) {
  struct http *http = lhttp_check(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  const bool may_repeat = lua_toboolean(L, 3);
  lua_settop(L, 2);
  http_cancel(http); /* also removes headers of a start that raised an error */
  struct http_request r = {.may_repeat = may_repeat};
  r.method = opt_string(L, 2, "method", NULL);
  r.url = opt_string(L, 2, "url", NULL);
  r.body = opt_string(L, 2, "body", &r.body_len);
  if (!r.method || !r.url)
    return luaL_error(L, "method and url are required");
  r.timeout_ms = check_timeout(L, 2, "timeout");
  r.connect_timeout_ms = check_timeout(L, 2, "connect_timeout");
  r.max_body = (size_t)check_positive(L, 2, "max_body", BINDING_BODY_MAX);
  r.max_headers = (size_t)check_positive(L, 2, "max_headers", BINDING_BODY_MAX);
  lua_getfield(L, 2, "headers");
  enum http_code code = add_headers(L, http);
  if (code == HTTP_DONE)
    code = http_start(http, &r);
  if (code != HTTP_RUNNING)
    return lhttp_fail(L, http_failure(http));
  lua_pushboolean(L, 1);
  return 1;
}

/* Returns the time to wait in an argument, in milliseconds. */
static int check_wait(lua_State *L, int arg) {
  const lua_Number seconds = luaL_checknumber(L, arg);
  luaL_argcheck(L, seconds >= 0, arg, "seconds out of range");
  /* rounded up, so that a caller that waits for a time does not return just before it */
  const lua_Number ms = (seconds < SLICE_MAX ? seconds : SLICE_MAX) * 1000;
  return (int)ms + (ms > (lua_Number)(int)ms);
}

/* pool:wait(seconds): moves all requests on until one is done, the time has passed or a signal
 * arrives. */
static int lpool_wait(lua_State *L) {
  struct pool *pool = lpool_check(L);
  pool_wait(pool, check_wait(L, 2));
  return 0;
}

/* pool:next() -> the id of a session whose request is done, each once, and the bytes of the body; or
 * nil */
static int lpool_next(lua_State *L) {
  struct http *http = http_of(pool_next(lpool_check(L)));
  if (!http)
    return 0;
  lua_pushnumber(L, (lua_Number)http_id(http));
  lua_pushnumber(L, (lua_Number)http_response(http)->body.len);
  return 2;
}

/* pool:has_room() -> whether there is room for the response to one more request */
static int lpool_has_room(lua_State *L) {
  lua_pushboolean(L, pool_has_room(lpool_check(L)));
  return 1;
}

/* pool:descriptor() -> a descriptor that is readable when wait(0) has work; nil if the pool is not
 * watched */
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

/* close, __gc and __close: in any order, any number of times. Open sessions keep what they need of
 * the pool. */
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

/* session:id() -> the number that pool:next() returns */
static int lhttp_id(lua_State *L) {
  lua_pushnumber(L, (lua_Number)http_id(lhttp_check(L)));
  return 1;
}

static void set_text(lua_State *L, const char *name, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const char *name, lua_Number number) {
  lua_pushnumber(L, number);
  lua_setfield(L, -2, name);
}

static void set_flag(lua_State *L, const char *name, bool is_set) {
  lua_pushboolean(L, is_set);
  lua_setfield(L, -2, name);
}

/* session:certificate() -> {subject, issuer, hosts, not_before, not_after, is_ca, is_of_proxy}: the
 * certificate that made the last request fail, see certificate.h; or nil */
static int lhttp_certificate(lua_State *L) {
  struct certificate c;
  if (!http_certificate(lhttp_check(L), &c))
    return 0;
  lua_createtable(L, 0, 7);
  set_text(L, "subject", c.subject);
  set_text(L, "issuer", c.issuer);
  set_text(L, "hosts", c.hosts);
  set_number(L, "not_before", (lua_Number)c.not_before);
  set_number(L, "not_after", (lua_Number)c.not_after);
  set_flag(L, "is_ca", c.is_ca);
  set_flag(L, "is_of_proxy", c.is_of_proxy);
  return 1;
}

/* Pushes the body of a response; its buffer is freed, so that it is not in memory twice while
 * tables are made of it. Removes a byte order mark of JSON; here that needs no second copy. */
static void push_body(lua_State *L, struct http_response *response) {
  struct buf *body = &response->body;
  size_t skip = body->len > 0 ? reader_bom(body->data, body->len) : 0;
  if (skip > 0 && (response->head.is_encoded || !head_says_json(&response->head)))
    skip = 0;
  if (body->len == skip)
    lua_pushliteral(L, "");
  else
    lua_pushlstring(L, body->data + skip, body->len - skip);
  buf_free(body);
}

#define BUFFER_MIN 4096 /* bytes; a userdata with a finalizer costs more than a copy of fewer */

/* Pushes the body as a buffer that is no copy. */
static void push_buffer(lua_State *L, struct buf *body) {
  struct buf *taken = lbuf_push(L, body->max);
  *taken = *body;
  buf_init(body, taken->max);
}

/* Pushes {status, reason, version, headers, body} with room for the fields that callers add, and
 * whether the body is encoded. The body of a good response may be a buffer: then a long one is in
 * `buffer` in place of `body`, unless it is encoded. */
static int push_response(lua_State *L, struct http_response *response, bool may_be_buffer) {
  const bool is_buffer = may_be_buffer && response->body.len >= BUFFER_MIN &&
                         response->status < 300 && !response->head.is_encoded;
  lua_createtable(L, 0, 12);
  lua_pushinteger(L, (lua_Integer)response->status);
  lua_setfield(L, -2, "status");
  lua_pushnumber(L, (lua_Number)response->version / 10);
  lua_setfield(L, -2, "version");
  lhead_set(L, &response->head);
  if (is_buffer)
    push_buffer(L, &response->body);
  else
    push_body(L, response);
  lua_setfield(L, -2, is_buffer ? "buffer" : "body");
  lua_pushboolean(L, response->head.is_encoded);
  return 2;
}

/* session:result([seconds, may_be_buffer]) -> a response, and whether its body is encoded; false
 * while the request is running; or nil, message, kind, cause. Before that it waits until a request
 * of the pool is done, the time has passed or a signal arrives; without seconds it does not wait.
 */
static int lhttp_result(lua_State *L) {
  struct http *http = lhttp_check(L);
  if (!lua_isnoneornil(L, 2))
    http_wait(http, check_wait(L, 2));
  const enum http_code code = http_result(http);
  if (code == HTTP_RUNNING) {
    lua_pushboolean(L, 0);
    return 1;
  }
  if (code != HTTP_DONE)
    return lhttp_fail(L, http_failure(http));
  return push_response(L, http_response(http), lua_toboolean(L, 3));
}

/* session:timing() -> {name_lookup, connect, tls, first_byte, total}: seconds since the start of
 * the last request; 0 for a step that was not reached or not needed */
static int lhttp_timing(lua_State *L) {
  struct http_timing timing;
  http_timing(lhttp_check(L), &timing);
  lua_createtable(L, 0, 5);
  set_number(L, "name_lookup", timing.name_lookup);
  set_number(L, "connect", timing.connect);
  set_number(L, "tls", timing.tls);
  set_number(L, "first_byte", timing.first_byte);
  set_number(L, "total", timing.total);
  return 1;
}

/* session:cancel(): cancels the running request, if any */
static int lhttp_cancel(lua_State *L) {
  http_cancel(lhttp_check(L));
  return 0;
}

/* close, __gc and __close: in any order, any number of times. */
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

static void open_pool_class(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"http", lhttp_new},
      {"wait", lpool_wait},
      {"next", lpool_next},
      {"has_room", lpool_has_room},
      {"descriptor", lpool_descriptor},
      {"timeout", lpool_timeout},
      {"close", lpool_close},
      {NULL, NULL},
  };
  static const luaL_Reg metamethods[] = {
      {"__gc", lpool_close},
      {"__close", lpool_close},
      {"__tostring", lpool_tostring},
      {NULL, NULL},
  };
  binding_class(L, LPOOL, methods, metamethods);
}

static void open_session_class(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"start", lhttp_start},
      {"result", lhttp_result},
      {"certificate", lhttp_certificate},
      {"timing", lhttp_timing},
      {"id", lhttp_id},
      {"cancel", lhttp_cancel},
      {"close", lhttp_close},
      {NULL, NULL},
  };
  static const luaL_Reg metamethods[] = {
      {"__gc", lhttp_close},
      {"__close", lhttp_close},
      {"__tostring", lhttp_tostring},
      {NULL, NULL},
  };
  binding_class(L, LHTTP, methods, metamethods);
}

void lhttp_open(lua_State *L) {
  static const luaL_Reg functions[] = {{"pool", lpool_new}, {"live", lhttp_live}, {NULL, NULL}};
  open_pool_class(L);
  open_session_class(L);
  luaL_setfuncs(L, functions, 0);
}
