---@meta pcapi.json
-- Made by `make types` from lua/pcapi/json.lua; do not edit.

---Reads and writes JSON with the decoder that pcapi itself uses.
---@class pcapi.json
local pcapi_json = {}

---Reads a JSON text. Whole numbers become integers on Lua 5.3 and later.
---@param text string 
---@return any|nil # the value; nil for the text `null`
---@return string|nil # what is wrong with the text
---@return number|nil # where, in bytes from 1
function pcapi_json.decode(text) end

---Writes a value as JSON on one line. An empty table becomes `{}`; use `encode_array` for a table that may be an empty array. Strings are written byte for byte: clean strings that may not be UTF-8 with `pcapi.report.clean`.
---@param value any a string, number, boolean, table or `null`
---@return string # 
function pcapi_json.encode(value) end

---Writes an array as JSON, 50 elements at a time.
---@param array table 
---@param breathe? function is called before each 50 elements, so that other work can run
---@return string # `[]` for an empty array
function pcapi_json.encode_array(array, breathe) end

return pcapi_json
