--- Reads the dates of HTTP headers (RFC 9110 §5.6.7).
-- @module pcapi.time.http_date
local calendar = require "pcapi.time.calendar"

local floor = math.floor

local M = {}

local MONTHS = {
  Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6,
  Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12,
}
local DAY_NAMES = {
  Mon = true, Tue = true, Wed = true, Thu = true, Fri = true, Sat = true, Sun = true,
}
local LONG_DAY_NAMES = {
  Monday = true, Tuesday = true, Wednesday = true, Thursday = true,
  Friday = true, Saturday = true, Sunday = true,
}

-- RFC 9110 §5.6.7: a two-digit year that appears to be more than 50 years in the future is the most
-- recent year in the past with these digits.
local function full_year(short, month, day, seconds, now)
  local this_year = calendar.civil_from_days(floor(now / calendar.DAY))
  local year = (floor(this_year / 100) + 1) * 100 + short
  while calendar.days_from_civil(year - 50, month, day) * calendar.DAY + seconds > now do
    year = year - 100
  end
  return year
end

local function split_imf(text)
  local name, day, month, year, hour, minute, second =
    text:match("^(%a+), (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if DAY_NAMES[name or ""] then
    return year, month, day, hour, minute, second
  end
end

local function split_asctime(text)
  local name, month, day, hour, minute, second, year =
    text:match("^(%a+) (%a%a%a) ([ %d]%d) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$")
  if DAY_NAMES[name or ""] then
    return year, month, day, hour, minute, second
  end
end

local function split_rfc850(text)
  local name, day, month, year, hour, minute, second =
    text:match("^(%a+), (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if LONG_DAY_NAMES[name or ""] then
    return year, month, day, hour, minute, second
  end
end

local function split(text)
  local year, month, day, hour, minute, second = split_imf(text)
  if not year then
    year, month, day, hour, minute, second = split_asctime(text)
  end
  if not year then
    year, month, day, hour, minute, second = split_rfc850(text)
  end
  if not year then
    return nil, "expected a form such as Sun, 06 Nov 1994 08:49:37 GMT"
  elseif not MONTHS[month] then
    return nil, "month out of range"
  end
  return {
    year = tonumber(year), two_digits = #year == 2, month = MONTHS[month], day = tonumber(day),
    hour = tonumber(hour), minute = tonumber(minute), second = tonumber(second),
  }
end

--- Reads a date in any of the three forms.
-- @tparam string text
-- @tparam ?number now seconds since the epoch, for a two-digit year
-- @treturn[1] number seconds since the epoch
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the text
function M.parse(text, now)
  local at, message = split(text)
  if not at then
    return nil, message
  end
  local seconds
  seconds, message = calendar.day_seconds(at.hour, at.minute, at.second)
  if not seconds then
    return nil, message
  end
  if at.two_digits then
    if not now then
      return nil, "a two-digit year needs the present time"
    end
    at.year = full_year(at.year, at.month, at.day, seconds, now)
  end
  local start
  start, message = calendar.day_start(at.year, at.month, at.day)
  if not start then
    return nil, message
  end
  return calendar.in_range(start + seconds)
end

return M
