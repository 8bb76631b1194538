--- Exchanges over one pool of the core, which keeps their connections. Sessions are kept
-- by what they connect with, so that transports that connect alike share them.
-- @module pcapi.http.sessions
local coding = require "pcapi.http.coding"
local core = require "pcapi.core"
local errors = require "pcapi.error"
local limits = require "pcapi.http.limits"
local retry = require "pcapi.http.retry"

local M = {}

local HINTS = {
  timeout = "Raise timeout, or try again later",
  network = "Check the connection, the name of the host and the proxy settings",
  tls = "Check the address, ca_file and ca_path; a proxy that opens TLS needs its own CA there",
  config = "Check ca_file, ca_path, proxy and the address",
  stopped = "Run it again for what is missing",
}

local function clock(and_then)
  return ("The clock of this machine says %s: set it if that is wrong%s"):format(
    os.date "!%Y-%m-%d %H:%M UTC", and_then)
end

-- Hints by the cause that the core found.
local CAUSES = {
  descriptors = function()
    return "Close files or connections, or raise ulimit -n"
  end,
  proxy_login = function()
    return 'Check name and password in "proxy" or https_proxy: NAME:PASSWORD and an @ stand in '
      .. "front of the host"
  end,
  proxy_rule = function()
    return "Have the proxy allow this host and port, or name the host in no_proxy"
  end,
  ca = function()
    return "Set ca_file (PCAPI_CA_FILE for the command) to a PEM file with the CA that signed it; "
      .. "a proxy that opens TLS has a CA of its own"
  end,
  host = function()
    return "Check the address: the certificate is for another host"
  end,
  not_yet_valid = function()
    return clock ""
  end,
  expired = function()
    return clock "; if it is right, the server needs a new certificate"
  end,
}

--- The error of an exchange.
-- @tparam string kind
-- @tparam string message
-- @tparam ?table timing
-- @tparam ?string cause that the core found
-- @treturn[1] nil
-- @treturn[2] pcapi.error
function M.fail(kind, message, timing, cause)
  return nil, errors.new { kind = kind, message = message, timing = timing,
                           hint = cause and CAUSES[cause]() or HINTS[kind] }
end

local Wire = {}
Wire.__index = Wire
Wire.__name = "pcapi.http.sessions"

--- Makes a wire; opens nothing.
-- @tparam table bounds `connections`, `host_connections` (at once; nil for no limit) and
-- `kept` (connections and sessions kept for later); `watched`: for many at once
-- @treturn table
function M.new(bounds)
  return setmetatable({
    limits = bounds, idle = {}, idle_count = 0,
    busy = {}, -- sessions in flight, so that close() reaches one whose wait raised
  }, Wire)
end

-- Here and not in fields, as the address of a proxy may hold a password: a connection that
-- somebody dumps shows none.
local options_of = setmetatable({}, { __mode = "k" })
local keys = setmetatable({}, { __mode = "v" }) -- one table for all that connect alike

--- What sessions connect with.
-- @tparam table options as `pool:http` of the core takes them
-- @treturn table for @{start}
function M.connection(options)
  local words = {}
  for _, name in ipairs { "ca_file", "ca_path", "proxy", "no_proxy", "user_agent", "http_1_1",
                          "allow_http" } do
    words[#words + 1] = ("%s %q"):format(type(options[name]), tostring(options[name]))
  end
  local text = table.concat(words, "\n")
  local key = keys[text] or {} -- held here, as the collector may come at any time
  keys[text] = key
  local connection = { key = key }
  options_of[connection] = options
  return connection
end

--- Opens what is needed for waiting, unless it is open.
-- @treturn[1] userdata a pool of the core
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Wire:open()
  if not self.pool then
    self.limits.silence = self.limits.silence or limits.SILENCE
    local pool, kind, message, cause = core.pool(self.limits)
    if not pool then
      return M.fail(kind, message, nil, cause)
    end
    self.pool = pool
  end
  return self.pool
end

local function take_session(self, connection)
  local idle = self.idle[connection.key]
  local session = idle and table.remove(idle)
  if session then
    self.idle_count = self.idle_count - 1
    return session
  end
  local pool, err = self:open()
  if not pool then
    return nil, err
  end
  local kind, message
  session, kind, message = pool:http(options_of[connection])
  if not session then
    return M.fail(kind, message)
  end
  return session
end

-- Makes a session idle; too many of them are closed.
local function give_back(self, session)
  local connection = self.busy[session]
  self.busy[session] = nil
  if not connection then
    return -- closed meanwhile
  elseif self.idle_count >= self.limits.kept then
    session:close()
    return
  end
  local idle = self.idle[connection.key]
  if not idle then
    idle = {}
    self.idle[connection.key] = idle
  end
  idle[#idle + 1] = session
  self.idle_count = self.idle_count + 1
end

--- Begins an exchange.
-- @tparam table connection
-- @tparam table request as for `pcapi.http.curl`
-- @treturn[1] userdata a session of the core
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Wire:start(connection, request)
  local session, err = take_session(self, connection)
  if not session then
    return nil, err
  end
  request.may_repeat = retry.IDEMPOTENT[request.method] or false
  local ok, kind, message = session:start(request)
  self.busy[session] = connection
  if not ok then
    self:cancel(session)
    return M.fail(kind, message)
  end
  return session
end

-- Sets the body of a response; or gives nil, kind and message.
local function read_body(session, response, max_body)
  if not response.headers["content-encoding"] then
    response.body = session:body(coding.is_json(response))
    return response
  end
  response.body = session:body()
  local ok, kind, message = coding.decode(response, max_body)
  if not ok then
    return nil, kind, message
  end
  coding.drop_mark(response)
  return response
end

--- The answer of an exchange that is over. The session is given back.
-- @tparam userdata session
-- @tparam table reading of the request: `max_body` (bytes), and optionally `timing`
-- @treturn[1] table the response
-- @treturn[2] boolean false, it is on its way
-- @treturn[3] nil
-- @treturn[3] pcapi.error
function Wire:answer(session, reading)
  if not self.busy[session] then
    return M.fail("stopped", "its connection was closed meanwhile")
  end
  local response, kind, message, cause = session:result()
  if response == false then
    return false
  end
  local timing = reading.timing and session:timing() or nil
  if response then
    response.timing = timing
    response, kind, message = read_body(session, response, reading.max_body)
  end
  give_back(self, session)
  if not response then
    return M.fail(kind, message, timing, cause)
  end
  return response
end

--- Gives up an exchange, or what is left of it.
-- @tparam userdata session
function Wire:cancel(session)
  if self.busy[session] then
    session:cancel()
    give_back(self, session)
  end
end

--- Closes the kept connections and gives up what is in flight. The wire may be used
-- again.
function Wire:close()
  for session in pairs(self.busy) do
    session:close()
  end
  for _, idle in pairs(self.idle) do
    for _, session in ipairs(idle) do
      session:close()
    end
  end
  self.busy, self.idle, self.idle_count = {}, {}, 0
  if self.pool then
    self.pool:close()
    self.pool = nil
  end
end

return M
