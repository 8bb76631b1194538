--- Reads the address of an HTTP proxy, and opens a tunnel through one (CONNECT, RFC 9110 §9.3.6).
-- @module pcapi.nginx.proxy
local core = require "pcapi.core"
local http1_response = require "pcapi.nginx.http1_response"
local url = require "pcapi.url"

local M = {}

local MAX_HEADERS = 65536 -- bytes of the response to CONNECT

-- The header value for name and password (RFC 7617 §2), which are percent-encoded in an address.
local function basic(user)
  local plain = user:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  local text = core.base64url(plain:find(":", 1, true) and plain or plain .. ":")
  return "Basic " .. text:gsub("-", "+"):gsub("_", "/") .. ("="):rep(-#text % 4)
end

--- Reads the option `proxy`.
-- @tparam string text `http://HOST:PORT` or `http://NAME:PASSWORD@HOST:PORT`
-- @treturn[1] table an address of `pcapi.url`, and `authorization`: a header value
-- @treturn[2] nil
-- @treturn[2] string what is wrong; holds no password
function M.parse(text)
  local user, rest = text:match "^http://([^/]*)@([^@]*)$"
  local address, why = url.parse(user and "http://" .. rest or text)
  if not address or address.scheme ~= "http" then
    return nil, 'option "proxy" ' .. (why or "must begin with http:// inside nginx")
  end
  address.authorization = user and basic(user)
  return address
end

--- Requests a tunnel to a server from a proxy. The response has no body unless it is a refusal.
-- @tparam table connection of `pcapi.nginx.connection`, open to the proxy
-- @tparam string target `HOST:PORT`
-- @tparam ?string authorization
-- @treturn[1] table response with `status` and `reason`
-- @treturn[2] nil
-- @treturn[2] string kind of error
-- @treturn[2] string message
function M.connect(connection, target, authorization)
  local header = authorization and "Proxy-Authorization: " .. authorization .. "\r\n" or ""
  local sent, kind, message = connection:send(
    ("CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n"):format(target, target, header))
  if not sent then
    return nil, kind, message
  end
  return http1_response.head(connection, MAX_HEADERS)
end

return M
