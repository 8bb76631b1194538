--- Surveys tenants: how many people are open, healing and so on, who of them is news, and in which
-- order they are shown. Call it within a transaction or a read of the store; times are UTC epoch
-- seconds.
-- @module pcapi.history.survey
local figures = require "pcapi.history.figures"

local M = {}

local SHOWN = 30 * 24 * 60 * 60 -- how long a closed finding is shown

local function is_before(a, b)
  local left, right = a.finding, b.finding
  if (left.closed == nil) ~= (right.closed == nil) then
    return left.closed == nil
  end
  local one, two = left.closed or left.last_at, right.closed or right.last_at
  return one > two or one == two and a.id < b.id
end

--- Surveys a tenant.
-- @tparam table store see `pcapi.history.store`
-- @tparam table tenant
-- @tparam number now
-- @treturn table as of `pcapi.history.figures.begin`, with `tenant`, `people` (with an open or
-- healing finding, then those closed in the last 30 days, the newest first), and `size` (their
-- number)
function M.of(store, tenant, now)
  local found = figures.begin(store, tenant)
  found.tenant, found.people = tenant, {}
  for _, person in ipairs(store:people(tenant)) do
    local finding = person.finding
    if finding then
      figures.add(found, person)
      if not finding.closed or finding.closed > now - SHOWN then
        found.people[#found.people + 1] = person
      end
    end
  end
  table.sort(found.people, is_before)
  found.size = #found.people
  return found
end

-- Divides the places among the tenants: a small tenant gets all that it needs.
local function divide(surveys, most)
  local order, left = {}, most
  for i, found in ipairs(surveys) do
    order[i] = found
  end
  table.sort(order, function(a, b)
    return a.size < b.size or a.size == b.size and a.tenant.id < b.tenant.id
  end)
  for i, found in ipairs(order) do
    found.places = math.min(found.size, math.floor(left / (#order - i + 1)))
    left = left - found.places
  end
end

--- Surveys tenants. If all their people fit, they stay in memory, so that they are read once.
-- @tparam table store
-- @tparam table tenants array
-- @tparam number now
-- @tparam number most how many people are shown
-- @treturn table array of what @{of} returns, with `places` (how many of the people are shown), and
-- without `people` if they do not fit
function M.all(store, tenants, now, most)
  local surveys, total, kept = {}, 0, {}
  for i, tenant in ipairs(tenants) do
    surveys[i] = M.of(store, tenant, now)
    total = total + surveys[i].size
    kept[#kept + 1] = surveys[i]
    if total > most then
      for j, found in ipairs(kept) do
        found.people, kept[j] = nil, nil
      end
    end
  end
  divide(surveys, most)
  return surveys
end

return M
