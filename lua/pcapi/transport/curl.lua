--- The transport over libcurl: blocks the thread, not the person. It waits in
-- short slices, so that Ctrl-C and a progress function get their turn.
--
-- A transport is a table with `send(self, request) → response | nil, err`,
-- `sleep(self, seconds)`, `now(self)` (seconds of a clock that never jumps) and
-- `close(self)`. Everything above it is written against these four.
-- @module pcapi.transport.curl
local core = require "pcapi.core"
local errors = require "pcapi.error"
local version = require "pcapi.version"

local M = {}

local SLICE = 0.25 -- seconds

local HINTS = {
  timeout = "Raise timeout, or try again later",
  network = "Check the connection, the name of the host and the proxy settings",
  tls = "Check ca_file or ca_path; a proxy that opens TLS needs its own CA there",
  config = "Check ca_file, ca_path, proxy and the address",
}

local Transport = {}
Transport.__index = Transport
Transport.__name = "pcapi.transport.curl"

--- Makes a transport. It connects to nothing yet.
-- @tparam[opt] table options
-- @tparam[opt] string options.ca_file PEM file of the CAs to trust, instead of the system's
-- @tparam[opt] string options.ca_path directory of CAs hashed by `openssl rehash`
-- @tparam[opt] string options.proxy address of a proxy; `""` for none; without it
-- the environment decides (`https_proxy`, `no_proxy`)
-- @tparam[opt] string options.no_proxy hosts to reach without the proxy
-- @tparam[opt] string options.http_version `"1.1"` keeps to HTTP/1.1
-- @tparam[opt] boolean options.allow_http http:// too, for a test on loopback
-- @tparam[opt] string options.user_agent put in front of our own
-- @tparam[opt] function options.on_wait called about four times a second with the
-- seconds waited so far
-- @treturn table a transport
function M.new(options)
  options = options or {}
  local agent = "pcapi/" .. version
  return setmetatable({
    idle = {},
    busy = {}, -- sessions in flight, so that close() reaches one whose wait raised
    on_wait = options.on_wait,
    session_options = {
      ca_file = options.ca_file, ca_path = options.ca_path,
      proxy = options.proxy, no_proxy = options.no_proxy,
      http_1_1 = options.http_version == "1.1", allow_http = options.allow_http,
      user_agent = options.user_agent and options.user_agent .. " " .. agent or agent,
    },
  }, Transport)
end

local function fail(kind, message, timing)
  return nil, errors.new { kind = kind, message = message, hint = HINTS[kind], timing = timing }
end

-- A second request while one is under way, as from inside a progress function,
-- gets a session of its own.
local function take_session(self)
  local session = table.remove(self.idle)
  if session then
    return session
  end
  return core.http(self.session_options)
end

local function exchange(self, session, request)
  local ok, kind, message = session:start(request)
  if not ok then
    return nil, kind, message
  end
  local on_wait = request.on_wait or self.on_wait
  local started = on_wait and core.now()
  while true do
    local response
    response, kind, message = session:wait(SLICE)
    if response ~= false then
      return response, kind, message
    end
    if started then
      on_wait(core.now() - started)
    end
  end
end

-- A body that is JSON loses its byte order mark while it is still in C.
local function text_names(request, response)
  local kind = response.headers["content-type"]
  return request.json_names or kind and kind:find("[/+]json") and {} or nil
end

--- One exchange.
-- @tparam table request `method`, `url`, `headers` (lines), `body`, `timeout` and
-- `connect_timeout` (seconds), `max_body` and `max_headers` (bytes). `json_names`
-- (JSON member names, from → to) may be respelt by a transport where that is
-- cheap; nobody may depend on it. `on_wait` stands for the transport's own. With
-- `timing` the answer, or the error, has `timing`: seconds since the start when
-- `name_lookup`, `connect`, `tls`, `first_byte` and `total` were done, 0 for none.
-- @treturn[1] table `status`, `reason`, `version`, `headers` (names in lower case), `body`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind timeout, network, tls, protocol or config
function Transport:send(request)
  local session, kind, message = take_session(self)
  if not session then
    return fail(kind, message)
  end
  local response
  self.busy[session] = true
  response, kind, message = exchange(self, session, request)
  self.busy[session] = nil
  local timing = request.timing and session:timing() or nil
  if response then
    response.body = session:body(text_names(request, response))
  end
  self.idle[#self.idle + 1] = session
  if not response then
    return fail(kind, message, timing)
  end
  response.timing = timing
  return response
end

--- Waits.
-- @tparam number seconds
function Transport:sleep(seconds)
  local finish = core.now() + seconds
  local left = seconds
  while left > 0 do
    core.sleep(math.min(left, SLICE))
    if self.on_wait then
      self.on_wait(seconds - left)
    end
    left = finish - core.now()
  end
end

--- Seconds of a clock that never jumps.
-- @treturn number
function Transport:now() -- luacheck: ignore self
  return core.now()
end

--- Closes the kept connections and gives up what is in flight. The transport may be
-- used again.
function Transport:close()
  for i = #self.idle, 1, -1 do
    self.idle[i]:close()
    self.idle[i] = nil
  end
  for session in pairs(self.busy) do
    session:close()
    self.busy[session] = nil
  end
end

return M
