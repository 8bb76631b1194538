--- How long an exchange may take and how large its answer may be, where nobody
-- says otherwise.
-- @module pcapi.limits
local M = {}

local CONNECT_TIMEOUT = 15 -- seconds
local MAX_BODY = 128 * 1024 * 1024 -- bytes; 10,000 records are about 4 MB
local MAX_HEADERS = 64 * 1024 -- bytes

--- Seconds for one call. The service takes its time: beyond 100,000 log entries it
-- needs minutes, and Microsoft's own libraries allow three.
M.TIMEOUT = 180

--- Seconds that anything is kept or awaited at most: ten years.
M.LONGEST_LIFE = 10 * 365 * 86400

--- The seconds for a clock of nginx or of Redis, which hold neither infinity nor nan, and
-- take 0 for "always".
-- @tparam number seconds
-- @treturn number 0.001 to @{LONGEST_LIFE}
function M.life(seconds)
  return seconds < M.LONGEST_LIFE and math.max(seconds, 0.001) or M.LONGEST_LIFE
end

--- Seconds that a server may make us wait at most, whatever it asks for; a longer wait is
-- asked for again by its next refusal.
M.LONGEST_PAUSE = 600

--- The seconds to wait when a server asks for a pause. Every clock takes a server's number
-- through here: none of them may hold infinity or nan.
-- @tparam ?number seconds as the server asks
-- @treturn number 0 to @{LONGEST_PAUSE}
function M.pause(seconds)
  local asks = seconds and seconds > 0 -- which nan is not
  return asks and math.min(seconds, M.LONGEST_PAUSE) or 0
end

--- Seconds for which a connection that was there before may say nothing at all before a request
-- that may be repeated is sent again on a fresh one: a firewall may have dropped it without a
-- word. A fresh connection may be silent until the deadline, as the service needs minutes for a
-- long log.
M.SILENCE = 20

--- Sets the limits of a request for a transport.
-- @tparam table request changed in place
-- @tparam ?number timeout seconds
-- @tparam table options `connect_timeout` (seconds) and `max_body` (bytes), or neither
-- @treturn table the request
function M.apply(request, timeout, options)
  request.timeout = timeout or M.TIMEOUT
  request.connect_timeout = math.min(request.timeout, options.connect_timeout or CONNECT_TIMEOUT)
  request.max_body = options.max_body or MAX_BODY
  request.max_headers = MAX_HEADERS
  return request
end

return M
