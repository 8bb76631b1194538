--- A connection within nginx: through a proxy where there is one, over TLS that is verified,
-- and kept for later. Every wait for it ends at its deadline.
-- @module pcapi.nginx.connection
local core = require "pcapi.core"
local errors = require "pcapi.error"
local http1 = require "pcapi.nginx.http1"
local limits = require "pcapi.http.limits"
local log_once = require "pcapi.nginx.log_once"
local semaphore = require "ngx.semaphore"
local slots = require "pcapi.nginx.slots"
local url = require "pcapi.url"

local M = {}

local KEPT = 60 -- seconds that an idle connection is kept; Azure closes it after 240
local PIECE = 16384 -- bytes sent at once, as TLS does: each has the time that is left

local RESOLVER = 'Give "resolver" in http { } of nginx.conf the address of your DNS server, which '
  .. "is a nameserver in /etc/resolv.conf"
local NOT_RESOLVED = "not resolved"
local GRACE = 0.05 -- seconds: so much later than the deadline a socket may say that it was over
local PASSWORD = 'Check name and password in "proxy": NAME:PASSWORD and an @ stand in front '
  .. "of the host"
local RULE = "Have the proxy allow this host and port"
local OF_THE_MOMENT = { [408] = true, [425] = true, [429] = true }

-- What is to be done about the status of a proxy that will say so again the next time; it may lock
-- an account meanwhile.
local function cure_of(status)
  if status == 407 or status == 401 then -- which tinyproxy says
    return PASSWORD
  end
  return status >= 300 and status < 500 and not OF_THE_MOMENT[status] and RULE or nil
end
local TRUSTED = 'Set in http { } of nginx.conf: lua_ssl_trusted_certificate '
  .. "/etc/ssl/certs/ca-certificates.crt; lua_ssl_verify_depth 5; the CA of a proxy that opens "
  .. "TLS belongs into that file, too"
local BY_NAME = "nginx looks for names in a certificate, not for addresses: ask the server by name"

local PROTOCOLS = "nginx's error log says why; servers may need lua_ssl_protocols TLSv1.2 TLSv1.3; "
  .. "in http { } of nginx.conf"

-- How often a connection is tried whose handshake failed in a way that says too little.
local PART = 64 * 1024 -- bytes: to decrypt and copy them takes a quarter of a millisecond

local TRIES_IF_FAILED, TRIES_IF_REFUSED = 2, 5

local HINTS = {
  timeout = "Raise timeout, or try again later",
  network = "Check the connection, the name of the host and the proxy",
  tls = "Check the name of the host, and lua_ssl_trusted_certificate in nginx.conf",
}

--- The error of an exchange.
-- @tparam string kind
-- @tparam string message
-- @tparam ?string hint
-- @treturn[1] nil
-- @treturn[2] pcapi.error
function M.fail(kind, message, hint)
  return nil, errors.new { kind = kind, message = message, hint = hint or HINTS[kind] }
end

local fail = M.fail

local Connection = {}
Connection.__index = Connection
Connection.__name = "pcapi.nginx.connection"

local function seconds_left(deadline)
  return math.max(deadline - core.now(), 0)
end

-- A socket counts its timeout from each byte on: it is set anew for each wait.
local function arm(self)
  local left = seconds_left(math.min(self.deadline, self.silent_until or self.deadline))
  if left == 0 then
    return false
  end
  self.socket:settimeout(math.ceil(left * 1000))
  return true
end

local function listen(self)
  if self.is_doubted then
    self.silent_until = core.now() + limits.SILENCE
  end
end

--- Lets the worker go on with what else it has to do.
-- @treturn boolean whether there is time left after that
function Connection:breathe()
  slots.breathe()
  return seconds_left(self.deadline) > 0
end

--- As that of ngx_lua, until the deadline. What has come already is taken without waiting:
-- of a long answer, a part at a time.
function Connection:receiveany(most)
  if self.taken >= PART then
    self.taken = 0
    slots.breathe()
  end
  if not arm(self) then
    return nil, "timeout"
  end
  local some, err = self.socket:receiveany(most)
  if some then
    self.is_doubted, self.silent_until = false, nil
  end
  self.taken = self.taken + #(some or "")
  return some, err
end

--- Sends all of a text, until the deadline.
-- @tparam string text
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string the socket's error
function Connection:send(text)
  for first = 1, #text, PIECE do
    listen(self)
    if not arm(self) then
      return nil, "timeout"
    end
    local piece = #text <= PIECE and text or text:sub(first, first + PIECE - 1)
    local sent, err = self.socket:send(piece)
    if not sent then
      return nil, err
    end
  end
  listen(self)
  return true
end

--- Gives up waiting after @{pcapi.limits.SILENCE}, unless something is heard before that: what
-- is kept may be long gone.
function Connection:doubt()
  self.is_doubted = true
end

--- Of one that has timed out: whether nothing was heard in that time.
-- @treturn boolean
function Connection:is_silent()
  return self.is_doubted and self.silent_until ~= nil and self.silent_until < self.deadline
end

--- Ends the use of it.
-- @tparam ?boolean may_be_kept for another request
function Connection:finish(may_be_kept)
  if not (may_be_kept and self.is_shared and self.socket:setkeepalive(KEPT * 1000)) then
    self.socket:close()
  end
end

local function not_connected(host, err)
  if err:find("no resolver defined", 1, true) then
    local message = ("nginx has no resolver, so the name %s has no address"):format(host)
    log_once.once("resolver", message .. ". " .. RESOLVER)
    return fail("config", message, RESOLVER)
  elseif err == NOT_RESOLVED or err:find("could not be resolved (110", 1, true) then
    local message = ("nginx's resolver does not answer, so the name %s has no address"):format(host)
    log_once.once("resolver", message .. ". " .. RESOLVER)
    return fail("timeout", message, RESOLVER)
  elseif err == "timeout" then
    return fail("timeout", "no connection to " .. host .. " in time")
  end
  return fail("network", ("no connection to %s: %s"):format(host, err))
end

-- Numbers of OpenSSL's verification (X509_V_ERR_*), by what they say: the CA is not known here,
-- or the time is not one at which the certificate is good.
local UNKNOWN_CA = { ["2"] = true, ["18"] = true, ["19"] = true, ["20"] = true, ["21"] = true,
                     ["22"] = true }
local NOT_YET_VALID, EXPIRED, OTHER_NAME = "9", "10", "62"

local function time_here()
  return os.date("!%Y-%m-%d %H:%M:%S UTC")
end

-- What to do about a certificate that was refused; the words of ngx_lua begin with the number,
-- but for a name that does not match.
local function hint_for(host, err)
  local number = err:match "^(%d+):"
  if UNKNOWN_CA[number] then
    return TRUSTED
  elseif number == NOT_YET_VALID then
    return ("Set the clock of this machine, which says %s; or the server's certificate begins "
      .. "later"):format(time_here())
  elseif number == EXPIRED then
    return ("The server needs a new certificate; or the clock of this machine, which says %s, is "
      .. "ahead"):format(time_here())
  elseif url.is_address(host) then
    return BY_NAME
  elseif number == OTHER_NAME or err:find("host mismatch", 1, true) then
    return ("Check the address: the certificate is for another name than %s"):format(host)
  end
end

local function not_verified(host, err)
  if err == "timeout" then
    return fail("timeout", "no TLS with " .. host .. " in time")
  elseif err == "closed" or err:find("reset by peer", 1, true) then
    return fail("network", ("the connection to %s was closed within the handshake"):format(host))
  elseif err:find("handshake failed", 1, true) then
    local _, failure = fail("tls", ("no TLS with %s: %s"):format(host, err), PROTOCOLS)
    return nil, failure, TRIES_IF_FAILED -- who hangs up looks like who refuses
  end
  local message, hint = ("%s could not be verified: %s"):format(host, err), hint_for(host, err)
  if hint == TRUSTED then
    log_once.once("trusted " .. host, message .. ". " .. TRUSTED)
  end
  return fail("tls", message, hint)
end

-- ngx_lua before June 2026 may call a handshake good whose certificate it has just refused, if
-- all of it came at once (lua-nginx-module 2506). It has closed the socket then.
local function is_open(socket, host)
  if socket:getreusedtimes() then
    return true
  end
  local _, err = fail("tls", host .. " could not be verified: its certificate was refused, and "
    .. "nginx's error log says why", url.is_address(host) and BY_NAME or TRUSTED)
  return nil, err, TRIES_IF_REFUSED
end

-- The third value is how many tries in all may tell more, where the reason got lost.
local function make_safe(self, host)
  slots.breathe() -- a handshake takes a millisecond: many that begin together would hold others up
  if not arm(self) then
    return not_verified(host, "timeout")
  end
  local ok, err = self.socket:sslhandshake(false, (host:gsub("[%[%]]", "")), true)
  if not ok then
    return not_verified(host, tostring(err))
  end
  return is_open(self.socket, host)
end

-- Has the proxy connect; the answer to CONNECT has no body (RFC 9110 §9.3.6).
local function open_tunnel(self, target, authorization)
  local sent, err = self:send(("CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n"):format(target, target,
    authorization and "Proxy-Authorization: " .. authorization .. "\r\n" or ""))
  if not sent then
    return not_connected("the proxy", err)
  end
  local answer, kind, message = http1.head(self, 65536)
  if not answer then
    return fail(kind, "the proxy: " .. message)
  elseif answer.status < 200 or answer.status >= 300 then
    local cure = cure_of(answer.status)
    return fail(cure and "config" or "network", ("the proxy refuses to connect: %d %s")
      :format(answer.status, answer.reason), cure)
  end
  return true
end

-- Makes an open connection ready; one that was kept is.
local function prepare(self, address, proxy)
  if address.scheme ~= "https" then
    return true
  elseif proxy then
    local ok, err = open_tunnel(self, address.host .. ":" .. address.port, proxy.authorization)
    if not ok then
      return nil, err
    end
  end
  return make_safe(self, address.host)
end

-- A name is looked up for as long as resolver_timeout says, whatever the timeout of the socket:
-- so this happens in a thread of its own, which can be left.
local function connect_to_name(self, host, port, pool)
  local done, has_ended, ok, err = semaphore.new(0), false, nil, nil
  local thread = ngx.thread.spawn(function()
    ok, err = self.socket:connect(host, port, pool)
    has_ended = true
    done:post(1)
  end)
  if not has_ended and not done:wait(seconds_left(self.deadline) + GRACE) and not has_ended then
    ngx.thread.kill(thread)
    return nil, NOT_RESOLVED
  end
  ngx.thread.wait(thread) -- or it would be kept until the request is over
  return ok, err
end

-- Names of loopback are not looked up (RFC 6761 §6.3); libcurl does the same.
local function open_by_loopback(self, port, pool)
  local ok, err = self.socket:connect("127.0.0.1", port, pool)
  if err == "connection refused" and arm(self) then
    ok, err = self.socket:connect("[::1]", port, pool)
  end
  return ok, err
end

-- Of the addresses of a name ngx_lua takes one by chance, so another try may find another one.
-- Who has no IPv6 finds all addresses of that unreachable, at no cost.
local TRIES_FOR = { ["connection refused"] = 6, ["network is unreachable"] = 20,
                    ["cannot assign requested address"] = 20 }

local function open_by_name(self, host, port, pool)
  local tries = 0
  while arm(self) do
    local ok, err = connect_to_name(self, host, port, pool)
    tries = tries + 1
    if ok or tries >= (TRIES_FOR[tostring(err):lower()] or 1) then
      return ok, err
    end
  end
  return nil, "timeout"
end

local function open(self, host, port, pool)
  if not arm(self) then
    return nil, "timeout"
  elseif host == "localhost" or host:find "%.localhost$" then
    return open_by_loopback(self, port, pool)
  elseif url.is_address(host) then
    return self.socket:connect(host, port, pool)
  end
  return open_by_name(self, host, port, pool)
end

local alone = 0

-- How often the kept connections of a server were given up.
local generations = {}

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

--- Has no connection serve again that is kept for a server now; nginx closes them when they
-- have been idle for long enough.
-- @tparam table how as for @{connect}
function M.renounce(how)
  local server = server_of(how.address, proxy_of(how))
  generations[server] = (generations[server] or 0) + 1
end

-- Whom a kept connection serves: it is not verified again. One that is for a single request
-- has a name of its own.
local function pool_of(address, proxy, is_shared)
  local name = server_of(address, proxy)
  name = name .. " " .. (generations[name] or 0)
  if not is_shared then
    alone = alone + 1
    name = name .. " " .. alone
  end
  return { pool = name, pool_size = slots.limit }
end

-- The third value as of make_safe.
local function connect(how)
  local address, proxy = how.address, proxy_of(how)
  local self = setmetatable({ socket = ngx.socket.tcp(), deadline = how.deadline,
                              is_shared = how.is_shared, taken = 0 }, Connection)
  how.place:is_for(self.socket, how.deadline)
  local via = proxy or address
  local ok, err = open(self, via.host, via.port, pool_of(address, proxy, how.is_shared))
  if not ok then
    return not_connected(via.host, tostring(err))
  end
  how.place:is_for(self.socket)
  self.is_kept = self.socket:getreusedtimes() > 0
  self.connected = core.now()
  if not self.is_kept then
    local tries
    ok, err, tries = prepare(self, address, proxy)
    if not ok then
      self.socket:close()
      return nil, err, tries
    end
    self.is_safe = address.scheme == "https" and core.now() or nil
  end
  return self
end

--- Opens a connection, or takes one that was kept.
-- @tparam table how `address` (of `pcapi.url`), `deadline` (of the core's clock), `place` (of
-- `pcapi.nginx.slots`), `is_shared`: it may be one that was kept, and be kept; optionally
-- `proxy`, an address with its `authorization`
-- @treturn[1] table with the methods above; `is_kept`: it is one that was kept; `deadline`, which
-- may be set anew; `connected` and, if that happened, `is_safe`: when
-- @treturn[2] nil
-- @treturn[2] pcapi.error
function M.connect(how)
  local tries = 0
  while true do
    tries = tries + 1
    local self, err, wanted = connect(how)
    if self or tries >= (wanted or 1) then
      return self, err
    end
  end
end

return M
