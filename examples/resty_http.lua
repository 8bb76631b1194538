--- A transport of your own: pcapi within nginx over lua-resty-http.
--
--     local pcapi = require "pcapi.nginx"
--     local client = pcapi.new { transport = require "resty_http", … }
--
-- A transport is a table with `send`, `sleep`, `now` and `close`; what makes one takes the
-- options of the client. `pcapi.error.new` makes the errors that retries understand: of kind
-- network and timeout a call is tried again.
local errors = require "pcapi.error"
local http = require "resty.http"

local Transport = {}
Transport.__index = Transport

local function headers_of(lines)
  local headers = {}
  for _, line in ipairs(lines) do
    local name, value = line:match "^([^:]+): (.*)$"
    headers[name] = value
  end
  return headers
end

-- Names in lower case, and one text for a name that comes more than once.
local function plain(headers)
  local all = {}
  for name, value in pairs(headers) do
    all[name:lower()] = type(value) == "table" and table.concat(value, ", ") or value
  end
  return all
end

function Transport:send(request) -- luacheck: ignore self
  local connection = http.new()
  connection:set_timeouts(request.connect_timeout * 1000, request.timeout * 1000,
    request.timeout * 1000)
  local response, why = connection:request_uri(request.url, {
    method = request.method, headers = headers_of(request.headers), body = request.body,
    ssl_verify = true,
  })
  if not response then
    return nil, errors.new { kind = why == "timeout" and "timeout" or "network",
                             message = tostring(why) }
  elseif #response.body > request.max_body then
    return nil, errors.new { kind = "protocol", message = "the answer is larger than max_body" }
  end
  return { status = response.status, reason = response.reason or "", version = 1.1,
           headers = plain(response.headers), body = response.body }
end

function Transport:sleep(seconds) -- luacheck: ignore self
  ngx.sleep(seconds)
  return true
end

function Transport:now() -- luacheck: ignore self
  return require("pcapi.core").now()
end

function Transport:close() -- luacheck: ignore self
end

return function()
  return setmetatable({}, Transport)
end
