---@meta pcapi.history.search
-- Made by `make types` from lua/pcapi/history/search.lua; do not edit.

---Finds tenants, users and findings of a history.
---@class pcapi.history.search
local pcapi_history_search = {}

---The tenants of the options.
---@param store table see `pcapi.history.store`
---@param options table `tenant` (an id) or `tenants` (array of ids); neither: all
---@return table # array
function pcapi_history_search.tenants(store, options) end

---Finds users.
---@param store table see `pcapi.history.store`
---@param user string objectId or upn; `*` stands for any text
---@param options table as of `tenants`, and `is_exact` (true: `*` has no meaning)
---@return table # array of `tenant` and `person`
function pcapi_history_search.users(store, user, options) end

---Passes findings to a function, by tenant and user.
---@param store table see `pcapi.history.store`
---@param options table `states` (array; default `open` and `healing`), `tenant` (an id; nil: all), `user` (as for `users`), `since` (the earliest `last_at`), and `is_all` (true: all findings of a user; else the newest alone)
---@param visit function takes tenant, person and finding
function pcapi_history_search.findings(store, options, visit) end

---Passes all that is stored of a user to a function.
---@param store table see `pcapi.history.store`
---@param tenant table 
---@param person table 
---@param visit function takes a kind (`"user"`, `"finding"`, `"request"`, `"event"`, `"binding"`, `"notice"` or, of events that name the user as an earlier one, `"mention"`), and a table
function pcapi_history_search.personal(store, tenant, person, visit) end

return pcapi_history_search
