--- What was asked, for tests to look up: the requests of each MS-CorrelationId.
local cjson = require "cjson"

local M = {}

-- Old entries make room for new ones; nginx.conf says how much room there is.
local shelf = ngx.shared.journal

--- Writes a request down.
function M.note(call, headers)
  local id = call.correlation_id:lower()
  local number = shelf:incr(id, 1, 0)
  shelf:set(id .. "/" .. number, cjson.encode {
    method = call.method, uri = ngx.var.request_uri, http_version = call.http_version,
    headers = headers, at = ngx.now(),
  })
end

--- The requests made under an id, in order.
-- @treturn string a JSON array
function M.read(id)
  id = id:lower()
  local entries = {}
  for number = 1, shelf:get(id) or 0 do
    entries[#entries + 1] = shelf:get(id .. "/" .. number)
  end
  return "[" .. table.concat(entries, ",") .. "]"
end

return M
