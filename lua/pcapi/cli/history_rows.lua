--- Findings of the history as rows of an output: plain fields, whose names do not change.
-- @module pcapi.cli.history_rows
local explanation = require "pcapi.history.explanation"
local failures = require "pcapi.history.failures"
local identity = require "pcapi.history.identity"
local time = require "pcapi.time"

local M = {}

local PRESENT = 2 * 24 * 60 * 60 -- seconds that one round of runs over all tenants may take

--- The fields of a finding, in the order of the columns, and what they mean.
M.FIELDS = {
  { "tenant", "name of the tenant" },
  { "tenantId", "ID of the tenant that was asked" },
  { "upn", "name of the user" },
  { "objectId", "ID of the user" },
  { "homeTenantId", "ID of the tenant in the record, such as that of a guest" },
  { "episode", "1, and more each time the user came back" },
  { "state", "open, healing, fixed, quiet or lost" },
  { "since", "first known sign-in without MFA" },
  { "lastNonMfaCompliantLoginDateTime", "last sign-in without MFA" },
  { "isExact", "false: the time of the last sign-in could not be read" },
  { "times", "how often a later sign-in without MFA was listed" },
  { "mfaSince", "since when each application comes with MFA, if healing or fixed" },
  { "openedAt", "the run that found it" },
  { "seenAt", "the last run that listed it" },
  { "closedAt", "the run that closed it" },
  { "isVisible", "false: the list was cut, and may lack the user" },
  { "excepted", "true if an exception holds" },
  { "exceptionWho", "whom the exception names" },
  { "exceptionTenant", "its tenant, or *" },
  { "exceptionUntil", "its last day" },
  { "exceptionWhy", "its reason" },
  { "class", "how the user comes without MFA, such as portal or program" },
  { "certainty", "sure, good, inference or unknown" },
  { "applicationId", "the applications without MFA, by ID" },
  { "application", "the applications without MFA, by name" },
  { "nextStep", "the next step" },
  { "askedAt", "when the tenant was last asked" },
  { "isAsked", "false: runs ask this tenant no more, so nothing changes" },
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

--- The fields of a finding without its user.
-- @tparam table finding see `pcapi.history.outcomes`
-- @treturn table see @{FIELDS}
function M.episode(finding)
  local exception = finding.exception or {}
  return {
    episode = finding.episode, state = finding.state, since = at(finding.first_at),
    lastNonMfaCompliantLoginDateTime = at(finding.last_at), isExact = finding.is_exact,
    times = finding.times, mfaSince = at(finding.mfa_at), openedAt = at(finding.opened),
    seenAt = at(finding.seen), closedAt = at(finding.closed), isVisible = finding.is_visible,
    excepted = finding.exception ~= nil, exceptionWho = exception.who,
    exceptionTenant = exception.tenant, exceptionUntil = exception.ends,
    exceptionWhy = exception.why,
  }
end

--- The fields of a user.
-- @tparam table person
-- @treturn table see @{FIELDS}
function M.person(person)
  return { upn = person.upn, homeTenantId = person.tenant_id,
           objectId = not identity.is_upn(person.id) and person.id or nil }
end

--- The row of a user, with the newest finding or another one.
-- @tparam table found see `pcapi.history.explanation`
-- @tparam table not_asked set of tenants by id
-- @treturn table see @{FIELDS}
function M.of(found, not_asked)
  local tenant, class = found.tenant, found.classes and found.classes[1] or {}
  local row = found.finding and M.episode(found.finding) or {}
  for name, value in pairs(M.person(found.person)) do
    row[name] = value
  end
  row.tenant, row.tenantId = tenant.name or tenant.id, tenant.id
  row.class, row.certainty, row.nextStep = class.class, class.certainty, found.step
  row.application, row.applicationId = explanation.applications(found)
  row.askedAt, row.isAsked = at(tenant.asked), not not_asked[tenant.id]
  return row
end

local function counts(use, fields)
  fields.requests, fields.withoutMfa, fields.withMfa = use.count, use.without_count,
    use.with_count
  fields.firstAt, fields.lastAt = at(use.first), at(use.last)
  fields.lastWithoutMfaAt, fields.lastWithMfaAt = at(use.without), at(use.with)
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
-- @treturn table array of `applicationId`, `application`, counts and times of requests, and
-- `addresses`: an array of `ipAddress` with the same, and `operations`
function M.uses(uses)
  return map(uses, function(use)
    return counts(use, {
      applicationId = use.application, application = use.name,
      addresses = map(use.addresses, function(address)
        return counts(address, {
          ipAddress = address.ip,
          operations = map(address.operations, function(operation)
            return counts(operation, { operationName = operation.operation })
          end),
        })
      end),
    })
  end)
end

return M
