local files = require "spec.support.files"
local folder = require "spec.support.folder"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"
local private_folder = require "spec.support.private_folder"
local raises = require "spec.support.raises"
local tables = require "pcapi.history.tables"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local HOUR, DAY = 3600, 86400
local TENANT = "5f0b3c1e-0000-4000-8000-0000000000AA"
local OTHER = "5f0b3c1e-0000-4000-8000-0000000000ab"
local KIM, LEE = "5f0b3c1e-0000-4000-8000-000000000001", "5f0b3c1e-0000-4000-8000-000000000002"
local SYNC = "5f0b3c1e-0000-4000-8000-0000000000b1"

local opened

before_each(function()
  private_folder.new()
  opened = assert(history.open(private_folder.path "history.sqlite"))
end)

after_each(function()
  opened:close()
  folder.remove()
end)

local function observe(at, users, fields)
  local options = {
    tenant = TENANT, now = at, users = lists.users(at, users),
    requests = lists.requests(at, {
      { id = KIM, user = KIM, at = NOW - HOUR, application = SYNC, mfa = false,
        ip = "192.0.2.7", operation = "Get /v{version}/customers" },
    }),
    adoption = lists.adoption(at, { { day = "2026-11-28", application = SYNC, total = 1,
                                      with_mfa = 0, name = "Billing Sync" } }),
  }
  for name, value in pairs(fields or {}) do
    options[name] = value
  end
  return opened:observe(options)
end

local KIM_TODAY = { id = KIM, upn = "kim@x.example", at = NOW - HOUR }
local LEE_TODAY = { id = LEE, upn = "lee@x.example", at = NOW - HOUR }

local function kinds(plans)
  local found = {}
  for _, plan in ipairs(plans) do
    for _, event in ipairs(plan.fresh) do
      found[#found + 1] = event.kind
    end
  end
  return found
end

describe("a history", function()
  it("observes, tells what changed once, and lists findings", function()
    assert(observe(NOW - DAY, {}))
    assert(opened:changes { now = NOW })
    assert(observe(NOW, { KIM_TODAY }))
    assert.same({ "new" }, kinds(assert(opened:changes { now = NOW })))
    assert.same({}, kinds(assert(opened:changes { now = NOW })))
    local found = assert(opened:findings())
    assert.equal(1, #found)
    assert.equal(TENANT:lower(), found[1].tenant.id)
    assert.equal("kim@x.example", found[1].person.upn)
    assert.equal("open", found[1].person.finding.state)
  end)

  it("tells again what could not be written", function()
    assert(observe(NOW, { KIM_TODAY }))
    assert.same({ "baseline" }, kinds(assert(opened:changes { now = NOW })))
    assert(observe(NOW + 1, { KIM_TODAY, LEE_TODAY }))
    local plans, err = opened:changes { now = NOW, write = function() return nil, "closed" end }
    assert.is_nil(plans)
    assert.equal("closed", err)
    plans = assert(opened:changes { now = NOW })
    assert.same({}, kinds(plans))
    assert.equal("new", plans[1].repeated[1].kind)
  end)

  it("tells a reader that begins later what is open", function()
    assert(observe(NOW, { KIM_TODAY }))
    assert(opened:changes { now = NOW })
    local plans = assert(opened:changes { reader = "admin", now = NOW })
    assert.same({}, kinds(plans))
    assert.equal("kim@x.example", plans[1].reminders[1].upn)
    assert.is_true(assert(opened:changes { reader = "admin", now = NOW })[1].is_empty)
  end)

  it("selects findings by state, tenant, user and time", function()
    assert(observe(NOW, { KIM_TODAY, LEE_TODAY }))
    assert(observe(NOW + HOUR, { KIM_TODAY }))
    assert(observe(NOW, { LEE_TODAY }, { tenant = OTHER }))
    local function count(options)
      return #assert(opened:findings(options))
    end
    assert.equal(2, count())
    assert.equal(1, count { tenant = TENANT })
    assert.equal(1, count { states = { "lost" } })
    assert.equal(2, count { states = { "lost", "open" }, user = "LEE@x.example" })
    assert.equal(3, count { states = { "lost", "open" }, user = "*@x.example" })
    assert.equal(1, count { user = KIM:upper() })
    assert.equal(0, count { user = "kim@*", since = NOW })
    assert.equal(1, count { user = "k.m@x.example*" } + count { user = "k*m@x.example" })
    assert.equal(0, count { tenant = KIM })
  end)

  it("explains a user", function()
    assert(observe(NOW, { KIM_TODAY }))
    local found = assert(opened:explain("kim@x.example"))
    assert.equal(1, #found)
    local use = found[1].applications[1]
    assert.same({ SYNC, 1, "192.0.2.7", "Get /v{version}/customers" }, { use.application, use.count,
      use.addresses[1].ip, use.addresses[1].operations[1].operation })
    assert.equal("application", found[1].classes[1].class)
    assert.equal("Billing Sync", found[1].classes[1].name)
    assert.equal("Find out who runs Billing Sync, and sign in there with MFA", found[1].step)
    assert.equal(1, #found[1].findings)
    found = assert(opened:explain("kim@x.example", { own = { [SYNC] = true },
                                                     names = { [SYNC] = "Mine" } }))
    assert.equal("Renew the token of Mine by a sign-in with MFA", found[1].step)
    assert.same({}, assert(opened:explain("nobody@x.example")))
  end)

  it("passes findings one by one, with the evidence of each", function()
    assert(observe(NOW, { KIM_TODAY, LEE_TODAY }))
    assert(observe(NOW + 9 * DAY, {}, { requests = lists.requests(NOW + 9 * DAY, {}) }))
    local again = NOW + 20 * DAY
    assert(observe(again, { { id = KIM, upn = "kim@x.example", at = again - HOUR } },
      { requests = lists.requests(again, { { id = LEE, user = KIM, at = again - HOUR,
                                             application = SYNC, mfa = false } }) }))
    local found = {}
    local function note(entry)
      local use = entry.applications[1]
      found[#found + 1] = { entry.person.upn, entry.finding.episode, entry.finding.state,
                            use and use.last or false }
    end
    assert.equal(1, assert(opened:each_finding({}, note)))
    assert.same({ { "kim@x.example", 2, "open", again - HOUR } }, found)
    found = {}
    assert.equal(3, assert(opened:each_finding({ is_all = true, states = { "open", "quiet" } },
      note)))
    assert.same({ { "kim@x.example", 1, "quiet", NOW - HOUR },
                  { "kim@x.example", 2, "open", again - HOUR },
                  { "lee@x.example", 1, "quiet", false } }, found)
    local stop = {}
    assert.same({ false, stop }, { pcall(opened.each_finding, opened, {}, function()
      error(stop, 0)
    end) })
    assert.equal(1, #assert(opened:findings()))
  end)

  it("finds users, and all that is stored of one", function()
    assert(observe(NOW - DAY, {}))
    assert(observe(NOW, { KIM_TODAY, LEE_TODAY }))
    assert.equal(2, #assert(opened:users "*@X.example"))
    assert.equal(0, #assert(opened:users("*", { tenant = OTHER })))
    local kinds_of = {}
    assert.equal(1, assert(opened:each_fact(KIM, {}, function(kind, fact)
      kinds_of[kind] = fact
    end)))
    assert.same({ KIM, "open", "192.0.2.7", "new" }, { kinds_of.user.id, kinds_of.finding.state,
      kinds_of.request.ip, kinds_of.event.kind })
  end)

  it("says how far the requests reach", function()
    assert(observe(NOW, { KIM_TODAY }))
    local reach = assert(opened:reach(TENANT:lower()))
    assert.same({ NOW, 1, 0 }, { reach.to, reach.share, #reach.gaps })
    local late = NOW + 20 * DAY
    assert(observe(late, {}, { requests = lists.requests(late, {}) }))
    reach = assert(opened:reach(TENANT:lower()))
    assert.same({ { from = NOW, to = late - 6 * DAY, is_cut = false } }, reach.gaps)
  end)

  it("says what it holds", function()
    assert(observe(NOW, { KIM_TODAY }))
    assert.same({ 1, tables.VERSION },
      { assert(opened:facts()).counts.people, opened:facts().format })
    assert.equal(NOW, assert(opened:tenants())[1].at)
  end)

  it("deletes what is over when it is told to", function()
    assert(observe(NOW, { KIM_TODAY }))
    local deleted = assert(opened:prune { now = NOW + 50 * DAY, retention = { keep_requests = 9 } })
    assert.same({ 1, 0 }, { deleted.requests, deleted.findings })
    local ok, err = opened:prune { retention = { keep_requests = 1 } }
    assert.is_nil(ok)
    assert.equal("config", err.kind)
  end)

  it("forgets a user in all files", function()
    assert(observe(NOW, { KIM_TODAY, LEE_TODAY }))
    assert(opened:changes { now = NOW })
    assert(observe(NOW, { KIM_TODAY }, { tenant = OTHER }))
    local erased = assert(opened:forget(KIM, { tenant = TENANT }))
    assert.equal("192.0.2.7", erased[1].applications[1].addresses[1].ip)
    assert.equal(1, #assert(opened:forget "kim@x.example"))
    assert.same({}, assert(opened:explain(KIM)))
    assert.equal(1, #assert(opened:findings()))
    for _, name in ipairs(files.lines_of("ls -A " .. private_folder.path "")) do
      local bytes = files.slurp(private_folder.path(name))
      assert.is_nil(bytes:find("kim@x", 1, true), name)
      assert.is_nil(bytes:find(KIM, 1, true), name)
    end
    raises(function() opened:forget "*@x.example" end, "forget takes one user, not a pattern")
  end)

  it("deletes what is over with each run", function()
    assert(observe(NOW - 9 * DAY, {}, { requests = lists.requests(NOW - 9 * DAY, {
      { id = LEE, at = NOW - 9 * DAY, application = SYNC } }) }))
    local summary = assert(observe(NOW, {}, { retention = { keep_requests = 8 } }))
    assert.equal(1, summary.deleted.requests)
  end)

  it("is copied and checked", function()
    assert(observe(NOW, { KIM_TODAY }))
    assert.is_true(opened:check())
    assert.is_true(opened:backup(private_folder.path "copy"))
    local copy = assert(history.open(private_folder.path "copy", { create = false }))
    assert.equal(1, #assert(copy:findings()))
    copy:close()
    local ok, err = opened:backup(private_folder.path "copy")
    assert.is_nil(ok)
    assert.equal("store", err.kind)
  end)

  it("returns an error if its file is gone", function()
    assert(observe(NOW, { KIM_TODAY }))
    private_folder.sh("rm '%s'", private_folder.path "history.sqlite")
    for name, user in pairs { changes = false, findings = false, forget = KIM, explain = KIM } do
      local found, err = opened[name](opened, user or nil)
      assert.is_nil(found, name)
      assert.equal("store", err.kind)
    end
    local found, err = observe(NOW + 1, {})
    assert.is_nil(found)
    assert.equal("store", err.kind)
  end)

  it("refuses a tenant that is no GUID, and a period that is too short", function()
    local summary, err = observe(NOW, {}, { tenant = "fabrikam.onmicrosoft.com" })
    assert.is_nil(summary)
    assert.equal("config", err.kind)
    assert.truthy(err.message:find "GUID")
    summary, err = observe(NOW, {}, { retention = { keep_requests = 1 } })
    assert.is_nil(summary)
    assert.truthy(err.message:find "keep_requests must be a whole number of days")
  end)

  it("raises an error for an option that it does not know", function()
    raises(function() opened:changes { readers = "x" } end,
      'changes has no option "readers"; did you mean "reader"?')
  end)

  it("cannot be opened in a folder that does not exist", function()
    local found, err = history.open(private_folder.path "missing/history.sqlite",
      { create = false })
    assert.is_nil(found)
    assert.equal("store", err.kind)
  end)
end)
