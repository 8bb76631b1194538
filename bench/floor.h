/* Functions of both floors for one easy handle and one body. */
#ifndef FLOOR_H
#define FLOOR_H

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
    b->cap = b->cap ? b->cap * 2 : CURL_MAX_WRITE_SIZE;
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

/* Frees the body before tables are made of it, and empties *b. */
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

/* Makes a handle for GETs; with_body: collect the body. */
static CURL *easy_of(const char *url, const char *version, struct curl_slist *headers,
                     const char *ca_file, const char *ca_path, int with_body, struct body *body) {
  CURL *e = curl_easy_init();
  curl_easy_setopt(e, CURLOPT_URL, url);
  curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                   strcmp(version, "2") == 0 ? (long)CURL_HTTP_VERSION_2TLS
                                             : (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(e, CURLOPT_CAINFO, strcmp(ca_file, "-") == 0 ? NULL : ca_file);
  curl_easy_setopt(e, CURLOPT_CAPATH, strcmp(ca_path, "-") == 0 ? NULL : ca_path);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, with_body ? gather : discard);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, body);
  return e;
}

/* Ends the process unless the request of e was successful. */
static void check(CURL *e, CURLcode code) {
  long status = 0;
  curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &status);
  if (code != CURLE_OK || status != 200) {
    fprintf(stderr, "%s, status %ld\n", curl_easy_strerror(code), status);
    exit(1);
  }
}

#endif
