--- Checks the criteria by which a list is narrowed, and turns them into tests of a record. Pure.
-- @module pcapi.service.criteria
local core = require "pcapi.core"

local M = {}

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
-- @treturn[1] table `tests`, an array of functions of a record; `now`; and `since`, a function that
-- takes the time of the response and returns the earliest time (all in UTC epoch seconds), or nil
-- @treturn[2] nil
-- @treturn[2] string what is wrong with which criterion
function M.compile(criteria, resource, now)
  local problem = problem_in(criteria, resource)
  if problem then
    return nil, problem
  end
  local matching = { tests = tests_of(criteria, resource), now = now }
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

--- Whether a record passes all tests.
-- @tparam table record
-- @tparam table tests from @{compile}
-- @treturn boolean
function M.passes(record, tests)
  for i = 1, #tests do
    if not tests[i](record) then
      return false
    end
  end
  return true
end

return M
