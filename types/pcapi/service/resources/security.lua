---@meta pcapi.service.resources.security
-- Made by `make types` from lua/pcapi/service/resources/security.lua; do not edit.

---@class pcapi.service.resources.security.principal
---@field upn string user principal name, such as `kim@fabrikam.example`
---@field lastNonMfaCompliantLoginDateTime string the last time without MFA, UTC, such as `2024-02-03T07:08:09.123`
---@field objectId string GUID of the user
---@field tenantId string GUID of the user's tenant

---@class pcapi.service.resources.security.adoption
---@field loginDate string a day, such as `2024-02-03`
---@field applicationName string often missing
---@field mfaCompliantRequestCount number requests with MFA
---@field totalRequestCount number all requests, with MFA and without
---@field applicationId string GUID

---@class pcapi.service.resources.security.request
---@field requestDateTime string UTC, such as `2024-02-03T07:08:09.12`
---@field upn string user principal name
---@field mfaCompliant boolean whether the request came with MFA
---@field operationName string verb and route, such as `Get /v{version}/customers`
---@field ipAddress string address that sent the request
---@field applicationId string GUID
---@field objectId string GUID of the user
---@field tenantId string GUID of the user's tenant
---@field requestId string GUID
---@field correlationId string GUID; often missing

---The calls about MFA: `client.security:NAME { … }`.
---@class pcapi.service.resources.security
local pcapi_service_resources_security = {}

---@class pcapi.service.resources.security.non_mfa_principals.options
---@field since? string|number the earliest time, see `pcapi.list.criteria`
---@field user? string `upn` or `objectId`; `*` stands for any text
---@field timeout? number seconds for the whole call, with retries and pages; default the client's
---@field correlation_id? string a GUID that ties several calls together

---Lists the users who signed in without MFA in the last 7 days, to the portal or to the API with a token. The service returns the newest 10,000.
---@param options? pcapi.service.resources.security.non_mfa_principals.options 
---@return pcapi.list|pcapi.service.resources.security.principal[]|nil # of `principal`
---@return pcapi.error|nil # 
function pcapi_service_resources_security:non_mfa_principals(options) end

---@class pcapi.service.resources.security.application_mfa_adoption_status.options
---@field startDate? string the first day that the service reports, `2024-02-01`
---@field endDate? string the last day
---@field since? string|number the earliest time, see `pcapi.list.criteria`
---@field application? string `applicationId` or `applicationName`; `*` stands for any text
---@field timeout? number seconds for the whole call, with retries and pages; default the client's
---@field correlation_id? string a GUID that ties several calls together

---Lists how many requests came with MFA, per day and application.
---@param options? pcapi.service.resources.security.application_mfa_adoption_status.options 
---@return pcapi.list|pcapi.service.resources.security.adoption[]|nil # of `adoption`
---@return pcapi.error|nil # 
function pcapi_service_resources_security:application_mfa_adoption_status(options) end

---@class pcapi.service.resources.security.partner_requests.options
---@field since? string|number the earliest time, see `pcapi.list.criteria`
---@field user? string `upn` or `objectId`; `*` stands for any text
---@field application? string `applicationId`; `*` stands for any text
---@field mfa_compliant? boolean true: only requests with MFA; false: only those without
---@field timeout? number seconds for the whole call, with retries and pages; default the client's
---@field correlation_id? string a GUID that ties several calls together

---Lists the single requests to the API in the last 7 days, with MFA and without. The service returns the newest 10,000.
---@param options? pcapi.service.resources.security.partner_requests.options 
---@return pcapi.list|pcapi.service.resources.security.request[]|nil # of `request`
---@return pcapi.error|nil # 
function pcapi_service_resources_security:partner_requests(options) end

return pcapi_service_resources_security
