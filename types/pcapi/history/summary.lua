---@meta pcapi.history.summary
-- Made by `make types` from lua/pcapi/history/summary.lua; do not edit.

---Writes what a history knows to a file, for programs that must not open the database, such as nginx.
---@class pcapi.history.summary
local pcapi_history_summary = {}

---The text of the file.
---@param history pcapi.history 
---@param now number UTC epoch seconds
---@param options? table `names` and `own` as for `pcapi.history:explain`; and `client_ids`: by the id of the tenant, the application of pcapi itself
---@return string|nil # 
---@return pcapi.error|nil # of kind store
function pcapi_history_summary.text(history, now, options) end

---Replaces the file as a whole. It has mode 0640 and, if this process may set it, the group of its folder. The folder must exist; another user must be able to enter it, and none to write to it. It is neither that of the history nor one of sign-ins.
---@param history pcapi.history 
---@param path string 
---@param now number UTC epoch seconds
---@param options? table as for `text`; and `stores`, an array of the folders of sign-ins, if there are more than that of the environment
---@return boolean|nil # true
---@return pcapi.error|nil # of kind store
function pcapi_history_summary.write(history, path, now, options) end

return pcapi_history_summary
