--- Reads and writes dates and times, as text and as seconds since 1970-01-01T00:00:00Z (the epoch).
--
-- Pure arithmetic in UTC: no clock, no local time zone, no locale. A function that needs the
-- present time takes it as the argument `now`. All times that these functions return lie in the
-- years 0000 to 9999, so @{format} can write them.
-- @module pcapi.time
local calendar = require "pcapi.time.calendar"
local http_date = require "pcapi.time.http_date"

local DAY = calendar.DAY
local day_seconds, day_start, in_range = calendar.day_seconds, calendar.day_start, calendar.in_range
local floor = math.floor

local time = {}

-- Systems write such times for "no date": .NET the year 1 or 9999, Windows 1601, SQL Server 1753 or
-- 1900, Unix 1970. A log has no dates outside these bounds.
local EARLIEST_LOGGED, LATEST_LOGGED = 946684800, 253370764800 -- 2000-01-01, 9999-01-01

local UNITS = { s = 1, m = 60, h = 3600, d = DAY, w = 7 * DAY }

local ACCEPTED = "24h (also 90s, 30m, 7d, 2w), today, yesterday, a UTC date or time such as "
  .. "2024-02-03, 2024-02-03T07:08 or 2024-02-03T07:08:09Z, or epoch seconds such as 1706944089"

-- Terminals show messages, and a text from elsewhere may hold control characters.
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

-- Cuts the fraction, never rounds it up: services write the end of a day as 23:59:59.9999999, which
-- as a double is the next day.
local function add_fraction(seconds, digits)
  digits = digits:sub(1, 6)
  local fraction = tonumber(digits) / 10 ^ #digits
  if seconds + fraction >= seconds + 1 then
    fraction = 0.999
  end
  return seconds + fraction
end

-- Splits the rest of an RFC 3339 time behind the seconds: ".5Z" gives "5", "Z".
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

--- Reads an RFC 3339 time or date, and the looser forms that the service writes.
--
-- A time without a zone is UTC: the service's log times have none. A date stands for its first
-- second in UTC. `T` may be a space, `T` and `Z` may be lower case (RFC 3339 §5.6), a zone may lack
-- its colon. Fractions are cut to microseconds.
-- @tparam string text the time or date, without blanks around it
-- @treturn[1] number seconds since the epoch; an integer if there is no fraction
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

--- Reads the date of an HTTP header, in any of the three forms of RFC 9110 §5.6.7.
--
-- The name of the day must be valid, but may be the wrong one.
-- @tparam string text the header's value
-- @tparam[opt] number now the present time, in seconds since the epoch; needed for the two-digit
-- year of the obsolete RFC 850 form
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
  local seconds, message = http_date.parse(text, now)
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

--- Writes a time as RFC 3339 in UTC: `2024-02-03T07:08:09Z`.
-- @tparam number epoch seconds since the epoch; a fraction is dropped
-- @treturn string the time
-- @raise if epoch is not a number in the years 0000 to 9999
function time.format(epoch)
  local days, rest = split_epoch(epoch)
  if not days then
    error(rest, 2)
  end
  local year, month, day = calendar.civil_from_days(days)
  return string.format("%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day,
    floor(rest / 3600), floor(rest / 60) % 60, rest % 60)
end

--- Writes the date of a time in UTC: `2024-02-03`.
-- @tparam number epoch seconds since the epoch
-- @treturn string the date
-- @raise if epoch is not a number in the years 0000 to 9999
function time.format_date(epoch)
  local days, message = split_epoch(epoch)
  if not days then
    error(message, 2)
  end
  return string.format("%04d-%02d-%02d", calendar.civil_from_days(days))
end

--- Reads the time in a record: any form that @{parse} or @{parse_http} takes. A time before 2000 or
-- after 9998 means "no date".
-- @param value the field of the record
-- @treturn ?number seconds since the epoch; nil if the value is not a time, or means "no date"
function time.parse_logged(value)
  local seconds = time.parse(value) or time.parse_http(value)
  return seconds and seconds >= EARLIEST_LOGGED and seconds < LATEST_LOGGED and seconds or nil
end

-- Adds the seconds that a time of day may lack.
local function with_seconds(text)
  local minutes, rest = text:match "^(%d%d%d%d%-%d%d%-%d%d[Tt ]%d%d:%d%d)(.*)$"
  return minutes and rest:sub(1, 1) ~= ":" and minutes .. ":00" .. rest or text
end

local function since_text(text, now)
  local count, unit = text:match("^(%d+)([smhdw])$")
  if count then
    -- with .0, a long number does not wrap around as a 64-bit integer
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

--- Tests whether a text is a date that exists, such as `2024-02-03`.
-- @tparam string text
-- @treturn boolean
function time.is_day(text)
  return text:find("^%d%d%d%d%-%d%d%-%d%d$") ~= nil and time.parse(text) ~= nil
end

--- Reads the start of a period, as a user writes it.
--
-- Takes a number (seconds since the epoch); a duration before now in seconds, minutes, hours, days
-- or weeks (`90s`, `30m`, `24h`, `7d`, `2w`); `today` or `yesterday`, from midnight UTC; or any
-- form that @{parse} takes, also without seconds. Ten digits in a string are seconds since the
-- epoch, as `date +%s` writes them. Fewer digits are refused: 20240203 could be a date or seconds.
-- @tparam number|string value the start
-- @tparam number now the present time, in seconds since the epoch
-- @treturn[1] number seconds since the epoch
-- @treturn[2] nil
-- @treturn[2] string what is wrong, and which forms are accepted
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
