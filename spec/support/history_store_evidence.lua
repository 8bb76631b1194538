--- The part of the store in memory that says what people did.
local usage = require "pcapi.history.usage"

local M = {}

function M.uses(self, tenant, from)
  local rows, at = {}, 0
  for _, person in ipairs(self:people(tenant)) do
    local finding = person.finding
    local is_used = finding and (not finding.closed or finding.closed >= from)
    for _, use in ipairs(is_used and usage.of(self:requests_of(person)) or {}) do
      rows[#rows + 1] = {
        person = person.id, application = use.application, last = use.last, hours = use.hours,
        without = use.without, without_count = use.without_count, is_weekend = use.is_weekend,
        address_count = #use.addresses,
      }
    end
  end
  return function()
    at = at + 1
    return rows[at]
  end
end

local function is_better(request, other)
  if request.mfa then
    return request.at < other.at
  end
  return request.at > other.at
end

function M.proofs(self, person, from, after, to)
  local best, found = {}, {}
  for key, stored in pairs(self.data.people[person.key].requests) do
    local counts = stored.at <= to and (stored.mfa == true and stored.at > after
      or stored.mfa == false and stored.at >= from)
    local request = { application = stored.application, at = stored.at, mfa = stored.mfa,
                      id = key:sub(#tostring(stored.at) + 2) }
    local slot = counts and stored.application .. tostring(stored.mfa)
    if slot and (not best[slot] or is_better(request, best[slot])) then
      best[slot] = request
    end
  end
  for _, request in pairs(best) do
    found[#found + 1] = request
  end
  table.sort(found, function(a, b)
    return a.at < b.at or a.at == b.at and a.application < b.application
  end)
  return found
end

return M
