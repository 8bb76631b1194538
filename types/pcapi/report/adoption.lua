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

return pcapi_report_adoption
