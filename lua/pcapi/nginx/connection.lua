--- A connection inside nginx: opened directly or through a proxy, with TLS that is verified, and
-- pooled for later requests. Each wait ends at the deadline.
-- @module pcapi.nginx.connection
local core = require "pcapi.core"
local cosocket = require "pcapi.nginx.cosocket"
local errors = require "pcapi.error"
local hints = require "pcapi.http.hints"
local limits = require "pcapi.http.limits"
local log_once = require "pcapi.nginx.log_once"
local proxies = require "pcapi.nginx.proxy"
local slots = require "pcapi.nginx.slots"
local url = require "pcapi.url"

local M = {}

local IDLE = 60 -- seconds until an idle connection is closed; Azure closes it after 240
local PIECE = 16384 -- bytes sent at once, as TLS does; the timeout is set for each
local BREATHE = 64 * 1024 -- bytes received between breaths; decrypting them takes 0.25 ms

local RESOLVER = 'Set "resolver" in http { } of nginx.conf to the address of your DNS server, such '
  .. "as a nameserver in /etc/resolv.conf"
local TEMPORARY = { [408] = true, [425] = true, [429] = true }

local word = hints.new {
  tls_settings = "lua_ssl_trusted_certificate in nginx.conf",
  ca = "In http { } of nginx.conf set lua_ssl_trusted_certificate to "
    .. "/etc/ssl/certs/ca-certificates.crt, and lua_ssl_verify_depth to 5",
  proxy = '"proxy"', without_proxy = "make a client without proxy for this host",
  address = "Use the name of the server in place of its IP address: nginx verifies names only",
}

local function hint_for(cause)
  local _, hint = word { cause = cause }
  return hint
end

-- The cause of a proxy's refusal, if the proxy will refuse the next request, too; after several
-- attempts it may lock the account. Else nil.
local function cause_of_refusal(status)
  if status == 407 or status == 401 then -- tinyproxy says 401
    return "proxy_login"
  end
  return status >= 300 and status < 500 and not TEMPORARY[status] and "proxy_rule" or nil
end

local PROTOCOLS = "See nginx's error log. The server may need lua_ssl_protocols TLSv1.2 TLSv1.3; "
  .. "in http { } of nginx.conf"

-- How often to try in all after a handshake that failed for an unclear reason.
local TRIES_IF_FAILED, TRIES_IF_REFUSED = 2, 5

--- Returns the error of a request.
-- @tparam string kind
-- @tparam string message
-- @tparam ?string hint without it, the hint for the kind
-- @treturn nil
-- @treturn pcapi.error
function M.fail(kind, message, hint)
  local _, of_kind = word { kind = kind }
  return errors.fail { kind = kind, message = message, hint = hint or of_kind }
end

local fail = M.fail

local Connection = {}
Connection.__index = Connection
Connection.__name = "pcapi.nginx.connection"

local function set_timeout(self)
  return cosocket.set_timeout(self.socket, math.min(self.deadline, self.silent_until or math.huge))
end

local function restart_silence(self)
  if self.limits_silence then
    self.silent_until = core.now() + limits.SILENCE
  end
end

--- Lets the worker serve other events.
-- @treturn boolean whether there is time left after that
function Connection:breathe()
  slots.breathe()
  return core.now() < self.deadline
end

--- As the function of ngx_lua, until the deadline. Bytes that have arrived are taken without
-- waiting, so a long response lets the worker breathe now and then.
function Connection:receiveany(max_bytes)
  if self.received >= BREATHE then
    self.received = 0
    slots.breathe()
  end
  if not set_timeout(self) then
    return nil, "timeout"
  end
  local some, err = self.socket:receiveany(max_bytes)
  if some then
    self.limits_silence, self.silent_until = false, nil
  end
  self.received = self.received + #(some or "")
  return some, err
end

--- Sends a text, until the deadline.
-- @tparam string text
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string kind of error: timeout or network
-- @treturn[2] string message
function Connection:send(text)
  for first = 1, #text, PIECE do
    restart_silence(self)
    local piece = #text <= PIECE and text or text:sub(first, first + PIECE - 1)
    local sent, err = nil, "timeout"
    if set_timeout(self) then
      sent, err = self.socket:send(piece)
    end
    if err == "timeout" then
      return nil, "timeout", "timed out while sending the request"
    elseif not sent then
      return nil, "network", "the request could not be sent: " .. tostring(err)
    end
  end
  restart_silence(self)
  return true
end

--- Makes requests time out after @{pcapi.http.limits.SILENCE} without a byte from the server: a
-- firewall may have dropped an idle connection.
function Connection:limit_silence()
  self.limits_silence = true
end

--- Whether a request timed out because the server sent nothing.
-- @treturn boolean
function Connection:was_silent()
  return self.limits_silence and self.silent_until ~= nil and self.silent_until < self.deadline
end

--- Closes the connection, or keeps it idle for another request.
-- @tparam ?boolean is_reusable
function Connection:finish(is_reusable)
  if not (is_reusable and self.may_reuse and self.socket:setkeepalive(IDLE * 1000)) then
    self.socket:close()
  end
end

local function not_connected(host, err)
  if err:find("no resolver defined", 1, true) then
    local message = ("nginx has no resolver, so it cannot look up %s"):format(host)
    log_once.error("resolver", message .. ". " .. RESOLVER)
    return fail("config", message, RESOLVER)
  elseif err == cosocket.NOT_RESOLVED or err:find("could not be resolved (110", 1, true) then
    local message = ("nginx's resolver does not respond, so it cannot look up %s"):format(host)
    log_once.error("resolver", message .. ". " .. RESOLVER)
    return fail("timeout", message, RESOLVER)
  elseif err == "timeout" then
    return fail("timeout", "timed out while connecting to " .. host, hint_for "connect")
  end
  return fail("network", ("cannot connect to %s: %s"):format(host, err))
end

-- Error numbers of OpenSSL (X509_V_ERR_*): the CA is unknown here, or the certificate is not valid
-- at this time.
local UNKNOWN_CA = { ["2"] = true, ["18"] = true, ["19"] = true, ["20"] = true, ["21"] = true,
                     ["22"] = true }
local NOT_YET_VALID, EXPIRED, OTHER_NAME = "9", "10", "62"

-- Why a certificate was refused. An error of ngx_lua begins with the number, but the one for a host
-- name that does not match.
local function cause_of(host, err)
  local number = err:match "^(%d+):"
  if UNKNOWN_CA[number] then
    return "ca"
  elseif number == NOT_YET_VALID then
    return "not_yet_valid"
  elseif number == EXPIRED then
    return "expired"
  elseif url.is_address(host) then
    return "address"
  elseif number == OTHER_NAME or err:find("host mismatch", 1, true) then
    return "host"
  end
end

-- The third value, here and below, is the number of tries in all: the reason may be unknown.
local function not_verified(host, err)
  if err == "timeout" then
    return fail("timeout", "timed out during the TLS handshake with " .. host, hint_for "connect")
  elseif err == "closed" or err:find("reset by peer", 1, true) then
    return fail("network", host .. " closed the connection during the TLS handshake")
  elseif err:find("handshake failed", 1, true) then
    local _, failure = fail("tls", ("TLS with %s failed: %s"):format(host, err), PROTOCOLS)
    return nil, failure, TRIES_IF_FAILED -- a server that is closing looks like one that refuses
  elseif err == cosocket.REFUSED then
    local _, failure = fail("tls", host .. " could not be verified: its certificate was refused, "
      .. "see nginx's error log", hint_for(url.is_address(host) and "address" or "ca"))
    return nil, failure, TRIES_IF_REFUSED
  end
  local cause = cause_of(host, err)
  local message, hint = word {
    kind = "tls", cause = cause, message = ("%s could not be verified: %s"):format(host, err),
  }
  if cause == "ca" then
    log_once.error("trusted " .. host, message .. ". " .. hint)
  end
  return fail("tls", message, hint)
end

local function handshake(self, host)
  slots.breathe() -- a handshake takes a millisecond: many at once would delay other events
  if not set_timeout(self) then
    return not_verified(host, "timeout")
  end
  local ok, err = cosocket.handshake(self.socket, (host:gsub("[%[%]]", "")))
  if not ok then
    return not_verified(host, err)
  end
  return true
end

local function open_tunnel(self, address, proxy)
  local response, kind, message = proxies.connect(self, address.host .. ":" .. address.port,
    proxy.authorization)
  if not response then
    return fail(kind, "the proxy: " .. message)
  elseif response.status < 200 or response.status >= 300 then
    local cause = cause_of_refusal(response.status)
    return fail(cause and "config" or "network", ("the proxy refused the connection: %d %s")
      :format(response.status, response.reason), cause and hint_for(cause))
  end
  return true
end

-- Makes a new connection ready for requests.
local function prepare(self, address, proxy)
  if address.scheme ~= "https" then
    return true
  elseif proxy then
    local ok, err = open_tunnel(self, address, proxy)
    if not ok then
      return nil, err
    end
  end
  local ok, err, tries = handshake(self, address.host)
  self.secured_at = ok and core.now()
  return ok, err, tries
end

local function proxy_of(how)
  return how.address.scheme == "https" and how.proxy or nil
end

local function server_of(address, proxy)
  local name = "pcapi " .. address.origin
  if proxy then
    name = ("%s by %s %s"):format(name, proxy.origin, proxy.authorization or "")
  end
  return name
end

-- How often the idle connections to a server were discarded, by the server's name.
local generations = {}

--- Stops using the connections to a server that are idle now; nginx closes them later.
-- @tparam table how as for @{open}
function M.forget_idle(how)
  local server = server_of(how.address, proxy_of(how))
  generations[server] = (generations[server] or 0) + 1
end

local unshared = 0 -- connections that were opened for a single request

-- The pool of idle connections. Its name has all that was verified when they were opened, as a
-- connection from the pool is not verified again.
local function pool_of(address, proxy, may_reuse)
  local name = server_of(address, proxy)
  name = name .. " " .. (generations[name] or 0)
  if not may_reuse then
    unshared = unshared + 1
    name = name .. " " .. unshared
  end
  return { pool = name, pool_size = slots.limit }
end

local function open_once(how)
  local address, proxy = how.address, proxy_of(how)
  local self = setmetatable({ socket = ngx.socket.tcp(), deadline = how.deadline,
                              may_reuse = how.may_reuse, received = 0 }, Connection)
  how.slot:use_for(self.socket, how.deadline)
  local peer = proxy or address
  local ok, err = cosocket.connect(self.socket, peer.host, peer.port,
    pool_of(address, proxy, how.may_reuse), how.deadline)
  if not ok then
    return not_connected(peer.host, tostring(err))
  end
  how.slot:use_for(self.socket)
  self.was_idle = self.socket:getreusedtimes() > 0
  self.connected_at = core.now()
  if not self.was_idle then
    local tries
    ok, err, tries = prepare(self, address, proxy)
    if not ok then
      self.socket:close()
      return nil, err, tries
    end
  end
  return self
end

--- Opens a connection, or takes an idle one.
-- @tparam table how `address` (of `pcapi.url`), `deadline` (on the core's clock), `slot` (of
-- `pcapi.nginx.slots`), `may_reuse`: whether it may be an idle one, and become one; optionally
-- `proxy` (of `pcapi.nginx.proxy`)
-- @treturn[1] table with the methods above; `was_idle`; `deadline`, which may be changed;
-- `connected_at` and, after a TLS handshake, `secured_at`, on the core's clock
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.open(how)
  local tries = 0
  while true do
    tries = tries + 1
    local self, err, max_tries = open_once(how)
    if self or tries >= (max_tries or 1) then
      return self, err
    end
  end
end

return M
