--- How a user comes without MFA: by the portal, a program, a tool, a vendor's panel. Pure; each
-- class says how certain it is, since the service's data prove little.
-- @module pcapi.history.classes
local applications = require "pcapi.history.applications"
local coverage = require "pcapi.history.coverage"
local identity = require "pcapi.history.identity"
local outcomes = require "pcapi.history.outcomes"

local M = {}

-- Names of accounts that no person uses.
local SYSTEM = { "^sync_", "^adtoaadsyncserviceaccount",
                 "^package_%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x+@" }

local function is_system(upn)
  for _, pattern in ipairs(SYSTEM) do
    if upn:find(pattern) then
      return true
    end
  end
  return false
end

-- Whether requests without MFA come at times and from places as those of a program.
local function looks_automatic(use)
  return (use.address_count or #use.addresses) <= 3 and (use.hours >= 18 or use.is_weekend)
end

-- The class of an application, and how certain it is.
local function class_of(use, facts)
  local id = use.application
  local _, kind = applications.well_known(id)
  local own = facts.own or {}
  if id == facts.client_id then
    return "pcapi", "sure"
  elseif own[id] then
    return "own_program", "inference"
  elseif kind == "suspicious" then
    return "suspicious", "inference"
  elseif kind == "portal" or kind == "resource" then
    return "portal", "inference"
  elseif looks_automatic(use) then
    return (kind or next(own) == nil) and "program" or "vendor", "inference"
  elseif kind then
    return "tool", "inference"
  end
  return next(own) ~= nil and "vendor" or "application", "inference"
end

--- The classes of a user: one of the account itself, if its name says what it is, and one of each
-- application that was used without MFA in the week before the last such sign-in, the newest
-- first; or of the portal.
-- @tparam table person `upn` (may be nil) and `finding` (see `pcapi.history.outcomes`)
-- @tparam table uses of `pcapi.history.usage`; `address_count` may stand for `addresses`
-- @tparam table facts `covered` (boolean: the requests reach back to the last sign-in without MFA),
-- `own` (set of the user's own applications, by id in lower case; nil: unknown), `client_id` (the
-- application by which pcapi itself calls the service)
-- @treturn table array of `class`, `certainty` (`"sure"`, `"good"`, `"inference"`, `"unknown"`) and
-- `application` (its id; nil: none). Classes: `guest`, `system`, `portal`, `program`,
-- `own_program`, `tool`, `vendor`, `application`, `suspicious`, `pcapi`, `unknown`
function M.of(person, uses, facts)
  local found, upn, newest = {}, identity.upn(person.upn) or "", -math.huge
  local last_at = person.finding.last_at
  if upn:find("#ext#", 1, true) then
    found[1] = { class = "guest", certainty = "sure" }
  elseif is_system(upn) then
    found[1] = { class = "system", certainty = "inference" }
  end
  for _, use in ipairs(uses) do
    if use.without and use.without >= last_at - coverage.WINDOW then
      local class, certainty = class_of(use, facts)
      found[#found + 1] = { class = class, certainty = certainty, application = use.application,
                            without = use.without }
      newest = math.max(newest, use.without)
    end
  end
  if newest < last_at - outcomes.TOLERANCE then
    found[#found + 1] = facts.covered and { class = "portal", certainty = "good" }
      or { class = "unknown", certainty = "unknown" }
  end
  return found
end

return M
