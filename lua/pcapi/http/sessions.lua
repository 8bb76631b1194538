--- Sends requests over one pool of the core, which reuses connections. An idle session serves the
-- next request with equal connection options, also that of another transport.
-- @module pcapi.http.sessions
local ca = require "pcapi.http.ca"
local coding = require "pcapi.http.coding"
local core = require "pcapi.core"
local errors = require "pcapi.error"
local limits = require "pcapi.http.limits"
local retry = require "pcapi.http.retry"
local url = require "pcapi.url"

local M = {}

local WORDS = {
  config = "Check {proxy} and the address",
  tls_settings = "{ca_file}", ca = "{advice}",
  proxy = "{proxy}", without_proxy = "name the host in {no_proxy}",
}
local word

-- Returns the message and the hint. The module is loaded here, as most programs have no failure.
local function worded(failure)
  word = word or require("pcapi.http.hints").new(WORDS)
  return word(failure)
end

--- Makes the error of a request, with a hint.
-- @tparam string kind
-- @tparam string message
-- @tparam ?table more `timing`, and facts for @{pcapi.http.hints}: `cause`, `host`, `certificate`;
-- `options` of the connection
-- @treturn[1] nil
-- @treturn[2] pcapi.error
function M.fail(kind, message, more)
  local failure = more or {}
  failure.kind, failure.message = kind, message
  local problem
  if failure.cause == "ca" or failure.cause == "ca_file" then
    problem, failure.advice = ca.explain(failure.options, failure.cause == "ca")
  end
  local said, hint = worded(failure)
  return errors.fail { kind = kind, message = problem or said,
                       hint = problem and failure.advice or hint,
                       timing = failure.timing, certificate = failure.certificate }
end

local Sessions = {}
Sessions.__index = Sessions
Sessions.__name = "pcapi.http.sessions"

--- Makes an empty set of sessions. It opens nothing.
-- @tparam table bounds `connections`, `host_connections` (open at once; nil for no limit), `idle`
-- (connections, and sessions, that stay open for the next request), `watched` (boolean: many
-- requests at once), `silence` (seconds, see @{pcapi.http.limits.SILENCE}), `memory` (bytes of all
-- bodies that have come; nil for no limit)
-- @treturn table
function M.new(bounds)
  return setmetatable({
    bounds = {
      connections = bounds.connections, host_connections = bounds.host_connections,
      idle = bounds.idle, watched = bounds.watched, silence = bounds.silence,
      memory = bounds.memory,
    },
    idle = {}, idle_count = 0,
    busy = {}, -- sessions with a request in flight; close() finds those whose wait raised an error
  }, Sessions)
end

-- A weak table, not fields: the address of a proxy may hold a password, which a dump of a
-- connection must not show.
local options_of = setmetatable({}, { __mode = "k" })
local keys = setmetatable({}, { __mode = "v" }) -- one table per set of equal options

--- Makes the connection options of @{start}.
-- @tparam table options as `pool:http` of the core takes them
-- @treturn table
function M.connection(options)
  local words = {}
  for _, name in ipairs { "ca_file", "ca_path", "proxy", "no_proxy", "user_agent", "http_1_1",
                          "allow_http" } do
    words[#words + 1] = ("%s %q"):format(type(options[name]), tostring(options[name]))
  end
  local text = table.concat(words, "\n")
  local key = keys[text] or {} -- the local keeps it from the garbage collector
  keys[text] = key
  local connection = { key = key }
  options_of[connection] = options
  return connection
end

--- Opens the pool, if it is not open.
-- @treturn[1] userdata a pool of the core
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Sessions:open()
  if not self.pool then
    self.bounds.silence = self.bounds.silence or limits.SILENCE
    local pool, message, kind, cause = core.pool(self.bounds)
    if not pool then
      return M.fail(kind, message, { cause = cause })
    end
    self.pool = pool
  end
  return self.pool
end

local function take_session(self, connection)
  local idle = self.idle[connection.key]
  local session = idle and idle[#idle]
  if session then
    idle[#idle] = nil
    self.idle_count = self.idle_count - 1
    return session
  end
  local pool, err = self:open()
  if not pool then
    return nil, err
  end
  local message, kind
  session, message, kind = pool:http(options_of[connection])
  if not session then
    return M.fail(kind, message)
  end
  return session
end

-- Makes a session idle, or closes it if too many are idle.
local function give_back(self, session)
  local connection = self.busy[session]
  self.busy[session] = nil
  if not connection then
    return -- closed in the meantime
  elseif self.idle_count >= self.bounds.idle then
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

--- Starts a request.
-- @tparam table connection from @{connection}
-- @tparam table request as for `pcapi.http.curl`
-- @treturn[1] userdata a session of the core
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function Sessions:start(connection, request)
  local session, err = take_session(self, connection)
  if not session then
    return nil, err
  end
  local ok, message, kind = session:start(request, retry.IDEMPOTENT[request.method])
  self.busy[session] = connection
  if not ok then
    self:cancel(session)
    return M.fail(kind, message)
  end
  return session
end

-- Decompresses the body of a response. If that fails, returns nil, message and kind.
local function decompress(response, max_body)
  local ok, kind, message = coding.decode(response, max_body)
  if not ok then
    return nil, message, kind
  end
  coding.drop_mark(response)
  return response
end

-- The facts about a failure that its message and hint name.
local function facts_of(self, session, reading, kind)
  local address = url.parse(reading.url)
  return { options = options_of[self.busy[session]], host = address and address.host,
           certificate = kind == "tls" and session:certificate() or nil }
end

--- Returns the response of a request. Then the session is idle.
-- @tparam userdata session
-- @tparam table reading fields of the request: `url`, `max_body` (bytes), and optionally `timing`
-- and `buffer`
-- @tparam[opt=0] number seconds to wait for the response at most
-- @treturn[1] table the response
-- @treturn[2] boolean false: the request is still in flight
-- @treturn[3] nil
-- @treturn[3] pcapi.error
function Sessions:response(session, reading, seconds)
  local connection = self.busy[session]
  if not connection then
    return M.fail("stopped", "the connection was closed before the response came")
  end
  local response, message, kind, cause = session:result(seconds, reading.buffer)
  if response == false then
    return false
  end
  local timing = reading.timing and session:timing() or nil
  if response then
    response.timing = timing
    if message then -- the body is encoded
      response, message, kind = decompress(response, reading.max_body)
    end
  end
  if not response then
    local more = facts_of(self, session, reading, kind)
    more.timing, more.cause = timing, cause
    give_back(self, session)
    return M.fail(kind, message, more)
  end
  give_back(self, session)
  return response
end

--- Cancels a request. Does nothing if it has ended.
-- @tparam userdata session
function Sessions:cancel(session)
  if self.busy[session] then
    session:cancel()
    give_back(self, session)
  end
end

--- Closes all connections, and cancels the requests in flight. The sessions may be used again.
function Sessions:close()
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
