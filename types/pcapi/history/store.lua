---@meta pcapi.history.store
-- Made by `make types` from lua/pcapi/history/store.lua; do not edit.

---The store of a history, in SQLite.
---@class pcapi.history.store
local pcapi_history_store = {}

---Opens a history.
---@param path string of the file
---@param options? table `create` (default true: a missing file is made)
---@return table|nil # 
---@return pcapi.error|nil # of kind store
function pcapi_history_store.open(path, options) end

return pcapi_history_store
