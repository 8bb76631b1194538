local results = require "pcapi.cli.results"
local errors = require "pcapi.error"
local list = require "pcapi.service.list"
local security = require "pcapi.service.resources.security"

local function clock()
  return 0
end

-- The result of a tenant with users who signed in without MFA at these times.
local function users(name, times, facts)
  local records = {}
  for i, time in ipairs(times) do
    records[i] = { upn = ("%s-%d"):format(tostring(name), i),
                   lastNonMfaCompliantLoginDateTime = time }
  end
  facts = facts or {}
  facts.resource, facts.clock = security.non_mfa_principals, clock
  facts.total_count = facts.total_count or #times
  return { name = name, value = list.new(records, facts) }
end

local function failed(name, kind)
  return { name = name, err = errors.new { kind = kind, message = "failed" } }
end

describe("the results of several tenants", function()
  it("become one list with the tenant as the first column", function()
    local merged = results.merge { users("a", { "2024-02-03T00:00:00" }), failed("b", "network"),
                                   users("c", { "2024-02-05T00:00:00", "2024-02-02T00:00:00" }) }
    assert.equal(3, #merged)
    assert.equal("tenant", merged.columns[1])
    assert.equal("upn", merged.columns[2])
    assert.is_true(merged:has_field "tenant")
    local order = {}
    for i, record in ipairs(merged:newest_first()) do
      order[i] = record.tenant .. " " .. record.upn
    end
    assert.same({ "c c-1", "a a-1", "c c-2" }, order)
  end)

  it("do not change the columns of the tenants' own lists", function()
    local one = users("a", {})
    results.merge { one }
    assert.equal("upn", one.value.columns[1])
    assert.equal("upn", security.non_mfa_principals.description.columns[1])
  end)

  it("add up the numbers of records", function()
    assert.equal(12, results.merge({ users("a", { "x" }, { total_count = 5 }),
                                     users("b", {}, { total_count = 7 }) }).total_count)
  end)

  it("add up the numbers of elements that are not records", function()
    local merged = results.merge { users("a", { "x" }, { unreadable = 1 }), failed("b", "tls"),
                                   users("c", {}, { unreadable = 2 }), users("d", {}) }
    assert.equal(3, merged.unreadable)
  end)

  it("keep their facts and the number of their records once these are written", function()
    local one = users("a", { "x", "y" }, { total_count = 5, unreadable = 1, truncated = true })
    local facts = results.written(one.value)
    assert.same({ 0, 2, 2 }, { #facts, results.size(facts), results.size(one.value) })
    assert.same({ 5, 1, true }, { facts.total_count, facts.unreadable, facts.truncated })
    assert.equal(5, results.merge({ { name = "a", value = facts } }).total_count)
    local all = { { name = "a", value = facts },
                  { name = "b", value = results.written(users("b", {}).value) } }
    assert.equal("2 users, in 1 of 2 tenants.", results.with_tenants(all, "2 users."))
  end)

  it("get the name of their tenant into each record", function()
    local found = users("a", { "x", "y" }).value
    assert.equal(found, results.label(found, "a"))
    assert.same({ "a", "a" }, { found[1].tenant, found[2].tenant })
  end)

  it("are no list if all tenants failed", function()
    assert.is_nil(results.merge { failed("a", "network") })
  end)

  it("have a first column in a view", function()
    local view = results.view { columns = { "upn" }, titles = { upn = "USER" }, none = "None." }
    assert.same({ "tenant", "upn" }, view.columns)
    assert.same({ tenant = "TENANT", upn = "USER" }, view.titles)
    assert.same({ { "tenant", 12 } }, view.narrow)
    assert.equal("None.", view.none)
  end)

  it("are summarised with the number of tenants", function()
    local some, none = users("a", { "x", "y" }), users("b", {})
    assert.equal("2 users, in 1 of 2 tenants.", results.with_tenants({ some, none }, "2 users."))
    assert.equal("2 users, in 1 tenant.",
      results.with_tenants({ some, failed("c", "tls") }, "2 users."))
    assert.equal("No user, in 2 tenants.", results.with_tenants({ none, none }, "No user."))
  end)
end)

describe("the report on standard error", function()
  local exit = require "pcapi.cli.exit"
  local DAY = 86400

  local function reported(all, partial)
    local lines, say = {}, exit.say
    exit.say = function(line) lines[#lines + 1] = line end
    results.report(all, partial)
    exit.say = say
    return table.concat(lines, "\n")
  end

  local function said(...)
    return reported { ... }
  end

  it("names the tenant whose records were being written at Ctrl-C", function()
    local text = "b: interrupted while writing; some of its records may be missing\n"
    assert.equal(text .. "interrupted; the output does not include 1 of 2 tenants",
      reported({ users("a", { "x" }), failed("b", "stopped") }, "b"))
    assert.equal(text .. "interrupted; the output is incomplete",
      reported({ failed("a", "stopped"), failed("b", "stopped") }, "b"))
    assert.equal("interrupted; nothing was written",
      reported { failed("a", "stopped"), failed("b", "stopped") })
  end)

  it("counts the elements that are not records", function()
    assert.equal("a: 2 elements of the response are not records; they were left out\n"
      .. "1 element of the response is not a record; it was left out",
      said(users("a", { "x" }, { unreadable = 2 }), users(nil, { "x" }, { unreadable = 1 }),
        users("c", { "x" }, { unreadable = 0 }), users("d", { "x" })))
  end)

  it("mentions a wrong clock once, with the largest difference", function()
    local text = said(users("a", {}, { clock_offset = -400 }),
      users("b", {}, { clock_offset = 10 }), users("c", {}, { clock_offset = 7200 }),
      failed("d", "tls"))
    assert.matches("clock is 120 minutes behind the service's", text, 1, true)
    assert.equal(1, select(2, text:gsub("clock is", "")))
    text = said(users("a", {}, { clock_offset = -400 }))
    assert.matches("7 minutes ahead of the service's", text)
    text = said(users("a", {}, { clock_offset = -56 * 365 * DAY }))
    assert.matches("20440 days ahead of the service's", text)
  end)

  it("does not mention clocks that differ little or are unknown", function()
    assert.equal("", said(users("a", {}, { clock_offset = -300 }), users("b", {})))
  end)

  it("mentions once that --since goes back further than the service covers", function()
    local text = said(users("a", {}, { covered_since = 7 * DAY }),
      users("b", {}, { covered_since = 7 * DAY }))
    assert.matches("7 days: records before 1970-01-08T00:00:00Z are missing", text, 1, true)
    assert.equal(1, select(2, text:gsub("covers", "")))
  end)

  it("counts the records without a readable time for each tenant", function()
    local text = said(users("a", { "x", "x" }, { without_time = 2 }), users("b", { "x" },
      { without_time = 1 }), users("c", {}, { without_time = 0 }))
    assert.equal("a: 2 records have no readable time; listed regardless of --since\n"
      .. "b: 1 record has no readable time; listed regardless of --since", text)
  end)
end)

describe("the exit status", function()
  local fine = users("a", {})

  for name, case in pairs {
    ["0 if all tenants succeed"] = { 0, fine, fine },
    ["3 if some tenants fail"] = { 3, fine, failed("b", "network"), failed("c", "throttled") },
    ["that of the failures if all tenants fail alike"] = {
      5, failed("a", "throttled"), failed("b", "throttled"),
    },
    ["that of the failures if their kinds have the same status"] = {
      4, failed("a", "forbidden"), failed("b", "mfa_required"),
    },
    ["1 if all tenants fail with different statuses"] = {
      1, failed("a", "throttled"), failed("b", "network"),
    },
    ["130 if the run is stopped before all tenants are done"] = {
      130, fine, failed("b", "tls"), failed("c", "stopped"),
    },
    ["1 for a bug in pcapi"] = { 1, { name = "a", err = "x.lua:1: nil" } },
    ["3 for a bug that concerns one of several tenants"] = {
      3, fine, { name = "b", err = "x.lua:1: nil" },
    },
  } do
    it("is " .. name, function()
      assert.equal(table.remove(case, 1), results.status(case))
    end)
  end
end)
