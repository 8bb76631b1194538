--- Writes values as Lua source, to send them to another process.

local function escaped(char)
  return ("\\%03d"):format(char:byte())
end

-- Supports strings, numbers, booleans, and tables of them.
local function literal(value)
  if type(value) == "string" then
    return '"' .. value:gsub('[%c"\\\127-\255]', escaped) .. '"'
  elseif type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  for name, item in pairs(value) do
    parts[#parts + 1] = ("[%s] = %s"):format(literal(name), literal(item))
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

return literal
