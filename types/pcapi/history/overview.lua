---@meta pcapi.history.overview
-- Made by `make types` from lua/pcapi/history/overview.lua; do not edit.

---All that a history knows at a time, as plain data: for a report, a page or a program.
---@class pcapi.history.overview
local pcapi_history_overview = {}

---Makes an overview, in one read of the history.
---@param history pcapi.history 
---@param options table `now`; `tenants` (array of ids; nil: all); `people` (how many at most; default `MOST_PEOPLE`); `names` and `own`, as for `pcapi.history:explain`; `client_id` (the application of pcapi itself), or `client_ids` (by the id of the tenant); `from` and `to` (times, for an audit; nil: none); `is_anonymous` (users, tenants, and applications but Microsoft's have numbers; nothing else names them)
---@return table|nil # 
---@return pcapi.error|nil # of kind store
function pcapi_history_overview.of(history, options) end

return pcapi_history_overview
