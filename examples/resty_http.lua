--- A custom transport: pcapi inside nginx over lua-resty-http.
--
--     local pcapi = require "pcapi.nginx"
--     local client = pcapi.new { transport = require "resty_http", … }
--
-- A transport is a table with `send`, `sleep`, `now` and `close`, see `pcapi.http.curl`. The option
-- `transport` also takes a function that makes one from the options of the client.
-- `pcapi.error.new` makes the errors: a call is repeated after an error of kind network or timeout.
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

-- Names in lower case; headers with the same name become one.
local function normalised(headers)
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
    return nil, errors.new { kind = "protocol", message = "the response is larger than max_body" }
  end
  return { status = response.status, reason = response.reason or "", version = 1.1,
           headers = normalised(response.headers), body = response.body }
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
