--- Calls a function while formats write all rows in Lua, none by the core. Returns what it returns.
local core = require "pcapi.core"

local STUBS = {
  rows = function() end,
  cells = function(_, _, first)
    return first, true
  end,
  liner = function()
    return function(_, row)
      return "", row, true
    end
  end,
}

return function(call, ...)
  local saved = {}
  for name, stub in pairs(STUBS) do
    saved[name], core[name] = core[name], stub
  end
  local ok, result = pcall(call, ...)
  for name, own in pairs(saved) do
    core[name] = own
  end
  if not ok then
    error(result, 0)
  end
  return result
end
