--- Opens ngx_lua's cosockets: looks up names, tries several addresses, and does TLS, each
-- within a deadline.
-- @module pcapi.nginx.cosocket
local core = require "pcapi.core"
local semaphore = require "ngx.semaphore"
local url = require "pcapi.url"

local M = {}

-- Seconds after the deadline within which a socket may still report its own timeout.
local GRACE = 0.05

--- The error of @{connect} if the resolver did not respond in time.
M.NOT_RESOLVED = "not resolved"

--- The error of @{handshake} if the reason is unknown here; nginx's error log has it.
M.REFUSED = "its certificate was refused"

--- Sets the timeout of a socket. ngx_lua starts it anew with each byte, so it has to be set before
-- each operation.
-- @tparam table socket
-- @tparam number deadline on the core's clock
-- @treturn boolean whether there is time left
function M.set_timeout(socket, deadline)
  local left = deadline - core.now()
  if left <= 0 then
    return false
  end
  socket:settimeout(math.ceil(left * 1000))
  return true
end

-- ngx_lua looks up a name for as long as resolver_timeout says, whatever the timeout of the
-- socket. In a thread of its own, the lookup can be ended.
local function connect_to_name(socket, host, port, pool, deadline)
  local done, has_ended, ok, err = semaphore.new(0), false, nil, nil
  local thread = ngx.thread.spawn(function()
    ok, err = socket:connect(host, port, pool)
    has_ended = true
    done:post(1)
  end)
  local seconds = math.max(deadline - core.now(), 0) + GRACE
  if not has_ended and not done:wait(seconds) and not has_ended then
    ngx.thread.kill(thread)
    return nil, M.NOT_RESOLVED
  end
  ngx.thread.wait(thread) -- frees the thread before the request ends
  return ok, err
end

-- Names of loopback are not looked up (RFC 6761 §6.3); libcurl does the same.
local function connect_to_loopback(socket, port, pool, deadline)
  local ok, err = socket:connect("127.0.0.1", port, pool)
  if err == "connection refused" and M.set_timeout(socket, deadline) then
    ok, err = socket:connect("[::1]", port, pool)
  end
  return ok, err
end

-- How often to try a name after these errors. ngx_lua chooses one of its addresses at random, so
-- another try may use another one. Without IPv6, each IPv6 address fails at once.
local TRIES_AFTER = { ["connection refused"] = 6, ["network is unreachable"] = 20,
                      ["cannot assign requested address"] = 20 }

local function connect_by_name(socket, host, port, pool, deadline)
  local tries = 0
  while M.set_timeout(socket, deadline) do
    local ok, err = connect_to_name(socket, host, port, pool, deadline)
    tries = tries + 1
    if ok or tries >= (TRIES_AFTER[tostring(err):lower()] or 1) then
      return ok, err
    end
  end
  return nil, "timeout"
end

--- Connects a socket.
-- @tparam table socket
-- @tparam string host name or address, an IPv6 address in brackets
-- @tparam number port
-- @tparam table pool options of ngx_lua: `pool`, `pool_size`
-- @tparam number deadline on the core's clock
-- @treturn[1] number 1
-- @treturn[2] nil
-- @treturn[2] string ngx_lua's error, "timeout", or @{NOT_RESOLVED}
function M.connect(socket, host, port, pool, deadline)
  if not M.set_timeout(socket, deadline) then
    return nil, "timeout"
  elseif host == "localhost" or host:find "%.localhost$" then
    return connect_to_loopback(socket, port, pool, deadline)
  elseif url.is_address(host) then
    return socket:connect(host, port, pool)
  end
  return connect_by_name(socket, host, port, pool, deadline)
end

--- Does TLS, and verifies the server. The timeout of the socket has to be set.
-- @tparam table socket
-- @tparam string name of the server
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string ngx_lua's error, or @{REFUSED}
function M.handshake(socket, name)
  local ok, err = socket:sslhandshake(false, name, true)
  if not ok then
    return nil, tostring(err)
  elseif not socket:getreusedtimes() then
    -- ngx_lua before June 2026 may report success although it has just refused the certificate
    -- and closed the socket, if all of the handshake came at once (lua-nginx-module 2506)
    return nil, M.REFUSED
  end
  return true
end

return M
