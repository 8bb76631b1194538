--- Reads environment variables; an empty one counts as unset.
-- @module pcapi.settings.environment
local errors = require "pcapi.error"

local M = {}

--- A variable as it is.
-- @tparam function getenv as os.getenv
-- @tparam string name
-- @treturn ?string
function M.value(getenv, name)
  local value = getenv(name)
  return value ~= "" and value or nil
end

--- A variable that is no setting of the schema, checked.
-- @tparam function getenv as os.getenv
-- @tparam string name
-- @tparam function read a function of `pcapi.input`
-- @treturn[1] ?string
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.text(getenv, name, read)
  local text, why = read(getenv(name) or "")
  if not text then
    return errors.fail { kind = "config", message = name .. " " .. why }
  end
  return text ~= "" and text or nil
end

return M
