local charts = require "pcapi.report.charts"

local TREND = { from = "2026-11-26", open = { 2, 5, 4 }, opened = { 0, 3, 0 }, fixed = { 0, 0, 1 },
                gone = { 0, 0, 0 } }

describe("a chart of days", function()
  it("has a line of the open, and a bar for each day on which some became open", function()
    local svg = charts.trend("x", TREND, "2026-11-28")
    local _, bars = svg:gsub('class="new"', "")
    assert.equal(1, bars)
    -- three steps of one width, the highest at the top of the axis
    local width, first, second = svg:match
      'class="open" d="M44%.0 [%d.]+h([%d.]+)L[%d.]+ ([%d.]+)h[%d.]+L[%d.]+ ([%d.]+)h'
    assert.equal("222.7", width)
    assert.equal("12.0", first)
    assert.is_true(tonumber(second) > tonumber(first))
    assert.truthy(svg:find(">5</text>", 1, true))
  end)

  it("says its numbers to those who do not see it", function()
    local svg = charts.trend("x", TREND, "2026-11-28")
    assert.truthy(svg:find('role="img" ', 1, true))
    assert.truthy(svg:find('<desc id="x-d">From 2026-11-26 to 2026-11-28: 2 open on the first day, '
      .. "at most 5, 4 on the last day.</desc>", 1, true), svg)
  end)

  it("can be of one day, and of none that are open", function()
    local one = { from = "2026-11-28", open = { 0 }, opened = { 0 }, fixed = { 0 }, gone = { 0 } }
    assert.truthy(charts.trend("x", one, "2026-11-28"):find("h668.0", 1, true))
  end)
end)

describe("a chart of bars", function()
  it("divides each bar by its two numbers, the widest of all the room", function()
    local svg = charts.bars("x", {
      { name = "Sync", with = 75, total = 100, share = "75 %" },
      { name = "Bot", with = 0, total = 50, share = "0 %" },
    })
    local widths = {}
    for class, width in svg:gmatch 'class="(%l+)" d="[^"]-h([%d.]+)v' do
      widths[#widths + 1] = class .. width
    end
    assert.same({ "good312.0", "bad104.0", "good0.0", "bad208.0" }, widths)
    assert.truthy(svg:find(">75 %</text>", 1, true))
  end)
end)
