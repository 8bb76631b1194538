--- Makes and checks GUIDs (8-4-4-4-12 hexadecimal digits).
local M = {}

local function four()
  return math.random(0, 65535)
end

--- Makes a GUID.
function M.make()
  return ("%04x%04x-%04x-4%03x-8%03x-%04x%04x%04x"):format(four(), four(), four(), four() % 4096,
                                                           four() % 4096, four(), four(), four())
end

--- Makes the GUID of a text: the same text has the same GUID.
function M.from(text)
  return (ngx.md5(text):gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x).(%x%x%x).(%x%x%x)", "%1-%2-4%3-8%4-"))
end

local X = "%x"
local FORM = "^" .. table.concat({ X:rep(8), X:rep(4), X:rep(4), X:rep(4), X:rep(12) }, "%-") .. "$"

--- Whether a text is a GUID.
function M.is(text)
  return text:find(FORM) ~= nil
end

--- Returns the GUID in a request header, or a new one if the header holds none.
-- @param header a string, an array if the header was sent twice, or nil
function M.of(header)
  local id = type(header) == "table" and header[1] or header
  return id and M.is(id) and id or M.make()
end

return M
