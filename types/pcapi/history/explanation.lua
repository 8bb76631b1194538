---@meta pcapi.history.explanation
-- Made by `make types` from lua/pcapi/history/explanation.lua; do not edit.

---Explains a finding: which applications, addresses and operations, how the user came without MFA, the next step, and on what that rests.
---@class pcapi.history.explanation
local pcapi_history_explanation = {}

---Explains one finding of a user.
---@param store table see `pcapi.history.store`
---@param tenant table 
---@param person table 
---@param finding table|nil nil: the user has none, then all requests count
---@param options table `names`, `own` and `client_id`, as of `pcapi.history.History:explain`, and `adoption` (names of applications that the store has)
---@return table # `tenant`, `person`, `finding`, `applications` (see `pcapi.history.usage`, with `name`), `classes` (see `pcapi.history.classes`, with `name` and `advice`; nil: no finding), and `step` (the next step; nil: no finding)
function pcapi_history_explanation.of(store, tenant, person, finding, options) end

---The applications of an explanation, for a row.
---@param found table from `of`
---@return string|nil # names of all through which the user comes without MFA
---@return string|nil # their ids
function pcapi_history_explanation.applications(found) end

---What share of the requests of the last days is known, by adoption.
---@param store table see `pcapi.history.store`
---@param tenant table 
---@return number|nil # 0 to 1; nil: unknown
function pcapi_history_explanation.share(store, tenant) end

---How far the requests of a tenant reach, and what share of them is known: on this rests what the history says of its users.
---@param store table see `pcapi.history.store`
---@param tenant table 
---@return table # `from` and `to` (the requests between are complete; nil: none were received), `share` (of the requests that adoption counts on the last days, 0 to 1; nil: unknown), and `gaps` (array of `from`, `to`, and `is_cut`: there were more requests than the service returns; else no run was in time), of the runs that are stored
function pcapi_history_explanation.reach(store, tenant) end

return pcapi_history_explanation
