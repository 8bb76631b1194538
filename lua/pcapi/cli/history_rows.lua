--- Findings of the history as rows of an output: plain fields, whose names do not change.
-- @module pcapi.cli.history_rows
local failures = require "pcapi.history.failures"
local identity = require "pcapi.history.identity"
local time = require "pcapi.time"

local M = {}

local PRESENT = 2 * 24 * 60 * 60 -- seconds that one round of runs over all tenants may take

--- The fields of a finding, in the order of the columns, and what they mean.
M.FIELDS = {
  { "tenant", "name of the tenant: profile, or line of the list" },
  { "tenant_id", "ID of the tenant that was asked" },
  { "upn", "name of the user" },
  { "object_id", "ID of the user" },
  { "home_tenant_id", "ID of the tenant in the record, such as that of a guest" },
  { "episode", "1, and more each time the user came back" },
  { "state", "open, healing, fixed, quiet or lost" },
  { "first_at", "first known sign-in without MFA" },
  { "last_at", "last sign-in without MFA" },
  { "is_exact", "false: the time of the last sign-in could not be read" },
  { "times", "how often a later sign-in without MFA was listed" },
  { "mfa_since", "since when each application comes with MFA, if healing or fixed" },
  { "opened_at", "the run that found it" },
  { "seen_at", "the last run that listed it" },
  { "closed_at", "the run that closed it" },
  { "is_visible", "false: the list was cut, and may lack the user" },
  { "excepted", "true if an exception holds" },
  { "exception_who", "whom the exception names" },
  { "exception_tenant", "its tenant, or *" },
  { "exception_until", "its last day" },
  { "exception_why", "its reason" },
  { "class", "how the user comes without MFA, such as portal or program" },
  { "certainty", "sure, good, inference or unknown" },
  { "application_id", "ID of the application, if one is known" },
  { "application", "its name" },
  { "step", "the next step" },
  { "asked_at", "when the tenant was last asked" },
  { "is_asked", "false: runs ask this tenant no more, so nothing changes" },
}

--- The names of the fields.
M.COLUMNS = {}

for i, field in ipairs(M.FIELDS) do
  M.COLUMNS[i] = field[1]
end

--- A time as the output has it.
-- @tparam ?number epoch UTC
-- @treturn ?string such as `2026-11-28T06:00:00Z`
function M.at(epoch)
  return epoch and time.format(epoch) or nil
end

local at = M.at

--- The time of the newest run.
-- @tparam table tenants of `pcapi.history.History:tenants`
-- @treturn ?number nil: there was none
function M.newest_run(tenants)
  local newest
  for _, tenant in ipairs(tenants) do
    newest = tenant.asked and math.max(newest or 0, tenant.asked) or newest
  end
  return newest
end

--- The tenants that runs do not ask any more: others were asked days later.
-- @tparam table tenants of `pcapi.history.History:tenants`
-- @treturn table array, the one asked longest ago first
function M.not_asked(tenants)
  local newest = M.newest_run(tenants)
  return newest and failures.not_asked(tenants, newest - PRESENT) or {}
end

-- The fields of a finding without its user.
local function episode(finding)
  local exception = finding.exception or {}
  return {
    episode = finding.episode, state = finding.state, first_at = at(finding.first_at),
    last_at = at(finding.last_at), is_exact = finding.is_exact, times = finding.times,
    mfa_since = at(finding.mfa_at), opened_at = at(finding.opened), seen_at = at(finding.seen),
    closed_at = at(finding.closed), is_visible = finding.is_visible,
    excepted = finding.exception ~= nil, exception_who = exception.who,
    exception_tenant = exception.tenant, exception_until = exception.ends,
    exception_why = exception.why,
  }
end

M.episode = episode

--- The row of a user, with the newest finding or another one.
-- @tparam table found see `pcapi.history.explanation`
-- @tparam table not_asked set of tenants by id
-- @treturn table see @{FIELDS}
function M.of(found, not_asked)
  local tenant, person = found.tenant, found.person
  local class = found.classes and found.classes[1] or {}
  local row = found.finding and episode(found.finding) or {}
  row.tenant, row.tenant_id, row.upn = tenant.name, tenant.id, person.upn
  row.object_id = not identity.is_upn(person.id) and person.id or nil
  row.home_tenant_id, row.class, row.certainty = person.tenant_id, class.class, class.certainty
  row.application_id, row.application, row.step = class.application, class.name, found.step
  row.asked_at, row.is_asked = at(tenant.asked), not not_asked[tenant.id]
  return row
end

local function counts(use, fields)
  fields.requests, fields.without_mfa, fields.with_mfa = use.count, use.without_count,
    use.with_count
  fields.first_at, fields.last_at = at(use.first), at(use.last)
  fields.last_without_mfa_at, fields.last_with_mfa_at = at(use.without), at(use.with)
  return fields
end

local function map(list, make)
  local made = {}
  for i, item in ipairs(list) do
    made[i] = make(item)
  end
  return made
end

--- The evidence of a finding: what the user did.
-- @tparam table uses see `pcapi.history.usage`
-- @treturn table array of `application_id`, `application`, counts and times of requests, and
-- `addresses`: an array of `address` with the same, and `operations`
function M.uses(uses)
  return map(uses, function(use)
    return counts(use, {
      application_id = use.application, application = use.name,
      addresses = map(use.addresses, function(address)
        return counts(address, {
          address = address.ip,
          operations = map(address.operations, function(operation)
            return counts(operation, { operation = operation.operation })
          end),
        })
      end),
    })
  end)
end

return M
