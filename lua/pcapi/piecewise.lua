--- Long JSON texts a piece at a time, so that others go on between: 10,000 records take a
-- twentieth of a second. Pure.
-- @module pcapi.piecewise
local core = require "pcapi.core"

local M = {}

local PIECE = 16 * 1024 -- bytes: about a quarter of a millisecond
local RECORDS = 50 -- that take about as long to be written

local function append(all, some)
  for i = 1, #some do
    all[#all + 1] = some[i]
  end
end

-- What is left of the text, with its records put back.
local function complete(rest, records)
  local value = core.decode(rest)
  if type(value) ~= "table" or rest:find "^\239?\187?\191?%s*%[" then
    return value and records
  end
  value[value.items and "items" or "Items"] = records
  return value
end

-- Names of members as records are to have them: here that is cheap, and in Lua, when all
-- is decoded, it is work without a pause.
local function decode(text, names)
  return core.decode(names and core.respell(text, names) or text)
end

--- Decodes a text, as `core.decode` does.
-- @tparam string text
-- @tparam function breathe is called before each piece
-- @tparam ?table names of members of records to be respelt, from → to
-- @return the value; or nil, a message, and the offset in bytes
function M.decode(text, breathe, names)
  if #text < 2 * PIECE then
    return decode(text, names)
  end
  local next_piece, records = core.pieces(text, PIECE), {}
  while true do
    breathe()
    local piece, rest = next_piece()
    if not piece then
      local value = rest and complete(rest, records)
      if value then
        return value
      end
      return core.decode(text)
    end
    local some = decode(piece, names)
    if not some then -- the text as a whole tells where it is wrong
      return core.decode(text)
    end
    append(records, some)
  end
end

--- Encodes an array.
-- @tparam table array
-- @tparam function encode of an own instance of lua-cjson
-- @tparam function breathe is called before each piece
-- @treturn string
function M.encode(array, encode, breathe)
  local parts = {}
  for first = 1, #array, RECORDS do
    breathe()
    local some = {}
    for i = first, math.min(first + RECORDS - 1, #array) do
      some[#some + 1] = array[i]
    end
    parts[#parts + 1] = encode(some):sub(2, -2)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

return M
