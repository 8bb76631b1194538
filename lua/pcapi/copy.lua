--- Copies tables.
-- @module pcapi.copy
local M = {}

--- Makes a table of the fields of two. Values that are tables are not copied.
-- @tparam ?table fields
-- @tparam ?table more its fields win
-- @treturn table
function M.with(fields, more)
  local copy = {}
  for name, value in pairs(fields or {}) do
    copy[name] = value
  end
  for name, value in pairs(more or {}) do
    copy[name] = value
  end
  return copy
end

return M
