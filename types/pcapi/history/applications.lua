---@meta pcapi.history.applications
-- Made by `make types` from lua/pcapi/history/applications.lua; do not edit.

---Names of well-known applications, and more from a file of the user.
---@class pcapi.history.applications
local pcapi_history_applications = {}

---What is known of an application of Microsoft.
---@param id string in lower case
---@return string|nil # name
---@return string|nil # kind: `"portal"`, `"tool"`, `"resource"`, or `"suspicious"` (no reason is known to call Partner Center by it, and a tool of attackers does)
function pcapi_history_applications.well_known(id) end

---The name of an application.
---@param id string in lower case
---@param more? table names by id: those of `read_csv`, and below them those of adoption
---@param adoption? table names by id
---@return string # the id itself if nothing names it
function pcapi_history_applications.name(id, more, adoption) end

---Reads names of applications from a CSV with the columns `AppId` and `AppDisplayName`, such as `_info/MicrosoftApps.csv` of merill/microsoft-info. Where it has a column `Source`, rows of the source `EntraDocs` name only what no other row names: many of them are no applications.
---@param text string any bytes
---@return table|nil # names by id in lower case
---@return string|nil # what is wrong
function pcapi_history_applications.read_csv(text) end

return pcapi_history_applications
