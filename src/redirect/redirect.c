/* luaopen_pcapi_redirect: the Lua binding of listener.h. A separate module, so that only programs
 * that sign in with a browser load an HTTP server. */
#include "../binding.h"
#include "listener.h"

#include <errno.h>
#include <string.h>

#define LREDIRECT "pcapi.redirect"
#define SLICE_MAX 60 /* seconds of one wait; the caller waits again */

struct lredirect {
  struct listener *listener; /* NULL: closed */
};

static struct lredirect *lredirect_check(lua_State *L) {
  struct lredirect *r = luaL_checkudata(L, 1, LREDIRECT);
  luaL_argcheck(L, r->listener, 1, "listener is closed");
  return r;
}

/* Returns nil and a message made of errno. */
static int lredirect_fail(lua_State *L, const char *what) {
  const char *reason = errno ? strerror(errno) : "libmicrohttpd does not start";
  return binding_fail(L, lua_pushfstring(L, "%s: %s", what, reason), NULL);
}

/* listen(state [, path]) -> listener, or nil, message. Receives one authorization response with
 * this state, at path ("/"), on a free port of 127.0.0.1 and ::1. */
static int lredirect_listen(lua_State *L) {
  size_t len;
  const char *state = luaL_checklstring(L, 1, &len);
  luaL_argcheck(L, len > 0 && len <= LISTENER_STATE_MAX && strlen(state) == len, 1,
                "must be 1 to 256 characters");
  const char *path = luaL_optlstring(L, 2, "/", &len);
  luaL_argcheck(L, path[0] == '/' && len <= LISTENER_PATH_MAX && strlen(path) == len, 2,
                "must be a path of at most 256 characters");
  struct lredirect *r = lua_newuserdata(L, sizeof *r);
  r->listener = NULL; /* closed first: __gc is safe after an error from here on */
  luaL_setmetatable(L, LREDIRECT);
  r->listener = listener_open(state, path);
  return r->listener ? 1 : lredirect_fail(L, "cannot listen on a port of 127.0.0.1");
}

/* listener:port() -> number */
static int lredirect_port(lua_State *L) {
  lua_pushinteger(L, listener_port(lredirect_check(L)->listener));
  return 1;
}

/* Sets t[name] in the table on top, unless the value is empty. */
static void set_text(lua_State *L, const char *name, const char *value) {
  if (!value[0])
    return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

/* listener:wait(seconds) -> false while there is no response, then {code, error,
 * error_description} with code or error; or nil, message. A signal ends the wait early. */
static int lredirect_wait(lua_State *L) {
  struct lredirect *r = lredirect_check(L);
  const lua_Number seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, seconds >= 0, 2, "seconds out of range");
  const enum listener_code code =
      listener_wait(r->listener, seconds < SLICE_MAX ? (int)(seconds * 1000) : SLICE_MAX * 1000);
  if (code == LISTENER_FAILED)
    return lredirect_fail(L, "cannot receive requests");
  if (code == LISTENER_WAITING) {
    lua_pushboolean(L, 0);
    return 1;
  }
  const struct listener_response *response = listener_response(r->listener);
  lua_createtable(L, 0, 3);
  set_text(L, "code", response->code);
  set_text(L, "error", response->error);
  set_text(L, "error_description", response->error_description);
  return 1;
}

/* close, __gc and __close; can be called in any order, any number of times. */
static int lredirect_close(lua_State *L) {
  struct lredirect *r = luaL_checkudata(L, 1, LREDIRECT);
  listener_close(r->listener);
  r->listener = NULL;
  return 0;
}

static int lredirect_tostring(lua_State *L) {
  const struct lredirect *r = luaL_checkudata(L, 1, LREDIRECT);
  if (r->listener)
    lua_pushfstring(L, "%s (port %d)", LREDIRECT, (int)listener_port(r->listener));
  else
    lua_pushfstring(L, "%s (closed)", LREDIRECT);
  return 1;
}

EXPORT int luaopen_pcapi_redirect(lua_State *L);

EXPORT int luaopen_pcapi_redirect(lua_State *L) {
  static const luaL_Reg functions[] = {{"listen", lredirect_listen}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"port", lredirect_port},
      {"wait", lredirect_wait},
      {"close", lredirect_close},
      {NULL, NULL},
  };
  static const luaL_Reg metamethods[] = {
      {"__gc", lredirect_close},
      {"__close", lredirect_close},
      {"__tostring", lredirect_tostring},
      {NULL, NULL},
  };
  luaL_checkversion(L);
  binding_class(L, LREDIRECT, methods, metamethods);
  luaL_newlib(L, functions);
  return 1;
}
