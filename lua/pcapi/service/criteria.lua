--- Checks the criteria by which a list is narrowed, and turns them into tests of a record. Pure.
-- @module pcapi.service.criteria
local core = require "pcapi.core"

local M = {}

local DAY = 24 * 60 * 60
local SLACK = 600 -- seconds by which a period may seem longer than what the service covers

-- Loaded late: a list without criteria does not need it.
local function time()
  return require "pcapi.time"
end

--- The criteria and their types, for `pcapi.check`; @{pcapi.list.criteria} describes them.
M.types = { since = "string|number", user = "string", application = "string",
            mfa_compliant = "boolean" }

-- "*" stands for any text. Case does not count, as it does not in a upn.
local function matcher(pattern)
  local magic = core.lower(pattern):gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*", ".*")
  return function(value)
    return type(value) == "string" and core.lower(value):find("^" .. magic .. "$") ~= nil
  end
end

local function any_matches(fields, pattern)
  local matches = matcher(pattern)
  return function(record)
    for _, field in ipairs(fields) do
      if matches(record[field]) then
        return true
      end
    end
    return false
  end
end

-- The tests for all criteria but `since`.
local function tests_of(criteria, resource)
  local tests = {}
  for name, fields in pairs { user = resource.user, application = resource.application } do
    if criteria[name] then
      tests[#tests + 1] = any_matches(fields, criteria[name])
    end
  end
  if criteria.mfa_compliant ~= nil then
    tests[#tests + 1] = function(record)
      return record[resource.mfa_compliant] == criteria.mfa_compliant
    end
  end
  return tests
end

-- Returns the problem of the criteria other than the time; nil if there is none.
local function problem_in(criteria, resource)
  for name in pairs { user = true, application = true } do
    if criteria[name] and not resource[name] then
      return ("these records have no %s"):format(name)
    elseif criteria[name] == "" then
      return ("%s is empty; leave it out, or give * for any"):format(name)
    end
  end
  if criteria.mfa_compliant ~= nil and not resource.mfa_compliant then
    return "these records have no field for mfa_compliant"
  elseif criteria.since and not resource.time then
    return "these records have no time, which since needs"
  end
end

--- Checks criteria.
-- @tparam table criteria as @{pcapi.list.criteria}
-- @tparam table resource declaration of the call
-- @tparam number now UTC epoch seconds
-- @treturn[1] table for @{filter}
-- @treturn[2] nil
-- @treturn[2] string what is wrong with which criterion
function M.compile(criteria, resource, now)
  local problem = problem_in(criteria, resource)
  if problem then
    return nil, problem
  end
  local matching = { tests = tests_of(criteria, resource), now = now, given = criteria }
  if criteria.since then
    local first, message = time().since(criteria.since, now)
    if not first then
      return nil, "since: " .. message
    end
    function matching.since(responded_at)
      return time().since(criteria.since, responded_at) or first
    end
  end
  return matching
end

-- The criteria for the core, which applies them before it makes a record.
local function for_core(given, since, slack)
  return { since = since, slack = slack, mfa_compliant = given.mfa_compliant,
           user = given.user and core.lower(given.user),
           application = given.application and core.lower(given.application) }
end

--- Makes a filter for the records of a response. A record without a readable time passes `since`:
-- to hide a user is the worse error.
-- @tparam table matching from @{compile}
-- @tparam table resource declaration of the call
-- @tparam ?number responded_at when the service responded, UTC epoch seconds; default now
-- @tparam[opt] boolean counts count the records without a time, even without `since`
-- @treturn table `keeps` (function of a record that returns whether it meets the criteria),
-- `core` (the same criteria for the core), and the facts `without_time` and `covered_since`
function M.filter(matching, resource, responded_at, counts)
  local now = responded_at or matching.now
  local since = matching.since and matching.since(now)
  local slack = resource.time_type == "date" and DAY or 0 -- a day counts until its end
  local covered = since and resource.days and now - resource.days * DAY
  local filter = {
    core = for_core(matching.given, since, slack),
    without_time = (since or counts) and 0 or nil,
    covered_since = covered and since < covered - SLACK and covered or nil,
  }
  function filter.keeps(record)
    local at = filter.without_time and time().parse_logged(record[resource.time])
    if at and since and not (at + slack > since or at == since) then
      return false
    end
    for i = 1, #matching.tests do
      if not matching.tests[i](record) then
        return false
      end
    end
    if filter.without_time and not at then
      filter.without_time = filter.without_time + 1
    end
    return true
  end
  return filter
end

return M
