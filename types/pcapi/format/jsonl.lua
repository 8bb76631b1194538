---@meta pcapi.format.jsonl
-- Made by `make types` from lua/pcapi/format/jsonl.lua; do not edit.

---Writes records as JSON Lines: one object per line, as `pcapi.format.json` writes it.
---@class pcapi.format.jsonl
local pcapi_format_jsonl = {}

return pcapi_format_jsonl
