---@meta pcapi.report.page_style
-- Made by `make types` from lua/pcapi/report/page_style.lua; do not edit.

---The style of the report: light and dark, for screens and paper.
---@class pcapi.report.page_style
local pcapi_report_page_style = {}

return pcapi_report_page_style
