---@meta pcapi.format
-- Made by `make types` from lua/pcapi/format/init.lua; do not edit.

---@class pcapi.format.format
---@field encode any function of a list and options; returns the whole text. It raises for wrong options, and for values that are not data, such as functions or a table that contains itself
---@field open any function of a function `write` and options; returns a writer, which has two methods. `writer:rows(list)` writes records and may be called often; `writer:close()` writes what must follow them. Both return true, or nil and the error of `write`; they raise as `encode` does. `write` takes a text and returns a true value, or nil and an error
---@field needs_all any true if the writer writes nothing before `close`, because it needs all records
---@field selects any true if the format has the options `only_columns` and `shown`; to any other, the command passes records that are changed accordingly
---@field for_people any true if the command passes it readable values and the width of the terminal, and reports the number of records

---@class pcapi.format.options
---@field columns any array of field names: the columns of csv and table, which need it; in JSON the fields that come first. They are fixed when a writer is opened
---@field only_columns any json, jsonl: true leaves out the fields that `columns` does not name
---@field empty_array any json, jsonl: true writes an empty nested table as `[]`, not as `{}`
---@field titles any table: maps a field to its title, if that is not the field's name
---@field width any table: terminal columns. Lines are made to fit by the steps of `narrow`, then by cutting titles, then by cutting the widest column, with an ellipsis. Text keeps at least 4 columns, a number all its digits. Without it nothing is cut
---@field narrow any table: array of steps, each a field and a number of columns. The first step is done first, and no step more than needed: the column of the field is cut until the lines fit, but not below that number (two more with `ascii`); with 0 it is left out. So `{ { "objectId", 9 }, { "objectId", 0 } }` keeps the other columns whole while the ids can be cut
---@field ascii any table: true marks cuts by three dots, for a terminal that does not show UTF-8
---@field shown any table: maps a field to a function of its value, which returns what is shown in its place; nil or false: the value itself
---@field color any table: true makes the header bold, and colours cells by their `state`
---@field state any table: maps a field to a function of its value (as `shown` returns it) and the record, which returns `"bad"` (red), `"warning"` (yellow), `"good"` (green) or nil

---Writes records as CSV, JSON, JSON Lines, a table, or in a format of your own.
---@class pcapi.format
local pcapi_format = {}

---The names of the formats.
---@return string[] # the built-in ones first, then the registered ones
function pcapi_format.names() end

---Finds a format.
---@param name string 
---@return pcapi.format.table|nil # the format
---@return string|nil # the message, with the names of the formats there are
function pcapi_format.get(name) end

---Adds a format. In the same process, the command accepts it as an output format, too.
---@param name string lower-case letters, digits, `_` and `-`
---@param format pcapi.format.table with `encode`, `open` or both. If `encode` is missing, `open` is used for it; if `open` is missing, its writer collects all records for `encode`
function pcapi_format.register(name, format) end

return pcapi_format
