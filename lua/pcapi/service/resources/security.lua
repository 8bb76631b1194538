--- The calls about MFA: `client.security:NAME { … }`.
--
-- All three take tokens of users (App+User) only; an application's own token is refused before
-- it is sent. Each call returns a `pcapi.list` of records, or `nil` and a `pcapi.error`. A missing
-- value is nil. Where Microsoft's documents disagree on a field's name, all its names are read,
-- and the record has the name shown here.
-- @module pcapi.service.resources.security
local record = require "pcapi.service.record"

local M = {}

--- A user who signed in without MFA. Identity: `tenantId` and `objectId`.
-- @table principal
-- @tfield string upn user principal name, such as `kim@fabrikam.example`
-- @tfield string lastNonMfaCompliantLoginDateTime the last time without MFA, UTC, such as
-- `2024-02-03T07:08:09.123`
-- @tfield string objectId GUID of the user
-- @tfield string tenantId GUID of the user's tenant

--- Lists the users who signed in without MFA in the last 7 days, to the portal or to the API with
-- a token. The service returns the newest 10,000.
-- @usage local users, err = client.security:non_mfa_principals { since = "24h" }
-- @function client.security:non_mfa_principals
-- @tparam[opt] table options
-- @tparam[opt] string|number options.since the earliest time, see @{pcapi.list.criteria}
-- @tparam[opt] string options.user `upn` or `objectId`; `*` stands for any text
-- @tparam[opt] number options.timeout seconds for the whole call, with retries and pages; default
-- the client's
-- @tparam[opt] string options.correlation_id a GUID that ties several calls together
-- @treturn[1] pcapi.list of @{principal}
-- @treturn[2] nil
-- @treturn[2] pcapi.error
-- @raise for an unknown option, or a value that cannot be used
M.non_mfa_principals = {
  path = "nonMfaCompliantPartnerPrincipals",
  version = "v1",
  users_only = true,
  -- under /v1 since 2020-05-21; the first publication had it under /pcapi/v1
  prefixes = { "", "pcapi" },
  cap = 10000,
  days = 7, -- that the service covers
  time = "lastNonMfaCompliantLoginDateTime",
  user = { "upn", "objectId" },
  identity = { "tenantId", "objectId" },
  description = record.describe {
    { "upn", "string" },
    { "lastNonMfaCompliantLoginDateTime", "time", "lastNonMfaCompliantRequestDateTime" },
    { "objectId", "string" },
    { "tenantId", "string" },
  },
}

--- The requests of one application on one day. Identity: `loginDate` and `applicationId`.
-- @table adoption
-- @tfield string loginDate a day, such as `2024-02-03`
-- @tfield string applicationName often missing
-- @tfield number mfaCompliantRequestCount requests with MFA
-- @tfield number totalRequestCount all requests, with MFA and without
-- @tfield string applicationId GUID

--- Lists how many requests came with MFA, per day and application.
-- @usage local days, err = client.security:application_mfa_adoption_status {
--   startDate = "2024-02-01", endDate = "2024-02-07",
-- }
-- @function client.security:application_mfa_adoption_status
-- @tparam[opt] table options
-- @tparam[opt] string options.startDate the first day that the service reports, `2024-02-01`
-- @tparam[opt] string options.endDate the last day
-- @tparam[opt] string|number options.since the earliest time, see @{pcapi.list.criteria}
-- @tparam[opt] string options.application `applicationId` or `applicationName`; `*` stands for any
-- text
-- @tparam[opt] number options.timeout seconds for the whole call, with retries and pages; default
-- the client's
-- @tparam[opt] string options.correlation_id a GUID that ties several calls together
-- @treturn[1] pcapi.list of @{adoption}
-- @treturn[2] nil
-- @treturn[2] pcapi.error
-- @raise for an unknown option, or a value that cannot be used
M.application_mfa_adoption_status = {
  path = "applicationmfaadoptionstatus",
  version = "v1",
  users_only = true,
  prefixes = { "" }, -- never published under /pcapi
  query = { startDate = "date", endDate = "date" },
  period = { "startDate", "endDate" },
  time = "loginDate",
  time_type = "date",
  application = { "applicationId", "applicationName" },
  identity = { "loginDate", "applicationId" },
  description = record.describe {
    { "loginDate", "date" },
    { "applicationName", "string" },
    { "mfaCompliantRequestCount", "integer" },
    { "totalRequestCount", "integer" },
    { "applicationId", "string" },
  },
}

--- One request to the API. Identity: `requestId`.
-- @table request
-- @tfield string requestDateTime UTC, such as `2024-02-03T07:08:09.12`
-- @tfield string upn user principal name
-- @tfield boolean mfaCompliant whether the request came with MFA
-- @tfield string operationName verb and route, such as `Get /v{version}/customers`
-- @tfield string ipAddress address that sent the request
-- @tfield string applicationId GUID
-- @tfield string objectId GUID of the user
-- @tfield string tenantId GUID of the user's tenant
-- @tfield string requestId GUID
-- @tfield string correlationId GUID; often missing

--- Lists the single requests to the API in the last 7 days, with MFA and without. The service
-- returns the newest 10,000.
-- @usage local requests, err = client.security:partner_requests { mfa_compliant = false }
-- @function client.security:partner_requests
-- @tparam[opt] table options
-- @tparam[opt] string|number options.since the earliest time, see @{pcapi.list.criteria}
-- @tparam[opt] string options.user `upn` or `objectId`; `*` stands for any text
-- @tparam[opt] string options.application `applicationId`; `*` stands for any text
-- @tparam[opt] boolean options.mfa_compliant true: only requests with MFA; false: only those
-- without
-- @tparam[opt] number options.timeout seconds for the whole call, with retries and pages; default
-- the client's
-- @tparam[opt] string options.correlation_id a GUID that ties several calls together
-- @treturn[1] pcapi.list of @{request}
-- @treturn[2] nil
-- @treturn[2] pcapi.error
-- @raise for an unknown option, or a value that cannot be used
M.partner_requests = {
  path = "partnerRequests",
  version = "v1",
  users_only = true,
  prefixes = { "", "pcapi" }, -- under /v1 since 2020-05-27
  cap = 10000,
  days = 7, -- that the service covers
  time = "requestDateTime",
  user = { "upn", "objectId" },
  application = { "applicationId" },
  mfa_compliant = "mfaCompliant",
  identity = { "requestId" },
  description = record.describe {
    { "requestDateTime", "time" },
    { "upn", "string" },
    { "mfaCompliant", "boolean" },
    { "operationName", "string" },
    { "ipAddress", "string", "sourceIpAddress" },
    { "applicationId", "string" },
    { "objectId", "string" },
    { "tenantId", "string" },
    { "requestId", "string" },
    { "correlationId", "string" },
  },
}

return M
