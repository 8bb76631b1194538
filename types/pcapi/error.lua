---@meta pcapi.error
-- Made by `make types` from lua/pcapi/error.lua; do not edit.

---@class pcapi.error.kinds
---@field mfa_required any 
---@field unauthorized any 
---@field sign_in_required any 
---@field consent_required any 
---@field invalid_client any 
---@field forbidden any 
---@field not_found any 
---@field bad_request any 
---@field throttled any 
---@field timeout any 
---@field network any 
---@field tls any 
---@field server any 
---@field protocol any 
---@field config any 
---@field stopped any 
---@field store any 

---The error object.
---@class pcapi.error
---@field kind string one of `kinds`
---@field message string what happened
---@field hint string|nil the next step
---@field status number|nil HTTP status
---@field code string|nil the service's code for the error
---@field request_id string|nil MS-RequestId of the call
---@field correlation_id string|nil MS-CorrelationId of the call
---@field claims string|nil JSON of the claims that a new sign-in must satisfy
---@field oauth_error string|nil the sign-in service's name for the error (RFC 6749 §5.2); `code` is then its AADSTS number, if it has one
---@field retry_after number|nil seconds that the service asks to wait, a day at most
---@field problem string|nil the `type` of problem details (RFC 9457), an address
---@field page number|nil the page of a list that failed, from 2
---@field timing table|nil as for a response of `pcapi.http.curl`, if the request asked for it
---@field certificate table|nil of kind tls: the certificate that was refused, if it is known: `subject`, `issuer`, `hosts` (texts), `not_before`, `not_after` (UTC epoch seconds), `is_ca`, `is_of_proxy` (booleans)
---@field cause any|nil the error that caused this one
local pcapi_error = {}

---Makes an error object. Message, codes and ids become safe to print.
---@param fields table at least `kind` and `message`; it becomes the object
---@return pcapi.error # the same table
function pcapi_error.new(fields) end

---Tests whether a value is an error object of pcapi.
---@param value any anything
---@return boolean # 
function pcapi_error.is(value) end

return pcapi_error
