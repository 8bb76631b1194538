---@meta pcapi.format.csv
-- Made by `make types` from lua/pcapi/format/csv.lua; do not edit.

---Writes records as CSV (RFC 4180) that is safe to open in a spreadsheet.
---@class pcapi.format.csv
local pcapi_format_csv = {}

return pcapi_format_csv
