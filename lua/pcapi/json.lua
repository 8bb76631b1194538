--- Reads and writes JSON with the decoder that pcapi itself uses.
--
--     local json = require "pcapi.json"
--     local value, message, offset = json.decode '{"name":"kim","tags":["a",null]}'
--     print(json.encode { name = value.name, tags = value.tags })
--
-- pcapi keeps its own instance of lua-cjson, so settings that other code changes on the shared
-- instance have no effect here.
-- @module pcapi.json
local core = require "pcapi.core"

local M = {}

local PIECE = 50 -- records: about a quarter of a millisecond

--- Stands for null in an array. In an object, a field that is null is left out.
M.null = core.null

--- Reads a JSON text. Whole numbers become integers on Lua 5.3 and later.
-- @function decode
-- @tparam string text
-- @treturn[1] any the value; nil for the text `null`
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the text
-- @treturn[2] number where, in bytes from 1
M.decode = core.decode

--- Writes a value as JSON on one line. An empty table becomes `{}`; use @{encode_array} for a
-- table that may be an empty array. Strings are written byte for byte: clean strings that may
-- not be UTF-8 with `pcapi.report.clean`.
-- @tparam any value a string, number, boolean, table or @{null}
-- @treturn string
-- @raise for functions, NaN, infinities, very sparse arrays, and tables that contain themselves
function M.encode(value)
  local ok, text = pcall(core.encode, value)
  if not ok then
    error(text, 2)
  end
  return text
end

--- Writes an array as JSON, 50 elements at a time.
-- @tparam table array
-- @tparam[opt] function breathe is called before each 50 elements, so that other work can run
-- @treturn string `[]` for an empty array
-- @raise as @{encode}
function M.encode_array(array, breathe)
  local pieces = {}
  for first = 1, #array, PIECE do
    if breathe then
      breathe()
    end
    local piece = {}
    for i = first, math.min(first + PIECE - 1, #array) do
      piece[#piece + 1] = array[i]
    end
    pieces[#pieces + 1] = core.encode(piece):sub(2, -2)
  end
  return "[" .. table.concat(pieces, ",") .. "]"
end

return M
