--- Texts of the formats, written by the core as far as it can, or by Lua alone.
local core = require "pcapi.core"
local formats = require "pcapi.format"

local M = { formats = { "csv", "json", "jsonl", "table" } }

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

--- Encodes records.
-- @treturn string the text, or the message
function M.encode(name, list, options)
  local _, result = pcall(formats.get(name).encode, list, options)
  return result
end

--- The same, while formats write all rows in Lua, none by the core.
function M.by_lua(name, list, options)
  local saved = {}
  for part, stub in pairs(STUBS) do
    saved[part], core[part] = core[part], stub
  end
  local text = M.encode(name, list, options)
  for part, own in pairs(saved) do
    core[part] = own
  end
  return text
end

return M
