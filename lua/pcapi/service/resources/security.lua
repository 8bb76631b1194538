--- The calls about MFA, as `client.security`. They are described as data; what is
-- done with the description is the same for all.
--
-- All three are GET and take App+User tokens only. The service's documents
-- disagree with themselves; where they do, both spellings are read and the name
-- given here is handed out.
-- @module pcapi.service.resources.security
local record = require "pcapi.service.record"

local M = {}

--- Users who came in without MFA, in the portal or with a token, in the last 7
-- days; the newest 10,000 records.
-- @table non_mfa_principals
-- @field objectId
-- @field tenantId
-- @field upn
-- @field lastNonMfaCompliantLoginDateTime UTC
M.non_mfa_principals = {
  path = "nonMfaCompliantPartnerPrincipals",
  version = "v1",
  users_only = true,
  -- under /v1 since 2020-05-21; the first publication had it under /pcapi/v1
  prefixes = { "", "pcapi" },
  cap = 10000,
  days = 7, -- that are covered
  time = "lastNonMfaCompliantLoginDateTime",
  user = { "upn", "objectId" },
  description = record.describe {
    { "upn", "string" },
    { "lastNonMfaCompliantLoginDateTime", "time", "lastNonMfaCompliantRequestDateTime" },
    { "objectId", "string" },
    { "tenantId", "string" },
  },
}

--- Per day and application, how many requests came with MFA and how many in all.
-- @table application_mfa_adoption_status
-- @field loginDate a day, such as 2024-02-03
-- @field applicationId
-- @field applicationName often missing
-- @field mfaCompliantRequestCount
-- @field totalRequestCount
M.application_mfa_adoption_status = {
  path = "applicationmfaadoptionstatus",
  version = "v1",
  users_only = true,
  prefixes = { "" }, -- never published under /pcapi
  query = { startDate = "date", endDate = "date" },
  time = "loginDate",
  time_type = "date",
  application = { "applicationId", "applicationName" },
  description = record.describe {
    { "loginDate", "date" },
    { "applicationName", "string" },
    { "mfaCompliantRequestCount", "integer" },
    { "totalRequestCount", "integer" },
    { "applicationId", "string" },
  },
}

--- The single requests of the last 7 days, with MFA and without; the newest
-- 10,000 records.
-- @table partner_requests
-- @field requestDateTime UTC
-- @field upn
-- @field mfaCompliant boolean
-- @field operationName verb and route, such as `Get /v{version}/customers`
-- @field ipAddress
-- @field applicationId
-- @field objectId
-- @field tenantId
-- @field requestId
-- @field correlationId often missing
M.partner_requests = {
  path = "partnerRequests",
  version = "v1",
  users_only = true,
  prefixes = { "", "pcapi" }, -- under /v1 since 2020-05-27
  cap = 10000,
  days = 7, -- that are covered
  time = "requestDateTime",
  user = { "upn", "objectId" },
  application = { "applicationId" },
  tells_compliance = true,
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
