--- Tests texts against patterns in which `*` stands for any text. Pure.
-- @module pcapi.history.pattern
local M = {}

--- Tests a text; takes time that grows with the text alone.
-- @tparam string pattern in the case of the text
-- @tparam string text
-- @treturn boolean
function M.matches(pattern, text)
  if not pattern:find("*", 1, true) then
    return pattern == text
  end
  local parts = {}
  for part in (pattern .. "*"):gmatch "([^*]*)%*" do
    parts[#parts + 1] = part
  end
  local first, last = parts[1], parts[#parts]
  if #text < #first + #last or text:sub(1, #first) ~= first
    or text:sub(#text - #last + 1) ~= last then
    return false
  end
  local from, limit = #first + 1, #text - #last
  for i = 2, #parts - 1 do
    local _, stop = text:find(parts[i], from, true)
    if not stop or stop > limit then
      return false
    end
    from = stop + 1
  end
  return true
end

return M
