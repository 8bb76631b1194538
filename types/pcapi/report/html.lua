---@meta pcapi.report.html
-- Made by `make types` from lua/pcapi/report/html.lua; do not edit.

---Writes what a history knows as one HTML file: no script, no request to anywhere.
---@class pcapi.report.html
local pcapi_report_html = {}

---Writes the file.
---@param facts table of `pcapi.history.overview`
---@return string # 
function pcapi_report_html.text(facts) end

return pcapi_report_html
