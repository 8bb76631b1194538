--- Lists of the service for specs of the history, from plain tables.
local list = require "pcapi.service.list"
local security = require "pcapi.service.resources.security"
local time = require "pcapi.time"

local M = {}

local function new(call, date, records, facts)
  facts = facts or {}
  return list.new(records, {
    resource = security[call], clock = function() return date end, date = date,
    truncated = facts.truncated or false, unreadable = facts.unreadable or 0,
    total_count = #records,
  })
end

-- A time as the service writes it; a text stays as it is.
local function written(at)
  return type(at) == "number" and time.format(at):gsub("Z$", "") or at
end

--- The users: records of `id`, `upn`, `at`, `tenant`.
-- @tparam number date when the service responded
-- @tparam table users
-- @tparam[opt] table facts `truncated`, `unreadable`
function M.users(date, users, facts)
  local records = {}
  for i, user in ipairs(users) do
    records[i] = { objectId = user.id, upn = user.upn, tenantId = user.tenant,
                   lastNonMfaCompliantLoginDateTime = written(user.at) }
  end
  return new("non_mfa_principals", date, records, facts)
end

--- The requests: records of `id` (of the request), `user` (its objectId), `upn`, `at`,
-- `application`, `mfa`, `ip`, `operation`.
function M.requests(date, requests, facts)
  local records = {}
  for i, request in ipairs(requests) do
    records[i] = { requestId = request.id, objectId = request.user, upn = request.upn,
                   requestDateTime = written(request.at), applicationId = request.application,
                   mfaCompliant = request.mfa, ipAddress = request.ip,
                   operationName = request.operation }
  end
  return new("partner_requests", date, records, facts)
end

--- Adoption: records of `day`, `application`, `name`, `with_mfa`, `total`.
function M.adoption(date, rows)
  local records = {}
  for i, row in ipairs(rows) do
    records[i] = { loginDate = row.day, applicationId = row.application,
                   applicationName = row.name, mfaCompliantRequestCount = row.with_mfa,
                   totalRequestCount = row.total }
  end
  return new("application_mfa_adoption_status", date, records)
end

return M
