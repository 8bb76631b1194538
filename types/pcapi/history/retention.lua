---@meta pcapi.history.retention
-- Made by `make types` from lua/pcapi/history/retention.lua; do not edit.

---@class pcapi.history.retention.DEFAULTS
---@field keep_requests any 
---@field keep_findings any 
---@field keep_notices any 

---Decides what the history deletes, and when.
---@class pcapi.history.retention
local pcapi_history_retention = {}

---Checks settings.
---@param settings table days by name; a missing one has its default
---@return table|nil # all settings
---@return string|nil # which setting is wrong, and what it can be
function pcapi_history_retention.check(settings) end

---What is deleted at a time.
---@param settings table from `check`
---@param now number by the service's clock: this machine's may be wrong, and what is deleted is gone
---@return table # of times: `requests` and `runs` before it are deleted, `findings` that were closed before it, `events` before it that every reader was told, and `events_untold` before it
function pcapi_history_retention.limits(settings, now) end

---Tests whether an event is deleted.
---@param event table `id` and `at`
---@param limits table from `limits`
---@param readers table the tenant's readers, as `pcapi.history.told` has them
---@return boolean # 
function pcapi_history_retention.is_over(event, limits, readers) end

---What the requests of a tenant cover once old ones are deleted.
---@param covered table|nil of `pcapi.history.coverage`
---@param limits table from `limits`
---@return table|nil # 
function pcapi_history_retention.covered(covered, limits) end

return pcapi_history_retention
