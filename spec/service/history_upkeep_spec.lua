--- `pcapi history prune`, `check` and `backup`, and a big history.
local cjson = require("cjson").new()
local files = require "spec.support.files"
local homes = require "spec.support.home"
local lists = require "spec.support.history_lists"
local recorded = require "spec.support.recorded"

local NOW = os.time()
local DAY = 86400
local KIM = "5f0b3c1e-0000-4000-8000-000000000001"
local SYNC = "5f0b3c1e-0000-4000-8000-0000000000b1"

local home

before_each(function()
  home = homes.new()
end)

after_each(function()
  home:remove()
end)

-- Records a run, some days ago.
local function observe(days, users, requests)
  local opened, at = recorded.open(home), NOW - days * DAY
  for _, user in ipairs(users) do
    user.at = user.at or at - 60
  end
  assert(opened:observe { tenant = recorded.TENANT, name = "fabrikam", now = at,
                          users = lists.users(at, users),
                          requests = lists.requests(at, requests or {}) })
  opened:close()
end

local function run(...)
  return home:run { "history", ... }
end

describe("pcapi history prune", function()
  before_each(function()
    -- each run deletes what is over a day earlier
    observe(90.5, { { id = KIM, upn = "kim@x.example" } },
      { { id = KIM, user = KIM, at = NOW - 90.5 * DAY, application = SYNC, mfa = false } })
  end)

  it("deletes what is over by the settings, and says how much", function()
    observe(20, {})
    observe(1, {})
    local result = run "prune"
    assert.same({ 0, "", "pcapi: deleted 1 request\n" }, { result.status, result.out, result.err })
    assert.equal("pcapi: nothing is over\n", run("prune").err)
    home:write_config "[history]\nkeep_findings = 8\nkeep_notices = 1\n"
    result = run "prune"
    assert.equal(0, result.status)
    assert.equal("pcapi: deleted 1 closed finding, 2 runs, 1 event, 1 user\n", result.err)
    assert.is_nil(recorded.bytes(home):find("kim@x", 1, true))
  end)

  it("does not believe a clock that is far ahead of the newest run, without --yes", function()
    local result = run "prune"
    assert.same({ 2, "" }, { result.status, result.out })
    assert.truthy(result.err:find("the newest run is of .- and this machine's clock says .-; if "
      .. "the clock is right, use %-%-yes"), result.err)
    result = home:run_on_terminal({ "history", "prune" }, {}, "n\n")
    assert.equal(2, result.status)
    assert.truthy(result.screen:find("Delete by this clock? [y/N]", 1, true), result.screen)
    result = run("prune", "--yes")
    assert.equal(0, result.status)
    assert.truthy(result.err:find("deleted 1 request", 1, true), result.err)
    assert.equal("pcapi: nothing is over\n", run("prune", "--yes").err)
    assert.equal("", run("prune", "--yes", "--quiet").err)
  end)
end)

describe("pcapi history check", function()
  it("shows format and counts", function()
    observe(1, { { id = KIM, upn = "kim@x.example" } })
    local result = run("check", "--json")
    assert.same({ 0, "" }, { result.status, result.err })
    local facts = {}
    for _, row in ipairs(cjson.decode(result.out).facts) do
      facts[row.fact] = row.value
    end
    assert.same({ "none", "0x50434150", 1, 1, 1, recorded.path(home) }, { facts.damage,
      facts.application_id, facts.tenants, facts.people, facts.findings, facts.file })
    result = run "check"
    assert.truthy(result.out:find("\ndamage +none\nformat +%d+\n"), result.out)
  end)

  it("ends with status 1 if a page is damaged", function()
    observe(1, { { id = KIM, upn = "kim@x.example" } })
    local file = assert(io.open(recorded.path(home), "r+b"))
    local size = file:seek "end"
    for page = 2, size / 4096 - 1 do -- the first two say what the file is
      file:seek("set", page * 4096)
      file:write(("\255"):rep(100))
    end
    file:close()
    local result = run "check"
    assert.same({ 1, "" }, { result.status, result.out })
    assert.truthy(result.err:find("is damaged", 1, true), result.err)
  end)
end)

describe("pcapi history backup", function()
  it("makes a private copy that is a history", function()
    observe(1, { { id = KIM, upn = "kim@x.example" } })
    local copy = home.path .. "/copy.sqlite"
    local result = run("backup", copy)
    assert.same({ 0, "", "pcapi: copied the history to " .. copy .. "; it holds personal data\n" },
      { result.status, result.out, result.err })
    assert.equal("600", files.lines_of("stat -c %a " .. copy)[1])
    os.execute(("mkdir -m 700 %s/restored && mv %s %s/restored"):format(home.path, copy, home.path))
    result = home:run({ "history", "show", "-o", "csv" },
      { PCAPI_HISTORY = home.path .. "/restored/copy.sqlite" })
    assert.truthy(result.out:find("kim@x.example", 1, true), result.err)
  end)

  it("replaces no file, and needs a folder", function()
    observe(1, {})
    for _, path in ipairs { home:write("copy", "old"), home.path .. "/absent/copy" } do
      local result = run("backup", path)
      assert.same({ 1, "" }, { result.status, result.out })
      assert.truthy(result.err:find(path:match "^(.*)/", 1, true), result.err)
    end
    assert.equal("old", files.slurp(home.path .. "/copy"))
  end)
end)

describe("a history of 10,000 findings", function()
  -- The most memory of a command, in MiB.
  local function memory_of(...)
    local line = ("/usr/bin/time -f %%M pcapi %s >out"):format(table.concat({ ... }, " "))
    local result = home:shell(line)
    assert.equal(0, result.status, result.err)
    return tonumber(result.err:match "(%d+)\n$") / 1024
  end

  it("is exported in little memory", function()
    local users, requests = {}, {}
    for i = 1, 10000 do
      local id = ("5f0b3c1e-0000-4000-8000-%012d"):format(i)
      users[i] = { id = id, upn = ("user%d@fabrikam.example"):format(i) }
      requests[i] = { id = id, user = id, at = NOW - DAY - 60, application = SYNC, mfa = false,
                      ip = "192.0.2.7", operation = "Get /v{version}/customers" }
    end
    observe(1, users, requests)
    local little = memory_of("history", "check")
    for _, words in ipairs { "export -o csv", "show -o jsonl", "show -o json" } do
      local memory = memory_of("history", words)
      assert.is_true(memory < little + 8, ("%s: %.0f MiB, not %.0f"):format(words, memory, little))
      local _, lines = files.slurp(home.path .. "/out"):gsub("\n", "")
      assert.is_true(lines >= 10000, words)
    end
  end)
end)
