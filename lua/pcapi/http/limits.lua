--- Limits of a request: its time, and the size and content of its response.
-- @module pcapi.http.limits
local defaults = require "pcapi.defaults"
local errors = require "pcapi.error"

local M = {}

--- Bytes of the head of a response.
M.MAX_HEADERS = 64 * 1024

local VALUES_OF_A_RECORD = 16 -- the longest has 10 fields
local VALUES_OF_A_FAILURE = 10000
local NO_LIMIT = math.huge

--- The most seconds to store a value or to wait: ten years.
M.LONGEST_LIFE = 10 * 365 * 86400

--- Limits seconds for nginx and Redis, which take neither infinity nor nan, and read 0 as "always".
-- @tparam number seconds
-- @treturn number 0.001 to @{LONGEST_LIFE}
function M.life(seconds)
  return seconds < M.LONGEST_LIFE and math.max(seconds, 0.001) or M.LONGEST_LIFE
end

--- The most seconds to wait when a server asks for a pause. If the server needs longer, its next
-- refusal asks again.
M.LONGEST_PAUSE = 600

--- Limits the seconds of a pause. Each number that a server sends passes through here, as a clock
-- takes neither infinity nor nan.
-- @tparam ?number seconds that the server asks for
-- @treturn number 0 to @{LONGEST_PAUSE}
function M.pause(seconds)
  local is_positive = seconds and seconds > 0 -- false for nan
  return is_positive and math.min(seconds, M.LONGEST_PAUSE) or 0
end

--- Seconds that a reused connection may be silent. Then a request that may be repeated is sent
-- again on a new connection: a firewall may have dropped the old one without notice. A new
-- connection may be silent until the deadline, as the service needs minutes for a long log.
M.SILENCE = 20

--- Makes a request for a transport, with its limits.
-- @tparam table call `method`, `url`; optionally `headers` (lines), `body`, `on_wait`, `buffer`,
-- `timing`, and `max_body` for options without one
-- @tparam ?number timeout seconds
-- @tparam table options optionally `connect_timeout` (seconds) and `max_body` (bytes)
-- @tparam[opt] table lines in place of `call.headers`
-- @treturn table a new request
function M.apply(call, timeout, options, lines)
  timeout = timeout or defaults.timeout
  local connect_timeout = options.connect_timeout or defaults.connect_timeout
  return {
    method = call.method, url = call.url, headers = lines or call.headers, body = call.body,
    on_wait = call.on_wait, buffer = call.buffer, timing = call.timing, timeout = timeout,
    connect_timeout = connect_timeout < timeout and connect_timeout or timeout,
    max_body = options.max_body or call.max_body or defaults.max_body, max_headers = M.MAX_HEADERS,
  }
end

-- Loaded late: a program without errors does not need it.
local function number(value)
  return require("pcapi.text").number(value)
end

-- Returns bytes for people, such as "64 MiB".
local function size_of(bytes)
  local size, unit = bytes, "bytes"
  for _, larger in ipairs { "KiB", "MiB", "GiB" } do
    if size < 1024 then
      break
    end
    size, unit = size / 1024, larger
  end
  return number(math.floor(size * 10 + 0.5) / 10) .. " " .. unit
end

--- Adds to an error of a transport the value of the limit that the response exceeded, and a hint.
-- @tparam pcapi.error err changed in place
-- @tparam table options the values of the request, if they differ from the defaults: `max_body`
-- (bytes), `timeout` (seconds of the whole call)
function M.explain(err, options)
  if err.kind == "timeout" and not err.hint then
    err.hint = errors.hint(("Raise {timeout} (now %s s), or try again later"):format(
      number(options.timeout or defaults.timeout)))
  elseif err.message:find("larger than max_body", 1, true) then
    local size = size_of(options.max_body or defaults.max_body)
    err.message = err.message:gsub("larger than max_body", "larger than " .. size)
    err.hint = errors.hint "Raise {max_body} if you expect so much"
  elseif err.message:find("exceed the size limit", 1, true) then
    local size = size_of(M.MAX_HEADERS)
    err.message = err.message:gsub("exceed the size limit", "are larger than " .. size)
    err.hint = "Check whether a proxy or another server responds in place of the service"
  end
end

--- How to read a body: within which ceilings, and which way.
-- @table reading
-- @tfield number values the most JSON values
-- @tfield number records the most records
-- @tfield ?number max_records the option that both come from, for the message
-- @tfield ?number deadline of the transport's clock; needed with a transport
-- @tfield ?table transport its `breathe` is called between the steps of a long body
-- @tfield ?string json `"cjson"`: by lua-cjson alone
-- @tfield ?boolean must the body must be JSON, whatever its content type
-- @tfield ?table list describes records to the core, see `src/lrecords.h`
-- @tfield ?table criteria that the core applies to them, see there

--- Returns how to read any response.
-- @tparam table options optionally `max_values`, `json` and `transport`
-- @tparam[opt] number deadline of the transport's clock
-- @tparam[opt] table transport in place of that of the options
-- @treturn table @{reading}
function M.of_text(options, deadline, transport)
  return { values = options.max_values or defaults.max_values, records = NO_LIMIT,
           deadline = deadline, transport = transport or options.transport or nil,
           json = options.json }
end

--- Returns how to read a failed response. If it is larger, only its status is used.
-- @tparam table options optionally `json` and `transport`
-- @tparam number deadline of the transport's clock
-- @treturn table @{reading}
function M.of_failure(options, deadline)
  return { values = VALUES_OF_A_FAILURE, records = NO_LIMIT, deadline = deadline,
           transport = options.transport, json = options.json }
end

--- Returns the ceilings of a list, of all its pages together.
-- @tparam table options optionally `max_records`
-- @treturn table `values`, `records` and `max_records` of a @{reading}
function M.of_list(options)
  local most = options.max_records or defaults.max_records
  return { values = most * VALUES_OF_A_RECORD, records = most, max_records = most }
end

--- Lowers the ceilings by a page.
-- @tparam table ceilings changed in place
-- @tparam number values of the page
-- @tparam number records of the page
function M.spend(ceilings, values, records)
  ceilings.values = ceilings.values - values
  ceilings.records = ceilings.records - records
end

--- Makes the message for a JSON text beyond its ceilings.
-- @tparam table ceilings
-- @tparam boolean is_records it has too many records, not too many values
-- @treturn string message
-- @treturn string hint
function M.excess(ceilings, is_records)
  local most, hint = ceilings.max_records, "Raise {max_records} if you expect so many"
  if is_records then
    return ("the response has more than %.0f records, the limit max_records"):format(most), hint
  elseif most then
    return ("the response has more JSON values than %.0f records, the limit max_records")
      :format(most), hint
  end
  return ("the response has more than %.0f JSON values, the limit max_values")
    :format(ceilings.values), "Raise {max_values} if you expect so many"
end

return M
