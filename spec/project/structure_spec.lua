--- The project as a whole: what depends on what, what is listed where.

local files = require "spec.support.files"

local lines_of, slurp = files.lines_of, files.slurp

local function load_rockspec()
  local environment = {}
  local text = slurp "pcapi-scm-1.rockspec"
  local chunk
  if setfenv then -- Lua 5.1
    chunk = setfenv(assert(loadstring(text)), environment)
  else
    chunk = assert(load(text, "rockspec", "t", environment))
  end
  chunk()
  return environment
end

-- What stands in a line may use what stands in the lines above it.
local LAYERS = {
  "core redirect version time format.text input mfa task concurrent.heap "
    .. "concurrent.queue url nginx.phase nginx.notice nginx.whole transport.reader",
  "limits",
  "error options headers retry auth.claims auth.refusal auth.store.memory nginx.turn "
    .. "nginx.rights transport.coding piecewise",
  "ca format.json record tenants transport.wire transport.trace auth.given auth.assertion "
    .. "auth.lock nginx.dict nginx.redis nginx.lock transport.http1",
  "transport.curl transport.cosocket concurrent.life",
  "concurrent.turn transport.nginx",
  "concurrent.loop",
  "concurrent",
  "answer format.csv format.jsonl format.table list auth.endpoint auth.credential auth.entry "
    .. "auth.store.file auth.context",
  "client resource.security auth.grant auth.kept config",
  "collection auth.account auth.device_code auth.authorization_code nginx.written",
  "resource auth nginx.cached",
  "profile nginx.shared",
  "init nginx.threads",
  "nginx cli.ending cli.reports",
  "cli.answers cli.arguments cli.browser cli.connect cli.output",
  "cli.tenants",
  "cli.each",
  "cli.list cli.login cli.logout cli.status cli.doctor cli.config",
  "cli",
}

local function layer_of(module)
  module = module:gsub("^pcapi%.?", "")
  module = module == "" and "init" or module
  for number, names in ipairs(LAYERS) do
    for name in names:gmatch "%S+" do
      if name == module then
        return number
      end
    end
  end
  error(module .. " stands in no layer")
end

describe("a Lua file", function()
  for _, path in ipairs(lines_of "find lua -name '*.lua' | sort") do
    it(path .. " uses only what stands above it", function()
      local module = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
      local own = layer_of(module)
      local code = slurp(path):gsub("%-%-[^\n]*", "")
      for used in code:gmatch 'require%s*%(?%s*"(pcapi[%w_.]*[%w_])"' do
        assert.is_true(layer_of(used) < own, module .. " uses " .. used)
      end
    end)
  end
end)

describe("a C file", function()
  local ALLOWED = {
    ["buf.c"] = "buf.h", ["buf.h"] = "", ["jsontext.c"] = "jsontext.h", ["jsontext.h"] = "",
    ["head.c"] = "head.h", ["head.h"] = "buf.h", ["sockets.c"] = "sockets.h", ["sockets.h"] = "",
    ["pool.c"] = "pool.h sockets.h", ["pool.h"] = "",
    ["http.c"] = "http.h", ["http.h"] = "buf.h head.h pool.h", ["compat.h"] = "",
    ["binding.h"] = "compat.h",
    ["base64.c"] = "base64.h", ["base64.h"] = "", ["crypto.c"] = "crypto.h", ["crypto.h"] = "",
    ["file.c"] = "file.h", ["file.h"] = "buf.h",
    ["inflate.c"] = "inflate.h", ["inflate.h"] = "buf.h",
    ["lbuf.c"] = "binding.h buf.h", ["linflate.c"] = "binding.h inflate.h",
    ["lcrypto.c"] = "base64.h binding.h crypto.h", ["lfile.c"] = "binding.h file.h",
    ["lhttp.c"] = "binding.h http.h jsontext.h", ["ljson.c"] = "binding.h jsontext.h",
    ["lrecord.c"] = "binding.h",
    ["lsys.c"] = "binding.h crypto.h", ["pcapi_core.c"] = "binding.h",
    ["listener.c"] = "listener.h", ["listener.h"] = "",
    ["redirect.c"] = "../compat.h listener.h",
  }

  for _, path in ipairs(lines_of "ls src/*.[ch] src/*/*.[ch]") do
    it(path .. " includes only what stands above it", function()
      local allowed = assert(ALLOWED[path:match "[^/]+$"])
      for header in slurp(path):gmatch '#include "([^"]+)"' do
        assert.truthy((" " .. allowed .. " "):find(" " .. header .. " ", 1, true), header)
      end
    end)
  end

  it("knows no Lua below the binding", function()
    for _, name in ipairs { "base64", "buf", "crypto", "file", "head", "http", "inflate",
                             "jsontext", "pool", "sockets", "redirect/listener" } do
      assert.is_nil(slurp("src/" .. name .. ".c"):find("lua", 1, true))
    end
  end)
end)

describe("the rockspec", function()
  local rockspec = load_rockspec()

  it("lists every Lua file under its module's name, and every C file", function()
    local listed = {}
    for name, what in pairs(rockspec.build.modules) do
      if type(what) == "string" then
        assert.equal(name, (what:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", "")
          :gsub("/", ".")))
        listed[#listed + 1] = what
      end
    end
    table.sort(listed)
    assert.same(lines_of "find lua -name '*.lua' | sort", listed)
    assert.same(lines_of "ls src/*.c", rockspec.build.modules["pcapi.core"].sources)
    assert.same(lines_of "ls src/redirect/*.c", rockspec.build.modules["pcapi.redirect"].sources)
  end)
end)

describe("the version", function()
  it("is the newest one of the changelog", function()
    local version = require "pcapi.version"
    assert.equal(version, slurp "CHANGELOG.md":match "\n## (%d+%.%d+%.%d+)")
  end)
end)

describe("the core that specs load", function()
  it("was built for the Lua that runs them", function()
    local major, minor = _VERSION:match "(%d+)%.(%d+)"
    assert.equal(major * 100 + minor, require("pcapi.core").build.lua)
  end)
end)

for _, name in ipairs { "core", "redirect" } do
  describe("the C module " .. name, function()
    local built = _VERSION:match "%d+%.%d+"

    it("does not load into another Lua", function()
      local other = built == "5.4" and "luajit" or "lua5.4"
      local pipe = io.popen(([[LUA_CPATH="build/%s/?.so" %s -e 'require "pcapi.%s"' 2>&1]])
        :format(built, other, name))
      local said = pipe:read "*a"
      pipe:close()
      assert.truthy(said:find "undefined symbol" or said:find "version mismatch", said)
    end)

    it("shows one symbol only", function()
      assert.same({ "luaopen_pcapi_" .. name }, lines_of(
        ("nm -D --defined-only build/%s/pcapi/%s.so | awk '{print $3}'"):format(built, name)))
    end)
  end)
end
