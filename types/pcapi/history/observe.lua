---@meta pcapi.history.observe
-- Made by `make types` from lua/pcapi/history/observe.lua; do not edit.

---Records one run of one tenant: what the service returned, what became of each user, and the events.
---@class pcapi.history.observe
local pcapi_history_observe = {}

---@class pcapi.history.observe.run.options
---@field tenant string the tenant's key, see `pcapi.history.identity`
---@field name? string how the user calls the tenant, a label
---@field names? string[] all names by which an exception may name the tenant
---@field now number this machine's clock, UTC epoch seconds; used if the service says no time
---@field users? table the list `non_mfa_principals`, without criteria; nil: it failed
---@field users_error? pcapi.error 
---@field requests? table the list `partner_requests`; nil: it failed
---@field requests_error? pcapi.error 
---@field adoption? table the list `application_mfa_adoption_status`; nil: it failed
---@field adoption_error? pcapi.error 
---@field exceptions? table of `pcapi.history.exceptions`
---@field readers? string[] readers that exist from now on
---@field keep_all? boolean store user and address of all requests
---@field retention? table settings from `pcapi.history.retention`; nil: nothing is deleted

---Records one run of one tenant. Call it within one transaction of the store. A run that is older than the newest one of the tenant changes nothing.
---@param store table see `pcapi.history.store`
---@param options pcapi.history.observe.run.options 
---@return table # `events` (array of what was stored as event), `counts` (kind of event to number; `excepted` and `baseline_excepted`: how many of them are of users with an exception), `warnings` (array of texts), `tenant`, `row` (the run as stored), `is_own_clock` (the service said no time), `ignored` (true: the run is older than the newest), `failure` (the tenant failed), `is_reported` (the failure is worth a line, or its end), `deleted` (how many rows of what)
function pcapi_history_observe.run(store, options) end

return pcapi_history_observe
