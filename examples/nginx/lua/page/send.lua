--- Sends responses: text, JSON and errors.
local json = require "pcapi.json"
local notes = require "page.notes"

local M = {}

-- Any other kind is 503: the request is in order, and may work later.
local STATUS = {
  timeout = 504, network = 502, tls = 502, server = 502, protocol = 502, not_found = 502,
  bad_request = 502,
}

--- Sends a text.
-- @tparam number status
-- @tparam string content_type
-- @tparam string text
function M.text(status, content_type, text)
  ngx.status = status
  ngx.header.content_type = content_type
  ngx.header.content_length = #text
  ngx.header.cache_control = "no-store"
  ngx.print(text)
end

--- Sends JSON.
-- @tparam number status
-- @tparam string|table value JSON text, or a table to encode
function M.json(status, value)
  local text = type(value) == "string" and value or json.encode(value)
  M.text(status, "application/json; charset=utf-8", text .. "\n")
end

--- Sends an error.
-- @tparam pcapi.error err
function M.error(err)
  if err.retry_after then
    ngx.header.retry_after = math.ceil(err.retry_after)
  end
  M.json(STATUS[err.kind] or 503, { error = notes.fields_of(err) })
end

--- Runs a function that responds to a request. If it raises, the message goes to the error log,
-- and the client gets a plain error 500.
-- @tparam function respond
function M.guarded(respond)
  local ok, why = pcall(respond)
  if not ok then
    ngx.log(ngx.ERR, "pcapi page: ", tostring(why))
    M.json(500, { error = { kind = "internal", message = "the page itself has failed",
                            hint = "See nginx's error log." } })
  end
end

return M
