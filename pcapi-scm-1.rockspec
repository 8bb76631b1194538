rockspec_format = "3.0"
package = "pcapi"
version = "scm-1"
source = {
  url = "git+https://github.com/pcapi/pcapi.git",
  branch = "main",
}
description = {
  summary = "Which partner users come in without MFA, from Microsoft's Partner Center",
  detailed = [[
    Asks Microsoft's Partner Center which partner users and applications come in
    without multifactor authentication, and returns Lua tables. A C core over
    libcurl and lua-cjson, a Lua library, and the command pcapi.
  ]],
  license = "MIT",
  labels = { "http", "security", "microsoft" },
}
supported_platforms = { "linux" } -- epoll
dependencies = {
  "lua >= 5.1, < 5.5",
  "lua-cjson >= 2.1.0",
  "argparse >= 0.7.1",
}
-- by library only: Debian keeps headers in a folder per architecture, where
-- luarocks does not look
external_dependencies = {
  LIBCRYPTO = { library = "crypto" },
  LIBCURL = { library = "curl" },
  LIBMICROHTTPD = { library = "microhttpd" },
  ZLIB = { library = "z" },
}
build = {
  type = "builtin",
  modules = {
    ["pcapi.core"] = {
      sources = {
        "src/base64.c",
        "src/buf.c",
        "src/crypto.c",
        "src/file.c",
        "src/http.c",
        "src/inflate.c",
        "src/jsontext.c",
        "src/lbuf.c",
        "src/lcrypto.c",
        "src/lfile.c",
        "src/lhttp.c",
        "src/linflate.c",
        "src/ljson.c",
        "src/lsys.c",
        "src/pcapi_core.c",
        "src/pool.c",
      },
      libraries = { "curl", "crypto", "z" },
      libdirs = { "$(LIBCURL_LIBDIR)", "$(LIBCRYPTO_LIBDIR)", "$(ZLIB_LIBDIR)" },
    },
    ["pcapi.redirect"] = {
      sources = {
        "src/redirect/listener.c",
        "src/redirect/redirect.c",
      },
      libraries = { "microhttpd" },
      libdirs = { "$(LIBMICROHTTPD_LIBDIR)" },
    },
    ["pcapi"] = "lua/pcapi/init.lua",
    ["pcapi.answer"] = "lua/pcapi/answer.lua",
    ["pcapi.auth"] = "lua/pcapi/auth/init.lua",
    ["pcapi.auth.account"] = "lua/pcapi/auth/account.lua",
    ["pcapi.auth.assertion"] = "lua/pcapi/auth/assertion.lua",
    ["pcapi.auth.authorization_code"] = "lua/pcapi/auth/authorization_code.lua",
    ["pcapi.auth.claims"] = "lua/pcapi/auth/claims.lua",
    ["pcapi.auth.context"] = "lua/pcapi/auth/context.lua",
    ["pcapi.auth.credential"] = "lua/pcapi/auth/credential.lua",
    ["pcapi.auth.device_code"] = "lua/pcapi/auth/device_code.lua",
    ["pcapi.auth.endpoint"] = "lua/pcapi/auth/endpoint.lua",
    ["pcapi.auth.entry"] = "lua/pcapi/auth/entry.lua",
    ["pcapi.auth.given"] = "lua/pcapi/auth/given.lua",
    ["pcapi.auth.grant"] = "lua/pcapi/auth/grant.lua",
    ["pcapi.auth.kept"] = "lua/pcapi/auth/kept.lua",
    ["pcapi.auth.lock"] = "lua/pcapi/auth/lock.lua",
    ["pcapi.auth.refusal"] = "lua/pcapi/auth/refusal.lua",
    ["pcapi.auth.store.file"] = "lua/pcapi/auth/store/file.lua",
    ["pcapi.auth.store.memory"] = "lua/pcapi/auth/store/memory.lua",
    ["pcapi.cli"] = "lua/pcapi/cli/init.lua",
    ["pcapi.cli.answers"] = "lua/pcapi/cli/answers.lua",
    ["pcapi.cli.arguments"] = "lua/pcapi/cli/arguments.lua",
    ["pcapi.cli.config"] = "lua/pcapi/cli/config.lua",
    ["pcapi.cli.connect"] = "lua/pcapi/cli/connect.lua",
    ["pcapi.cli.doctor"] = "lua/pcapi/cli/doctor.lua",
    ["pcapi.cli.each"] = "lua/pcapi/cli/each.lua",
    ["pcapi.cli.ending"] = "lua/pcapi/cli/ending.lua",
    ["pcapi.cli.list"] = "lua/pcapi/cli/list.lua",
    ["pcapi.cli.login"] = "lua/pcapi/cli/login.lua",
    ["pcapi.cli.logout"] = "lua/pcapi/cli/logout.lua",
    ["pcapi.cli.output"] = "lua/pcapi/cli/output.lua",
    ["pcapi.cli.reports"] = "lua/pcapi/cli/reports.lua",
    ["pcapi.cli.status"] = "lua/pcapi/cli/status.lua",
    ["pcapi.cli.tenants"] = "lua/pcapi/cli/tenants.lua",
    ["pcapi.client"] = "lua/pcapi/client.lua",
    ["pcapi.collection"] = "lua/pcapi/collection.lua",
    ["pcapi.concurrent"] = "lua/pcapi/concurrent/init.lua",
    ["pcapi.concurrent.heap"] = "lua/pcapi/concurrent/heap.lua",
    ["pcapi.concurrent.life"] = "lua/pcapi/concurrent/life.lua",
    ["pcapi.concurrent.loop"] = "lua/pcapi/concurrent/loop.lua",
    ["pcapi.concurrent.queue"] = "lua/pcapi/concurrent/queue.lua",
    ["pcapi.concurrent.turn"] = "lua/pcapi/concurrent/turn.lua",
    ["pcapi.config"] = "lua/pcapi/config.lua",
    ["pcapi.error"] = "lua/pcapi/error.lua",
    ["pcapi.format.csv"] = "lua/pcapi/format/csv.lua",
    ["pcapi.format.json"] = "lua/pcapi/format/json.lua",
    ["pcapi.format.jsonl"] = "lua/pcapi/format/jsonl.lua",
    ["pcapi.format.table"] = "lua/pcapi/format/table.lua",
    ["pcapi.format.text"] = "lua/pcapi/format/text.lua",
    ["pcapi.headers"] = "lua/pcapi/headers.lua",
    ["pcapi.limits"] = "lua/pcapi/limits.lua",
    ["pcapi.list"] = "lua/pcapi/list.lua",
    ["pcapi.options"] = "lua/pcapi/options.lua",
    ["pcapi.profile"] = "lua/pcapi/profile.lua",
    ["pcapi.record"] = "lua/pcapi/record.lua",
    ["pcapi.resource"] = "lua/pcapi/resource/init.lua",
    ["pcapi.resource.security"] = "lua/pcapi/resource/security.lua",
    ["pcapi.retry"] = "lua/pcapi/retry.lua",
    ["pcapi.task"] = "lua/pcapi/task.lua",
    ["pcapi.time"] = "lua/pcapi/time.lua",
    ["pcapi.transport.curl"] = "lua/pcapi/transport/curl.lua",
    ["pcapi.transport.trace"] = "lua/pcapi/transport/trace.lua",
    ["pcapi.transport.wire"] = "lua/pcapi/transport/wire.lua",
    ["pcapi.url"] = "lua/pcapi/url.lua",
    ["pcapi.version"] = "lua/pcapi/version.lua",
  },
  install = {
    bin = { "bin/pcapi" },
  },
}
test = {
  type = "command",
  command = "make test",
}
