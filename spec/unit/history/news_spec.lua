local folder = require "spec.support.folder"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"
local news = require "pcapi.history.news"
local private_folder = require "spec.support.private_folder"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local HOUR, DAY = 3600, 86400
local TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"
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

local KIM_TODAY = { id = KIM, upn = "kim@x.example", at = NOW - HOUR }
local LEE_TODAY = { id = LEE, upn = "lee@x.example", at = NOW - 2 * HOUR }

-- Kim comes by a program, Lee by the portal.
local function observe(at, users, fields)
  local options = {
    tenant = TENANT, name = "fabrikam", now = at, users = lists.users(at, users),
    requests = lists.requests(at, { { id = KIM, user = KIM, at = NOW - HOUR, application = SYNC,
                                      mfa = false } }),
    adoption = lists.adoption(at, { { day = "2026-11-28", application = SYNC, total = 1,
                                      with_mfa = 0, name = "Billing Sync" } }),
  }
  for name, value in pairs(fields or {}) do
    options[name] = value
  end
  return opened:observe(options)
end

local function rows_of(plans)
  return assert(news.of(opened.store, plans, { client_ids = {} }))
end

describe("the rows of what a reader is told", function()
  it("say who, what, since when, by which application, and the next step", function()
    assert(observe(NOW - DAY, {}))
    assert(opened:changes { now = NOW - DAY })
    assert(observe(NOW, { KIM_TODAY, LEE_TODAY }))
    local rows = rows_of(assert(opened:changes { now = NOW }))
    assert.same({
      tenant = "fabrikam", tenantId = TENANT, event = "new", repeated = false,
      upn = "kim@x.example",
      objectId = KIM, episode = 1, state = "open", at = "2026-11-28T06:00:00Z",
      since = "2026-11-28T05:00:00Z", lastNonMfaCompliantLoginDateTime = "2026-11-28T05:00:00Z",
      application = "Billing Sync", applicationId = SYNC,
      nextStep = "Find out who runs Billing Sync, and sign in there with MFA",
    }, rows[1])
    assert.same({ "Partner Center portal", "lee@x.example" }, { rows[2].application, rows[2].upn })
  end)

  it("have fields with names alone that the columns have", function()
    local is_column = {}
    for _, name in ipairs(news.COLUMNS) do
      is_column[name] = true
    end
    assert(observe(NOW - DAY, { KIM_TODAY }))
    assert(observe(NOW, { KIM_TODAY, LEE_TODAY }))
    local rows = rows_of(assert(opened:changes { now = NOW }))
    assert.same({ "baseline", "new" }, { rows[1].event, rows[2].event })
    for _, row in ipairs(rows) do
      for name in pairs(row) do
        assert.is_true(is_column[name], name)
      end
    end
  end)

  it("name no objectId of a user of whom the upn alone is known", function()
    assert(observe(NOW, {}))
    assert(observe(NOW + 1, { { upn = "lee@x.example", at = NOW } }))
    local rows = rows_of(assert(opened:changes { now = NOW }))
    assert.same({ "lee@x.example" }, { rows[1].upn, rows[1].objectId })
  end)
end)

describe("a preview of a run", function()
  it("gets what would be returned, and stores nothing", function()
    assert(observe(NOW - DAY, {}))
    for _ = 1, 2 do
      local nothing, events = observe(NOW, { KIM_TODAY }, { preview = function(summary)
        return #opened.store:events(summary.tenant, 0)
      end })
      assert.same({ nil, 1 }, { nothing, events })
    end
    assert.same({}, assert(opened:findings()))
  end)
end)

describe("what is told of several tenants", function()
  it("is that of those that are named, with the warnings of each", function()
    assert(observe(NOW, {}))
    assert(observe(NOW, {}, { tenant = OTHER }))
    local plans = assert(opened:changes {
      now = NOW, tenants = { OTHER:upper(), "5f0b3c1e-0000-4000-8000-0000000000ff" },
      warnings = { [TENANT] = { { key = "a" } }, [OTHER] = { { key = "b" } } },
    })
    assert.equal(1, #plans)
    assert.same({ OTHER, { { key = "b" } } }, { plans[1].tenant.id, plans[1].warnings })
    plans = assert(opened:changes { now = NOW + DAY, warnings = { [OTHER] = { { key = "b" } } } })
    assert.same({ {}, {} }, { plans[1].warnings, plans[2].warnings })
  end)
end)

describe("a reader that a run makes", function()
  it("is reminded by the service's clock, not by this machine's", function()
    assert(observe(NOW - 8 * DAY, { { id = KIM, upn = "kim@x.example", at = NOW - 9 * DAY } },
      { now = NOW, readers = { "r" } }))
    opened.store:read(function()
      local tenant = opened.store:tenant(TENANT)
      assert.equal(NOW - 8 * DAY, opened.store:reader(tenant, "r").reminded)
    end)
  end)
end)
