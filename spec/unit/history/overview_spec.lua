local core = require "pcapi.core"
local history = require "pcapi.history"
local overview = require "pcapi.history.overview"
local private_folder = require "spec.support.private_folder"
local reports = require "spec.support.report_history"
local explanation = require "pcapi.history.explanation"
local folder = require "spec.support.folder"

local NOW, DAY = reports.NOW, 86400

local opened, facts, fabrikam, contoso

-- Reads one of the histories, which is made once: none of the specs changes it.
local function read(options, name)
  options = options or {}
  options.now = NOW
  return assert(overview.of(opened[name or "full"], options))
end

setup(function()
  private_folder.new()
  opened = {}
  for _, name in ipairs { "full", "hostile" } do
    reports[name](private_folder.path(name .. ".sqlite"))
    opened[name] = assert(history.open(private_folder.path(name .. ".sqlite")))
  end
end)

teardown(function()
  for _, each in pairs(opened) do
    each:close()
  end
  folder.remove()
end)

-- The people of a tenant, by the part of their names before the @ or the first other character.
local function by_name(people)
  local found = {}
  for _, person in ipairs(people) do
    found[person.user:match "^%w+"] = person
  end
  return found
end

describe("an overview", function()
  setup(function()
    facts = read { from = NOW - 60 * DAY, to = NOW }
    fabrikam, contoso = facts.tenants[1], facts.tenants[2]
  end)

  it("has the people of each tenant, with what became of them and the next step", function()
    local people = by_name(fabrikam.people)
    assert.same({ "open", "healing", "fixed", "quiet" }, { people.kim.state, people.noa.state,
      people.lee.state, people.max.state })
    assert.same({ "Billing Sync", "program", reports.id(1) },
      { people.kim.application, people.kim.class, people.kim.id })
    assert.equal("Renew the token of Billing Sync by a sign-in with MFA", people.kim.step)
    assert.same({ who = "sam*", ends = "2027-01-31", why = "break-glass account, checked monthly" },
      people.sam.exception)
    assert.equal("new", people.new.news)
    assert.equal("kim@fabrikam.example", fabrikam.people[1].user) -- the newest
    assert.is_nil(people.lee.step:find("Renew", 1, true))
  end)

  it("says of each person what explain says", function()
    local own, count = { [reports.id(101)] = true }, 0
    for name, history_of in pairs(opened) do
      local options = { own = own, client_id = reports.id(100) }
      local people, found = {}, read(options, name)
      for _, tenant in ipairs(found.tenants) do
        for _, person in ipairs(tenant.people) do
          people[tenant.id .. person.user] = person
        end
      end
      assert(history_of:each_finding({ own = own, client_id = reports.id(100),
        states = { "open", "healing", "fixed", "quiet", "lost" } }, function(explained)
        local person = people[explained.tenant.id .. (explained.person.upn or explained.person.id)]
        local class = explained.classes[1]
        assert.same({ class.class, class.certainty, explained.step,
                      (explanation.applications(explained)) },
          { person.class, person.certainty, person.step, person.application })
        count = count + 1
      end))
    end
    assert.is_true(count >= 8 + #reports.HOSTILE)
  end)

  it("counts people by state, of each tenant and of all", function()
    assert.same({ 4, 1, 1, 1 }, { fabrikam.counts.open, fabrikam.counts.healing,
      fabrikam.counts.excepted, fabrikam.counts.new })
    assert.equal(5, facts.counts.open)
    assert.equal(fabrikam.counts.oldest, facts.counts.oldest)
    assert.equal(fabrikam.trend.open[#fabrikam.trend.open] + 1, facts.trend.open[#facts.trend.open])
  end)

  it("ranks applications, with the requests that adoption counts", function()
    local sync = fabrikam.fixes[1]
    assert.same({ "Billing Sync", 2, 7 * 5, "Guests: no application" }, { sync.name, sync.users,
      sync.total, fabrikam.fixes[2].class == "guest" and "Guests: no application" })
    assert.equal(2, #fabrikam.fixes) -- what heals needs no step
    assert.is_nil(by_name(fabrikam.people).sam.application:find("Sync", 1, true))
  end)

  it("has the exceptions that hold", function()
    assert.same({ { who = "sam*", ends = "2027-01-31", users = 1,
                    why = "break-glass account, checked monthly" } }, fabrikam.exceptions)
    assert.same({}, contoso.exceptions)
  end)

  it("says what is not known", function()
    assert.same({ users = "whole", requests = "cut", adoption = "whole" }, fabrikam.lists)
    assert.same({ "cut", "coverage" }, { fabrikam.warnings[1].key, fabrikam.warnings[2].key })
    assert.is_true(fabrikam.reach.share < 1)
    assert.same({ kind = "sign_in_required", since = NOW }, contoso.failure)
    assert.same({ NOW - 10 * DAY, NOW - 60 * DAY, true },
      { contoso.at, contoso.since, contoso.is_asked })
  end)

  it("has the evidence of a period: runs, failed days, gaps, ids of requests", function()
    local days = fabrikam.audit.days
    assert.equal(61, #days)
    assert.same({ day = NOW - NOW % DAY, runs = 1, failed = 0, users = "whole", requests = "cut",
                  adoption = "whole" }, days[61])
    assert.same({ 0, 0 }, { days[20].runs, days[20].failed }) -- nobody ran it
    assert.equal(1, #fabrikam.audit.gaps)
    assert.same({ runs = 1, failed = 1, kind = "sign_in_required", day = NOW - NOW % DAY },
      contoso.audit.days[61])
    local noa = by_name(fabrikam.audit.findings).noa
    assert.same({ false, true }, { noa.proofs[1].mfa, noa.proofs[2].mfa })
    assert.same({ "Ordering bot", reports.id(1000 + 2 * 100 + 6), NOW - 2 * DAY - 6 * 3600 },
      { noa.proofs[1].application, noa.proofs[1].request, noa.proofs[1].at })
    local sam = by_name(fabrikam.audit.findings).sam
    assert.equal("break-glass account, checked monthly", sam.exception.why)
  end)

  it("is of the tenants that are named, and the same each time", function()
    local one = read { tenants = { reports.CONTOSO } }
    assert.same({ 1, "contoso" }, { #one.tenants, one.tenants[1].name })
    assert.same(one, read { tenants = { reports.CONTOSO } })
    assert.is_nil(one.tenants[1].audit)
  end)

  it("holds plain data alone", function()
    assert.truthy(core.encode(facts))
  end)
end)

describe("an overview of many people", function()
  it("gives small tenants what they need, and says how many are missing", function()
    facts = read { people = 3 }
    fabrikam, contoso = facts.tenants[1], facts.tenants[2]
    assert.same({ 2, 5, 1, 0 }, { #fabrikam.people, fabrikam.more_people, #contoso.people,
      contoso.more_people })
    assert.equal(4, fabrikam.counts.open)
    assert.equal(2, fabrikam.fixes[1].users)
  end)
end)

describe("an anonymous overview", function()
  it("has no name and no id of a user, a tenant, or an application but Microsoft's", function()
    facts = read { is_anonymous = true, from = NOW - 60 * DAY, to = NOW }
    local text = core.encode(facts)
    for _, name in ipairs { "fabrikam", "contoso", "kim", "ada", "sam", "break-glass", "Billing",
                            "Ordering", "192.0.2", reports.id(1):sub(1, 8) } do
      assert.is_nil(text:find(name, 1, true), name)
    end
    assert.truthy(text:find("Azure CLI", 1, true))
    assert.truthy(text:find("User 1", 1, true))
    assert.equal("Renew the token of Application 1 by a sign-in with MFA",
      facts.tenants[1].people[1].step)
  end)

  it("has none of a hostile tenant either", function()
    facts = read({ is_anonymous = true, from = NOW - 60 * DAY, to = NOW }, "hostile")
    local text = core.encode(facts)
    for _, name in ipairs { "pwned", "example", "long", "bold", "<" } do
      assert.is_nil(text:find(name, 1, true), name)
    end
  end)
end)
