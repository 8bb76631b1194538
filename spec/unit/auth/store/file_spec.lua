local contract = require "spec.support.store_contract"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local file = require "pcapi.auth.store.file"

-- Mode and kind, as ls prints them.
local function mode_of(path)
  return files.lines_of("ls -ld '" .. path .. "'")[1]:sub(1, 10)
end

local function env(variables)
  return function(name)
    return variables[name]
  end
end

describe("a store of files", function()
  teardown(folder.remove)

  local function new()
    return file.new(folder.new())
  end

  for name, body in pairs(contract) do
    it(name, function() body(new) end)
  end

  it("creates its folder, and those above it, with the first text", function()
    local path = folder.new() .. "/state/pcapi"
    local store = file.new(path)
    assert.is_nil((store:get "default"))
    assert.is_nil(io.open(path))
    assert.is_true((store:set("default", "one")))
    assert.equal("one", file.new(path):get "default")
  end)

  it("is readable by this user only", function()
    local path = folder.new() .. "/pcapi"
    local store = file.new(path)
    store:set("default", "one")
    assert.equal("drwx------", mode_of(path))
    assert.equal("-rw-------", mode_of(store:path "default"))
  end)

  it("never leaves its folder, whatever the name of the account", function()
    local path = folder.new()
    local store = file.new(path .. "/inner")
    for _, name in ipairs { "../up", "..", ".", "/etc/x", "a/../../b" } do
      assert.is_true((store:set(name, "one")))
      assert.equal(path .. "/inner", store:path(name):match "^(.*)/[^/]*$")
    end
    assert.same({ "inner" }, files.lines_of("ls -A '" .. path .. "'"))
  end)

  it("rejects a file that other users could read, says how to fix it, and keeps it", function()
    local store = new()
    store:set("default", "SECRET")
    os.execute("chmod 640 '" .. store:path "default" .. "'")
    local text, err = store:get "default"
    assert.is_nil(text)
    assert.equal("store", err.kind)
    assert.equal("Run: chmod 600 " .. store:path "default", err.hint)
    assert.equal("SECRET", files.slurp(store:path "default"))
    assert.is_nil((store:set("default", "other")))
    assert.equal("SECRET", files.slurp(store:path "default"))
  end)

  it("rejects a folder that is open to others, and a symbolic link", function()
    local path = folder.new()
    os.execute(("chmod 755 '%s'"):format(path))
    local ok, err = file.new(path):set("default", "one")
    assert.is_nil(ok)
    assert.equal("Run: chmod 700 " .. path, err.hint)
    local store = new()
    os.execute(("ln -s /dev/null '%s'"):format(store:path "default"))
    ok, err = store:set("default", "one")
    assert.is_nil(ok)
    assert.matches("symbolic link", err.message, 1, true)
    assert.equal("Remove " .. store:path "default", err.hint)
    assert.is_nil((store:get "default"))
  end)

  it("names the folder that cannot be written", function()
    local store = file.new "/proc/pcapi"
    local ok, err = store:set("default", "one")
    assert.is_nil(ok)
    assert.matches("/proc/pcapi", err.message, 1, true)
    assert.equal("Check that path, or set store to a directory of your own", err.hint)
    ok, err = store:lock("default", 60)
    assert.is_nil(ok)
    assert.matches("/proc/pcapi", err.message, 1, true)
  end)

  it("refuses a text of more than 1 MiB, and names its file", function()
    local store = new()
    local ok, err = store:set("default", ("x"):rep(1024 * 1024 + 1))
    assert.is_nil(ok)
    assert.equal("the token store: the tokens are too long for " .. store:path "default",
      err.message)
    assert.is_nil((store:get "default"))
  end)

  it("lists no account that it did not store", function()
    local path = folder.new()
    for _, name in ipairs { "notes.txt", "a b.json", "%7E.json", "%zz.json", ".json.swp", "json",
                            ".default.json.new" } do
      folder.write(path .. "/" .. name, "")
    end
    local store = file.new(path)
    store:set("default", "one")
    store:set(("x"):rep(300), "a name that only its hash tells")
    assert.same({ "default" }, store:names())
  end)

  it("returns an error if it cannot list its accounts", function()
    local path = folder.new()
    os.execute(("chmod 755 '%s'"):format(path))
    local names, err = file.new(path):names()
    assert.is_nil(names)
    assert.equal("Run: chmod 700 " .. path, err.hint)
  end)

  it("shares its locks with other stores of the same folder", function()
    local path = folder.new()
    local unlock = assert(file.new(path):lock("default", 60))
    assert.is_nil((file.new(path):lock("default", 60)))
    unlock()
    assert.is_function(file.new(path):lock("default", 60))
  end)

  it("has its path as text", function()
    assert.equal("/some/where", tostring(file.new "/some/where"))
    assert.equal("/some/where/default.json", file.new("/some/where"):path "default")
  end)

  describe("is by default in", function()
    it("the state folder of XDG", function()
      assert.equal("/x/pcapi", file.directory(env { XDG_STATE_HOME = "/x", HOME = "/h" }))
    end)

    it("~/.local/state if that is missing, empty or relative", function()
      for _, state in ipairs { "none", "", "x" } do
        assert.equal("/h/.local/state/pcapi", file.directory(
          env { XDG_STATE_HOME = state ~= "none" and state or nil, HOME = "/h" }))
      end
    end)

    it("no folder without HOME; the message names the variables", function()
      for _, home in ipairs { "none", "", "h" } do
        local path, why = file.directory(env { HOME = home ~= "none" and home or nil })
        assert.is_nil(path)
        assert.matches("XDG_STATE_HOME", why, 1, true)
      end
    end)
  end)
end)
