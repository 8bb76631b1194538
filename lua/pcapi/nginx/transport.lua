--- The transport inside nginx: HTTP/1.1 over ngx_lua's cosockets, so that the worker serves
-- other events while a call waits. For its functions see `pcapi.http.curl`.
--
-- libcurl takes CAs and name servers from the system or from options; nginx takes them from
-- `lua_ssl_trusted_certificate` and `resolver` in nginx.conf.
-- @module pcapi.nginx.transport
local connections = require "pcapi.nginx.connection"
local core = require "pcapi.core"
local http1_request = require "pcapi.nginx.http1_request"
local http1_response = require "pcapi.nginx.http1_response"
local limits = require "pcapi.http.limits"
local phase = require "pcapi.nginx.phase"
local proxies = require "pcapi.nginx.proxy"
local retry = require "pcapi.http.retry"
local slots = require "pcapi.nginx.slots"
local url = require "pcapi.url"
local version = require "pcapi.version"

local M = {}

local fail = connections.fail
local LONGEST = 2000000 -- seconds, 23 days: ngx_lua counts milliseconds in 32 bits

-- Options of libcurl that nginx cannot have, and what to do instead.
local UNSUPPORTED = {
  ca_file = "set lua_ssl_trusted_certificate in nginx.conf",
  ca_path = "set lua_ssl_trusted_certificate in nginx.conf",
  no_proxy = "make a client without proxy for these hosts",
  on_wait = "a worker has no terminal to report to",
}

local Transport = {}
Transport.__index = Transport
Transport.__name = "pcapi.nginx.transport"

local function unsupported(options)
  for name, cure in pairs(UNSUPPORTED) do
    if options[name] ~= nil then
      return ('option "%s" is not supported inside nginx: %s'):format(name, cure)
    end
  end
  if options.http_version == "2" then
    return 'option "http_version": inside nginx pcapi speaks HTTP/1.1 only'
  end
end

--- Makes a transport. It connects to nothing yet.
-- @tparam[opt] table options
-- @tparam[opt] string options.proxy `http://` address of a proxy; the environment does not
-- count, as nginx hides it from its workers
-- @tparam[opt] string options.user_agent put in front of pcapi's own
-- @tparam[opt] table options.blocking a transport for `init_by_lua`, where code cannot wait
-- without blocking
-- @treturn[1] table a transport
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the options
function M.new(options)
  options = options or {}
  local why, proxy = unsupported(options), nil
  if not why and (options.proxy or "") ~= "" then
    proxy, why = proxies.parse(options.proxy)
  end
  if why then
    return nil, why
  end
  local agent = "pcapi/" .. version
  return setmetatable({
    proxy = proxy, blocking = options.blocking,
    user_agent = options.user_agent and options.user_agent .. " " .. agent or agent,
  }, Transport)
end

local function cannot_wait(name, hint)
  return fail("config", "pcapi cannot wait in the nginx phase " .. name, hint)
end

local function seconds_since(started)
  return core.now() - started
end

-- Reads a response. The third value says whether its head had been received before an error.
local function receive(connection, request, timing)
  local has_head = false
  local response, kind, message, is_reusable = http1_response.read(connection, request.method,
    request, function()
      has_head = true
      timing.first_byte = seconds_since(timing.started)
    end)
  connection:finish(is_reusable)
  if response then
    return response
  end
  local _, err = fail(kind, message)
  return nil, err, has_head
end

-- Sends a request over an open connection, and reads the response. The third value says whether
-- to try again: the connection was an idle one, and it was closed or silent.
local function send_and_receive(connection, request, text, timing)
  local response, err, has_head
  local sent, kind, message = connection:send(text)
  if sent then
    response, err, has_head = receive(connection, request, timing)
  else
    connection:finish()
    response, err = fail(kind, message)
  end
  return response, err, err and connection.was_idle
    and (connection:was_silent() or err.kind == "network" and not has_head)
end

-- Sends a request, on a new connection if an idle one fails. A request that must not be sent twice
-- always gets a new connection. After one silent idle connection, no other one is discarded: the
-- response may just be slow.
local function send(self, request, address, text, timing, slot)
  local how = { address = address, proxy = self.proxy, slot = slot,
                may_reuse = retry.IDEMPOTENT[request.method] }
  local has_been_silent = false
  repeat
    how.deadline = math.min(timing.deadline, core.now() + request.connect_timeout)
    local connection, err = connections.open(how)
    if not connection then
      return nil, err
    end
    if connection.was_idle and not has_been_silent then
      connection:limit_silence()
    end
    timing.connect = not connection.was_idle and connection.connected_at - timing.started
    timing.tls = connection.secured_at and connection.secured_at - timing.started
    connection.deadline = timing.deadline
    local response, again
    response, err, again = send_and_receive(connection, request, text, timing)
    if err and err.kind == "timeout" and connection.was_idle then
      has_been_silent = true
      connections.forget_idle(how)
    end
    if not again then
      return response, err
    end
  until false
end

-- In init_by_lua. Closes its connections, as workers would inherit them.
local function send_blocking(self, request)
  local response, err = self.blocking:send(request)
  self.blocking:close()
  return response, err
end

local function acquire_slot(deadline)
  local slot = slots.acquire(deadline)
  if not slot then
    return fail("timeout", ("timed out while waiting for a free slot: this worker is already "
      .. "sending %d requests"):format(slots.limit), "Raise pcapi.limit, or timeout")
  end
  return slot
end

-- Returns the address and the text to send; or nil and a pcapi.error of kind config.
local function prepare(self, request)
  local address, why = url.parse(request.url)
  if not address then
    return fail("config", "the address " .. why)
  end
  local text
  text, why = http1_request.text(request, address, self.user_agent)
  if not text then
    return fail("config", why)
  end
  return address, text
end

local function timing_of(timing)
  return { name_lookup = 0, connect = timing.connect or 0, tls = timing.tls or 0,
           first_byte = timing.first_byte or 0, total = seconds_since(timing.started) }
end

--- Sends one request; see `pcapi.http.curl`. `on_wait` of a request is not called.
-- @tparam table request
-- @treturn[1] table
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind timeout, network, tls, protocol or config; also config if
-- code cannot wait in this phase of nginx
function Transport:send(request)
  local can_wait, name, hint = phase.can_wait()
  if not can_wait then
    if name == "init" and self.blocking then
      return send_blocking(self, request)
    end
    return cannot_wait(name, hint)
  end
  local address, text = prepare(self, request)
  if not address then
    return nil, text
  end
  local started = core.now()
  local timing = { started = started, deadline = started + math.min(request.timeout, LONGEST) }
  local slot, err = acquire_slot(timing.deadline)
  if not slot then
    return nil, err
  end
  local response
  response, err = send(self, request, address, text, timing, slot)
  slot:release()
  if request.timing then
    (response or err).timing = timing_of(timing)
  end
  return response, err
end

--- Waits; the worker serves other events meanwhile.
-- @tparam number seconds
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config: code cannot wait in this phase
function Transport:sleep(seconds)
  local can_wait, name, hint = phase.can_wait()
  if can_wait then
    ngx.sleep(math.min(limits.life(seconds), LONGEST))
    return true
  elseif name == "init" and self.blocking then
    return self.blocking:sleep(seconds)
  end
  return cannot_wait(name, hint)
end

-- lua-cjson reads 1 MiB in about 15 milliseconds, and serves no other event meanwhile.
Transport.judged = 1024 * 1024 -- bytes

--- Lets the worker serve other events, if the phase allows it.
function Transport:breathe() -- luacheck: ignore self
  slots.breathe()
end

--- The time on a clock that never jumps.
-- @treturn number seconds
function Transport:now() -- luacheck: ignore self
  return core.now()
end

--- Runs a function to its end, even if the request that waits for it is aborted.
-- @tparam function act
-- @return what act returns
function Transport:detached(act) -- luacheck: ignore self
  if phase.can_wait() then
    return require("pcapi.nginx.detached").run(act)
  end
  return act()
end

--- Does nothing: idle connections belong to the worker, and close by themselves.
function Transport:close() -- luacheck: ignore self
end

return M
