/* The lowest possible cost of a client over libcurl: one easy handle on a persistent connection,
 * bodies discarded. With "cjson" a body is collected, made a Lua string and decoded by lua-cjson,
 * as the simplest Lua client would do.
 *
 * floor URL COUNT 1.1|2 discard|cjson CA_FILE|- CA_PATH|- [HEADER...] */
#include "floor.h"

int main(int argc, char **argv) {
  if (argc < 7)
    return 2;
  const int with_json = strcmp(argv[4], "cjson") == 0;
  struct curl_slist *headers = NULL;
  for (int i = 7; i < argc; i++)
    headers = curl_slist_append(headers, argv[i]);
  struct body body = {NULL, 0, 0};
  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL *e = easy_of(argv[1], argv[3], headers, argv[5], argv[6], with_json, &body);
  lua_State *L = with_json ? lua_with_cjson() : NULL;
  for (int i = atoi(argv[2]); i > 0; i--) {
    check(e, curl_easy_perform(e));
    if (with_json)
      decode(L, &body);
  }
  curl_easy_cleanup(e);
  if (L)
    lua_close(L);
  return 0;
}
