--- Ids of the form 8-4-4-4-12.
local M = {}

local function four()
  return math.random(0, 65535)
end

--- A new one.
function M.make()
  return ("%04x%04x-%04x-4%03x-8%03x-%04x%04x%04x"):format(four(), four(), four(), four() % 4096,
                                                           four() % 4096, four(), four(), four())
end

--- Whether a text is one.
function M.is(text)
  local groups = {}
  for group in text:gmatch("[^-]+") do
    groups[#groups + 1] = group:find("^%x+$") and #group or "x"
  end
  return #text == 36 and table.concat(groups, "-") == "8-4-4-4-12"
end

--- The id in a request header, or a new one; an answer never repeats what is none.
-- @param header a text, the array of a header that came twice, or nil
function M.of(header)
  local id = type(header) == "table" and header[1] or header
  return id and M.is(id) and id or M.make()
end

return M
