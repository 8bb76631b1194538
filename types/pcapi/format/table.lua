---@meta pcapi.format.table
-- Made by `make types` from lua/pcapi/format/table.lua; do not edit.

---Writes records as aligned columns of text, for people at a terminal.
---@class pcapi.format.table
local pcapi_format_table = {}

return pcapi_format_table
