/* The Lua binding without memory: each allocation of a script, by Lua, libcurl or our own code,
 * fails once. The state must always close, and no session, lock or file may stay open. */
#include "check.h"
#include "compat.h"
#include "fail_alloc.h"

#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int luaopen_pcapi_core(lua_State *L);

static const char *const script =
    "local core = require 'pcapi.core'\n"
    "local pool = assert(core.pool { idle = 4 })\n"
    "local s = assert(pool:http { allow_http = true, proxy = '' })\n"
    "assert(s:start { method = 'GET', url = url, headers = { 'X-Test: 1' }, timeout = 20,\n"
    "  connect_timeout = 5, max_body = 1e6, max_headers = 1e5 })\n"
    "pool:wait(0)\n"
    "s:cancel()\n"
    "assert(s:start { method = 'GET', url = url, headers = {\n"
    "  'X-Long: ' .. ('x'):rep(5000), 'Accept-Encoding: identity' },\n"
    "  timeout = 20, connect_timeout = 5, max_body = 1e6, max_headers = 1e5 })\n"
    "local response, message\n"
    "repeat\n"
    "  pool:wait(1)\n"
    "  pool:next()\n"
    "  response, message = s:result(0, true)\n"
    "until response ~= false\n"
    "assert(response, message)\n"
    "local buffer = response.buffer\n"
    "assert(type(core.read(buffer, {})) == 'table' and #buffer == #buffer:text())\n"
    "buffer:free()\n"
    "assert(core.header(response, 'content-type', 'x-none', 'x-twice'))\n"
    "assert(response.headers['content-type'])\n"
    "core.decode '{\"a\":[1,2.5,null],\"b\":{\"c\":3}}'\n"
    "core.decode '{\"a\":'\n"
    "assert(core.decode '[\"\\\\ud800\"]')\n"
    "core.decode('[{\"a\":\"\\255' .. ('x'):rep(300) .. '\"}]')\n"
    "core.judge '[1.5,{\"a\":null}]'\n"
    "local list = { items = { items = true }, columns = { 'a' }, numbers = { A = 1 },\n"
    "  kinds = 's', roles = '\\2' }\n"
    "local criteria = { user = 'x*' }\n"
    "local body = '{\"items\":[' .. ('{\"A\":\"xy\",\"b\":[1]},{\"A\":\"z\"},5,'):rep(300)\n"
    "  .. '{}]}'\n"
    "setmetatable(list.numbers, { __index = function(_, name) return name == 'a' and 1 end })\n"
    "local value, facts = core.read(body, { list = list, criteria = criteria })\n"
    "assert(#value.items == 600 and facts.total == 901 and #facts.odd == 300)\n"
    "assert(value.items[1].a == 'xy' and facts.list == value.items)\n"
    "assert(core.read(body, { list = list, criteria = criteria, records = 900 }) == nil)\n"
    "local step = core.reader(body, { list = list, criteria = criteria, values = 1e6 })\n"
    "local more\n"
    "repeat more, value, facts = step(1000) until not more\n"
    "assert(#value.items == 600 and facts.total == 901)\n"
    "core.encode { 1.5 }\n"
    "local rows = {}\n"
    "for i = 1, 60 do\n"
    "  rows[i] = { at = '2024-02-03T07:08:09', upn = 'a,b', n = i, [('x'):rep(i)] = true,\n"
    "    y = i % 20 == 0 and {} or false }\n"
    "end\n"
    "local names = { 'at', 'upn', 'n' }\n"
    "for _, kind in ipairs { 'csv', 'json', 'jsonl' } do\n"
    "  local text, after = core.rows(kind, names)(rows, 1, 65536, 0)\n"
    "  assert(#text > 0 and after > 1)\n"
    "end\n"
    "local columns = {}\n"
    "for i, name in ipairs(names) do\n"
    "  columns[i] = { field = name, cells = {}, cells_width = 0, width = 10,\n"
    "    shown = i == 1 and core.readable_time or nil }\n"
    "end\n"
    "assert(core.cells(columns, rows, 1, 0) == 61)\n"
    "assert(select(2, core.liner()(columns, 1, 60, 65536)) == 61)\n"
    "assert(#core.sort_by_time(rows, 'at', true, error) == 60)\n"
    "assert(#core.guid(core.uuid()) == 16)\n"
    "assert(core.record_time('2024-02-03T07:08:09.5') == 1706944089.5)\n"
    "assert(core.unbase64(core.base64url(core.sha256(core.random_bytes(9)))))\n"
    "core.sign('PS256', 'text', 'no key')\n"
    "core.certificate('none')\n"
    "assert(core.inflate('\\1\\2\\0\\253\\255hi', 2) == 'hi')\n"
    "assert(core.inflate('\\1\\2\\0\\253\\255hi', 1) == nil)\n"
    "assert(assert(core.inflater('\\1\\2\\0\\253\\255hi', 2))() == 'hi')\n"
    "assert(core.inflater('\\1\\2\\0\\253\\255hi', 2))\n"
    "local lock = assert(core.file_lock(directory, 'token'))\n"
    "assert(core.file_lock(directory, 'token') == false)\n"
    "assert(core.file_replace(directory, 'token', 'text'))\n"
    "assert(core.file_read(directory, 'token') == 'text')\n"
    "assert(core.file_list(directory)[1] == 'token')\n"
    "assert(core.file_remove(directory, 'token'))\n"
    "assert(core.file_read('.', 'token') == nil)\n";

static char directory[200];

static int live(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "pcapi.core");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "live");
  lua_call(L, 0, 1);
  const int n = (int)lua_tointeger(L, -1);
  lua_pop(L, 2);
  return n;
}

/* Returns the lowest free descriptor: it is higher if a descriptor was left open. */
static int free_descriptor(void) {
  const int fd = dup(STDERR_FILENO);
  close(fd);
  return fd;
}

static int prepare(lua_State *L) {
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_pcapi_core);
  lua_setfield(L, -2, "pcapi.core");
  lua_pushstring(L, getenv("PCAPI_SANDBOX_HTTP_URL"));
  lua_pushliteral(L, "/_sandbox/echo");
  lua_concat(L, 2);
  lua_setglobal(L, "url");
  lua_pushstring(L, directory);
  lua_setglobal(L, "directory");
  return 0;
}

/* Runs the script. Returns whether it succeeded; *left: sessions and descriptors that are still
 * open after the state is closed. */
static bool run(long fail_at, bool *reached, int *left) {
  const int descriptor = free_descriptor();
  lua_State *L = lua_newstate(fail_alloc_for_lua, NULL);
  lua_pushcfunction(L, prepare);
  if (!L || lua_pcall(L, 0, 0, 0) != 0 || luaL_loadstring(L, script) != 0)
    abort(); /* no failure was requested yet, so the test itself is wrong */
  fail_alloc_at(fail_at);
  const bool ok = lua_pcall(L, 0, 0, 0) == 0;
  *reached = fail_alloc_reached();
  fail_alloc_at(0);
  if (!ok && !fail_at)
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_settop(L, 0);
  lua_gc(L, LUA_GCCOLLECT, 0);
  lua_gc(L, LUA_GCCOLLECT, 0);
  *left = live(L);
  lua_close(L);
  *left += free_descriptor() - descriptor;
  return ok;
}

/* With EVERY=n in the environment only every nth allocation fails, which saves time where each run
 * is slow. */
static long step_of(void) {
  const char *text = getenv("EVERY");
  const long step = text ? strtol(text, NULL, 10) : 1;
  return step > 0 ? step : 1;
}

int main(void) {
  if (!getenv("PCAPI_SANDBOX_HTTP_URL")) {
    fprintf(stderr, "binding_test needs the sandbox: sandbox/run build/spec/binding_test\n");
    return 2;
  }
  check_folder(directory, sizeof directory);
  if (!mkdtemp(directory))
    return 2;
  fail_alloc_for_curl();
  bool reached;
  int left = 0;
  int left_ever = 0;
  check(run(0, &reached, &left) && left == 0, "the script succeeds with enough memory");
  const long step = step_of();
  long n = 0;
  for (reached = true; reached && n < 20000; n++) {
    run(1 + n * step, &reached, &left);
    left_ever |= left;
  }
  printf("binding: %ld allocations failed one after the other\n", n - 1);
  check(n * step > 1000 && n < 20000, "each allocation of the script fails once");
  check(left_ever == 0, "no session, lock or file stays open");
  check(run(0, &reached, &left) && left == 0, "the script succeeds afterwards");
  char command[sizeof directory + 8];
  snprintf(command, sizeof command, "rm -rf %s", directory);
  if (system(command) != 0)
    return 2;
  return check_result("binding");
}
