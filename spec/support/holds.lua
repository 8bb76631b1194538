--- Whether a text occurs anywhere in a value: keys, values, metatables, tostring.
local function holds(value, text, seen)
  seen = seen or {}
  if type(value) == "string" then
    return value:find(text, 1, true) ~= nil
  elseif type(value) ~= "table" or seen[value] then
    return false
  end
  seen[value] = true
  if holds(tostring(value), text, seen) or holds(getmetatable(value), text, seen) then
    return true
  end
  for key, item in pairs(value) do
    if holds(key, text, seen) or holds(item, text, seen) then
      return true
    end
  end
  return false
end

return holds
