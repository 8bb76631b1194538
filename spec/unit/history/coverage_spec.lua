local coverage = require "pcapi.history.coverage"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local HOUR, DAY = 3600, 86400

local function whole(at, oldest, newest)
  return { state = "whole", at = at, oldest = oldest, newest = newest }
end

local function cut(at, oldest, newest)
  return { state = "cut", at = at, oldest = oldest, newest = newest }
end

describe("what requests cover", function()
  it("begins 6 days before a whole answer, or with its oldest request", function()
    assert.same({ from = NOW - 6 * DAY, to = NOW }, (coverage.extend(nil, whole(NOW))))
    assert.equal(NOW - 6 * DAY, coverage.extend(nil, whole(NOW, NOW - 2 * DAY, NOW)).from)
    assert.equal(NOW - 6.9 * DAY, coverage.extend(nil, whole(NOW, NOW - 6.9 * DAY, NOW)).from)
  end)

  it("begins with the oldest request of a cut answer", function()
    assert.same({ from = NOW - HOUR, to = NOW, newest = NOW - 5 },
      (coverage.extend(nil, cut(NOW, NOW - HOUR, NOW - 5))))
    assert.equal(NOW, coverage.extend(nil, cut(NOW)).from)
  end)

  local BEFORE = { from = NOW - 30 * DAY, to = NOW, newest = NOW - HOUR }

  for name, answer in pairs {
    ["whole answers of two days"] = whole(NOW + DAY, NOW - 5 * DAY, NOW + DAY),
    ["a whole answer without requests"] = whole(NOW + 6 * DAY),
    ["a whole answer after 6 days, if requests overlap"] = whole(NOW + 6.9 * DAY, NOW - HOUR,
      NOW + DAY),
    ["a cut answer that overlaps"] = cut(NOW + DAY, NOW - HOUR, NOW + DAY),
    ["the same answer twice"] = whole(NOW, NOW - HOUR, NOW - HOUR),
  } do
    it("has no gap between " .. name, function()
      local after, gap = coverage.extend(BEFORE, answer)
      assert.is_nil(gap)
      assert.equal(BEFORE.from, after.from)
      assert.equal(answer.at, after.to)
    end)
  end

  it("has a gap before a cut answer that does not overlap", function()
    local after, gap = coverage.extend(BEFORE, cut(NOW + DAY, NOW + 20 * HOUR, NOW + 23 * HOUR))
    assert.same({ from = NOW, to = NOW + 20 * HOUR }, gap)
    assert.same({ from = NOW + 20 * HOUR, to = NOW + DAY, newest = NOW + 23 * HOUR }, after)
  end)

  it("has a gap where requests before the last run were logged later", function()
    local _, gap = coverage.extend(BEFORE, cut(NOW + DAY, NOW - HOUR + 1, NOW + DAY))
    assert.same({ from = NOW - HOUR, to = NOW - HOUR + 1 }, gap)
  end)

  it("has a gap after more than 6 days", function()
    local _, gap = coverage.extend(BEFORE, whole(NOW + 6 * DAY + 1))
    assert.same({ from = NOW, to = NOW + 1 }, gap)
  end)
end)

describe("the time of the next run", function()
  it("is free after a whole answer", function()
    assert.is_nil(coverage.next_run(whole(NOW, NOW - DAY, NOW)))
  end)

  it("is half the period of a cut answer later, and 5 minutes at least", function()
    assert.equal(NOW + 4 * HOUR, coverage.next_run(cut(NOW, NOW - 9 * HOUR, NOW - HOUR)))
    assert.equal(NOW + 300, coverage.next_run(cut(NOW, NOW - 60, NOW)))
    assert.equal(NOW + 300, coverage.next_run(cut(NOW)))
  end)
end)

describe("requests received over the totals of adoption", function()
  it("are compared by day and application, the lowest share first", function()
    local found = coverage.compare {
      { day = NOW - DAY, application = "a", received = 41, total = 100, with_mfa = 30 },
      { day = NOW - DAY, application = "b", received = 7, total = 5, with_mfa = 5 },
      { day = NOW, application = "a", received = 3 },
      { day = NOW, application = "b", received = 0, total = 20, with_mfa = 0 },
    }
    assert.equal(46, found.received)
    assert.equal(125, found.total)
    assert.equal(46 / 125, found.share)
    assert.same({ 0, 0.41, 1 }, { found.rows[1].share, found.rows[2].share, found.rows[3].share })
    assert.same({ day = NOW - DAY, application = "a", received = 41, total = 100, share = 0.41,
                  without_mfa = 70 }, found.rows[2])
    assert.is_nil(found.rows[4].share)
  end)

  it("are unknown without adoption", function()
    assert.is_nil(coverage.compare({}).share)
  end)
end)

describe("a silent application", function()
  local TODAY = NOW - NOW % DAY

  -- Adoption on some days before today.
  local function rows(days)
    local made = {}
    for i, back in ipairs(days) do
      made[i] = { day = TODAY - back * DAY, application = "a", total = 3 }
    end
    return made
  end

  it("had requests on 5 days, and none for longer than 3", function()
    assert.same({ { application = "a", days = 4, last_day = TODAY - 5 * DAY } },
      coverage.silent(rows { 5, 6, 7, 8, 9 }, NOW))
    assert.same({}, coverage.silent(rows { 4, 5, 6, 7, 8 }, NOW))
    assert.same({}, coverage.silent(rows { 5, 6, 7, 8 }, NOW))
  end)

  it("may pause as long as it did before", function()
    assert.same({}, coverage.silent(rows { 6, 7, 8, 13, 14 }, NOW))
    assert.equal(6, coverage.silent(rows { 7, 8, 9, 14, 15 }, NOW)[1].days)
  end)

  it("is not one that had no requests for 28 days, nor one with zeros", function()
    assert.same({}, coverage.silent(rows { 29, 30, 31, 32, 33 }, NOW))
    local zeros = rows { 5, 6, 7, 8, 9 }
    zeros[1].total = 0
    assert.same({}, coverage.silent(zeros, NOW))
  end)

  it("that is silent longest comes first", function()
    local both = rows { 5, 6, 7, 8, 9 }
    for _, row in ipairs(rows { 6, 7, 8, 9, 10 }) do
      row.application, both[#both + 1] = "b", row
    end
    local found = coverage.silent(both, NOW)
    assert.same({ "b", "a" }, { found[1].application, found[2].application })
  end)
end)
