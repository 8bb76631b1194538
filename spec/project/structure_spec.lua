--- The project as a whole: what depends on what, what is listed where.

local files = require "spec.support.files"
local rockspecs = require "spec.support.rockspecs"

local lines_of, slurp = files.lines_of, files.slurp

-- The folder of a module below lua/pcapi; a module at the top is a folder of its own.
local function folder_of(module)
  return module:match "^pcapi%.([%w_]+)" or "pcapi"
end

-- For each folder the folders that its modules require, with one module that does.
local function folders_used()
  local used = {}
  for _, path in ipairs(lines_of "find lua -name '*.lua' | sort") do
    local module = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
    local from = folder_of(module)
    used[from] = used[from] or {}
    local code = slurp(path):gsub("%-%-[^\n]*", "")
    for name in code:gmatch 'require%s*%(?%s*"(pcapi[%w_.]*)"' do
      local to = folder_of(name)
      if to ~= from then
        used[from][to] = module .. " requires " .. name
      end
    end
  end
  return used
end

-- The way from a folder back to itself, as text; nil where there is none.
local function circle_from(start, used)
  local seen = {}
  local function walk(folder, way)
    for to, why in pairs(used[folder] or {}) do
      if to == start then
        return way .. why
      elseif not seen[to] then
        seen[to] = true
        local circle = walk(to, way .. why .. "; ")
        if circle then
          return circle
        end
      end
    end
  end
  return walk(start, "")
end

describe("the folders of lua/pcapi", function()
  local used = folders_used()

  for folder in pairs(used) do
    it(folder .. " requires nothing that requires it", function()
      assert.is_nil(circle_from(folder, used))
    end)
  end

  it("hold modules whose last names differ, except init, commands and JSON", function()
    local SAME = {
      init = "the face of a folder",
      json = "JSON for scripts, and lists as JSON", -- format/json
      summary = "facts about a list, and the file about a history", -- report/, history/
      mail = "a digest as HTML, and the channel that sends it", -- report/, notify/channels/
    }
    local places = {}
    -- a command's module has the name of the command
    local modules = lines_of "find lua/pcapi -name '*.lua' ! -path '*/cli/commands/*' | sort"
    for _, path in ipairs(modules) do
      local name = path:match "([%w_]+)%.lua$"
      assert.is_true(places[name] == nil or SAME[name] ~= nil,
        path .. " and " .. tostring(places[name]))
      places[name] = path
    end
  end)

  it("hold no local name that ends in an underscore", function()
    assert.same({}, lines_of [[grep -rnE "local [^=]*[a-zA-Z0-9]_( |,|$)" lua]])
  end)
end)

describe("a C file", function()
  local ALLOWED = {
    -- neither Lua nor libcurl
    ["platform.h"] = "", ["platform.c"] = "platform.h",
    ["buf.h"] = "", ["buf.c"] = "buf.h platform.h", ["base64.h"] = "", ["base64.c"] = "base64.h",
    ["crypto.h"] = "", ["crypto.c"] = "crypto.h platform.h",
    ["file.h"] = "buf.h", ["file.c"] = "file.h platform.h",
    ["inflate.h"] = "buf.h", ["inflate.c"] = "inflate.h",
    ["reader.h"] = "", ["reader.c"] = "reader.h", ["filter.h"] = "", ["filter.c"] = "filter.h",
    ["rows.h"] = "", ["rows.c"] = "rows.h",
    ["head.h"] = "buf.h", ["head.c"] = "head.h",
    ["sockets.h"] = "", ["sockets.c"] = "platform.h sockets.h",
    ["events.h"] = "", ["events_epoll.c"] = "events.h platform.h",
    ["events_poll.c"] = "events.h platform.h",
    ["certificate.h"] = "", ["certificate.c"] = "certificate.h",
    ["budget.h"] = "", ["budget.c"] = "budget.h",
    -- libcurl, no Lua
    ["multi.h"] = "events.h", ["multi.c"] = "multi.h", ["pool.h"] = "budget.h",
    ["pool.c"] = "multi.h pool.h sockets.h",
    ["failure.h"] = "", ["failure.c"] = "failure.h head.h",
    ["options.h"] = "", ["options.c"] = "options.h",
    ["headers.h"] = "buf.h", ["headers.c"] = "head.h headers.h",
    ["http.h"] = "buf.h certificate.h failure.h head.h options.h pool.h",
    ["http.c"] = "headers.h http.h",
    -- the Lua binding
    ["compat.h"] = "", ["binding.h"] = "compat.h", ["lbuf.c"] = "binding.h buf.h",
    ["lcjson.h"] = "compat.h", ["lcjson.c"] = "lcjson.h platform.h reader.h",
    ["lcrypto.c"] = "base64.h binding.h crypto.h", ["lfile.c"] = "binding.h file.h",
    ["lhead.c"] = "binding.h head.h", ["lhttp.c"] = "binding.h buf.h http.h reader.h",
    ["linflate.c"] = "binding.h inflate.h", ["ljson.c"] = "binding.h lcjson.h lreader.h",
    ["lsink.h"] = "compat.h reader.h", ["lsink.c"] = "lsink.h",
    ["lrecords.h"] = "filter.h lsink.h", ["lrecords.c"] = "binding.h lrecords.h",
    ["lreader.h"] = "compat.h reader.h", ["lreader.c"] = "binding.h buf.h lreader.h lrecords.h",
    ["lrows.c"] = "binding.h rows.h", ["lsort.c"] = "binding.h filter.h",
    ["lsys.c"] = "binding.h crypto.h",
    ["pcapi_core.c"] = "binding.h platform.h",
    ["listener.h"] = "", ["listener.c"] = "../platform.h listener.h",
    ["redirect.c"] = "../binding.h listener.h",
    ["file_system.h"] = "", ["file_system.c"] = "file_system.h",
    ["sqlite_failure.h"] = "../file.h", ["sqlite_failure.c"] = "sqlite_failure.h",
    ["database.h"] = "sqlite_failure.h", ["database.c"] = "database.h file_system.h",
    ["values.h"] = "../compat.h", ["values.c"] = "../binding.h values.h",
    ["sqlite.c"] = "../binding.h database.h values.h",
  }

  for _, path in ipairs(lines_of "ls src/*.[ch] src/*/*.[ch]") do
    it(path .. " includes only the headers in this list", function()
      local allowed = assert(ALLOWED[path:match "[^/]+$"])
      for header in slurp(path):gmatch '#include "([^"]+)"' do
        assert.truthy((" " .. allowed .. " "):find(" " .. header .. " ", 1, true), header)
      end
    end)
  end

  it("knows no Lua below the binding", function()
    for _, name in ipairs { "base64", "budget", "buf", "certificate", "crypto", "failure", "file",
                            "filter", "head", "headers", "http", "inflate", "reader", "multi",
                            "options", "pool", "rows", "sockets", "events_epoll", "events_poll",
                            "platform", "redirect/listener",
                            "sqlite/database", "sqlite/file_system", "sqlite/sqlite_failure" } do
      assert.is_nil(slurp("src/" .. name .. ".c"):find("lua", 1, true))
    end
  end)
end)

describe("the Makefile", function()
  it("names only specs that exist", function()
    local text = slurp "Makefile":gsub("\\\n", " ")
    local count = 0
    for names in text:gmatch "addprefix spec/service/,%$%(addsuffix _spec%.lua,([^)]*)%)" do
      for name in names:gmatch "%S+" do
        assert.is_true(files.exists("spec/service/" .. name .. "_spec.lua"), name)
        count = count + 1
      end
    end
    for path in text:gmatch "spec/[%w_/]+_spec%.lua" do
      assert.is_true(files.exists(path), path)
      count = count + 1
    end
    assert.is_true(count > 20)
  end)
end)

describe("the rockspec", function()
  local rockspec = rockspecs.load(slurp "pcapi-scm-1.rockspec")

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
    assert.same(lines_of "ls src/platform.c src/redirect/*.c",
      rockspec.build.modules["pcapi.redirect"].sources)
    assert.same(lines_of "ls src/buf.c src/file.c src/platform.c src/sqlite/*.c",
      rockspec.build.modules["pcapi.sqlite"].sources)
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

for _, name in ipairs { "core", "redirect", "sqlite" } do
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
