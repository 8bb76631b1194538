--- Adds up how many requests of each application were made with MFA.
--
--     local adoption = require "pcapi.report.adoption"
--     local rows = assert(client.security:application_mfa_adoption_status())
--     for _, application in ipairs(adoption.of(rows).applications) do
--       print(application.name, application.with_mfa, application.total, application.ratio)
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
  local all, by_id = { with_mfa = 0, total = 0, applications = {} }, {}
  for _, row in ipairs(rows) do
    local id = text_or_nil(row.applicationId) or ""
    local sum = by_id[id]
    if not sum then
      sum = { id = id, with_mfa = 0, total = 0 }
      by_id[id] = sum
      all.applications[#all.applications + 1] = sum
    end
    sum.name = sum.name or text_or_nil(row.applicationName)
    add(sum, row)
    add(all, row)
  end
  for _, sum in ipairs(all.applications) do
    sum.ratio = ratio(sum.with_mfa, sum.total)
  end
  all.ratio = ratio(all.with_mfa, all.total)
  table.sort(all.applications, is_busier)
  return all
end

return M
