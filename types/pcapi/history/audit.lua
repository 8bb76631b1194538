---@meta pcapi.history.audit
-- Made by `make types` from lua/pcapi/history/audit.lua; do not edit.

---What an auditor needs to believe a report: which runs there were in a period, which days have none, what is missing, and the requests that prove a finding, with their ids at Microsoft.
---@class pcapi.history.audit
local pcapi_history_audit = {}

---Makes the audit of a tenant. Call it within a read of the store.
---@param view table of `pcapi.history.overview`: `store`, `tenant`, `options` (`now`), `labels`, `adoption`
---@param from number first second of the period
---@param to number last second of it
---@return table # 
function pcapi_history_audit.of(view, from, to) end

return pcapi_history_audit
