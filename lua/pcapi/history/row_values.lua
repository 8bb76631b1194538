--- Values of Lua as the store writes and reads them.
-- @module pcapi.history.row_values
local clean = require "pcapi.report.clean"

local M = {}

--- A text as SQLite takes it: UTF-8.
-- @param value
-- @treturn ?string nil if the value is no text
function M.text(value)
  return type(value) == "string" and clean.text(value) or nil
end

--- A boolean as it is stored.
-- @param value
-- @treturn number 1 or 0
function M.flag(value)
  return value and 1 or 0
end

--- Makes booleans of the listed fields of a row.
-- @tparam table row changed in place
-- @tparam string ... names
-- @treturn table the row
function M.with_flags(row, ...)
  for _, name in ipairs { ... } do
    row[name] = row[name] == 1
  end
  return row
end

return M
