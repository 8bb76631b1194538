local results = require "pcapi.cli.results"
local errors = require "pcapi.error"
local list = require "pcapi.service.list"
local security = require "pcapi.service.resources.security"

local function clock()
  return 0
end

-- What a tenant answers that has users of these times without MFA.
local function users(name, times, facts)
  local records = {}
  for i, time in ipairs(times) do
    records[i] = { upn = ("%s-%d"):format(tostring(name), i),
                   lastNonMfaCompliantLoginDateTime = time }
  end
  facts = facts or {}
  facts.resource, facts.clock = security.non_mfa_principals, clock
  facts.total_count = facts.total_count or #times
  return { name = name, list = list.new(records, facts) }
end

local function failed(name, kind)
  return { name = name, err = errors.new { kind = kind, message = "it is so" } }
end

describe("the answers of several tenants", function()
  it("are one list, whose records tell their tenant before all else", function()
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

  it("leave the list of each as it describes itself", function()
    local one = users("a", {})
    results.merge { one }
    assert.equal("upn", one.list.columns[1])
    assert.equal("upn", security.non_mfa_principals.description.columns[1])
  end)

  it("count what their tenants count", function()
    assert.equal(12, results.merge({ users("a", { "x" }, { total_count = 5 }),
                                     users("b", {}, { total_count = 7 }) }).total_count)
  end)

  it("count what is no record of all", function()
    local merged = results.merge { users("a", { "x" }, { unreadable = 1 }), failed("b", "tls"),
                                   users("c", {}, { unreadable = 2 }), users("d", {}) }
    assert.equal(3, merged.unreadable)
  end)

  it("are no list where nobody answered", function()
    assert.is_nil(results.merge { failed("a", "network") })
  end)

  it("have a first column in a report", function()
    local report = results.report { columns = { "upn" }, titles = { upn = "USER" }, none = "None." }
    assert.same({ "tenant", "upn" }, report.columns)
    assert.same({ tenant = "TENANT", upn = "USER" }, report.titles)
    assert.equal("None.", report.none)
  end)

  it("are told of with the number of tenants", function()
    local some, none = users("a", { "x", "y" }), users("b", {})
    assert.equal("2 users, in 1 of 2 tenants.", results.located({ some, none }, "2 users."))
    assert.equal("2 users, in 1 tenant.", results.located({ some, failed("c", "tls") }, "2 users."))
    assert.equal("No user, in 2 tenants.", results.located({ none, none }, "No user."))
  end)
end)

describe("what is said beside the answers", function()
  local ending = require "pcapi.cli.exit"
  local DAY = 86400

  local function said(...)
    local lines, say = {}, ending.say
    ending.say = function(line) lines[#lines + 1] = line end
    results.tell { ... }
    ending.say = say
    return table.concat(lines, "\n")
  end

  it("tells what was no record", function()
    assert.equal("a: 2 of what the service gave are no record, and are left out\n"
      .. "1 of what the service gave is no record, and is left out",
      said(users("a", { "x" }, { unreadable = 2 }), users(nil, { "x" }, { unreadable = 1 }),
        users("c", { "x" }, { unreadable = 0 }), users("d", { "x" })))
  end)

  it("tells once of a clock that differs, by the answer that differs most", function()
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

  it("tells nothing of clocks that differ little, or of which nothing is known", function()
    assert.equal("", said(users("a", {}, { clock_offset = -300 }), users("b", {})))
  end)

  it("tells once what the service does not cover", function()
    local text = said(users("a", {}, { covered_since = 7 * DAY }),
      users("b", {}, { covered_since = 7 * DAY }))
    assert.matches("7 days: nothing before 1970-01-08T00:00:00Z is listed", text, 1, true)
    assert.equal(1, select(2, text:gsub("covers", "")))
  end)

  it("counts for each tenant what has no time that can be read", function()
    local text = said(users("a", { "x", "x" }, { without_time = 2 }), users("b", { "x" },
      { without_time = 1 }), users("c", {}, { without_time = 0 }))
    assert.equal("a: 2 records have no time that can be read; listed whatever --since says\n"
      .. "b: 1 record has no time that can be read; listed whatever --since says", text)
  end)
end)

describe("a share", function()
  local share = require("pcapi.cli.views").adoption.computed.share

  for _, case in ipairs {
    { 3, 9, "33%" }, { 9, 9, "100%" }, { 999, 1000, "99%" }, { 0, 5, "0%" }, { 0, 0, nil },
    { 1e308, 1, nil }, { math.huge, 5, nil }, { math.huge, math.huge, nil }, { -3, 5, nil },
    { 5, -3, nil }, { "abc", 5, nil }, { 5, nil, nil }, { 1, math.huge, "0%" },
  } do
    it(("of %s in %s is %s"):format(tostring(case[1]), tostring(case[2]), tostring(case[3])),
      function()
        assert.equal(case[3], share { mfaCompliantRequestCount = case[1],
                                      totalRequestCount = case[2] })
      end)
  end
end)

describe("the exit status", function()
  local fine = users("a", {})

  for name, case in pairs {
    ["0 when all answered"] = { 0, { fine, fine } },
    ["3 when some did not"] = { 3, { fine, failed("b", "network"), failed("c", "throttled") } },
    ["that of the failure which all share"] = { 5, { failed("a", "throttled"),
                                                     failed("b", "throttled") } },
    ["the same for kinds that mean the same"] = { 4, { failed("a", "forbidden"),
                                                       failed("b", "mfa_required") } },
    ["1 when all failed, each in a way of its own"] = { 1, { failed("a", "throttled"),
                                                             failed("b", "network") } },
    ["130 when the run was stopped before all was done"] = { 130, { fine, failed("b", "tls"),
                                                                    failed("c", "stopped") } },
    ["1 for a fault of the program"] = { 1, { { name = "a", err = "x.lua:1: nil" } } },
    ["3 for a fault that struck one"] = { 3, { fine, { name = "b", err = "x.lua:1: nil" } } },
  } do
    it("is " .. name, function()
      assert.equal(case[1], results.status(case[2]))
    end)
  end
end)
