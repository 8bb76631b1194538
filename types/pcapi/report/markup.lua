---@meta pcapi.report.markup
-- Made by `make types` from lua/pcapi/report/markup.lua; do not edit.

---Makes texts safe in HTML and XML, and writes tables.
---@class pcapi.report.markup
local pcapi_report_markup = {}

---Makes a text safe. Control and invisible characters, such as those that turn the direction of writing, become visible; a text that is too long is cut.
---@param value string|nil any bytes
---@param room number columns
---@return string # 
function pcapi_report_markup.text(value, room) end

---Writes a number with commas, such as 3,484.
---@param value number|nil 
---@return string # 
function pcapi_report_markup.number(value) end

---Writes a day, such as 2026-11-28.
---@param epoch number|nil UTC
---@return string # 
function pcapi_report_markup.day(epoch) end

---Writes a time without its seconds, such as 2026-11-28 06:00.
---@param epoch number|nil UTC
---@return string # 
function pcapi_report_markup.time(epoch) end

---Writes a count with its noun.
---@param count number 
---@param one string such as `user`
---@param many? string default: one with an s
---@return string # such as `1 user`
function pcapi_report_markup.count(count, one, many) end

---Writes a table. Cells are markup. The first cell of a row is its heading.
---@param out table array of pieces, which grows
---@param caption string 
---@param columns table array of tables: the title in the array part, and `is_number`
---@param next_row function returns an array of cells, or nil
---@return number # how many rows were written
function pcapi_report_markup.table(out, caption, columns, next_row) end

---Makes an iterator of rows from an array.
---@param list table 
---@param row_of function takes an element
---@return function # 
function pcapi_report_markup.rows(list, row_of) end

return pcapi_report_markup
