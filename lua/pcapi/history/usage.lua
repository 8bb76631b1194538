--- What a user does: applications, their addresses, and the operations of each. Pure. It takes
-- requests one by one, and its memory grows with the different values alone.
-- @module pcapi.history.usage
local M = {}

local DAY = 24 * 60 * 60

local function new_use(fields)
  fields.count, fields.without_count, fields.with_count = 0, 0, 0
  return fields
end

-- Adds a request to the counts and times of an application, an address or an operation.
local function add(use, request)
  local at = request.at
  use.count = use.count + 1
  use.first, use.last = math.min(use.first or at, at), math.max(use.last or at, at)
  if request.mfa == false then
    use.without_count = use.without_count + 1
    use.without = math.max(use.without or at, at)
  elseif request.mfa == true then
    use.with_count = use.with_count + 1
    use.with = math.max(use.with or at, at)
  end
end

local function child(uses, key, field)
  local use = uses[key]
  if not use then
    use = new_use { [field] = key }
    uses[key], uses[#uses + 1] = use, use
  end
  return use
end

-- Hours of the day, and weekends, of requests without MFA.
local function add_rhythm(application, at)
  local hour = math.floor(at % DAY / 3600)
  local weekday = (math.floor(at / DAY) + 4) % 7 -- the epoch began on a Thursday
  if not application.seen[hour] then
    application.seen[hour] = true
    application.hours = application.hours + 1
  end
  application.on_saturday = application.on_saturday or weekday == 6
  application.on_sunday = application.on_sunday or weekday == 0
end

-- Makes plain arrays, the newest first.
local function sorted(uses, field)
  local list = {}
  for i, use in ipairs(uses) do
    list[i] = use
  end
  table.sort(list, function(a, b)
    return a.last > b.last or a.last == b.last and tostring(a[field]) < tostring(b[field])
  end)
  return list
end

--- Adds up the requests of one user.
-- @tparam function next_request returns the next request (`at`, `application`, `mfa`, `ip`,
-- `operation`), or nil
-- @treturn table array of applications, the one used last first. Each has `application`, `first`
-- and `last`, `count`, `without_count` and `with_count`, `without` and `with` (times of the last
-- request without and with MFA; nil: none), `hours` (different hours of the day of requests without
-- MFA), `is_weekend` (they came on a Saturday and on a Sunday, UTC), and `addresses`: an array of
-- `ip` (`""`: unknown) with the same counts and times, and `operations`: an array of `operation`
function M.of(next_request)
  local applications = {}
  for request in next_request do
    local application = child(applications, request.application, "application")
    application.addresses = application.addresses or {}
    application.hours, application.seen = application.hours or 0, application.seen or {}
    local address = child(application.addresses, request.ip or "", "ip")
    address.operations = address.operations or {}
    add(application, request)
    add(address, request)
    add(child(address.operations, request.operation or "", "operation"), request)
    if request.mfa == false then
      add_rhythm(application, request.at)
    end
  end
  local list = sorted(applications, "application")
  for _, application in ipairs(list) do
    application.is_weekend = application.on_saturday and application.on_sunday or false
    application.seen, application.on_saturday, application.on_sunday = nil, nil, nil
    application.addresses = sorted(application.addresses, "ip")
    for _, address in ipairs(application.addresses) do
      address.operations = sorted(address.operations, "operation")
    end
  end
  return list
end

return M
