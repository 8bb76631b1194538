--- A fake transport without network. It returns scripted responses in order and records the
-- requests. Its clock advances only by sleeping.
--
-- A response is a table: `status` (200), `reason`, `headers` (names in lower case) and `body`; or
-- `kind` and `message` of an error. `takes` is its duration in seconds. `timing` is returned if
-- the request asks for it. A function of the request may take the place of the table.
local errors = require "pcapi.error"

local M = {}

--- 2024-02-03T07:08:09Z, the wall clock of the clients made here.
M.NOW = 1706944089

--- An access token that is easy to find in places where it must not be.
M.TOKEN = "eyJSECRET.SECRETpayload-_.SECRETsignature"

local Fake = {}
Fake.__index = Fake

function M.new(responses)
  return setmetatable({
    responses = responses or {}, sent = {}, slept = {}, time = 1000, closed = 0,
  }, Fake)
end

-- Decodes a form (application/x-www-form-urlencoded).
local function form_of(body)
  local form = {}
  for name, value in body:gmatch "([^&=]+)=([^&]*)" do
    form[name] = value:gsub("+", " "):gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
  end
  return form
end

-- The fields of a request, which may come from a metatable.
local FIELDS = { "method", "url", "headers", "body", "timeout", "connect_timeout", "max_body",
                 "max_headers", "on_wait", "timing", "buffer" }

-- Copies a request, and adds its headers as a table with names in lower case, and its form as a
-- table. A repeated header is joined by commas.
local function record(request)
  local sent = { header = {} }
  for _, name in ipairs(FIELDS) do
    sent[name] = request[name]
  end
  for _, line in ipairs(request.headers) do
    local name, value = line:match("^([^:]+): (.*)$")
    local first = sent.header[name:lower()]
    sent.header[name:lower()] = first and first .. ", " .. value or value
  end
  if sent.header["content-type"] == "application/x-www-form-urlencoded" then
    sent.form = form_of(sent.body)
  end
  return sent
end

function Fake:send(request)
  self.sent[#self.sent + 1] = record(request)
  local response = self.responses[#self.sent]
  if type(response) == "function" then
    response = response(self.sent[#self.sent])
  end
  assert(response, "the fake transport has no response to request " .. #self.sent)
  self.time = self.time + (response.takes or 0)
  if response.kind then
    return nil, errors.new { kind = response.kind, message = response.message or "it broke",
                             timing = request.timing and response.timing or nil }
  end
  local headers = {}
  for name, value in pairs(response.headers or {}) do
    headers[name] = value
  end
  return {
    timing = request.timing and response.timing or nil,
    status = response.status or 200, reason = response.reason or "", version = 1.1,
    headers = headers, body = response.body or "",
  }
end

function Fake:sleep(seconds)
  self.slept[#self.slept + 1] = seconds
  self.time = self.time + seconds
end

function Fake:now()
  return self.time
end

function Fake:close()
  self.closed = self.closed + 1
end

--- Makes a client over a fake transport.
-- @tparam table responses
-- @tparam[opt] table options more options for `pcapi.new`; `token` "none" means no token
-- @treturn pcapi.client
-- @treturn table the transport
function M.client(responses, options)
  local transport = M.new(responses)
  local all = {
    token = M.TOKEN, transport = transport,
    clock = function() return M.NOW end,
    random = function() return 0 end,
  }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  all.token = all.token ~= "none" and all.token or nil
  return require("pcapi").new(all), transport
end

--- Sends a GET by a new client.
-- @tparam table responses
-- @tparam[opt] table options as for @{client}
-- @tparam[opt] table request options of the request
-- @treturn ?table the response
-- @treturn ?pcapi.error
-- @treturn table the transport
function M.get(responses, options, request)
  local client, transport = M.client(responses, options)
  local response, err = client:request("GET", "/v1/customers", request)
  return response, err, transport
end

--- Makes a response with a bad status.
-- @tparam number status
-- @tparam[opt] table changes further fields
-- @treturn table
function M.failing(status, changes)
  local made = { status = status }
  for name, value in pairs(changes or {}) do
    made[name] = value
  end
  return made
end

return M
