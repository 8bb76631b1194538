---@meta pcapi.client
-- Made by `make types` from lua/pcapi/client.lua; do not edit.

---A client of the service.
---@class pcapi.client
---@field security pcapi.service.resources.security the calls about MFA
local pcapi_client = {}

---@class pcapi.client.request.options
---@field query? table name to string, number or boolean
---@field headers? table name to value; false removes one of the client's
---@field body? string|table a table is sent as JSON
---@field timeout? number seconds for the whole call, retries included; default the client's
---@field correlation_id? string a GUID that ties several calls together
---@field request_id? string a GUID; to repeat a request, give the same one

---Sends any other request to the service, with the client's token, ids and retries. A request that cannot be sent raises.
---@param method string such as `"GET"`
---@param path string below the service's address, such as `"/v1/customers"`
---@param options? pcapi.client.request.options 
---@return table|nil # `status`, `reason`, `version`, `headers` (names in lower case), `body`, `json` (decoded), `request_id`, `correlation_id`, `is_mfa_compliant` (nil: unknown), `attempts`
---@return pcapi.error|nil # 
function pcapi_client:request(method, path, options) end

---Identifies whose records the client gets: the service, and the tenant and the application of the token. Store records under this text. It has no secrets. Two audiences of one service return the same records, so the audience is not part of it.
---@return string|nil # 
function pcapi_client:identity() end

---Closes idle connections. The client may be used again.
function pcapi_client:close() end

return pcapi_client
