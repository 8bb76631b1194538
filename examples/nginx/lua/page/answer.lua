--- Sends an answer, and makes answers of errors.
local cjson = require("cjson.safe").new()
local notes = require "page.notes"

local M = {}

-- What is not here is 503: nothing is wrong with the request, and it may work later.
local STATUS = {
  timeout = 504, network = 502, tls = 502, server = 502, protocol = 502, not_found = 502,
  bad_request = 502,
}

--- Sends a text.
-- @tparam number status
-- @tparam string content_type
-- @tparam string text
function M.send(status, content_type, text)
  ngx.status = status
  ngx.header.content_type = content_type
  ngx.header.content_length = #text
  ngx.header.cache_control = "no-store"
  ngx.print(text)
end

--- Sends JSON.
-- @tparam number status
-- @tparam string|table value JSON text, or what is to be encoded
function M.json(status, value)
  M.send(status, "application/json; charset=utf-8",
         (type(value) == "string" and value or cjson.encode(value)) .. "\n")
end

--- Sends an error.
-- @tparam pcapi.error err
function M.error(err)
  if err.retry_after then
    ngx.header.retry_after = math.ceil(err.retry_after)
  end
  M.json(STATUS[err.kind] or 503, { error = notes.told(err) })
end

--- Runs what answers a request; what it raises goes to the log, not to the world.
-- @tparam function act
function M.guarded(act)
  local ok, why = pcall(act)
  if not ok then
    ngx.log(ngx.ERR, "pcapi page: ", tostring(why))
    M.json(500, { error = { kind = "internal", message = "the page itself has failed",
                            hint = "See nginx's error log." } })
  end
end

return M
