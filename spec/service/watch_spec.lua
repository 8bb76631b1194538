--- `pcapi watch`: output, readers, dry runs, exceptions, and its exit status.
local cjson = require("cjson").new()
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local pty = require "spec.support.pty"
local sandbox = require "spec.support.sandbox"
local watched = require "spec.support.watched"

local tell = watched.tell

-- Kim is in the baseline; Lee comes on the 12th.
local STORY = [[
  2026-11-10T09:00:00Z kim@fabrikam.example signs-in
  2026-11-12T09:00:00Z lee@fabrikam.example signs-in]]
local FIRST, SECOND = "2026-11-11T06:00:00Z", "2026-11-13T06:00:00Z"

-- A history with the baseline of the story.
local function begun(story, options)
  local home = tell(story or STORY, options)
  local result = home:run(FIRST)
  assert(result.status == 0, result.err)
  return home
end

describe("the output of pcapi watch", function()
  teardown(folder.remove)

  it("is a table for people: user, what happened, since, application, next step", function()
    local result = begun():run(SECOND)
    assert.same({ 0, "" }, { result.status, result.err })
    assert.equal("USER                  WHAT HAPPENED  SINCE (UTC)       APPLICATION            "
      .. "NEXT STEP\nlee@fabrikam.example  new            2026-11-12 09:00  Partner Center "
      .. "portal  Require MFA for all cloud apps, then sign in anew\n", result.out)
  end)

  it("is nothing at all if nothing changed, in every format but json", function()
    local home = begun()
    for _, format in ipairs { "table", "jsonl", "csv" } do
      local result = home:run(FIRST, { "-o", format })
      assert.same({ 0, "", "" }, { result.status, result.out, result.err })
    end
    local result = home:run(FIRST, { "-o", "json" })
    local document = cjson.decode(result.out)
    assert.same({ {}, {} }, { document.changes, document.repeated })
    assert.same({ 1, "2026-11-11T06:00:00Z" }, { document.tenants[1].open,
                                                 document.tenants[1].at })
  end)

  it("is one line for each change in jsonl and csv, with a header in csv", function()
    local home = begun()
    local rows = home:rows(SECOND, { "--reader", "other", "--dry-run" })
    assert.equal(2, #rows) -- a new reader is told who is open
    assert.same({ "new", "lee@fabrikam.example", "open", "2026-11-12T09:00:00Z", false, 1 },
      { rows[1].event, rows[1].upn, rows[1].state, rows[1].since, rows[1].repeated,
        rows[1].episode })
    local lines = {}
    for line in home:run(SECOND, { "-o", "csv" }).out:gmatch "[^\r\n]+" do
      lines[#lines + 1] = line
    end
    assert.equal(2, #lines)
    assert.truthy(lines[1]:find "^tenant,event,upn,since,application,nextStep,repeated,state,at,")
    assert.truthy(lines[2]:find(",new,lee@fabrikam.example,2026-11-12T09:00:00Z,", 1, true))
  end)

  it("names applications as adoption does, or the user's own file", function()
    local home = begun([[
      2026-11-12 svc@fabrikam.example requests app=Billing; every=1h; count=5]])
    local rows = home:rows(SECOND)
    assert.equal("Billing", rows[1].application)
    assert.equal("Find out who runs Billing, and sign in there with MFA", rows[1].nextStep)
    home = tell([[
      2026-11-10 kim@fabrikam.example signs-in
      2026-11-12 svc@fabrikam.example requests app=5f0b3c1e-0000-4000-8000-0000000000bb; count=2; ]]
      .. "every=1h", { config = "applications = a.csv" })
    home:write("a.csv", "AppId,AppDisplayName\n5f0b3c1e-0000-4000-8000-0000000000bb,Our Sync\n")
    home:run(FIRST)
    assert.equal("Our Sync", home:rows(SECOND)[1].application)
  end)

  it("shows user, what happened and since when whole on a terminal of 80 columns", function()
    local home = begun():at(SECOND)
    local screen = pty.run("stty cols 80; " .. sandbox.command_line({ "watch" },
      home:environment())).screen:gsub("\27%[%d+m", "")
    assert.truthy(screen:find "USER .* SINCE %(UTC%) +NEXT STEP", screen)
    assert.truthy(screen:find("lee@fabrikam.example  new +2026%-11%-12 09:00  Require MFA for"),
      screen)
  end)

  it("has no progress of the terminal, nor a summary", function()
    local home = begun()
    local words = sandbox.command_line({ "watch" }, home:environment())
    local result = sandbox.shell(words .. " 2>&1 | cat")
    assert.is_nil(result.out:gsub("pcapi: this machine's clock[^\n]*\n", ""):find "%S")
  end)
end)

describe("Ctrl-C during pcapi watch", function()
  teardown(folder.remove)

  it("ends it with 130, and the next run reports what was stored", function()
    local home = begun(STORY .. "\n2026-11-13 service sends delay=20; only=adoption; "
      .. "until=2026-11-14")
    local line = sandbox.command_line({ "watch" }, home:at(SECOND):environment())
    local result = sandbox.shell("timeout --foreground --preserve-status -s INT 1.5 " .. line)
    assert.same({ 130, "" }, { result.status, result.out })
    assert.truthy(result.err:find("^pcapi: interrupted; the next run reports what was stored\n$"),
      result.err)
    assert.same({ "new lee" }, home:events "2026-11-14T06:00:00Z")
  end)
end)

describe("a reader of pcapi watch", function()
  teardown(folder.remove)

  it("is told each change once", function()
    local home = begun()
    assert.same({ "new lee" }, home:events(SECOND))
    assert.same({}, home:events(SECOND))
    assert.same({}, home:events "2026-11-13T07:00:00Z")
  end)

  it("uses up nothing of another one", function()
    local home = begun()
    assert.same({ "new lee", "open kim" }, home:events(SECOND, { "--reader", "admin" }))
    assert.same({}, home:events(SECOND, { "--reader", "admin" }))
    assert.same({ "new lee" }, home:events(SECOND))
  end)

  it("gets again, as repeated, what it may have got, and then no more", function()
    local home = begun()
    local line = sandbox.command_line({ "watch" }, sandbox.merged(home:at(SECOND):environment()))
    local failed = sandbox.shell(line .. " >/dev/full")
    assert.equal(1, failed.status)
    assert.truthy(failed.err:find("cannot write to standard output", 1, true), failed.err)
    assert.same({ "new lee*" }, home:events(SECOND, { "--dry-run" }))
    local result = home:run(SECOND)
    assert.truthy(result.out:find("^Repeated, since the run that should have reported it was "
      .. "interrupted:\nUSER +WHAT.*\nlee@"), result.out)
    assert.same({}, home:events(SECOND))
  end)

  it("has a name that can be written everywhere", function()
    local result = begun():run(nil, { "--reader", "a b" })
    assert.equal(2, result.status)
    assert.truthy(result.err:find("--reader may hold letters, digits", 1, true), result.err)
  end)
end)

describe("pcapi watch --dry-run", function()
  teardown(folder.remove)

  it("reports and stores nothing", function()
    local home = begun()
    local before = files.slurp(home.history)
    for _ = 1, 2 do
      assert.same({ "new lee" }, home:events(SECOND, { "--dry-run" }))
      assert.is_true(files.slurp(home.history) == before)
    end
    assert.same({ "new lee" }, home:events(SECOND))
  end)

  it("makes no history where there is none", function()
    local home = tell(STORY)
    assert.same({ "baseline 1" }, home:events(FIRST, { "--dry-run" }))
    assert.is_false(files.exists(home.home .. "/state"))
    assert.same({ "baseline 1" }, home:events(FIRST))
  end)

  it("does not go with --baseline", function()
    local result = begun():run(nil, { "--dry-run", "--baseline" })
    assert.same({ 2, "" }, { result.status, result.out })
  end)
end)

describe("pcapi watch --baseline", function()
  teardown(folder.remove)

  it("counts all as reported, now and later", function()
    local home = tell(STORY)
    for _, now in ipairs { FIRST, SECOND } do
      local result = home:run(now, { "--baseline", "--fail-on", "new" })
      assert.same({ 0, "", "" }, { result.status, result.out, result.err })
      assert.same({}, home:events(now))
    end
  end)
end)

describe("pcapi watch --fail-on", function()
  teardown(folder.remove)

  local function status(home, now, what, ...)
    return home:run(now, { "--fail-on", what, ... }).status
  end

  it("new ends with 10 for who is new or back, once, but not for a baseline", function()
    local home = tell(STORY .. "\n2026-11-21T09:00:00Z kim@fabrikam.example signs-in")
    assert.equal(0, status(home, FIRST, "new"))
    assert.equal(10, status(home, SECOND, "new", "--dry-run"))
    assert.equal(10, status(home, SECOND, "new"))
    assert.equal(0, status(home, SECOND, "new"))
    assert.equal(0, status(home, "2026-11-20T06:00:00Z", "new")) -- both are quiet
    assert.equal(10, status(home, "2026-11-22T06:00:00Z", "new"))
  end)

  it("open ends with 10 as long as a user is open or healing", function()
    local home = tell [[
      2026-11-10 svc@fabrikam.example requests app=Billing; every=1h; until=2026-11-11
      2026-11-12 svc@fabrikam.example requests app=Billing; every=1h; until=2026-12-01; mfa=1]]
    assert.equal(10, status(home, FIRST, "open"))
    assert.equal(10, status(home, SECOND, "open"))
    assert.equal(0, status(home, "2026-11-18T06:00:00Z", "open"))
  end)

  it("does not hide that a list failed", function()
    local home = begun(STORY .. "\n2026-11-13 service sends status=403; only=requests")
    local result = home:run(SECOND, { "--fail-on", "new" })
    assert.equal(4, result.status)
    assert.truthy(result.out:find("lee@", 1, true))
  end)

  it("counts nobody with an exception", function()
    local home = tell(STORY, { config = "exceptions = e.txt" })
    home:write("e.txt", "*@fabrikam.example * 2027-03-01 all of them are known\n")
    assert.equal(0, status(home, FIRST, "open"))
    local result = home:run(SECOND, { "--fail-on", "new" })
    assert.same({ 0, "", "" }, { result.status, result.out, result.err })
  end)
end)

describe("an exception, to pcapi watch,", function()
  teardown(folder.remove)

  it("is one in the baseline, and its end is told", function()
    local home = tell("2026-11-10 kim@fabrikam.example signs-in every=1d; count=40",
      { config = "exceptions = e.txt\nremind = 0" })
    home:write("e.txt", "# who\nkim@fabrikam.example * 2026-12-05 break-glass\n")
    local rows = home:rows "2026-11-11T06:00:00Z"
    assert.same({ 1, 1 }, { rows[1].count, rows[1].exceptedCount })
    assert.equal("", home:run("2026-11-16T06:00:00Z").err)
    local result = home:run "2026-11-21T06:00:00Z"
    assert.same({ "", "pcapi: exceptions: line 2: the exception of kim@fabrikam.example ends on "
      .. "2026-12-05\n" }, { result.out, result.err })
    assert.equal("", home:run("2026-11-22T06:00:00Z").err) -- once a week
    home:write("e.txt", "")
    local found = home:run("2026-11-23T06:00:00Z", { "--fail-on", "new", "-o", "csv" })
    assert.equal(10, found.status)
    assert.truthy(found.out:find(",ended,kim@fabrikam.example,", 1, true), found.out)
  end)

  it("that is wrong is named by file and line, before anything is asked", function()
    local home = tell(STORY, { config = "exceptions = e.txt" })
    local path = home:write("e.txt", "\nkim@fabrikam.example * 2027-01-31\n")
    local result = home:run(FIRST)
    assert.same({ 1, "" }, { result.status, result.out })
    assert.truthy(result.err:find(("exceptions in [history]: %s:2: an exception needs four "
      .. "fields"):format(path), 1, true), result.err)
    os.remove(path)
    result = home:run(FIRST)
    assert.equal(1, result.status)
    assert.truthy(result.err:find("No such file", 1, true), result.err)
    assert.is_false(files.exists(home.history))
  end)

  it("of a upn is none for another user who gets it, which is said", function()
    local home = tell([[
      2026-11-10T09:00:00Z kim@fabrikam.example signs-in
      2026-11-12T09:00:00Z kim@fabrikam.example deleted
      2026-11-12T10:00:00Z kim@fabrikam.example signs-in]], { config = "exceptions = e.txt" })
    home:write("e.txt", "kim@fabrikam.example * 2027-02-01 break-glass\n")
    home:run(FIRST)
    local events, result = home:events(SECOND)
    assert.same({ "new kim" }, events)
    assert.truthy(result.err:find("line 1: kim@fabrikam.example is another user now, who has no "
      .. "exception", 1, true), result.err)
    local stored = files.slurp(home.history)
    assert.is_nil(stored:find("is another user", 1, true)) -- forget could not erase that
    assert.equal("", home:run(SECOND).err)
  end)
end)
