---@meta pcapi.format.writer
-- Made by `make types` from lua/pcapi/format/writer.lua; do not edit.

---Makes the functions `encode` and `open` of a format from the steps that produce its text.
---@class pcapi.format.writer
local pcapi_format_writer = {}

---Writes records. After an error, a writer writes no more: `rows` and `close` return nil and that error.
---@param list table the array part holds the records
---@return boolean|nil # true
---@return |nil # the error of the function `write`
function pcapi_format_writer:rows(list) end

---Writes what must follow the last record. A second call does nothing.
---@return boolean|nil # true
---@return |nil # the error of the function `write`
function pcapi_format_writer:close() end

---@class pcapi.format.writer.format.steps
---@field record function appends one record; returns a message if it cannot be written
---@field begin? function appends what precedes the first record
---@field finish? function appends what follows the last record; returns a message if records cannot be written
---@field check? function returns a message if the options are wrong
---@field needs_columns? boolean options.columns must name a field
---@field needs_all? boolean nothing is written before `close`
---@field for_people? boolean see `pcapi.format`

---Makes a format of its steps. Each step but `check` takes the writer, whose pieces of text it appends to `out` and counts in `size`; `options` are the caller's, with `columns` an array.
---@param steps pcapi.format.writer.format.steps 
---@return table # a format, see `pcapi.format`
function pcapi_format_writer.format(steps) end

return pcapi_format_writer
