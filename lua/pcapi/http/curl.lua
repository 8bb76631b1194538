--- The transport over libcurl. In a task of `pcapi.concurrent` the other tasks run while it waits.
-- Elsewhere it blocks its thread; it waits in short slices, so that Ctrl-C and a progress function
-- work.
--
-- All code above the transport uses only these methods, so another transport may take its place
-- (option `transport` of `pcapi.new`). A transport is a table with
--
-- - `send(self, request)`: sends a request; returns the response, or nil and an error. See
--   @{Transport:send}.
-- - `sleep(self, seconds, on_wait)`: waits; returns true, or nil and an error.
-- - `now(self)`: returns the seconds of a clock that never jumps.
-- - `close(self)`: closes its idle connections.
--
-- and optionally
--
-- - `breathe(self)`: lets other tasks run. It is called between the steps of reading a long body.
-- - `step`: bytes of such a step. Default 16,384, about a tenth of a millisecond.
-- - `judged`: bytes. A longer body that is not JSON is not given to lua-cjson, which would say more
--   precisely what is wrong, but cannot be interrupted. Default: no limit.
-- - `detached(self, act)`: needed if the code that waits can be cancelled from outside. It calls
--   `act`, lets it finish even then, and returns its results. A token renewal uses it.
--
-- @module pcapi.http.curl
local ca = require "pcapi.http.ca"
local core = require "pcapi.core"
local current_task = require "pcapi.http.current_task"
local version = require "pcapi.version"
local sessions = require "pcapi.http.sessions"

local M = {}

local SLICE = 0.25 -- seconds
local IDLE = 16 -- connections of a blocking transport: to the service, the sign-in, a vault

local Transport = {}
Transport.__index = Transport
Transport.__name = "pcapi.http.curl"
Transport.step = 256 * 1024 -- bytes: a millisecond or two

-- The trusted CAs: ca_file and ca_path of the options, else those that the environment names.
local function cas_of(options)
  if options.ca_file or options.ca_path then
    return options
  end
  local name, value = ca.of_environment(os.getenv)
  if name then
    return { [name] = value }
  end
  return {}, value
end

--- Makes a transport. It opens no connection yet.
-- @tparam[opt] table options
-- @tparam[opt] string options.ca_file PEM file of the trusted CAs. Default: those that the
-- environment names (see `pcapi.http.ca`), else those of the system
-- @tparam[opt] string options.ca_path directory of trusted CAs, hashed by `openssl rehash`
-- @tparam[opt] string options.proxy address of a proxy; `""` for none. Default: `https_proxy` and
-- `no_proxy` of the environment
-- @tparam[opt] string options.no_proxy hosts to connect to without the proxy
-- @tparam[opt] string options.http_version `"1.1"` to use HTTP/1.1 only
-- @tparam[opt] boolean options.allow_http allow http:// for a test on loopback
-- @tparam[opt] string options.user_agent text to put before `pcapi/VERSION`
-- @tparam[opt] function options.on_wait called about four times a second with the seconds waited
-- so far; not called in a task
-- @treturn table a transport
function M.new(options)
  options = options or {}
  local agent = "pcapi/" .. version
  local cas, problem = cas_of(options)
  return setmetatable({
    sessions = sessions.new { idle = IDLE },
    on_wait = options.on_wait, problem = problem,
    connection = sessions.connection {
      ca_file = cas.ca_file, ca_path = cas.ca_path,
      proxy = options.proxy, no_proxy = options.no_proxy,
      http_1_1 = options.http_version == "1.1", allow_http = options.allow_http or false,
      user_agent = options.user_agent and options.user_agent .. " " .. agent or agent,
    },
  }, Transport)
end

local ngx = rawget(_G, "ngx")
local has_warned = not ngx

-- In a worker of nginx a blocking call stops all other requests, which is hardly intended.
local function warn_in_nginx()
  local phase = ngx.get_phase and ngx.get_phase()
  if phase and phase ~= "init" and phase ~= "exit_worker" then
    has_warned = true
    ngx.log(ngx.WARN, "pcapi: this call blocks the nginx worker while it waits; require "
      .. '"pcapi.nginx" instead of "pcapi"')
  end
end

-- on_wait may send another request, or close the transport.
local function send_blocking(self, request)
  if not has_warned then
    warn_in_nginx()
  end
  local session, err = self.sessions:start(self.connection, request)
  if not session then
    return nil, err
  end
  local on_wait = request.on_wait or self.on_wait
  local started = on_wait and core.now()
  local response
  response, err = self.sessions:response(session, request, SLICE)
  while response == false do
    if started then
      on_wait(core.now() - started)
    end
    response, err = self.sessions:response(session, request, SLICE)
  end
  return response, err
end

--- Sends a request.
-- @tparam table request `method`; `url`; `headers`, an array of `Name: value`; `body`; `timeout`
-- and `connect_timeout` (seconds); `max_body` and `max_headers` (bytes); optionally `on_wait`, in
-- place of the transport's own, `timing` (boolean) and `buffer` (boolean: the body of a good
-- response may be a `buffer` of the core in place of a string, which saves a copy)
-- @treturn[1] table `status`, `reason`, `version`, `headers` (names in lower case), `body`;
-- with `request.timing` also `timing`: seconds from the start until `name_lookup`, `connect`,
-- `tls`, `first_byte` and `total` were done, 0 for a step that was not needed
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind timeout, network, tls, protocol, config or stopped; with
-- `request.timing` it has `timing`, too
function Transport:send(request)
  if self.problem then
    return nil, self.problem
  end
  local loop = current_task.loop()
  if loop then
    return loop:send(self.connection, request)
  end
  return send_blocking(self, request)
end

--- Waits.
-- @tparam number seconds
-- @tparam[opt] function on_wait in place of the transport's own
-- @treturn[1] boolean true
-- @treturn[2] nil in a task whose run was stopped
-- @treturn[2] pcapi.error of kind stopped
function Transport:sleep(seconds, on_wait)
  local loop = current_task.loop()
  if loop then
    return loop:sleep(seconds)
  end
  on_wait = on_wait or self.on_wait
  local finish = core.now() + seconds
  local left = seconds
  while left > 0 do
    core.sleep(math.min(left, SLICE))
    if on_wait then
      on_wait(seconds - left)
    end
    left = finish - core.now()
  end
  return true
end

--- Lets other tasks run. Does nothing outside a task.
function Transport:breathe() -- luacheck: ignore self
  local loop = current_task.loop()
  if loop then
    loop:breathe()
  end
end

--- Reads a clock that never jumps.
-- @treturn number seconds
function Transport:now() -- luacheck: ignore self
  return core.now()
end

--- Closes the idle connections and cancels the requests in flight, but not those of a loop of
-- `pcapi.concurrent`, which has connections of its own. The transport may be used again.
function Transport:close()
  self.sessions:close()
end

return M
