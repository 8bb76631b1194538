--- Long JSON texts a piece at a time, so that others go on between, and that a deadline
-- holds: 10,000 records take a twentieth of a second. Pure.
-- @module pcapi.http.decode
local core = require "pcapi.core"

local M = {}

local PIECE = 16 * 1024 -- bytes: about a quarter of a millisecond
local RECORDS = 50 -- that take about as long to be written

--- Decodes a text, as `core.decode` does; the message for a text that is not JSON may be
-- another.
-- @tparam string text
-- @tparam function breathe is called before each piece of a long text; what it returns,
-- if anything, ends the work as its message
-- @tparam[opt=16384] number size bytes of a piece
-- @return the value; or nil, a message, and the offset in bytes
function M.decode(text, breathe, size)
  size = size or PIECE
  if #text < 2 * size then
    return core.decode(text)
  end
  local next_piece = core.pieces(text, size)
  local more, value, message, offset
  repeat
    local stop = breathe()
    if stop then
      return nil, stop
    end
    more, value, message, offset = next_piece()
  until not more
  return value, message, offset
end

--- Encodes an array.
-- @tparam table array
-- @tparam function breathe is called before each piece
-- @treturn string
function M.encode(array, breathe)
  local parts = {}
  for first = 1, #array, RECORDS do
    breathe()
    local some = {}
    for i = first, math.min(first + RECORDS - 1, #array) do
      some[#some + 1] = array[i]
    end
    parts[#parts + 1] = core.encode(some):sub(2, -2)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

return M
