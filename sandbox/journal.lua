--- What was asked, for tests to look up: the requests of each MS-CorrelationId, and of
-- each login.
local cjson = require "cjson"

local M = {}

-- Old entries make room for new ones; nginx.conf says how much room there is.
local shelf = ngx.shared.journal

--- Writes a request down.
-- @tparam string id what it is looked up by
-- @tparam table entry
function M.note(id, entry)
  local number = shelf:incr(id, 1, 0)
  shelf:set(id .. "/" .. number, cjson.encode(entry))
end

--- The requests noted under an id, in order.
-- @treturn string a JSON array
function M.read(id)
  local entries = {}
  for number = 1, shelf:get(id) or 0 do
    entries[#entries + 1] = shelf:get(id .. "/" .. number)
  end
  return "[" .. table.concat(entries, ",") .. "]"
end

return M
