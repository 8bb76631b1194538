--- Checks and merges the headers of a request, and reads the header Date.
-- @module pcapi.http.headers
local core = require "pcapi.core"

local M = {}

local CENTURY = 100 * 365 * 86400 -- seconds; two clocks do not differ by more

--- Tests whether a header can be sent (RFC 9110 §5.1, §5.5).
-- @tparam string name
-- @tparam string value
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string what is wrong; it never shows the value
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

--- Finds what is wrong with a caller's table of headers.
-- @tparam ?table headers name to value; false as a value removes a header
-- @treturn ?string nil if nothing is wrong
function M.problem(headers)
  for name, value in pairs(headers or {}) do
    local ok, why = M.is_valid(name, value)
    if not ok and not (value == false and type(name) == "string") then
      return why
    end
  end
end

--- Merges tables of headers. A later table overrides an earlier one; false removes a header.
-- @tparam table ... name to value, in any case; nil is allowed between them
-- @treturn table sorted array of `Name: value`, as a transport takes it
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

--- Returns when the server sent a response, by the server's clock (RFC 9110 §6.6.1).
-- @tparam ?string date the header Date
-- @tparam number now UTC epoch seconds, for two-digit years
-- @treturn ?number UTC epoch seconds; nil without a readable Date, or if it is more than a century
-- from now
function M.date(date, now)
  -- loads pcapi.time only when needed: few responses are read for it
  local at = date and require("pcapi.time").parse_http(date, now)
  return at and math.abs(at - now) < CENTURY and at or nil
end

return M
