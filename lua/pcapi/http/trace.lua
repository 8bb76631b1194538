--- A transport that logs the requests of another one: method, address, headers and timing. It never
-- logs a body or a secret.
-- @module pcapi.http.trace
local text = require "pcapi.text"
local url = require "pcapi.url"

local M = {}

local HIDDEN = "[hidden]"
local SHORTEST_WAIT = 0.25 -- seconds; shorter waits are not logged

-- A header or parameter whose name has one of these parts is hidden; in doubt too many.
local SECRET_NAMES = { "auth", "token", "secret", "key", "cookie", "pass", "pwd", "assertion",
                       "code", "state", "credential", "sig", "session" }
-- Names with such a part that are not secret.
local HARMLESS = { ["www-authenticate"] = true, ["content-encoding"] = true,
                   ["accept-encoding"] = true, ["transfer-encoding"] = true,
                   ["authorization_uri"] = true }

local function unescape(value)
  return (value:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

local function is_secret(name)
  name = unescape(name):lower()
  for _, part in ipairs(HARMLESS[name] and {} or SECRET_NAMES) do
    if name:find(part, 1, true) then
      return true
    end
  end
  return false
end

local SHORTEST_SECRET = 4 -- bytes; a shorter one would match unrelated text

-- Returns the secrets of a request, by their names in its headers and its form; those of a form
-- also percent-encoded, as they are sent.
local function secrets_of(request)
  local all = {}
  local function add(secret)
    if #secret >= SHORTEST_SECRET then
      all[#all + 1] = secret
    end
  end
  local is_form = false
  for _, line in ipairs(request.headers or {}) do
    local name, value = line:match "^([^:]+):%s*(.*)$"
    if is_secret(name) then
      add(value:match "^%a+%s+(%S+)$" or value)
    end
    is_form = is_form or value:find("x-www-form-urlencoded", 1, true) ~= nil
  end
  for name, value in (is_form and request.body or ""):gmatch "([^&=]+)=([^&]*)" do
    if is_secret(name) then
      add(value)
      add(unescape(value))
    end
  end
  return all
end

local function without(value, secret)
  local at, last = value:find(secret, 1, true)
  while at do
    value = value:sub(1, at - 1) .. HIDDEN .. value:sub(last + 1)
    at, last = value:find(secret, at + #HIDDEN, true)
  end
  return value
end

local function hide_pair(name)
  return is_secret(name) and name .. "=" .. HIDDEN or nil
end

-- Makes a function that hides secrets in any value: texts that look like a token, pairs with a
-- secret name, and the secrets of the request.
local function cleaner(request)
  local sent = secrets_of(request)
  return function(value)
    for _, secret in ipairs(sent) do
      value = without(value, secret)
    end
    value = url.hide_users(value):gsub("eyJ[%w_%-]+%.?[%w_%-]*%.?[%w_%-]*", HIDDEN)
    value = value:gsub('([%w_.%%%-]+)="[^"]*"', hide_pair)
    value = value:gsub("([%w_.%%%-]+)=[^&?%s#\"'<>;]+", hide_pair)
    return text.visible(value)
  end
end

local function shown_url(address)
  local base, query = address:match "^([^?]*)%??(.*)$"
  local parts = {}
  for part in query:gmatch "[^&]+" do
    local name = part:match "^([^=]*)="
    parts[#parts + 1] = name and is_secret(name) and name .. "=" .. HIDDEN or part
  end
  return base .. (#parts > 0 and "?" .. table.concat(parts, "&") or "")
end

local function write_request(number, request, clean, write)
  write(("* %d %s %s"):format(number, request.method, clean(shown_url(request.url))))
  for _, line in ipairs(request.headers or {}) do
    local name, value = line:match "^([^:]+):%s*(.*)$"
    write(("> %s: %s"):format(name, is_secret(name) and HIDDEN or clean(value)))
  end
  if request.body then
    write(("> a body of %d bytes, not shown"):format(#request.body))
  end
end

local STEPS = { { "name_lookup", "name" }, { "connect", "connected" }, { "tls", "TLS" },
                { "first_byte", "first byte" }, { "total", "end" } }

local function shown_timing(timing)
  local parts = {}
  for _, step in ipairs(STEPS) do
    local seconds = timing and timing[step[1]] or 0
    if seconds > 0 then
      parts[#parts + 1] = ("%s %.3f s"):format(step[2], seconds)
    end
  end
  return #parts > 0 and table.concat(parts, ", ") or "no timing"
end

local function write_response(response, clean, write)
  write(("< HTTP/%s %d%s"):format(tostring(response.version), response.status,
    response.reason ~= "" and " " .. clean(response.reason) or ""))
  local names = {}
  for name in pairs(response.headers) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    write(("< %s: %s"):format(clean(name),
      is_secret(name) and HIDDEN or clean(response.headers[name])))
  end
  write(("< a body of %d bytes, not shown; %s"):format(#(response.buffer or response.body),
    shown_timing(response.timing)))
end

local Trace = {}
Trace.__index = Trace
Trace.__name = "pcapi.http.trace"

--- Makes a transport that traces another one.
-- @tparam table transport
-- @tparam function write is called with each line, without a line break
-- @treturn table a transport
function M.new(transport, write)
  local self = setmetatable({ transport = transport, write = write, number = 0 }, Trace)
  self.breathe = transport.breathe and function()
    transport:breathe()
  end
  self.detached = transport.detached and function(_, act)
    return transport:detached(act)
  end
  return self
end

function Trace:send(request)
  self.number = self.number + 1
  local clean = cleaner(request)
  write_request(self.number, request, clean, self.write)
  request.timing = true
  local response, err = self.transport:send(request)
  if response then
    write_response(response, clean, self.write)
  else
    self.write(("! %s; %s"):format(clean(tostring(err)), shown_timing(err.timing)))
  end
  return response, err
end

function Trace:sleep(seconds, on_wait)
  if seconds >= SHORTEST_WAIT then
    self.write(("* waits %.3f s"):format(seconds))
  end
  return self.transport:sleep(seconds, on_wait)
end

function Trace:now()
  return self.transport:now()
end

function Trace:close()
  return self.transport:close()
end

return M
