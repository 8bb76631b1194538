/* libcurl's URL parser, for spec/fuzz/url.lua. */
#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>

int luaopen_curl_url(lua_State *L);

/* Sets a field of the table on top of the stack, if the URL has that part. */
static void set_part(lua_State *L, CURLU *url, const char *name, CURLUPart part, unsigned flags) {
  char *value = NULL;
  if (curl_url_get(url, part, &value, flags) == CURLUE_OK) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
  }
  curl_free(value);
}

/* parse(text) -> {scheme, host, user, port, path, query}, or nil and the reason why libcurl refuses
 * the text */
static int parse(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  CURLU *url = curl_url();
  if (!url)
    return luaL_error(L, "not enough memory");
  const CURLUcode code = curl_url_set(url, CURLUPART_URL, text, CURLU_PATH_AS_IS);
  if (code != CURLUE_OK) {
    curl_url_cleanup(url);
    lua_pushnil(L);
    lua_pushstring(L, curl_url_strerror(code));
    return 2;
  }
  lua_newtable(L);
  set_part(L, url, "scheme", CURLUPART_SCHEME, 0);
  set_part(L, url, "host", CURLUPART_HOST, 0);
  set_part(L, url, "user", CURLUPART_USER, 0);
  set_part(L, url, "port", CURLUPART_PORT, CURLU_DEFAULT_PORT);
  set_part(L, url, "path", CURLUPART_PATH, 0);
  set_part(L, url, "query", CURLUPART_QUERY, 0);
  curl_url_cleanup(url);
  return 1;
}

int luaopen_curl_url(lua_State *L) {
  lua_pushcfunction(L, parse);
  return 1;
}
