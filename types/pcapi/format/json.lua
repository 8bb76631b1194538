---@meta pcapi.format.json
-- Made by `make types` from lua/pcapi/format/json.lua; do not edit.

---Writes records as one JSON array (RFC 8259), one record per line.
---@class pcapi.format.json
local pcapi_format_json = {}

return pcapi_format_json
