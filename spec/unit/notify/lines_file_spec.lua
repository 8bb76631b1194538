local cjson = require("cjson").new()
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local lines_file = require "pcapi.notify.channels.lines_file"
local private_folder = require "spec.support.private_folder"

local AT = 1795845604 -- 2026-11-28T06:00:04Z

local function digest(fields)
  local made = { id = ("a"):rep(64), kind = "changes", at = AT, tenants = {}, notes = {} }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

local function lines_of(found)
  local lines = {}
  local messages = lines_file.messages(found)
  for line in messages[1].body:gmatch "([^\n]*)\n" do
    lines[#lines + 1] = cjson.decode(line)
  end
  return lines
end

describe("the lines of a file", function()
  it("are one of each row and of each warning, with the id of the notice", function()
    local found = digest { tenants = { { id = "t", name = "fabrikam",
      rows = { { tenant = "fabrikam", event = "new", upn = "kim@x.example", repeated = false,
                 key = "k" } },
      warnings = { "a\nb" } } } }
    local line = { notice = found.id, tenant = "fabrikam", event = "new", upn = "kim@x.example",
                   key = "k" }
    local lines = lines_of(found)
    assert.same(line, lines[1])
    assert.same({ notice = found.id, event = "warning", at = "2026-11-28T06:00:04Z",
                  tenant = "fabrikam", tenantId = "t", text = "a\nb" }, lines[2])
    assert.equal(2, #lines)
    assert.same(lines_file.messages(found), lines_file.messages(found))
  end)

  it("tell of a test, and what the operator has to know", function()
    assert.same({ "test" }, { lines_of(digest { kind = "test" })[1].event })
    local lines = lines_of(digest { kind = "operator", notes = { "one", "two" } })
    assert.same({ "operator", "one", "two" }, { lines[1].event, lines[1].text, lines[2].text })
  end)
end)

describe("a file of lines", function()
  local path

  before_each(function()
    private_folder.new()
    path = private_folder.path "events.jsonl"
  end)

  after_each(folder.remove)

  local function deliver(text, to)
    return lines_file.deliver({ id = "1", body = text }, { path = to or path })
  end

  it("is made private, and appended to", function()
    assert.is_true(deliver "a\n")
    assert.is_true(deliver "b\n")
    assert.equal("a\nb\n", files.slurp(path))
    assert.equal("600", private_folder.mode(path))
  end)

  it("keeps its mode, and goes on after a line that was cut", function()
    folder.write(path, "a\ncu")
    private_folder.sh("chmod 640 '%s'", path)
    assert.is_true(deliver "b\n")
    assert.equal("a\ncu\nb\n", files.slurp(path))
    assert.equal("640", private_folder.mode(path))
  end)

  it("that cannot be written is an error that names it", function()
    local ok, err = deliver("a\n", "/missing/events.jsonl")
    assert.is_nil(ok)
    assert.equal("store", err.kind)
    assert.truthy(err.message:find("^cannot write to /missing/events.jsonl: "), err.message)
    ok, err = deliver("a\n", "/dev/full")
    assert.is_nil(ok)
    assert.truthy(err.message:find("No space left on device", 1, true), err.message)
  end)

  it("has whole lines if many processes write to it", function()
    local code = [[
      local lines_file = require "pcapi.notify.channels.lines_file"
      for i = 1, 200 do
        assert(lines_file.deliver({ body = ("%s"):rep(9000) .. "\n" },
          { path = directory .. "/events.jsonl" }))
      end]]
    local scripts = {}
    for i, letter in ipairs { "a", "b", "c" } do
      scripts[i] = folder.write(private_folder.path("w" .. i .. ".lua"),
        ("local directory = %q\n"):format(private_folder.path "") .. code:format(letter))
    end
    private_folder.sh("for f in %s; do %s $f & done; wait", table.concat(scripts, " "),
      os.getenv "LUA" or "lua5.4")
    local count = 0
    for line in files.slurp(path):gmatch "([^\n]*)\n" do
      count = count + 1
      assert.equal(9000, #line)
      assert.is_nil(line:find("[^" .. line:sub(1, 1) .. "]"))
    end
    assert.equal(600, count)
  end)
end)
