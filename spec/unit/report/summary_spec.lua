local lists = require "pcapi.service.list"
local security = require "pcapi.service.resources.security"
local summary = require "pcapi.report.summary"

local function list_of(times, facts)
  local records = {}
  for i, time in ipairs(times) do
    records[i] = { lastNonMfaCompliantLoginDateTime = time }
  end
  facts = facts or {}
  facts.resource = security.non_mfa_principals
  return lists.new(records, facts)
end

describe("the summary of a list", function()
  it("has its count and what limits it", function()
    assert.same({ count = 2, total_count = 5, truncated = true, unreadable = 1, as_of = 1700000000,
                  covered_since = 1699395200 },
      summary.of(list_of({ "x", "y" }, { total_count = 5, truncated = true, unreadable = 1,
                                         date = 1700000000, covered_since = 1699395200 })))
  end)

  it("of a list that says nothing more has its count", function()
    assert.same({ count = 1, truncated = false, unreadable = 0 }, summary.of(list_of { "x" }))
  end)

  it("of an empty table counts nothing", function()
    assert.same({ count = 0, truncated = false, unreadable = 0 }, summary.of {})
  end)
end)

describe("the period of a list", function()
  it("is from its oldest record to its newest, whatever their order", function()
    assert.same({ oldest = 1706944089, newest = 1706947689, without_time = 0 },
      summary.period(list_of { "2024-02-03T07:38:09Z", "2024-02-03T08:08:09Z",
                               "2024-02-03T07:08:09Z" }))
  end)

  it("counts records whose time is missing or unreadable", function()
    assert.same({ oldest = 1706944089, newest = 1706944089, without_time = 3 },
      summary.period(list_of { "2024-02-03T07:08:09Z", "0001-01-01T00:00:00", false, "\255" }))
  end)

  it("of a list without times is unknown", function()
    assert.same({ without_time = 1 }, summary.period(list_of { "never" }))
    assert.same({ without_time = 0 }, summary.period(list_of {}))
  end)

  it("of plain records takes their time from a function", function()
    assert.same({ oldest = 3, newest = 7, without_time = 1 },
      summary.period({ { at = 7 }, {}, { at = 3 } }, function(record) return record.at end))
  end)
end)
