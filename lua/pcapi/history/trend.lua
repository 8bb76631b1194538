--- Counts findings per day, for a chart. Pure; times are UTC epoch seconds, days are UTC.
-- @module pcapi.history.trend
local time = require "pcapi.time"

local M = {}

local DAY = 24 * 60 * 60

--- The number of days of a trend, with today.
M.DAYS = 90

local CLOSED_AS = { fixed = "fixed", quiet = "gone", lost = "gone" }

--- When the first day begins.
-- @tparam number now
-- @treturn number
function M.start(now)
  return now - now % DAY - (M.DAYS - 1) * DAY
end

local function zeros(count)
  local array = {}
  for i = 1, count do
    array[i] = 0
  end
  return array
end

-- Adds an episode to the counts. `open` counts changes until it is added up.
local function add(trend, first, count, episode)
  local opened = math.floor((episode.opened - first) / DAY) + 1
  local closed = episode.closed and math.floor((episode.closed - first) / DAY) + 1
  if opened > count or closed and closed < 1 then
    return
  end
  local from = math.max(opened, 1)
  trend.open[from] = trend.open[from] + 1
  if opened >= 1 then
    trend.opened[opened] = trend.opened[opened] + 1
  end
  if closed and closed <= count then
    local group = trend[CLOSED_AS[episode.state]]
    trend.open[closed], group[closed] = trend.open[closed] - 1, group[closed] + 1
  end
end

--- Counts.
-- @tparam table episodes array of `opened`, `closed` (nil: open) and `state`, as the store gives
-- them from @{start} on
-- @tparam number since when the tenant was asked first
-- @tparam number now
-- @treturn table `from` (the first day, such as 2026-08-31), and arrays with one number for each
-- day from then to today: `open` (open and healing at the end of the day), and how many became
-- `opened`, `fixed`, and `gone` (quiet or lost)
function M.of(episodes, since, now)
  local first = math.max(M.start(now), since - since % DAY)
  local count = math.max(1, math.floor((now - first) / DAY) + 1)
  local trend = { from = time.format_date(first), open = zeros(count), opened = zeros(count),
                  fixed = zeros(count), gone = zeros(count) }
  for _, episode in ipairs(episodes) do
    add(trend, first, count, episode)
  end
  for i = 2, count do
    trend.open[i] = trend.open[i] + trend.open[i - 1]
  end
  return trend
end

--- Adds up the trends of tenants. All of them end on the same day.
-- @tparam table tenants array of tables with `trend`, as of @{of}, or nil
-- @treturn ?table as of @{of}; nil if there is none
function M.sum(tenants)
  local longest
  for _, tenant in ipairs(tenants) do
    local each = tenant.trend
    longest = each and (not longest or #each.open > #longest.open) and each or longest
  end
  if not longest then
    return nil
  end
  local sum, count = { from = longest.from }, #longest.open
  for _, name in ipairs { "open", "opened", "fixed", "gone" } do
    sum[name] = zeros(count)
    for _, tenant in ipairs(tenants) do
      local values = tenant.trend and tenant.trend[name] or {}
      for i = 1, #values do
        local at = count - #values + i
        sum[name][at] = sum[name][at] + values[i]
      end
    end
  end
  return sum
end

return M
