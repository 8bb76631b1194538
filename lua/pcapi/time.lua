--- Dates and times as text, and as seconds since 1970-01-01T00:00:00Z.
--
-- Pure arithmetic in UTC: no clock, no local time zone, no locale. Where the
-- present matters it is an argument called `now`.
-- Every time returned here lies in the years 0000 to 9999, so `format` takes it.
-- @module pcapi.time

local floor = math.floor

local time = {}

local DAY = 86400
local EARLIEST, LATEST = -62167219200, 253402300799
-- What is not between these is no date of a log: where there is none, .NET writes the year 1 or
-- 9999, Windows 1601, SQL Server 1753 or 1900, Unix 1970.
local EARLIEST_LOGGED, LATEST_LOGGED = 946684800, 253370764800 -- 2000-01-01, 9999-01-01

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
local UNITS = { s = 1, m = 60, h = 3600, d = DAY, w = 7 * DAY }

local ACCEPTED = "24h (also 90s, 30m, 7d, 2w), today, yesterday, a UTC date or time such as "
  .. "2024-02-03, 2024-02-03T07:08 or 2024-02-03T07:08:09Z, or epoch seconds such as 1706944089"

-- Messages end up on terminals, and the text in them came from somewhere else.
local function quoted(value)
  if value == nil or type(value) == "number" then
    return tostring(value)
  elseif type(value) ~= "string" then
    return "a " .. type(value)
  end
  local shown = value:sub(1, 40):gsub("[^\32-\126]", "?")
  return "'" .. shown .. (#value > 40 and "...'" or "'")
end

local function is_finite(value)
  return type(value) == "number" and value > -math.huge and value < math.huge
end

-- Whole numbers lose their ".0" on Lua 5.3 and later.
local function in_range(seconds)
  if not (seconds >= EARLIEST and seconds < LATEST + 1) then
    return nil, "time outside the years 0000 to 9999"
  end
  local whole = floor(seconds)
  return whole == seconds and whole or seconds
end

-- Counts from 1 March, which puts the leap day at the end of the year.
local function days_from_civil(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  local leap_days = floor(year / 4) - floor(year / 100) + floor(year / 400)
  return 365 * year + leap_days + floor((153 * (month - 3) + 2) / 5) + day - 719469
end

local function civil_from_days(days)
  days = days + 719468
  local era = floor(days / 146097)
  local of_era = days - era * 146097
  local year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524)
    - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local month = floor((5 * of_year + 2) / 153)
  local day = of_year - floor((153 * month + 2) / 5) + 1
  year = year + era * 400
  if month >= 10 then
    return year + 1, month - 9, day
  end
  return year, month + 3, day
end

local function days_in_month(year, month)
  return days_from_civil(year, month + 1, 1) - days_from_civil(year, month, 1)
end

local function day_start(year, month, day)
  if month < 1 or month > 12 then
    return nil, "month out of range"
  elseif day < 1 or day > days_in_month(year, month) then
    return nil, "day out of range"
  end
  return days_from_civil(year, month, day) * DAY
end

local function day_seconds(hour, minute, second)
  if hour > 23 then
    return nil, "hour out of range"
  elseif minute > 59 then
    return nil, "minute out of range"
  elseif second > 60 then -- RFC 3339 §5.7 and RFC 9110 §5.6.7 both have leap seconds
    return nil, "second out of range"
  end
  return hour * 3600 + minute * 60 + second
end

local function civil_seconds(year, month, day, hour, minute, second)
  local start, message = day_start(year, month, day)
  if not start then
    return nil, message
  end
  local seconds
  seconds, message = day_seconds(hour, minute, second)
  if not seconds then
    return nil, message
  end
  return start + seconds
end

local function zone_seconds(zone)
  if zone == "" or zone == "Z" or zone == "z" then
    return 0
  end
  local sign, hour, minute = zone:match("^([+-])(%d%d):?(%d%d)$")
  if not sign then
    return nil, "time zone not understood"
  end
  hour, minute = tonumber(hour), tonumber(minute)
  if hour > 23 or minute > 59 then
    return nil, "time zone out of range"
  end
  return (hour * 3600 + minute * 60) * (sign == "-" and -1 or 1)
end

-- Services write the end of a day as 23:59:59.9999999, which as a double is the
-- next day: a fraction is cut, never rounded up.
local function add_fraction(seconds, digits)
  digits = digits:sub(1, 6)
  local fraction = tonumber(digits) / 10 ^ #digits
  if seconds + fraction >= seconds + 1 then
    fraction = 0.999
  end
  return seconds + fraction
end

-- The rest of an RFC 3339 time after its whole seconds: ".5Z" gives "5", "Z".
local function split_tail(tail)
  local digits, zone = tail:match("^%.(%d+)(.*)$")
  if digits then
    return digits, zone
  end
  return "0", tail
end

local function parse_date_time(text)
  local year, month, day, hour, minute, second, tail =
    text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d):(%d%d)(.*)$")
  if not year then
    return nil, "expected a form such as 2024-02-03T07:08:09Z"
  end
  local seconds, message = civil_seconds(tonumber(year), tonumber(month), tonumber(day),
    tonumber(hour), tonumber(minute), tonumber(second))
  if not seconds then
    return nil, message
  end
  local digits, zone = split_tail(tail)
  local offset
  offset, message = zone_seconds(zone)
  if not offset then
    return nil, message
  end
  return in_range(add_fraction(seconds - offset, digits))
end

--- Reads an RFC 3339 time or date, and the looser forms the service writes.
--
-- A time without a zone is UTC: the service's log times carry none. A date is
-- its first second in UTC. `T` may be a space, `T` and `Z` may be lower case
-- (RFC 3339 §5.6), a zone may lack its colon. Fractions are kept to the
-- microsecond.
-- @tparam string text the time or date, with nothing around it
-- @treturn[1] number seconds since the epoch, an integer if there is no fraction
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the text
function time.parse(text)
  if type(text) ~= "string" then
    return nil, "not a time: " .. quoted(text)
  end
  local seconds, message
  local year, month, day = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  if year then
    seconds, message = day_start(tonumber(year), tonumber(month), tonumber(day))
  else
    seconds, message = parse_date_time(text)
  end
  if not seconds then
    return nil, "not a time: " .. quoted(text) .. ": " .. message
  end
  return seconds
end

-- RFC 9110 §5.6.7: what appears to be more than 50 years ahead is the most recent
-- year in the past with those two digits.
local function full_year(short, month, day, seconds, now)
  local this_year = civil_from_days(floor(now / DAY))
  local year = (floor(this_year / 100) + 1) * 100 + short
  while days_from_civil(year - 50, month, day) * DAY + seconds > now do
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

local function split_http(text)
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

local function http_seconds(text, now)
  local at, message = split_http(text)
  if not at then
    return nil, message
  end
  local seconds
  seconds, message = day_seconds(at.hour, at.minute, at.second)
  if not seconds then
    return nil, message
  end
  if at.two_digits then
    if not now then
      return nil, "a two-digit year says nothing without the present time"
    end
    at.year = full_year(at.year, at.month, at.day, seconds, now)
  end
  local start
  start, message = day_start(at.year, at.month, at.day)
  if not start then
    return nil, message
  end
  return in_range(start + seconds)
end

--- Reads the date of an HTTP header in any of the three forms of RFC 9110 §5.6.7.
--
-- The day's name must be one, but need not be that day's: the rest says it all.
-- @tparam string text the header's value
-- @tparam[opt] number now the present in seconds since the epoch; the obsolete
--   RFC 850 form has a two-digit year and cannot be read without it
-- @treturn[1] number seconds since the epoch
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the text
function time.parse_http(text, now)
  if now ~= nil and not is_finite(now) then
    error("now must be seconds since the epoch, not " .. quoted(now), 2)
  end
  if type(text) ~= "string" then
    return nil, "not an HTTP date: " .. quoted(text)
  end
  local seconds, message = http_seconds(text, now)
  if not seconds then
    return nil, "not an HTTP date: " .. quoted(text) .. ": " .. message
  end
  return seconds
end

local function split_epoch(epoch)
  if not is_finite(epoch) then
    return nil, "epoch must be a finite number, not " .. quoted(epoch)
  end
  local seconds, message = in_range(epoch)
  if not seconds then
    return nil, message
  end
  seconds = floor(seconds)
  local days = floor(seconds / DAY)
  return days, seconds - days * DAY
end

--- Writes a time as RFC 3339 in UTC, whole seconds: `2024-02-03T07:08:09Z`.
-- @tparam number epoch seconds since the epoch; a fraction is dropped
-- @treturn string the time
-- @raise if epoch is not a number within the years 0000 to 9999
function time.format(epoch)
  local days, rest = split_epoch(epoch)
  if not days then
    error(rest, 2)
  end
  local year, month, day = civil_from_days(days)
  return string.format("%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day,
    floor(rest / 3600), floor(rest / 60) % 60, rest % 60)
end

--- Writes the date of a time in UTC: `2024-02-03`.
-- @tparam number epoch seconds since the epoch
-- @treturn string the date
-- @raise if epoch is not a number within the years 0000 to 9999
function time.format_date(epoch)
  local days, message = split_epoch(epoch)
  if not days then
    error(message, 2)
  end
  return string.format("%04d-%02d-%02d", civil_from_days(days))
end

--- Reads the time of a record: any form that @{parse} or @{parse_http} takes. A time before
-- 2000 or after 9998 is none: that is how platforms write that there is no date.
-- @param value what stands in the record
-- @treturn ?number seconds since the epoch; nil where no time can be read
function time.parse_logged(value)
  local seconds = time.parse(value) or time.parse_http(value)
  return seconds and seconds >= EARLIEST_LOGGED and seconds < LATEST_LOGGED and seconds or nil
end

-- A time of the day may lack its seconds.
local function with_seconds(text)
  local minutes, rest = text:match "^(%d%d%d%d%-%d%d%-%d%d[Tt ]%d%d:%d%d)(.*)$"
  return minutes and rest:sub(1, 1) ~= ":" and minutes .. ":00" .. rest or text
end

local function since_text(text, now)
  local count, unit = text:match("^(%d+)([smhdw])$")
  if count then
    -- The .0 keeps a long row of digits from wrapping round as a 64-bit integer.
    return in_range(now - tonumber(count) * (UNITS[unit] * 1.0))
  elseif text == "today" then
    return in_range(floor(now / DAY) * DAY)
  elseif text == "yesterday" then
    return in_range((floor(now / DAY) - 1) * DAY)
  elseif text:find "^%d%d%d%d%d%d%d%d%d%d$" then
    return tonumber(text)
  end
  return time.parse(with_seconds(text))
end

--- Whether a text is a day that there is, such as `2024-02-03`.
-- @tparam string text
-- @treturn boolean
function time.is_day(text)
  return text:find("^%d%d%d%d%-%d%d%-%d%d$") ~= nil and time.parse(text) ~= nil
end

--- Reads the beginning of a period, as a person gives it.
--
-- Takes a number (seconds since the epoch); a duration before now in seconds,
-- minutes, hours, days or weeks (`90s`, `30m`, `24h`, `7d`, `2w`); `today` or
-- `yesterday`, from midnight UTC; or anything `parse` takes, also without its seconds.
-- Ten digits in a string are seconds since the epoch, as `date +%s` writes them; fewer are
-- refused: 20240203 could be a date or a number of seconds.
-- @tparam number|string value the beginning
-- @tparam number now the present in seconds since the epoch
-- @treturn[1] number seconds since the epoch
-- @treturn[2] nil
-- @treturn[2] string what is wrong, and what is accepted
function time.since(value, now)
  if not is_finite(now) then
    error("now must be seconds since the epoch, not " .. quoted(now), 2)
  end
  local seconds
  if is_finite(value) then
    seconds = in_range(value)
  elseif type(value) == "string" then
    seconds = since_text(value, now)
  end
  if not seconds then
    return nil, quoted(value) .. " is not a time; give " .. ACCEPTED
  end
  return seconds
end

return time
