--- Records the requests of each MS-CorrelationId and of each login, for tests to look up.
local cjson = require "cjson"

local M = {}

-- New entries replace the oldest ones when the dictionary is full (see nginx.conf for its size).
local shelf = ngx.shared.journal

--- Records a request.
-- @tparam string id key for `read`
-- @tparam table entry
function M.note(id, entry)
  local number = shelf:incr(id, 1, 0)
  shelf:set(id .. "/" .. number, cjson.encode(entry))
end

--- Returns the requests recorded under an id, in order.
-- @treturn string a JSON array
function M.read(id)
  local entries = {}
  for number = 1, shelf:get(id) or 0 do
    entries[#entries + 1] = shelf:get(id .. "/" .. number)
  end
  return "[" .. table.concat(entries, ",") .. "]"
end

return M
