---@meta pcapi.format.json_value
-- Made by `make types` from lua/pcapi/format/json_value.lua; do not edit.

---Writes values as compact JSON (RFC 8259), which is harmless on a terminal.
---@class pcapi.format.json_value
local pcapi_format_json_value = {}

---Writes one value as compact JSON.
---@param value any what a record's field may hold, null in arrays included
---@param options? table `empty_array`: an empty table is `[]`, not `{}`
---@return string|nil # JSON on one line
---@return string|nil # why the value cannot be written
function pcapi_format_json_value.compact(value, options) end

---Prepares a writer of `pcapi.format.writer` for `put_record`.
---@param target table the writer
function pcapi_format_json_value.begin(target) end

---Appends a record to a writer: first the fields of options.columns, in their order, then the others, sorted. A record is never a string of its own: Lua 5.1 hashes only a few bytes of a long string, and similar strings, 100,000 of them, would cost minutes.
---@param target table the writer
---@param record table 
---@return string|nil # why the record cannot be written
function pcapi_format_json_value.put_record(target, record) end

return pcapi_format_json_value
