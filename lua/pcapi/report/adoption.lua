--- Adds up how many requests of each application were made with MFA.
--
--     local adoption = require "pcapi.report.adoption"
--     local rows = assert(client.security:application_mfa_adoption_status())
--     for _, application in ipairs(adoption.of(rows).applications) do
--       print(application.name, application.with_mfa, application.total, application.ratio)
--     end
--
-- `by` adds up over days or over applications, and `below` finds what needs attention:
--
--     for _, row in ipairs(adoption.below(adoption.by(rows, "application"), 50)) do
--       print(row.applicationName, adoption.percent(row))
--     end
--
-- A row is a record of `application_mfa_adoption_status`, or any table with its fields
-- `applicationId`, `applicationName`, `mfaCompliantRequestCount` and `totalRequestCount`.
-- @module pcapi.report.adoption
local clean = require "pcapi.report.clean"

local M = {}

local function ratio(with_mfa, total)
  return total > 0 and with_mfa / total or nil
end

-- Both counts of a row; nil if one is missing, or if the row contradicts itself.
local function counts_of(row)
  local with_mfa = clean.count(row.mfaCompliantRequestCount)
  local total = clean.count(row.totalRequestCount)
  if with_mfa and total and total > 0 and with_mfa <= total then
    return with_mfa, total
  end
end

--- The share of a row's requests that were made with MFA.
-- @tparam table row
-- @treturn ?number 0 to 1; nil where a count is missing, there were no requests, or more requests
-- with MFA than requests
function M.share(row)
  local with_mfa, total = counts_of(row)
  return total and ratio(with_mfa, total)
end

--- The same share in whole percent, rounded down: 100 means every request.
-- @tparam table row
-- @treturn ?number integer from 0 to 100; nil as for @{share}
function M.percent(row)
  local with_mfa, total = counts_of(row)
  if not total then
    return nil
  elseif with_mfa == total then
    return 100
  end
  return math.min(math.floor(with_mfa * 100 / total), 99)
end

-- A request with MFA is a request, even where the total does not include it.
local function add(sum, row)
  local with_mfa = clean.count(row.mfaCompliantRequestCount) or 0
  sum.with_mfa = sum.with_mfa + with_mfa
  sum.total = sum.total + math.max(clean.count(row.totalRequestCount) or 0, with_mfa)
end

local function text_or_nil(value)
  return type(value) == "string" and value ~= "" and value or nil
end

-- Sums of rows with the same key, an empty one for rows without: `id` (the key), `name` (the
-- first of an application), `with_mfa` and `total`.
local function sums_of(rows, key_of)
  local sums, by_id = {}, {}
  for _, row in ipairs(rows) do
    local id = text_or_nil(key_of(row)) or ""
    local sum = by_id[id]
    if not sum then
      sum = { id = id, with_mfa = 0, total = 0 }
      by_id[id] = sum
      sums[#sums + 1] = sum
    end
    sum.name = sum.name or text_or_nil(row.applicationName)
    add(sum, row)
  end
  return sums
end

local function application_of(row)
  return row.applicationId
end

-- A day may come as a time.
local function day_of(row)
  local day = row.loginDate
  return type(day) == "string" and day:match "^%d%d%d%d%-%d%d%-%d%d" or day
end

local function is_busier(a, b)
  if a.total ~= b.total then
    return a.total > b.total
  end
  return a.id < b.id
end

--- Adds up rows over all days.
-- @tparam table rows array
-- @treturn table `with_mfa` and `total` (requests), `ratio` (0 to 1; nil without requests), and
-- `applications`: an array with the same three fields for each application, its `id` (an empty
-- string for rows without one) and its `name` (nil if no row has one), the busiest first
function M.of(rows)
  local all = { with_mfa = 0, total = 0, applications = sums_of(rows, application_of) }
  for _, sum in ipairs(all.applications) do
    all.with_mfa, all.total = all.with_mfa + sum.with_mfa, all.total + sum.total
    sum.ratio = ratio(sum.with_mfa, sum.total)
  end
  all.ratio = ratio(all.with_mfa, all.total)
  table.sort(all.applications, is_busier)
  return all
end

local function is_later(a, b)
  return a.id > b.id
end

local GROUPS = {
  application = { key_of = application_of, key = "applicationId", name = "applicationName" },
  day = { key_of = day_of, key = "loginDate", is_before = is_later },
}

--- Adds up rows over all days, or over all applications.
-- @tparam table rows array
-- @tparam string what `"application"` or `"day"`
-- @treturn table array of new rows: `applicationId` (nil for rows without one) and
-- `applicationName` (nil if no row has one), or `loginDate`; and the sums
-- `mfaCompliantRequestCount` and `totalRequestCount`. Applications are sorted by @{worst_first},
-- days from the newest to the oldest
-- @raise for another `what`
function M.by(rows, what)
  local group = GROUPS[what]
  if not group then
    error(('adoption.by groups by "application" or "day", not by %s'):format(tostring(what)), 2)
  end
  local sums = sums_of(rows, group.key_of)
  if group.is_before then
    table.sort(sums, group.is_before)
  end
  local made = {}
  for i, sum in ipairs(sums) do
    made[i] = { mfaCompliantRequestCount = sum.with_mfa, totalRequestCount = sum.total,
                [group.key] = text_or_nil(sum.id) }
    if group.name then
      made[i][group.name] = sum.name
    end
  end
  return what == "application" and M.worst_first(made) or made
end

--- Sorts rows by their share, the lowest first. Of equal shares the one with more requests comes
-- first; rows without a share come last.
-- @tparam table rows array
-- @treturn table a new array of the same rows
function M.worst_first(rows)
  local entries, sorted = {}, {}
  for i, row in ipairs(rows) do
    entries[i] = { row = row, at = i, share = M.share(row) or math.huge,
                   total = clean.count(row.totalRequestCount) or 0,
                   id = text_or_nil(row.applicationId) or "" }
  end
  table.sort(entries, function(a, b)
    if a.share ~= b.share then
      return a.share < b.share
    elseif a.total ~= b.total or a.id ~= b.id then
      return is_busier(a, b)
    end
    return a.at < b.at
  end)
  for i, entry in ipairs(entries) do
    sorted[i] = entry.row
  end
  return sorted
end

--- Selects the rows whose share is below a limit. Rows without a share are not.
-- @tparam table rows array
-- @tparam number limit percent, such as 50
-- @treturn table a new array of the same rows
function M.below(rows, limit)
  local selected = {}
  for _, row in ipairs(rows) do
    local with_mfa, total = counts_of(row)
    if total and with_mfa * 100 < limit * total then
      selected[#selected + 1] = row
    end
  end
  return selected
end

return M
