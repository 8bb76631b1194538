local trend = require "pcapi.history.trend"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local DAY = 86400

local function last(array, count)
  local found = {}
  for i = #array - count + 1, #array do
    found[#found + 1] = array[i]
  end
  return found
end

describe("a trend", function()
  it("counts what is open at the end of each day, and what changed", function()
    local found = trend.of({
      { opened = NOW - 3 * DAY, state = "open" }, { opened = NOW - 2 * DAY, state = "healing" },
      { opened = NOW - 2 * DAY, closed = NOW - DAY, state = "fixed" },
      { opened = NOW - DAY, closed = NOW - DAY + 60, state = "lost" },
      { opened = NOW - 200 * DAY, closed = NOW, state = "quiet" },
    }, NOW - 200 * DAY, NOW)
    assert.equal("2026-08-31", found.from)
    assert.equal(90, #found.open)
    assert.equal(1, found.open[1])
    assert.same({ 1, 2, 4, 3, 2 }, last(found.open, 5))
    assert.same({ 0, 1, 2, 1, 0 }, last(found.opened, 5))
    assert.same({ 0, 0, 0, 1, 0 }, last(found.fixed, 5))
    assert.same({ 0, 0, 0, 1, 1 }, last(found.gone, 5))
  end)

  it("begins when the tenant was asked first", function()
    local found = trend.of({ { opened = NOW - DAY, state = "open" } }, NOW - DAY, NOW)
    assert.same({ from = "2026-11-27", open = { 1, 1 }, opened = { 1, 0 }, fixed = { 0, 0 },
                  gone = { 0, 0 } }, found)
  end)

  it("has one day at least, and leaves out what does not fit in", function()
    local found = trend.of({ { opened = NOW + 3 * DAY, state = "open" },
                             { opened = 0, closed = 1, state = "fixed" } }, NOW + 2 * DAY, NOW)
    assert.same({ from = "2026-11-30", open = { 0 }, opened = { 0 }, fixed = { 0 }, gone = { 0 } },
      found)
  end)

  it("of several tenants is their sum, from the first day of the oldest", function()
    local old = trend.of({ { opened = NOW - 2 * DAY, state = "open" } }, NOW - 2 * DAY, NOW)
    local young = trend.of({ { opened = NOW, closed = NOW, state = "fixed" },
                             { opened = NOW, state = "open" } }, NOW, NOW)
    assert.same({ from = "2026-11-26", open = { 1, 1, 2 }, opened = { 1, 0, 2 },
                  fixed = { 0, 0, 1 }, gone = { 0, 0, 0 } },
      trend.sum { { trend = young }, {}, { trend = old } })
    assert.is_nil(trend.sum { {} })
    assert.same({ 1 }, { young.open[1] }) -- unchanged
  end)
end)
