---@meta pcapi.report.adoption
-- Made by `make types` from lua/pcapi/report/adoption.lua; do not edit.

---Adds up how many requests of each application were made with MFA.
---@class pcapi.report.adoption
local pcapi_report_adoption = {}

---The share of a row's requests that were made with MFA.
---@param row table 
---@return number|nil # 0 to 1; nil where a count is missing, there were no requests, or more requests with MFA than requests
function pcapi_report_adoption.share(row) end

---The same share in whole percent, rounded down: 100 means every request.
---@param row table 
---@return number|nil # integer from 0 to 100; nil as for `share`
function pcapi_report_adoption.percent(row) end

---Adds up rows over all days.
---@param rows table array
---@return table # `with_mfa` and `total` (requests), `ratio` (0 to 1; nil without requests), and `applications`: an array with the same three fields for each application, its `id` (an empty string for rows without one) and its `name` (nil if no row has one), the busiest first
function pcapi_report_adoption.of(rows) end

---Adds up rows over all days, or over all applications.
---@param rows table array
---@param what string `"application"` or `"day"`
---@return table # array of new rows: `applicationId` (nil for rows without one) and `applicationName` (nil if no row has one), or `loginDate`; and the sums `mfaCompliantRequestCount` and `totalRequestCount`. Applications are sorted by `worst_first`, days from the newest to the oldest
function pcapi_report_adoption.by(rows, what) end

---Sorts rows by their share, the lowest first. Of equal shares the one with more requests comes first; rows without a share come last.
---@param rows table array
---@return table # a new array of the same rows
function pcapi_report_adoption.worst_first(rows) end

---Selects the rows whose share is below a limit. Rows without a share are not.
---@param rows table array
---@param limit number percent, such as 50
---@return table # a new array of the same rows
function pcapi_report_adoption.below(rows, limit) end

return pcapi_report_adoption
