--- Request headers: merging them without regard to case, and keeping line breaks
-- out of them.
-- @module pcapi.http.headers
local core = require "pcapi.core"

local M = {}

local CENTURY = 100 * 365 * 86400 -- seconds; two clocks do not differ by more

--- Whether a header can be sent (RFC 9110 §5.1, §5.5).
-- @tparam string name
-- @tparam string value
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string what is wrong; the value itself is never shown
function M.is_valid(name, value)
  if type(name) ~= "string" or not name:find("^[%w!#$%%&'*+%-.^_`|~]+$") then
    return nil, ("%q is not a header name"):format(tostring(name))
  elseif type(value) ~= "string" or value == "" then
    return nil, ("header %s needs a text that is not empty"):format(name)
  elseif value:find("\n", 1, true) or value:find("\r", 1, true) or value:find("\0", 1, true) then
    return nil, ("header %s holds a line break or a zero byte"):format(name)
  end
  return true
end

--- What is wrong with a table of headers that a caller gives; false as a value takes
-- a header away.
-- @tparam ?table headers name to value
-- @treturn ?string nil when nothing is
function M.mistake(headers)
  for name, value in pairs(headers or {}) do
    local ok, why = M.is_valid(name, value)
    if not ok and not (value == false and type(name) == "string") then
      return why
    end
  end
end

--- Merges tables of headers; a later one wins, and false takes a header away.
-- @tparam table ... name to value; nil is allowed between them
-- @treturn table lines `Name: value`, sorted, as the transport takes them
function M.lines(...)
  local spelling, values = {}, {}
  for i = 1, select("#", ...) do
    for name, value in pairs((select(i, ...)) or {}) do
      local key = core.lower(name)
      spelling[key], values[key] = name, value
    end
  end
  local lines = {}
  for key, value in pairs(values) do
    if value then
      lines[#lines + 1] = spelling[key] .. ": " .. value
    end
  end
  table.sort(lines)
  return lines
end

--- When the server sent a response, by its own clock (RFC 9110 §6.6.1).
-- @tparam table headers of the response, names in lower case
-- @tparam number now UTC epoch seconds, for two-digit years
-- @treturn ?number UTC epoch seconds; nil without a Date that can be read, or of which no clock
-- tells, such as that of the year 9999
function M.date(headers, now)
  local date = headers.date -- loaded here, as few answers need it
  local at = date and require("pcapi.time").parse_http(date, now)
  return at and math.abs(at - now) < CENTURY and at or nil
end

return M
