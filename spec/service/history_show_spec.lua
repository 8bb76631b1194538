--- `pcapi history show` and `export`, of histories that the library recorded from stories.
local cjson = require("cjson").new()
local exceptions = require "pcapi.history.exceptions"
local files = require "spec.support.files"
local homes = require "spec.support.home"
local recorded = require "spec.support.recorded"
local time = require "pcapi.time"

local OTHER = "5f0b3c1e-0000-4000-8000-0000000000ab"
local KIM = "5f0b3c1e-0000-4000-8000-000000000001"

-- Kim is open by a program, Lee was fixed, Max went quiet, and Sam has an exception.
local STORY = "2026-11-10 kim@fabrikam.example known id=" .. KIM .. [[

2026-11-12T09:00Z max@fabrikam.example signs-in
2026-11-12 lee@fabrikam.example requests app=Billing; every=1h; until=2026-11-16
2026-11-16 lee@fabrikam.example requests app=Billing; every=1h; until=2026-12-01; mfa=1
2026-11-20 kim@fabrikam.example requests app=Sync; every=1h; until=2026-12-01; ip=192.0.2.7
2026-11-20T09:00Z sam@fabrikam.example signs-in
]]
local DAYS = { "2026-11-14T06:00:00Z", "2026-11-20T12:00:00Z", "2026-11-26T06:00:00Z" }
local EXCEPTIONS = "sam@fabrikam.example * 2027-01-31 break-glass, checked monthly\n"

local home

setup(function()
  home = homes.new()
  recorded.story(home, STORY, DAYS, {
    exceptions = assert(exceptions.parse(EXCEPTIONS, time.parse(DAYS[1]))),
  })
end)

teardown(function()
  home:remove()
end)

local function run(...)
  return home:run { "history", ... }
end

local function rows_of(...)
  local result = run("show", "--output", "json", ...)
  assert.equal(0, result.status, result.err)
  assert.equal("", result.err)
  local by_user = {}
  for _, row in ipairs(cjson.decode(result.out)) do
    by_user[row.upn:match "^%w+"] = row
  end
  return by_user
end

local function users_of(...)
  local names = {}
  for name in pairs(rows_of(...)) do
    names[#names + 1] = name
  end
  table.sort(names)
  return table.concat(names, " ")
end

describe("pcapi history show", function()
  it("lists the open findings with the next step, and excepted ones as such", function()
    local result = run "show"
    assert.equal(0, result.status, result.err)
    assert.equal("pcapi: 2 findings, 1 is excepted; the newest run is of 2026-11-26T06:00:00Z\n",
      result.err)
    assert.truthy(result.out:find "^USER +APPLICATION +SINCE +LAST +STATE +NEXT STEP\n")
    assert.truthy(result.out:find("\nkim@fabrikam.example +Sync +2026%-11%-20 +2026%-11%-26 +"
      .. "open +Renew the token of Sync by a sign%-in with MFA\n"), result.out)
    assert.truthy(result.out:find("sam@fabrikam.example .+ open, excepted +none: excepted until "
      .. "2027%-01%-31\n"), result.out)
    assert.is_nil(result.out:find("lee@", 1, true))
    assert.truthy(result.out:find "\nkim@.*\nsam@") -- the newest first
  end)

  it("lists findings of other states, tenants and times", function()
    assert.equal("kim sam", users_of())
    assert.equal("lee", users_of("--state", "fixed"))
    assert.equal("lee max", users_of("--state", "quiet,fixed,lost"))
    assert.equal("kim lee max sam", users_of("--state", "all"))
    assert.equal("kim", users_of("--since", "2026-11-26"))
    assert.equal("kim sam", users_of("--tenant", "Fabrikam"))
    assert.equal("kim sam", users_of("--tenant", recorded.TENANT:upper()))
    assert.equal(2, home:run({ "--tenant", OTHER, "history", "show" }).status)
  end)

  it("has all facts in the formats of programs", function()
    local kim, sam, lee = rows_of().kim, rows_of().sam, rows_of("--state", "fixed").lee
    assert.same({ KIM, recorded.TENANT, "fabrikam", 1, "open", false, true, "program", "inference",
                  "2026-11-20T12:00:00Z" },
      { kim.objectId, kim.tenantId, kim.tenant, kim.episode, kim.state, kim.excepted,
        kim.isAsked, kim.class, kim.certainty, kim.since })
    assert.same({ true, "sam@fabrikam.example", "2027-01-31", "break-glass, checked monthly" },
      { sam.excepted, sam.exceptionWho, sam.exceptionUntil, sam.exceptionWhy })
    assert.same({ "2026-11-16T00:00:00Z", "2026-11-26T06:00:00Z" },
      { lee.mfaSince, lee.closedAt })
  end)

  it("has the same columns in CSV, also without a finding", function()
    local csv = run("show", "-o", "csv").out
    local empty = run("show", "-o", "csv", "--state", "lost").out
    assert.equal(csv:match "^[^\r]+\r\n", empty)
    assert.truthy(empty:find "^tenant,tenantId,upn,objectId,")
    assert.equal("[]\n", run("show", "-o", "json", "--state", "lost").out)
    assert.equal("", run("show", "-o", "jsonl", "--state", "lost").out)
  end)

  it("says if no finding is open, unless --quiet hides it", function()
    local result = run("show", "--state", "lost")
    assert.same({ 0, "", "pcapi: 0 findings; the newest run is of "
      .. "2026-11-26T06:00:00Z\n" }, { result.status, result.out, result.err })
    assert.equal("", run("show", "--state", "lost", "--quiet").err)
  end)

  it("changes nothing, and advances no reader", function()
    local before = recorded.bytes(home)
    run "show"
    run "export"
    assert.is_true(recorded.bytes(home) == before)
  end)

  it("refuses what it does not know", function()
    for _, case in ipairs {
      { "--state", "new", "--state must be all, or some of open,healing,fixed,quiet,lost" },
      { "--tenant", "contoso", "the history has no tenant 'contoso'; it has: fabrikam" },
      { "--tenant", "", "--tenant must not be empty" }, { "--since", "x", "--since: " },
    } do
      local result = run("show", case[1], case[2])
      assert.same({ 2, "" }, { result.status, result.out })
      assert.truthy(result.err:find(case[3], 1, true), result.err)
    end
  end)

  it("shows a tenant that is not asked any more, and one that fails", function()
    local own = home:copy()
    finally(function() own:remove() end)
    recorded.story(own, "2026-11-20 lou@contoso.example signs-in", { "2026-11-20T06:00:00Z" },
      { tenant = OTHER, name = "contoso" })
    local result = own:run { "history", "show" }
    assert.truthy(result.out:find("lou@.- open, not asked since 2026%-11%-20"), result.out)
    assert.truthy(result.err:find("contoso: not asked since 2026-11-20T06:00:00Z, so its findings "
      .. "stay as they are", 1, true), result.err)
    recorded.story(own, "2026-11-20 lou@contoso.example signs-in\n"
      .. "2026-11-26 service sends status=403; until=2026-11-30", { "2026-11-26T07:00:00Z" },
      { tenant = OTHER, name = "contoso", now = time.parse "2026-11-26T07:00:00Z" })
    result = own:run { "history", "show" }
    assert.truthy(result.out:find "^TENANT +USER ")
    assert.truthy(result.err:find("contoso: fails since 2026-11-26T07:00:00Z (forbidden)", 1, true),
      result.err)
  end)
end)

describe("pcapi history export", function()
  local function exported(...)
    local result, rows = run("export", ...), {}
    assert.same({ 0, "" }, { result.status, result.err })
    for line in result.out:gmatch "[^\n]+" do
      rows[#rows + 1] = cjson.decode(line)
    end
    return rows
  end

  it("writes all findings with the evidence", function()
    local rows, kim = exported(), nil
    assert.equal(4, #rows)
    for _, row in ipairs(rows) do
      kim = row.objectId == KIM and row or kim
    end
    local use = kim.applications[1]
    assert.same({ "Sync", "192.0.2.7", use.requests, 0 }, { use.application,
      use.addresses[1].ipAddress, use.withoutMfa, use.withMfa })
    assert.equal(use.requests, use.addresses[1].operations[1].requests)
  end)

  it("reports that it cannot write", function()
    for _, words in ipairs { "export", "export -o csv", "show", "show -o json" } do
      local result = home:shell(("pcapi history %s >/dev/full"):format(words))
      assert.same({ 1, "" }, { result.status, result.out }, words)
      assert.truthy(result.err:find("cannot write to standard output: No space left", 1, true))
    end
  end)

  it("has the same fields in CSV", function()
    local csv = run("export", "-o", "csv").out
    assert.truthy(csv:find "^tenant,[^\r]+,applications\r\n")
    local _, lines = csv:gsub("\r\n", "")
    assert.equal(5, lines)
    assert.equal(1, #exported("--state", "fixed"))
  end)
end)

describe("the commands of the history", function()
  local own

  before_each(function()
    own = homes.new()
  end)

  after_each(function()
    own:remove()
  end)

  local COMMANDS = { { "history", "show" }, { "history", "export" }, { "history", "check" },
                     { "history", "prune" }, { "history", "backup", "copy" },
                     { "history", "forget", "kim", "--yes" }, { "explain", "kim" } }

  local function expect(status, message, how)
    for _, words in ipairs(COMMANDS) do
      local result = own:run(words)
      local name = table.concat(words, " ")
      assert.same({ status, "" }, { result.status, result.out }, name)
      assert.truthy(result.err:find(message, 1, true), name .. ": " .. result.err)
      assert.is_nil(how and result.err:find(how, 1, true))
    end
  end

  it("ask for watch if there is no history, and make none", function()
    expect(1, "there is no history at " .. recorded.path(own) .. "; run pcapi watch first", "bug")
    assert.is_false(files.exists(recorded.path(own)))
  end)

  it("name a file that is no history", function()
    own:write(".local/state/pcapi/history/history.sqlite", ("no database "):rep(1000))
    os.execute("chmod -R go= " .. own.path .. "/.local")
    expect(1, "is not an SQLite database (code foreign). Move it away, or set [history] path (or "
      .. "PCAPI_HISTORY)")
  end)

  it("name a history of a newer pcapi", function()
    recorded.open(own):close()
    local sqlite = require "pcapi.sqlite"
    local db = assert(sqlite.open(recorded.path(own), { create = true, busy_timeout = 1,
      application_id = require("pcapi.history.tables").APPLICATION_ID }))
    assert(db:transaction(function()
      db:run "PRAGMA user_version = 99"
      return true
    end))
    db:close()
    expect(1, "the history has the format 99, made by a newer pcapi")
  end)

  it("name a history that is damaged", function()
    recorded.open(own):close()
    local path = recorded.path(own)
    local bytes = files.slurp(path)
    local file = assert(io.open(path, "r+b"))
    file:seek("set", 100)
    file:write(("\255"):rep(#bytes - 100))
    file:close()
    expect(1, "is damaged (code corrupt). Restore a backup")
  end)

  it("refuse settings that are wrong", function()
    own:write_config "[history]\nkeep_requests = 1\n"
    expect(1, "keep_requests")
  end)
end)
