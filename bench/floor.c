/* The least that a client over libcurl can cost: one easy handle, its connection
 * kept, the body thrown away; or, with "cjson", gathered, made a Lua string and
 * decoded by lua-cjson, as the simplest Lua client would do.
 *
 * floor URL COUNT 1.1|2 discard|cjson CA_FILE|- CA_PATH|- [HEADER...] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

struct body {
  char *data;
  size_t len, cap;
};

static size_t discard(char *data, size_t size, size_t n, void *userdata) {
  (void)data;
  (void)userdata;
  return size * n;
}

static size_t gather(char *data, size_t size, size_t n, void *userdata) {
  struct body *b = userdata;
  if (b->len + n > b->cap) {
    b->cap = b->cap ? b->cap * 2 : 65536;
    while (b->cap < b->len + n)
      b->cap *= 2;
    b->data = realloc(b->data, b->cap);
    if (!b->data)
      abort();
  }
  memcpy(b->data + b->len, data, size * n);
  b->len += n;
  return n;
}

static lua_State *lua_with_cjson(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (luaL_dostring(L, "return require('cjson').new().decode") != 0) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    exit(1);
  }
  return L; /* decode at index 1 */
}

static void decode(lua_State *L, struct body *b) {
  const size_t bom = b->len >= 3 && memcmp(b->data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  lua_pushvalue(L, 1);
  lua_pushlstring(L, b->data + bom, b->len - bom);
  free(b->data);
  memset(b, 0, sizeof *b);
  if (lua_pcall(L, 1, 1, 0) != 0) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    exit(1);
  }
  lua_pop(L, 1);
}

int main(int argc, char **argv) {
  if (argc < 7)
    return 2;
  const int with_json = strcmp(argv[4], "cjson") == 0;
  struct curl_slist *headers = NULL;
  for (int i = 7; i < argc; i++)
    headers = curl_slist_append(headers, argv[i]);
  struct body body = {NULL, 0, 0};
  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL *e = curl_easy_init();
  lua_State *L = with_json ? lua_with_cjson() : NULL;
  curl_easy_setopt(e, CURLOPT_URL, argv[1]);
  curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                   strcmp(argv[3], "2") == 0 ? (long)CURL_HTTP_VERSION_2TLS
                                             : (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(e, CURLOPT_CAINFO, strcmp(argv[5], "-") == 0 ? NULL : argv[5]);
  curl_easy_setopt(e, CURLOPT_CAPATH, strcmp(argv[6], "-") == 0 ? NULL : argv[6]);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, with_json ? gather : discard);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, &body);
  for (int i = atoi(argv[2]); i > 0; i--) {
    long status = 0;
    const CURLcode code = curl_easy_perform(e);
    curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status != 200) {
      fprintf(stderr, "%s, status %ld\n", curl_easy_strerror(code), status);
      return 1;
    }
    if (with_json)
      decode(L, &body);
  }
  curl_easy_cleanup(e);
  if (L)
    lua_close(L);
  return 0;
}
