--- Explains a finding: which applications, addresses and operations, how the user came without
-- MFA, the next step, and on what that rests.
-- @module pcapi.history.explanation
local advice = require "pcapi.history.advice"
local applications = require "pcapi.history.applications"
local classes = require "pcapi.history.classes"
local coverage = require "pcapi.history.coverage"
local outcomes = require "pcapi.history.outcomes"
local usage = require "pcapi.history.usage"

local M = {}

local DAY = 24 * 60 * 60

-- An iterator over the requests that belong to a finding. The newest finding has all; an earlier
-- one has those from a week before it until it was closed.
local function requests_of(store, person, finding)
  local next_request = store:requests_of(person)
  if not finding or finding.episode == person.finding.episode then
    return next_request
  end
  local from, to = math.min(finding.first_at, finding.opened) - coverage.WINDOW, finding.closed
  return function()
    local request = next_request()
    while request and (request.at > to or request.at < from) do
      request = next_request()
    end
    return request
  end
end

-- How the user came without MFA, with names and advice.
local function classes_of(tenant, person, uses, finding, options)
  local covered = tenant.coverage
  local found = classes.of({ upn = person.upn, finding = finding }, uses, {
    own = options.own, client_id = options.client_id,
    covered = covered ~= nil and covered.from <= outcomes.latest(finding),
  })
  for _, entry in ipairs(found) do
    entry.name = entry.application and applications.name(entry.application, options.names,
      options.adoption)
    entry.advice = advice.of(entry.class, { user = person.upn or person.id,
                                            application = entry.name })
  end
  return found
end

--- Explains one finding of a user.
-- @tparam table store see `pcapi.history.store`
-- @tparam table tenant
-- @tparam table person
-- @tparam ?table finding nil: the user has none, then all requests count
-- @tparam table options `names`, `own` and `client_id`, as of @{pcapi.history.History:explain}, and
-- `adoption` (names of applications that the store has)
-- @treturn table `tenant`, `person`, `finding`, `applications` (see `pcapi.history.usage`, with
-- `name`), `classes` (see `pcapi.history.classes`, with `name` and `advice`; nil: no finding), and
-- `step` (the next step; nil: no finding)
function M.of(store, tenant, person, finding, options)
  local found = { tenant = tenant, person = person, finding = finding,
                  applications = usage.of(requests_of(store, person, finding)) }
  for _, use in ipairs(found.applications) do
    use.name = applications.name(use.application, options.names, options.adoption)
  end
  if finding then
    found.classes = classes_of(tenant, person, found.applications, finding, options)
    local first = found.classes[1]
    found.step = advice.step(finding, first and first.class or "unknown",
      { user = person.upn or person.id, application = first and first.name })
  end
  return found
end

local PORTAL = "Partner Center portal"

local function filled(list)
  return #list > 0 and table.concat(list, ", ") or nil
end

--- The applications of an explanation, for a row.
-- @tparam table found from @{of}
-- @treturn ?string names of all through which the user comes without MFA
-- @treturn ?string their ids
function M.applications(found)
  local names, ids = {}, {}
  for _, class in ipairs(found.classes or {}) do
    names[#names + 1] = class.name or class.class == "portal" and PORTAL or nil
    ids[#ids + 1] = class.application
  end
  return filled(names), filled(ids)
end

--- What share of the requests of the last days is known, by adoption.
-- @tparam table store see `pcapi.history.store`
-- @tparam table tenant
-- @treturn ?number 0 to 1; nil: unknown
function M.share(store, tenant)
  local covered = tenant.coverage
  if not covered then
    return nil
  end
  -- a day of which the beginning is missing says nothing
  local from = math.ceil(math.max(covered.from, covered.to - coverage.WINDOW) / DAY) * DAY
  return coverage.compare(store:received(tenant, from)).share
end

--- How far the requests of a tenant reach, and what share of them is known: on this rests what the
-- history says of its users.
-- @tparam table store see `pcapi.history.store`
-- @tparam table tenant
-- @treturn table `from` and `to` (the requests between are complete; nil: none were received),
-- `share` (of the requests that adoption counts on the last days, 0 to 1; nil: unknown), and `gaps`
-- (array of `from`, `to`, and `is_cut`: there were more requests than the service returns; else no
-- run was in time), of the runs that are stored
function M.reach(store, tenant)
  local found, covered = { gaps = {} }, tenant.coverage
  for _, run in ipairs(store:runs(tenant)) do
    if run.gap_from then
      found.gaps[#found.gaps + 1] = { from = run.gap_from, to = run.gap_to,
                                       is_cut = run.requests == "cut" }
    end
  end
  if covered then
    found.from, found.to, found.share = covered.from, covered.to, M.share(store, tenant)
  end
  return found
end

return M
