--- How long an exchange may take, how large its answer may be and how much it may hold,
-- where nobody says otherwise.
-- @module pcapi.http.limits
local core = require "pcapi.core"
local defaults = require "pcapi.defaults"

local M = {}

local MAX_HEADERS = 64 * 1024 -- bytes
local VALUES_OF_A_RECORD = 16 -- the longest has 10 fields
local VALUES_OF_A_FAILURE = 10000
local NO_LIMIT = math.huge

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
  request.timeout = timeout or defaults.timeout
  request.connect_timeout = math.min(request.timeout,
    options.connect_timeout or defaults.connect_timeout)
  request.max_body = options.max_body or defaults.max_body
  request.max_headers = MAX_HEADERS
  return request
end

--- What to do where a transport refused a response that is larger than it may be.
-- @tparam string message of the transport
-- @treturn[1] string
-- @treturn[2] nil it was something else
function M.cure(message)
  return message:find("max_body", 1, true) and "Raise max_body, if so much is expected" or nil
end

--- What the JSON text of any answer may hold.
-- @tparam table options `max_values`, or nothing
-- @tparam number deadline of the transport's clock, by when it has to be decoded
-- @treturn table for @{count}
function M.of_text(options, deadline)
  return { values = options.max_values or defaults.max_values, records = NO_LIMIT,
           deadline = deadline }
end

--- What the JSON text of a failure may hold: of a longer one the status is enough.
-- @tparam number deadline of the transport's clock
-- @treturn table for @{count}
function M.of_failure(deadline)
  return { values = VALUES_OF_A_FAILURE, records = NO_LIMIT, deadline = deadline }
end

--- What the JSON texts of a list may hold, all its pages together.
-- @tparam table options `max_records`, or nothing
-- @tparam number deadline of the transport's clock, by when they have to be decoded
-- @treturn table for @{count}
function M.of_list(options, deadline)
  local most = options.max_records or defaults.max_records
  return { values = most * VALUES_OF_A_RECORD, records = most, max_records = most,
           deadline = deadline }
end

--- Takes what the page counted last holds from what those behind it may hold.
-- @tparam table ceilings changed in place
-- @tparam number records of that page
function M.spend(ceilings, records)
  ceilings.values = ceilings.values - ceilings.counted
  ceilings.records = ceilings.records - records
end

local function too_many(ceilings, is_records)
  local most = ceilings.max_records
  if is_records then
    return ("the answer holds more than %.0f records, the ceiling max_records"):format(most)
  elseif most then
    return ("the answer holds more JSON values than %.0f records have, the ceiling max_records")
      :format(most)
  end
  return ("the answer holds more than %.0f JSON values, the ceiling max_values")
    :format(ceilings.values)
end

--- Whether a JSON text holds more than it may, as told by its bytes: tables that are never
-- made take no memory.
-- @tparam string text
-- @tparam table ceilings
-- @treturn[1] number JSON values that it holds at most, also as `ceilings.counted`
-- @treturn[2] nil it holds too many
-- @treturn[2] string of what
-- @treturn[2] string what to do about it
function M.count(text, ceilings)
  local values, records = core.count(text, math.min(ceilings.values, ceilings.records))
  local is_records = records and records > ceilings.records
  if is_records or values > ceilings.values then
    local name = ceilings.max_records and "max_records" or "max_values"
    return nil, too_many(ceilings, is_records), "Raise " .. name .. ", if so many are expected"
  end
  ceilings.counted = values
  return values
end

return M
