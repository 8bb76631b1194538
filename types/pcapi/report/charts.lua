---@meta pcapi.report.charts
-- Made by `make types` from lua/pcapi/report/charts.lua; do not edit.

---Draws charts as SVG: a line of days, and bars of parts.
---@class pcapi.report.charts
local pcapi_report_charts = {}

---Draws a trend: a line of those that are open, and a bar for each day on which some became open.
---@param id string of the picture within the page
---@param trend table see `pcapi.history.trend`
---@param last string the last day
---@return string # 
function pcapi_report_charts.trend(id, trend, last) end

---Draws a bar for each application: its requests with MFA, then those without.
---@param id string of the picture within the page
---@param rows table array of `name` (markup), `with`, `total` and `share` (such as `81 %`)
---@return string # 
function pcapi_report_charts.bars(id, rows) end

return pcapi_report_charts
