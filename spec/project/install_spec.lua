--- make install and make uninstall, and the command in a clone.
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"

local LUA = os.getenv "LUA" or "lua5.4"
local ABI = _VERSION:match "%d+%.%d+"
local VERSION = "pcapi " .. require "pcapi.version"

local quote = curl.quote

local function lines_of(...)
  return files.lines_of("{ " .. string.format(...) .. "; } 2>&1")
end

-- What a command prints in an environment with PATH only.
local function output_of(...)
  return table.concat(lines_of("env -i PATH=/usr/bin:/bin " .. string.format(...)), "\n")
end

local function make(target, prefix, more)
  return table.concat(lines_of("env -u MAKEFLAGS -u MAKELEVEL make -s %s PREFIX=%s %s; echo $?",
    target, quote(prefix), more or ""), "\n")
end

-- Everything below a folder with its mode and size, sorted.
local function contents_of(path)
  return lines_of("cd %s && find . -printf '%%p %%M %%s\\n' | sed '/^[^ ]* d/s/ [0-9]*$//' | sort",
    quote(path))
end

describe("make install", function()
  local prefix
  before_each(function()
    prefix = folder.new() .. "/a folder"
  end)
  after_each(folder.remove)

  it("installs a command that needs no variables", function()
    local output = make("install", prefix)
    assert.matches("installed below " .. prefix, output, 1, true)
    assert.equal(VERSION, output_of("%s --version", quote(prefix .. "/bin/pcapi")))
  end)

  it("prints the variables for other scripts", function()
    local exports = make("install", prefix):match "for scripts, set: (export [^\n]*)"
    assert.equal(("@%s/share/lua/%s/pcapi/init.lua"):format(prefix, ABI), output_of(
      "sh -c %s", quote(exports .. "; " .. LUA
        .. " -e 'print(debug.getinfo(require [[pcapi]].new).source)'")))
  end)

  it("installs bytecode, which loads faster, for Lua 5.4 alone", function()
    make("install", prefix)
    local text = files.slurp(("%s/share/lua/%s/pcapi/init.lua"):format(prefix, ABI))
    assert.equal(ABI == "5.4", text:sub(1, 4) == "\27Lua")
  end)

  it("installs the completion of each shell", function()
    make("install", prefix)
    for shell, path in pairs {
      bash = "bash-completion/completions/pcapi", zsh = "zsh/site-functions/_pcapi",
      fish = "fish/vendor_completions.d/pcapi.fish",
    } do
      assert.equal(files.slurp(prefix .. "/share/" .. path),
        table.concat(lines_of("%s bin/pcapi completion %s", LUA, shell), "\n") .. "\n")
    end
  end)

  it("installs what Prometheus, Grafana and PostgreSQL need", function()
    make("install", prefix)
    for _, path in ipairs { "prometheus/pcapi.rules.yml", "grafana/pcapi.json",
                            "postgresql/schema.sql", "postgresql/load.sql",
                            "postgresql/pcapi-load.service", "postgresql/pcapi-load.timer" } do
      assert.equal(files.slurp("share/" .. path), files.slurp(prefix .. "/share/pcapi/" .. path))
    end
  end)

  it("installs the units of systemd, which start the installed command", function()
    make("install", prefix)
    local units = prefix .. "/lib/systemd/system/"
    assert.matches(('\nExecStart="%s/bin/pcapi" watch $OPTIONS\n'):format(prefix),
      files.slurp(units .. "pcapi.service"), 1, true)
    assert.equal(files.slurp "share/systemd/pcapi.timer", files.slurp(units .. "pcapi.timer"))
  end)

  it("is undone by make uninstall, folders included", function()
    os.execute(("mkdir -p %s/share/man/man1 %s/lib/lua"):format(quote(prefix), quote(prefix)))
    local before = contents_of(prefix)
    make("install", prefix)
    make("install-nginx", prefix)
    assert.is_true(#contents_of(prefix) > #before + 50)
    assert.matches("removed from " .. prefix, make("uninstall", prefix), 1, true)
    assert.same(before, contents_of(prefix))
    assert.matches("not installed below", make("uninstall", prefix), 1, true)
  end)

  it("in a folder that does not exist is undone by make uninstall", function()
    make("install", prefix)
    make("uninstall", prefix)
    assert.is_false(files.exists(prefix))
  end)

  it("removes files that the new version lacks, and leaves those of others", function()
    make("install", prefix)
    local library = prefix .. "/share/lua/" .. ABI .. "/pcapi"
    local list = prefix .. "/share/pcapi/command"
    for _, name in ipairs { "old", "mine" } do
      folder.write(library .. "/" .. name .. ".lua", "")
    end
    folder.write(list, files.slurp(list) .. library .. "/old.lua\n")
    make("install", prefix)
    assert.is_false(files.exists(library .. "/old.lua"))
    make("uninstall", prefix)
    assert.same({ library .. "/mine.lua" }, lines_of("find %s -type f", quote(prefix)))
  end)

  it("removes an older version that luarocks installed", function()
    local rock = quote(prefix .. "/lib/luarocks/rocks-" .. ABI .. "/pcapi")
    local old = prefix .. "/share/lua/" .. ABI .. "/pcapi/old.lua"
    os.execute(("mkdir -p %s/scm-1 %s"):format(rock, quote(old:match "^(.*)/")))
    folder.write(old, "")
    make("install", prefix)
    assert.is_false(files.exists(old))
    assert.is_false(files.exists(rock))
    make("uninstall", prefix)
    assert.same({}, lines_of("find %s -type f", quote(prefix)))
  end)

  it("makes a package below DESTDIR", function()
    local destination = folder.new()
    make("install", "/usr", "DESTDIR=" .. destination)
    assert.matches('"/usr/share/lua/' .. ABI .. '"', files.slurp(destination .. "/usr/bin/pcapi"),
      1, true)
    make("uninstall", "/usr", "DESTDIR=" .. destination)
    assert.same({}, lines_of("find %s -mindepth 1", destination))
  end)

  it("refuses a folder that Lua's search paths cannot have", function()
    assert.matches("PREFIX must not contain .*2$", make("install", prefix .. "?"))
  end)
end)

describe("the command of a clone", function()
  after_each(folder.remove)

  it("finds the library that was built there", function()
    assert.equal(VERSION, output_of("%s bin/pcapi --version", LUA))
    assert.equal(VERSION, output_of("sh -c 'cd bin && %s pcapi --version'", LUA))
    assert.equal(VERSION, output_of("sh -c 'cd / && %s %s/bin/pcapi --version'", LUA,
      files.lines_of "pwd"[1]))
  end)

  it("prints the next step if it was not built", function()
    local clone = folder.new()
    os.execute(("cp -r bin lua %s"):format(clone))
    local message = "pcapi: cannot load its library: module 'pcapi.core' not found. Run: make"
    assert.equal(message, output_of("sh -c 'cd %s && %s bin/pcapi non-mfa'", clone, LUA))
    assert.equal(message .. " -C " .. clone, output_of("%s %s/bin/pcapi non-mfa", LUA, clone))
  end)

  it("runs against a sandbox", function()
    assert.equal(VERSION, output_of "sandbox/run pcapi --version")
    assert.equal("function", output_of [[sandbox/run lua5.4 -e 'print(type(require "pcapi".new))']])
  end)
end)
