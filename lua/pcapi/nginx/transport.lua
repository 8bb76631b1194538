--- The transport within nginx: HTTP/1.1 over the cosockets of ngx_lua, so that a worker
-- goes on while a call waits. For its functions see `pcapi.http.curl`.
--
-- What libcurl takes from the system or from options, nginx takes from its configuration:
-- the CAs from `lua_ssl_trusted_certificate`, the resolver from `resolver`.
-- @module pcapi.nginx.transport
local core = require "pcapi.core"
local cosocket = require "pcapi.nginx.connection"
local http1 = require "pcapi.nginx.http1"
local limits = require "pcapi.http.limits"
local phase = require "pcapi.nginx.phase"
local retry = require "pcapi.http.retry"
local slots = require "pcapi.nginx.slots"
local url = require "pcapi.url"
local version = require "pcapi.version"

local M = {}

local fail = cosocket.fail
local LONGEST = 2000000 -- seconds, 23 days: ngx_lua counts milliseconds in 32 bits

-- What libcurl can and this cannot, and what is to be used.
local ELSEWHERE = {
  ca_file = "set lua_ssl_trusted_certificate in nginx.conf",
  ca_path = "set lua_ssl_trusted_certificate in nginx.conf",
  no_proxy = "make a client without proxy for such hosts",
  on_wait = "nobody waits at a terminal",
}

local Transport = {}
Transport.__index = Transport
Transport.__name = "pcapi.nginx.transport"

local function parse_proxy(text)
  local user, place = text:match "^http://([^/]*)@([^@]*)$"
  local address, why = url.parse(user and "http://" .. place or text)
  if not address or address.scheme ~= "http" then
    return nil, 'option "proxy" ' .. (why or "must begin with http:// within nginx")
  end
  address.authorization = user and http1.credentials(user)
  return address
end

local function option_mistake(options)
  for name, cure in pairs(ELSEWHERE) do
    if options[name] ~= nil then
      return ('option "%s" is not for nginx: %s'):format(name, cure)
    end
  end
  if options.http_version == "2" then
    return 'option "http_version": within nginx there is HTTP/1.1 only'
  end
end

--- Makes a transport. It connects to nothing yet.
-- @tparam[opt] table options
-- @tparam[opt] string options.proxy `http://` address of a proxy; the environment does not
-- count, as nginx takes it from its workers
-- @tparam[opt] string options.user_agent put in front of our own
-- @tparam[opt] table options.blocking a transport for `init_by_lua`, where nothing can wait
-- without blocking
-- @treturn[1] table a transport
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the options
function M.new(options)
  options = options or {}
  local mistake, proxy = option_mistake(options), nil
  if not mistake and (options.proxy or "") ~= "" then
    proxy, mistake = parse_proxy(options.proxy)
  end
  if mistake then
    return nil, mistake
  end
  local agent = "pcapi/" .. version
  return setmetatable({
    proxy = proxy, blocking = options.blocking,
    user_agent = options.user_agent and options.user_agent .. " " .. agent or agent,
  }, Transport)
end

local function cannot_wait(name, instead)
  return fail("config", "pcapi cannot wait in the phase " .. name, instead)
end

local function seconds_since(started)
  return core.now() - started
end

-- Sends and reads over an open connection. The third value says that the connection, one
-- that was kept, was not there any more, or is silent.
local function talk(connection, request, text, timing)
  local sent, broke = connection:send(text)
  local response, kept, message, has_answered
  if sent then
    response, kept, message = http1.response(connection, request.method, request, function()
      has_answered = true
      timing.first_byte = seconds_since(timing.started)
    end)
  else
    kept = broke == "timeout" and "timeout" or "network"
    message = "the request could not be sent: " .. tostring(broke)
  end
  connection:finish(response and kept)
  if response then
    return response
  end
  local _, err = fail(kept, message)
  return nil, err, connection.is_kept
    and (connection:is_silent() or kept == "network" and not has_answered)
end

-- A request that may not be sent twice has a new connection: of a kept one nobody knows
-- whether it is still there. One that is silent is given up once, with all that are kept as
-- long: the answer may only be slow.
local function exchange(self, request, address, text, timing, place)
  local how = { address = address, proxy = self.proxy, place = place,
                is_shared = retry.IDEMPOTENT[request.method] }
  local was_silent = false
  repeat
    how.deadline = math.min(timing.finish, core.now() + request.connect_timeout)
    local connection, err = cosocket.connect(how)
    if not connection then
      return nil, err
    end
    if connection.is_kept and not was_silent then
      connection:doubt()
    end
    timing.connect = not connection.is_kept and connection.connected - timing.started
    timing.tls = connection.is_safe and connection.is_safe - timing.started
    connection.deadline = timing.finish
    local response, again
    response, err, again = talk(connection, request, text, timing)
    if err and err.kind == "timeout" and connection.is_kept then
      was_silent = true
      cosocket.renounce(how)
    end
    if response or not again then
      return response, err
    end
  until false
end

-- Within init_by_lua. What it has open is closed, or the workers would inherit it.
local function block(self, request)
  local response, err = self.blocking:send(request)
  self.blocking:close()
  return response, err
end

local function take_turn(timing)
  local place = slots.take(timing.finish)
  if not place then
    return fail("timeout", ("no turn in time: %d exchanges are in flight in this worker")
      :format(slots.limit), "Raise pcapi.limit, or timeout")
  end
  return place
end

--- One exchange; see `pcapi.http.curl`. `on_wait` of a request is not called.
-- @tparam table request
-- @treturn[1] table
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind timeout, network, tls, protocol or config; config as well
-- where the phase of nginx allows no waiting
function Transport:send(request)
  local can_wait, name, instead = phase.can_wait()
  if not can_wait then
    if name == "init" and self.blocking then
      return block(self, request)
    end
    return cannot_wait(name, instead)
  end
  local address, mistake = url.parse(request.url)
  if not address then
    return fail("config", "the address " .. mistake)
  end
  local text
  text, mistake = http1.request(request, address, self.user_agent)
  if not text then
    return fail("config", mistake)
  end
  local started = core.now()
  local timing = { started = started, finish = started + math.min(request.timeout, LONGEST) }
  local place, err = take_turn(timing)
  if not place then
    return nil, err
  end
  local response
  response, err = exchange(self, request, address, text, timing, place)
  place:give_back()
  if request.timing then
    (response or err).timing = { name_lookup = 0, connect = timing.connect or 0,
                                 tls = timing.tls or 0, first_byte = timing.first_byte or 0,
                                 total = seconds_since(timing.started) }
  end
  return response, err
end

--- Waits; the worker goes on.
-- @tparam number seconds
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config: the phase allows no waiting
function Transport:sleep(seconds)
  local can_wait, name, instead = phase.can_wait()
  if can_wait then
    ngx.sleep(math.min(limits.life(seconds), LONGEST))
    return true
  elseif name == "init" and self.blocking then
    return self.blocking:sleep(seconds)
  end
  return cannot_wait(name, instead)
end

--- Lets the worker go on, where it can.
function Transport:breathe() -- luacheck: ignore self
  slots.breathe()
end

--- Seconds of a clock that never jumps.
-- @treturn number
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

--- Does nothing: connections that are idle are the worker's, and close by themselves.
function Transport:close() -- luacheck: ignore self
end

return M
