--- `pcapi history forget`.
local cjson = require("cjson").new()
local exceptions = require "pcapi.history.exceptions"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local homes = require "spec.support.home"
local lists = require "spec.support.history_lists"
local recorded = require "spec.support.recorded"
local sandbox = require "spec.support.sandbox"
local time = require "pcapi.time"
local watched = require "spec.support.watched"

local OTHER = "5f0b3c1e-0000-4000-8000-0000000000ab"
local KIM = "5f0b3c1e-0000-4000-8000-000000000001"
local NOW = os.time()

local function day(before)
  return time.format(NOW - before * 86400)
end

-- Kim is created anew in the other tenant's story, so that the second one names the first.
local STORY = ([[
%s kim@fabrikam.example known id=%s
%s kim@fabrikam.example requests app=Sync; every=1h; until=%s; ip=192.0.2.7
%s lee@fabrikam.example signs-in
]]):format(day(9), KIM, day(8), day(0), day(2))

local prepared, home

setup(function()
  prepared = homes.new()
  local options = { exceptions = assert(exceptions.parse(
    "kim@fabrikam.example * " .. time.format_date(NOW + 30 * 86400) .. " checked\n", NOW)) }
  recorded.story(prepared, STORY, { day(3), day(1) }, options)
  local opened = recorded.open(prepared)
  assert(opened:changes { now = NOW })
  opened:close()
end)

teardown(function()
  prepared:remove()
end)

before_each(function()
  home = prepared:copy()
end)

after_each(function()
  home:remove()
end)

local function forget(...)
  return home:run { "history", "forget", ... }
end

local function holds(text)
  return recorded.bytes(home):lower():find(text, 1, true) ~= nil
end

describe("pcapi history forget", function()
  it("erases a user in all files, and says what it did not reach", function()
    assert.is_true(holds "kim@fabrikam" and holds(KIM) and holds "192.0.2.7")
    local result = forget("kim@fabrikam.example", "--yes")
    assert.same({ 0, "" }, { result.status, result.out })
    for _, part in ipairs {
      "kim@fabrikam.example (" .. KIM .. ") in the tenant fabrikam (" .. recorded.TENANT
        .. "): 1 finding, ", " requests, 1 exception\n", "erased kim@fabrikam.example",
      "not reached: backups", "the service lists this user until about ",
      "a pcapi watch before then records the user again" } do
      assert.truthy(result.err:find(part, 1, true), result.err)
    end
    assert.is_false(holds "kim@fabrikam" or holds(KIM) or holds "192.0.2.7")
    assert.is_true(holds "lee@fabrikam")
    assert.equal(0, home:run({ "history", "check" }).status)
    assert.truthy(home:run({ "history", "show" }).out:find("lee@fabrikam", 1, true))
    assert.equal(1, forget("kim@fabrikam.example", "--yes").status)
  end)

  it("erases the mention of a user in the event of a namesake", function()
    local opened = recorded.open(home)
    local anew = "5f0b3c1e-0000-4000-8000-000000000002"
    assert(opened:observe { tenant = recorded.TENANT, now = NOW, requests = lists.requests(NOW, {}),
      users = lists.users(NOW, { { id = anew, upn = "kim@fabrikam.example", at = NOW - 60 } }) })
    opened:close()
    local result = forget("kim@fabrikam.example", "--yes")
    assert.equal(2, result.status)
    assert.truthy(result.err:find("2 users match 'kim@fabrikam.example'", 1, true), result.err)
    assert.is_true(holds(KIM))
    result = forget(KIM, "--yes")
    assert.equal(0, result.status, result.err)
    assert.truthy(result.err:find("1 mention as an earlier user", 1, true), result.err)
    assert.is_false(holds(KIM))
    assert.is_true(holds(anew))
  end)

  it("needs the tenant if several have the user", function()
    recorded.story(home, STORY, { day(1) }, { tenant = OTHER, name = "contoso" })
    local result = forget(KIM, "--yes")
    assert.equal(2, result.status)
    assert.truthy(result.err:find("in the tenant contoso (" .. OTHER .. ")", 1, true), result.err)
    assert.equal(0, forget(KIM, "--yes", "--tenant", "contoso").status)
    assert.is_true(holds(KIM))
    assert.equal(0, forget(KIM, "--yes").status)
    assert.is_false(holds(KIM))
  end)

  it("erases nothing if nobody can be asked", function()
    local result = forget("kim@fabrikam.example", "--export", home.path .. "/kim.jsonl")
    assert.same({ 2, "" }, { result.status, result.out })
    assert.truthy(result.err:find("history forget needs --yes where nobody can be asked", 1, true))
    assert.is_false(files.exists(home.path .. "/kim.jsonl"))
    assert.is_true(holds(KIM))
  end)

  it("asks on a terminal, and only y and yes erase", function()
    for typed, is_kept in pairs { ["\n"] = true, ["n\n"] = true, ["y\n"] = false } do
      local own = prepared:copy()
      local result = own:run_on_terminal({ "history", "forget", KIM }, {}, typed)
      local is_there = recorded.bytes(own):find(KIM, 1, true) ~= nil
      own:remove()
      assert.truthy(result.screen:find("Erase this user from the history? [y/N]", 1, true),
        result.screen)
      assert.equal(is_kept, is_there)
      assert.equal(is_kept and 2 or 0, result.status)
    end
  end)

  it("exports all that is stored first, to a private file", function()
    local path = home.path .. "/kim.jsonl"
    local result = forget("kim@*", "--export", path, "--yes")
    assert.equal(0, result.status, result.err)
    assert.equal("600", files.lines_of("stat -c %a " .. path)[1])
    local by_kind, counts = {}, {}
    for line in files.slurp(path):gmatch "[^\n]+" do
      local row = cjson.decode(line)
      by_kind[row.kind], counts[row.kind] = row, (counts[row.kind] or 0) + 1
      assert.same({ recorded.TENANT, "fabrikam" }, { row.tenantId, row.tenant })
    end
    assert.same({ "kim@fabrikam.example", KIM }, { by_kind.user.upn, by_kind.user.objectId })
    assert.same({ "open", "checked" }, { by_kind.finding.state, by_kind.finding.exceptionWhy })
    assert.same({ "192.0.2.7", false }, { by_kind.request.ipAddress, by_kind.request.mfaCompliant })
    assert.truthy(by_kind.request.requestDateTime:find "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$")
    assert.equal("kim@fabrikam.example", by_kind.binding.upn)
    assert.is_true(counts.request > 100)
  end)

  it("erases nothing if the export fails", function()
    local path = home:write("kim.jsonl", "old")
    for file, message in pairs {
      [path] = path .. " ", [home.path .. "/absent/kim"] = home.path .. "/absent",
      [home.path .. "/"] = "must be the name of a file", ["/dev/full"] = "/dev",
    } do
      local result = forget(KIM, "--yes", "--export", file)
      assert.same({ 1, "" }, { result.status, result.out })
      assert.truthy(result.err:find("--export: ", 1, true), result.err)
      assert.truthy(result.err:find(message, 1, true), result.err)
    end
    assert.equal("old", files.slurp(path))
    assert.is_true(holds(KIM))
  end)

  it("writes the summary of nginx anew, without the user", function()
    local path = home.path .. "/out/summary.json"
    files.lines_of(("mkdir %s/out; chmod 755 %s/out"):format(home.path, home.path))
    home:write_config("[history]\nsummary = " .. path .. "\n")
    assert.equal(0, forget("lee@fabrikam.example", "--yes").status)
    assert.truthy(files.slurp(path):find("kim@fabrikam.example", 1, true))
    local result = forget(KIM, "--yes")
    assert.equal(0, result.status, result.err)
    assert.truthy(result.err:find("wrote " .. path .. " anew, without the user", 1, true))
    assert.is_nil(files.slurp(path):find(KIM, 1, true))
  end)

  it("removes the summary of nginx, which names the user, where it cannot write it", function()
    local path = home:write("summary.json", '{"kim@fabrikam.example":1}')
    home:write_config("[history]\nsummary = " .. path .. "\n")
    local result = forget(KIM, "--yes")
    assert.equal(0, result.status, result.err)
    assert.truthy(result.err:find("removed " .. path .. ", which pcapi watch writes anew", 1, true))
    assert.is_false(files.exists(path))
    assert.equal(0, forget("lee@fabrikam.example", "--yes").status)
  end)

  it("says nothing with --quiet and --yes", function()
    local result = forget(KIM, "--yes", "--quiet")
    assert.same({ 0, "", "" }, { result.status, result.out, result.err })
  end)
end)

describe("a user who was forgotten", function()
  it("is recorded again by watch while the service lists the user, and not after that", function()
    local tale = watched.tell(("%s kim@fabrikam.example signs-in"):format(day(1)))
    finally(folder.remove)
    local function run(...)
      return sandbox.pcapi({ ... }, tale:environment())
    end
    local function shown()
      return run("history", "show", "-o", "csv", "--state", "all").out:find("kim@", 1, true) ~= nil
    end
    assert.equal(0, tale:run(day(0)).status)
    assert.is_true(shown())
    assert.equal(0, run("history", "forget", "kim@*", "--yes").status)
    assert.is_false(shown())
    assert.same({ "new kim" }, (tale:events(day(0))))
    assert.equal(0, run("history", "forget", "kim@*", "--yes").status)
    assert.same({}, (tale:events(day(-8))))
    assert.is_false(shown())
  end)
end)
