---@meta pcapi.format.writer
-- Made by `make types` from lua/pcapi/format/writer.lua; do not edit.

---Makes the functions `encode` and `open` of a format from the steps that produce its text.
---@class pcapi.format.writer
local pcapi_format_writer = {}

---Appends a piece of text.
---@param writer table 
---@param piece string 
function pcapi_format_writer.put(writer, piece) end

---How many bytes may be appended before `flush` should be called.
---@param writer table 
---@return number # 
function pcapi_format_writer.room(writer) end

---Writes what has been appended.
---@param writer table 
---@return boolean|nil # true
---@return |nil # the error of the function `write`, now or earlier
function pcapi_format_writer.flush(writer) end

---Writes records. After an error, a writer writes no more: `rows` and `close` return nil and that error. Records of the same list that come before it may have been written.
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
---@field rows? function takes a list and an index. It appends the records from there on, up to one that only `record` can write. Returns the index of the next record, and whether that is such a one
---@field kind? string in place of `rows`: the core writes rows of this kind
---@field begin? function appends what precedes the first record
---@field finish? function appends what follows the last record; returns a message if records cannot be written
---@field check? function returns a message if the options are wrong
---@field needs_columns? boolean options.columns must name a field
---@field needs_all? boolean nothing is written before `close`
---@field for_people? boolean see `pcapi.format`

---Makes a format of its steps. Each step but `check` takes the writer, to which it appends pieces of text by `put`; `options` are the caller's, with `columns` an array, and `count` is the number of records.
---@param steps pcapi.format.writer.format.steps 
---@return table # a format, see `pcapi.format`
function pcapi_format_writer.format(steps) end

return pcapi_format_writer
