--- The transport over libcurl. Within a task of `pcapi.concurrent` others go on while it
-- waits; elsewhere it blocks the thread, not the person: it waits in short slices, so that
-- Ctrl-C and a progress function get their turn.
--
-- A transport is a table with `send(self, request) → response | nil, err`,
-- `sleep(self, seconds)`, `now(self)` (seconds of a clock that never jumps) and
-- `close(self)`. Everything above it is written against these four. Where work that takes long
-- would hold others up it may have `breathe(self)`, which lets them go on; it is called between
-- pieces of decoding. `piece` is their size in bytes (16,384, a quarter of a millisecond or so),
-- and `at_once` the number of JSON values up to which a text is decoded as a whole (0). Where code
-- that waits may be ended from
-- outside it may have `detached(self, act)`, which runs a function to its end all the same, and
-- returns what that does: the renewal of a token is such.
-- @module pcapi.http.curl
local ca = require "pcapi.http.ca"
local core = require "pcapi.core"
local current_task = require "pcapi.http.current_task"
local version = require "pcapi.version"
local sessions = require "pcapi.http.sessions"

local M = {}

local SLICE = 0.25 -- seconds
local KEPT = 16 -- connections, of a transport that blocks: service, sign-in, a vault

local Transport = {}
Transport.__index = Transport
Transport.__name = "pcapi.http.curl"
Transport.at_once = 250000 -- JSON values, which take up to a quarter of a second
Transport.piece = 256 * 1024 -- bytes: a few milliseconds

-- The CAs to trust: ca_file and ca_path of the options, or what the environment names.
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

--- Makes a transport. It connects to nothing yet.
-- @tparam[opt] table options
-- @tparam[opt] string options.ca_file PEM file of the CAs to trust, instead of those that
-- the environment names (see `pcapi.http.ca`), or the system has
-- @tparam[opt] string options.ca_path directory of CAs hashed by `openssl rehash`
-- @tparam[opt] string options.proxy address of a proxy; `""` for none; without it
-- the environment decides (`https_proxy`, `no_proxy`)
-- @tparam[opt] string options.no_proxy hosts to reach without the proxy
-- @tparam[opt] string options.http_version `"1.1"` keeps to HTTP/1.1
-- @tparam[opt] boolean options.allow_http http:// too, for a test on loopback
-- @tparam[opt] string options.user_agent put in front of our own
-- @tparam[opt] function options.on_wait called about four times a second with the
-- seconds waited so far; not within a task
-- @treturn table a transport
function M.new(options)
  options = options or {}
  local agent = "pcapi/" .. version
  local cas, trouble = cas_of(options)
  return setmetatable({
    wire = sessions.new { kept = KEPT },
    on_wait = options.on_wait, trouble = trouble,
    connection = sessions.connection {
      ca_file = cas.ca_file, ca_path = cas.ca_path,
      proxy = options.proxy, no_proxy = options.no_proxy,
      http_1_1 = options.http_version == "1.1", allow_http = options.allow_http or false,
      user_agent = options.user_agent and options.user_agent .. " " .. agent or agent,
    },
  }, Transport)
end

-- Within a worker of nginx nobody else is served meanwhile. It may be meant so in a script,
-- but hardly there.
local is_told = false

local function tell_nginx()
  local ngx = rawget(_G, "ngx")
  local phase = ngx and ngx.get_phase and ngx.get_phase()
  if phase and phase ~= "init" and phase ~= "exit_worker" and not is_told then
    is_told = true
    ngx.log(ngx.WARN, 'pcapi: a call stops this worker of nginx for as long as it waits; use the '
      .. "module pcapi.nginx in place of pcapi")
  end
end

-- Another exchange may begin meanwhile, from within on_wait: so what is over is looked
-- for by session.
local function exchange(self, request)
  tell_nginx()
  local session, err = self.wire:start(self.connection, request)
  if not session then
    return nil, err
  end
  local on_wait = request.on_wait or self.on_wait
  local started = on_wait and core.now()
  local pool = self.wire.pool
  while true do
    pool:wait(SLICE)
    while pool:next() do end -- luacheck: ignore 542
    local response
    response, err = self.wire:answer(session, request)
    if response ~= false then
      return response, err
    end
    if started then
      on_wait(core.now() - started)
      if self.wire.pool ~= pool then -- closed meanwhile
        return self.wire:answer(session, request)
      end
    end
  end
end

--- One exchange.
-- @tparam table request `method`, `url`, `headers` (lines), `body`, `timeout` and
-- `connect_timeout` (seconds), `max_body` and `max_headers` (bytes). `on_wait` stands for the
-- transport's own. With `timing` the answer, or the error, has `timing`: seconds since the start
-- when `name_lookup`, `connect`, `tls`, `first_byte` and `total` were done, 0 for none.
-- @treturn[1] table `status`, `reason`, `version`, `headers` (names in lower case), `body`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind timeout, network, tls, protocol, config or stopped
function Transport:send(request)
  if self.trouble then
    return nil, self.trouble
  end
  local loop = current_task.loop()
  if loop then
    return loop:exchange(self.connection, request)
  end
  return exchange(self, request)
end

--- Waits.
-- @tparam number seconds
-- @treturn[1] boolean true
-- @treturn[2] nil within a task whose run is stopped
-- @treturn[2] pcapi.error of kind stopped
function Transport:sleep(seconds)
  local loop = current_task.loop()
  if loop then
    return loop:sleep(seconds)
  end
  local finish = core.now() + seconds
  local left = seconds
  while left > 0 do
    core.sleep(math.min(left, SLICE))
    if self.on_wait then
      self.on_wait(seconds - left)
    end
    left = finish - core.now()
  end
  return true
end

--- Lets other tasks go on; outside of tasks it does nothing.
function Transport:breathe() -- luacheck: ignore self
  local loop = current_task.loop()
  if loop then
    loop:breathe()
  end
end

--- Seconds of a clock that never jumps.
-- @treturn number
function Transport:now() -- luacheck: ignore self
  return core.now()
end

--- Closes the kept connections and gives up what is in flight, but for that of a loop,
-- which keeps its own. The transport may be used again.
function Transport:close()
  self.wire:close()
end

return M
