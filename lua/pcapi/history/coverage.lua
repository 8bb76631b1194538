--- Knows what the received requests cover: since when they are complete, where the gaps are, when
-- to run again, and which applications are silent. Pure; all times are UTC epoch seconds.
--
-- The service returns the newest 10,000 requests of 7 days. A tenant with more has to be asked
-- often enough that two answers overlap; where they do not, there is a gap.
-- @module pcapi.history.coverage
local calendar = require "pcapi.time.calendar"

local M = {}

local DAY = calendar.DAY

--- The seconds that the service's lists cover.
M.WINDOW = 7 * DAY

--- By how many seconds they may cover less: Microsoft does not say whether the period ends at this
-- second or at midnight.
M.SLACK = DAY

local SOONEST = 300 -- seconds to the next run
local QUIETEST = 3 -- days of silence that say nothing: a weekend, and one more
local LEARNED = 5 -- days with requests from which on a pause can be judged
local REMEMBERED = 28 -- days back in which pauses count

-- The time from which on one answer is complete. A whole list is complete for 6 days at least,
-- however few requests it has; a cut one from its oldest request on.
local function start_of(answer)
  if answer.state == "whole" then
    local sure = answer.at - M.WINDOW + M.SLACK
    return math.min(answer.oldest or sure, sure)
  end
  return answer.oldest or answer.at
end

-- The gap between what was covered and an answer; nil if there is none.
local function gap_between(before, answer)
  local start, newest = start_of(answer), before.newest or before.to
  local overlaps = answer.oldest and answer.oldest <= newest
  if overlaps or answer.state == "whole" and start <= before.to then
    return nil
  end
  local from = before.to < start and before.to or newest
  return from < start and { from = from, to = start } or nil
end

--- Adds an answer to what is covered.
-- @tparam ?table before `from` (since when requests are complete), `to` (until when) and `newest`
-- (time of the newest request; nil: none); nil for the first answer
-- @tparam table answer `state` (`"whole"` or `"cut"`), `at` (when the service responded), `oldest`
-- and `newest` (times of its requests; nil: none)
-- @treturn table as `before`
-- @treturn ?table the gap: `from` and `to`; nil if there is none
function M.extend(before, answer)
  local start = start_of(answer)
  if not before then
    return { from = start, to = answer.at, newest = answer.newest }
  end
  local gap = gap_between(before, answer)
  local newest = math.max(before.newest or -math.huge, answer.newest or -math.huge)
  return {
    from = gap and start or math.min(before.from, start), to = math.max(before.to, answer.at),
    newest = newest > -math.huge and newest or nil,
  }, gap
end

--- When the next run should be, so that its answer overlaps a cut one by half.
-- @tparam table answer as for @{extend}
-- @treturn ?number nil if the answer was whole: any time within 6 days will do
function M.next_run(answer)
  if answer.state ~= "cut" then
    return nil
  end
  local period = answer.oldest and answer.newest and answer.newest - answer.oldest or 0
  return answer.at + math.max(SOONEST, math.floor(period / 2))
end

local function share(received, total)
  return total > 0 and math.min(received / total, 1) or nil
end

--- Compares the requests received with the totals of adoption.
-- @tparam table rows array of `day` (its first second), `application`, `received` (requests
-- stored), `total` and `with_mfa` (of adoption; nil: adoption has no such row)
-- @treturn table `share` (0 to 1; nil: unknown), `received`, `total`, and `rows`: each given row
-- with `share` and `without_mfa` (requests without MFA by adoption), the lowest share first
function M.compare(rows)
  local all = { received = 0, total = 0, rows = {} }
  for i, row in ipairs(rows) do
    all.rows[i] = {
      day = row.day, application = row.application, received = row.received, total = row.total,
      share = row.total and share(row.received, row.total),
      without_mfa = row.total and math.max(row.total - (row.with_mfa or 0), 0), at = i,
    }
    all.received = all.received + (row.total and math.min(row.received, row.total) or 0)
    all.total = all.total + (row.total or 0)
  end
  table.sort(all.rows, function(a, b)
    local left, right = a.share or 2, b.share or 2
    return left < right or left == right and a.at < b.at
  end)
  for _, row in ipairs(all.rows) do
    row.at = nil
  end
  all.share = share(all.received, all.total)
  return all
end

-- The days, as sorted numbers, on which each application had requests.
local function busy_days(rows, first, last)
  local by_application = {}
  for _, row in ipairs(rows) do
    local day = math.floor(row.day / DAY)
    if row.total and row.total > 0 and day >= first and day <= last then
      local days = by_application[row.application] or { seen = {} }
      by_application[row.application] = days
      if not days.seen[day] then
        days.seen[day] = true
        days[#days + 1] = day
      end
    end
  end
  for _, days in pairs(by_application) do
    table.sort(days)
  end
  return by_application
end

local function longest_pause(days)
  local longest = 0
  for i = 2, #days do
    longest = math.max(longest, days[i] - days[i - 1])
  end
  return longest
end

--- Finds the applications that went silent: refused calls may not be counted by the service, so
-- silence can mean that a program is broken. A pause counts if it is longer than 3 days and than
-- each pause of the application in the 28 days before.
-- @tparam table rows array of adoption: `day` (its first second), `application`, `total`
-- @tparam number as_of when the service gave the newest of them
-- @treturn table array of `application`, `last_day` (its first second) and `days` (without
-- requests, without today), the longest silence first
function M.silent(rows, as_of)
  local today, found = math.floor(as_of / DAY), {}
  for application, days in pairs(busy_days(rows, today - REMEMBERED, today)) do
    local pause = today - 1 - days[#days]
    if #days >= LEARNED and pause > math.max(QUIETEST, longest_pause(days)) then
      found[#found + 1] = { application = application, days = pause,
                            last_day = days[#days] * DAY }
    end
  end
  table.sort(found, function(a, b)
    return a.days > b.days or a.days == b.days and a.application < b.application
  end)
  return found
end

return M
