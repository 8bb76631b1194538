--- The transport within nginx: HTTP/1.1 over the cosockets of ngx_lua, so that a worker
-- goes on while a call waits. For its functions see `pcapi.transport.curl`.
--
-- What libcurl takes from the system or from options, nginx takes from its configuration:
-- the CAs from `lua_ssl_trusted_certificate`, the resolver from `resolver`.
-- @module pcapi.transport.nginx
local core = require "pcapi.core"
local errors = require "pcapi.error"
local http1 = require "pcapi.transport.http1"
local notice = require "pcapi.nginx.notice"
local phase = require "pcapi.nginx.phase"
local turn = require "pcapi.nginx.turn"
local url = require "pcapi.url"
local version = require "pcapi.version"

local M = {}

local KEPT = 60 -- seconds that an idle connection is kept; Azure closes it after 240

local RESOLVER = 'Add "resolver" with the address of your DNS server to http { } of nginx.conf, '
  .. "such as: resolver 127.0.0.53;"
local TRUSTED = 'Set in http { } of nginx.conf: lua_ssl_trusted_certificate '
  .. "/etc/ssl/certs/ca-certificates.crt; lua_ssl_verify_depth 5; the CA of a proxy that opens "
  .. "TLS belongs into that file, too"

local HINTS = {
  timeout = "Raise timeout, or try again later",
  network = "Check the connection, the name of the host and the proxy",
  tls = "Check the name of the host, and lua_ssl_trusted_certificate in nginx.conf",
}

-- What libcurl can and this cannot, and what is to be used.
local ELSEWHERE = {
  ca_file = "set lua_ssl_trusted_certificate in nginx.conf",
  ca_path = "set lua_ssl_trusted_certificate in nginx.conf",
  no_proxy = "make a client without proxy for such hosts",
  on_wait = "nobody waits at a terminal",
}

local Transport = {}
Transport.__index = Transport
Transport.__name = "pcapi.transport.nginx"

local function parse_proxy(text)
  local user, place = text:match "^http://([^@/]*)@([^@]*)$"
  local address, why = url.parse(user and "http://" .. place or text)
  if not address or address.scheme ~= "http" then
    return nil, 'option "proxy" ' .. (why or "must begin with http:// within nginx")
  end
  address.authorization = user and ngx.encode_base64(ngx.unescape_uri(user))
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

local function fail(kind, message, hint)
  return nil, errors.new { kind = kind, message = message, hint = hint or HINTS[kind] }
end

local function cannot_wait(name, instead)
  return fail("config", "pcapi cannot wait in the phase " .. name,
    instead:sub(1, 1):upper() .. instead:sub(2))
end

-- A socket whose every wait ends at the deadline of the exchange.
local Timed = {}
Timed.__index = Timed

local function left_ms(deadline)
  return math.max(1, math.ceil((deadline - core.now()) * 1000))
end

local function arm(self)
  if core.now() >= self.deadline then
    return false
  end
  self.socket:settimeout(left_ms(self.deadline))
  return true
end

for _, name in ipairs { "receive", "receiveany", "send" } do
  Timed[name] = function(self, what)
    if not arm(self) then
      return nil, "timeout"
    end
    return self.socket[name](self.socket, what)
  end
end

function Timed:receiveuntil(mark)
  local read = self.socket:receiveuntil(mark)
  return function(size)
    if not arm(self) then
      return nil, "timeout"
    end
    return read(size)
  end
end

local function not_connected(host, err)
  if err:find("no resolver defined", 1, true) then
    local message = ("nginx has no resolver, so the name %s has no address"):format(host)
    notice.once("resolver", message .. ". " .. RESOLVER)
    return fail("config", message, RESOLVER)
  elseif err == "timeout" then
    return fail("timeout", "no connection to " .. host .. " in time")
  end
  return fail("network", ("no connection to %s: %s"):format(host, err))
end

-- Numbers of OpenSSL's verification (X509_V_ERR_*) that say: the CA is not known here.
local UNKNOWN_CA = { ["2"] = true, ["18"] = true, ["19"] = true, ["20"] = true, ["21"] = true,
                     ["22"] = true }

local function not_verified(host, err)
  if err == "timeout" then
    return fail("timeout", "no TLS with " .. host .. " in time")
  elseif err == "closed" or err:find("reset by peer", 1, true) then
    return fail("network", ("the connection to %s was closed within the handshake"):format(host))
  end
  local message = ("%s could not be verified: %s"):format(host, err)
  if UNKNOWN_CA[err:match "^(%d+):"] then
    notice.once("trusted " .. host, message .. ". " .. TRUSTED)
    return fail("tls", message, TRUSTED)
  end
  return fail("tls", message)
end

-- Names of loopback are not asked for (RFC 6761 §6.3); libcurl does the same.
local function place_of(host)
  return (host == "localhost" or host:find "%.localhost$") and "127.0.0.1" or host
end

-- Has the proxy connect; the answer to CONNECT has no body (RFC 9110 §9.3.6).
local function open_tunnel(self, timed, target)
  local sent, err = timed:send(("CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n"):format(target, target,
    self.proxy.authorization and "Proxy-Authorization: Basic " .. self.proxy.authorization
      .. "\r\n" or ""))
  if not sent then
    return not_connected("the proxy", err)
  end
  local answer, kind, message = http1.head(timed, 65536)
  if not answer then
    return fail(kind, "the proxy: " .. message)
  elseif answer.status >= 300 then
    return fail("network", ("the proxy refuses to connect: %d %s"):format(answer.status,
      answer.reason))
  end
  return true
end

-- ngx_lua before June 2026 may call a handshake good whose certificate it has just refused, if
-- all of it came at once (lua-nginx-module 2506). It has closed the socket then.
local function is_open(socket, host)
  if socket:getreusedtimes() then
    return true
  end
  local _, err = fail("tls", host .. " could not be verified: its certificate was refused", TRUSTED)
  return nil, err, "no reason"
end

-- Makes an open connection safe; one that was kept is. The third value says that OpenSSL's
-- reason got lost.
local function prepare(self, timed, address)
  local host = address.host
  if self.proxy and address.scheme == "https" then
    local ok, err = open_tunnel(self, timed, host .. ":" .. address.port)
    if not ok then
      return nil, err
    end
  end
  if address.scheme == "https" then
    if not arm(timed) then
      return not_verified(host, "timeout")
    end
    local ok, err = timed.socket:sslhandshake(false, (host:gsub("[%[%]]", "")), true)
    if not ok then
      return not_verified(host, tostring(err))
    end
    return is_open(timed.socket, host)
  end
  return true
end

-- Whom a kept connection serves: it is not verified again.
local function pool_name(self, address)
  return "pcapi " .. address.origin .. (self.proxy and " by " .. self.proxy.origin .. " "
    .. (self.proxy.authorization or "") or "")
end

local alone = 0

-- A request that may not be sent twice has a new connection: of a kept one nobody knows
-- whether it is still there.
local function connect(self, address, deadline, may_be_kept)
  local via = self.proxy and address.scheme == "https" and self.proxy or address
  local socket = ngx.socket.tcp()
  local timed = setmetatable({ socket = socket, deadline = deadline,
                               may_be_kept = may_be_kept }, Timed)
  if not arm(timed) then
    return not_connected(via.host, "timeout")
  end
  local name = pool_name(self, address)
  if not may_be_kept then
    alone = alone + 1
    name = name .. " " .. alone
  end
  local ok, err = socket:connect(place_of(via.host), via.port,
    { pool = name, pool_size = turn.limit })
  if not ok then
    return not_connected(via.host, tostring(err))
  end
  timed.is_kept = socket:getreusedtimes() > 0
  if not timed.is_kept then
    local lost
    ok, err, lost = prepare(self, timed, address)
    if not ok then
      socket:close()
      return nil, err, lost
    end
  end
  return timed
end

-- As connect; where the reason of a refusal got lost, another try may tell it.
local function connect_again(...)
  local timed, err, lost
  for _ = 1, 3 do
    timed, err, lost = connect(...)
    if not lost then
      return timed, err
    end
  end
  return nil, err
end

-- Methods that may be sent twice (RFC 9110 §9.2.2).
local IDEMPOTENT = { GET = true, HEAD = true, PUT = true, DELETE = true, OPTIONS = true }

local function seconds_since(started)
  return core.now() - started
end

-- Sends and reads over an open connection. The third value says that the connection, one
-- that was kept, was not there any more.
local function talk(timed, request, text, timing)
  local sent, broke = timed:send(text)
  local response, kept, message
  if sent then
    response, kept, message = http1.response(timed, request.method, request, function()
      timed.has_answered = true
      timing.first_byte = seconds_since(timing.started)
    end)
  else
    kept = broke == "timeout" and "timeout" or "network"
    message = "the request could not be sent: " .. tostring(broke)
  end
  if response and kept and timed.may_be_kept then
    timed.socket:setkeepalive(KEPT * 1000)
  else
    timed.socket:close()
  end
  if response then
    return response
  end
  local _, err = fail(kept, message)
  return nil, err, kept == "network" and timed.is_kept and not timed.has_answered
end

local function exchange(self, request, address, text, timing)
  local finish = timing.started + request.timeout
  repeat
    local timed, err = connect_again(self, address,
      math.min(finish, core.now() + request.connect_timeout), IDEMPOTENT[request.method])
    if not timed then
      return nil, err
    end
    timing.tls = not timed.is_kept and seconds_since(timing.started) or 0
    timed.deadline = finish
    local response, was_gone
    response, err, was_gone = talk(timed, request, text, timing)
    if response or not was_gone then
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

local function take_turn(timing, request)
  local give_back = turn.take(timing.started + request.timeout)
  if not give_back then
    return fail("timeout", ("no turn in time: %d exchanges are in flight in this worker")
      :format(turn.limit), "Raise pcapi.limit, or timeout")
  end
  return give_back
end

--- One exchange; see `pcapi.transport.curl`. `on_wait` of a request is not called.
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
  local address = assert(url.parse(request.url))
  local text, mistake = http1.request(request, address, self.user_agent)
  if not text then
    return fail("config", mistake)
  end
  local timing = { started = core.now(), first_byte = 0 }
  local give_back, err = take_turn(timing, request)
  if not give_back then
    return nil, err
  end
  local response
  response, err = exchange(self, request, address, text, timing)
  give_back()
  if request.timing then
    (response or err).timing = { name_lookup = 0, connect = 0, tls = timing.tls or 0,
                                 first_byte = timing.first_byte,
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
    ngx.sleep(seconds)
    return true
  elseif name == "init" and self.blocking then
    return self.blocking:sleep(seconds)
  end
  return cannot_wait(name, instead)
end

--- Lets the worker go on, where it can.
function Transport:breathe() -- luacheck: ignore self
  if phase.can_wait() then
    turn.breathe()
  end
end

--- Seconds of a clock that never jumps.
-- @treturn number
function Transport:now() -- luacheck: ignore self
  return core.now()
end

--- Does nothing: connections that are idle are the worker's, and close by themselves.
function Transport:close() -- luacheck: ignore self
end

return M
