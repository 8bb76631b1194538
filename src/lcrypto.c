/* The Lua binding of crypto.h and base64.h, and the bytes of GUIDs. */
#include "base64.h"
#include "binding.h"
#include "crypto.h"

#include <string.h>

#define RANDOM_MAX 1024

/* Returns the string at index i; without data if it is nil. Lua owns it. */
static struct crypto_text opt_text(lua_State *L, int i) {
  struct crypto_text text = {NULL, 0};
  text.data = luaL_optlstring(L, i, NULL, &text.len);
  return text;
}

static struct crypto_text check_text(lua_State *L, int i) {
  struct crypto_text text = {NULL, 0};
  text.data = luaL_checklstring(L, i, &text.len);
  return text;
}

/* Returns nil and a message. */
static int lcrypto_fail(lua_State *L, enum crypto_code code) {
  if (code == CRYPTO_NO_MEMORY)
    return binding_no_memory(L);
  return binding_fail(L, crypto_message(code), NULL);
}

/* sha256(text) -> 32 bytes */
static int lcrypto_sha256(lua_State *L) {
  unsigned char digest[CRYPTO_SHA256_SIZE];
  const enum crypto_code code = crypto_sha256(check_text(L, 1), digest);
  if (code != CRYPTO_DONE)
    return luaL_error(L, "%s", crypto_message(code));
  lua_pushlstring(L, (const char *)digest, sizeof digest);
  return 1;
}

/* hmac_sha256(key, text) -> 32 bytes */
static int lcrypto_hmac_sha256(lua_State *L) {
  unsigned char digest[CRYPTO_SHA256_SIZE];
  const struct crypto_text key = check_text(L, 1);
  const enum crypto_code code = crypto_hmac_sha256(key, check_text(L, 2), digest);
  if (code == CRYPTO_NO_MEMORY)
    return binding_no_memory(L);
  if (code != CRYPTO_DONE)
    return luaL_error(L, "%s", crypto_message(code));
  lua_pushlstring(L, (const char *)digest, sizeof digest);
  return 1;
}

/* random_bytes(n) -> n random bytes, good enough for secrets; n from 1 to 1024 */
static int lcrypto_random_bytes(lua_State *L) {
  char bytes[RANDOM_MAX];
  const lua_Integer n = luaL_checkinteger(L, 1);
  luaL_argcheck(L, n >= 1 && n <= RANDOM_MAX, 1, "must be from 1 to 1024");
  if (!crypto_random(bytes, (size_t)n))
    return luaL_error(L, "the system provides no random bytes");
  lua_pushlstring(L, bytes, (size_t)n);
  return 1;
}

/* base64url(bytes) -> text without padding */
static int lcrypto_base64url(lua_State *L) {
  const struct crypto_text bytes = check_text(L, 1);
  luaL_argcheck(L, bytes.len <= BASE64_MAX, 1, "is longer than 16 MiB");
  char *text = lua_newuserdata(L, bytes.len + bytes.len / 3 + 2);
  const size_t n = base64_encode_url((const unsigned char *)bytes.data, bytes.len, text);
  lua_pushlstring(L, text, n);
  return 1;
}

/* base64(bytes) -> padded text in one line */
static int lcrypto_base64(lua_State *L) {
  const struct crypto_text bytes = check_text(L, 1);
  luaL_argcheck(L, bytes.len <= CRYPTO_BASE64_MAX, 1, "is longer than 16 MiB");
  char *text = lua_newuserdata(L, crypto_base64_room(bytes.len));
  const size_t n = crypto_base64((const unsigned char *)bytes.data, bytes.len, text);
  lua_pushlstring(L, text, n);
  return 1;
}

/* unbase64(text) -> bytes, or nil if it is not Base64; either alphabet, padded or not */
static int lcrypto_unbase64(lua_State *L) {
  const struct crypto_text text = check_text(L, 1);
  size_t n;
  const size_t room = text.len <= BASE64_MAX ? text.len : 0;
  unsigned char *bytes = lua_newuserdata(L, room + 1);
  if (text.len <= BASE64_MAX && base64_decode(text.data, text.len, bytes, &n))
    lua_pushlstring(L, (const char *)bytes, n);
  else
    lua_pushnil(L);
  return 1;
}

/* Returns the value of a hexadecimal digit; -1 if it is none. */
static int digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  const char lower = (char)(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* guid(value) -> the 16 bytes of a GUID, nil if the value is none */
static int lcrypto_guid(lua_State *L) {
  char bytes[16];
  size_t len = 0;
  const char *p = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &len) : NULL;
  if (len != 36)
    return 0;
  for (size_t i = 0; i < sizeof bytes; i++) {
    if ((i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-')
      return 0;
    const int high = digit(p[0]);
    const int low = digit(p[1]);
    if (high < 0 || low < 0)
      return 0;
    bytes[i] = (char)(high << 4 | low);
    p += 2;
  }
  lua_pushlstring(L, bytes, sizeof bytes);
  return 1;
}

/* Not luaL_checkoption(): its message would show a key that is passed in the wrong position. */
static enum crypto_alg check_alg(lua_State *L, int i) {
  const char *name = luaL_checkstring(L, i);
  const bool pss = strcmp(name, "PS256") == 0;
  luaL_argcheck(L, pss || strcmp(name, "RS256") == 0, i, "must be PS256 or RS256");
  return pss ? CRYPTO_PS256 : CRYPTO_RS256;
}

/* sign(alg, text, key_pem [, passphrase]) -> signature, or nil, message. alg: "PS256" or "RS256" */
static int lcrypto_sign(lua_State *L) {
  struct crypto_signature signature;
  const enum crypto_alg alg = check_alg(L, 1);
  const struct crypto_text text = check_text(L, 2);
  const struct crypto_key key = {.pem = check_text(L, 3), .passphrase = opt_text(L, 4)};
  const enum crypto_code code = crypto_sign(alg, text, &key, &signature);
  if (code != CRYPTO_DONE)
    return lcrypto_fail(L, code);
  lua_pushlstring(L, (const char *)signature.bytes, signature.len);
  return 1;
}

/* Sets t[name] in the table on top of the stack. A time after 2038 may not fit into an integer of
 * this Lua. */
static void set_time(lua_State *L, const char *name, long long seconds) {
  if (sizeof(lua_Integer) >= sizeof seconds)
    lua_pushinteger(L, (lua_Integer)seconds);
  else
    lua_pushnumber(L, (lua_Number)seconds);
  lua_setfield(L, -2, name);
}

/* certificate(pem [, key_pem [, passphrase]]) -> {sha256 = 32 bytes, not_before, not_after = epoch
 * seconds} of the first certificate, or of the certificate that belongs to the key; or nil,
 * message */
static int lcrypto_certificate(lua_State *L) {
  struct crypto_certificate certificate;
  const struct crypto_text pem = check_text(L, 1);
  const struct crypto_key key = {.pem = opt_text(L, 2), .passphrase = opt_text(L, 3)};
  const enum crypto_code code = crypto_certificate(pem, key.pem.data ? &key : NULL, &certificate);
  if (code != CRYPTO_DONE)
    return lcrypto_fail(L, code);
  lua_createtable(L, 0, 3);
  lua_pushlstring(L, (const char *)certificate.sha256, sizeof certificate.sha256);
  lua_setfield(L, -2, "sha256");
  set_time(L, "not_before", certificate.not_before);
  set_time(L, "not_after", certificate.not_after);
  return 1;
}

void lcrypto_open(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"sha256", lcrypto_sha256},
      {"hmac_sha256", lcrypto_hmac_sha256},
      {"random_bytes", lcrypto_random_bytes},
      {"base64", lcrypto_base64},
      {"base64url", lcrypto_base64url},
      {"unbase64", lcrypto_unbase64},
      {"guid", lcrypto_guid},
      {"sign", lcrypto_sign},
      {"certificate", lcrypto_certificate},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
