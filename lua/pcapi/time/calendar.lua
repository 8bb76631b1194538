--- Converts between dates and seconds since 1970-01-01T00:00:00Z, in UTC (proleptic Gregorian
-- calendar). Pure arithmetic.
-- @module pcapi.time.calendar
local floor = math.floor

local M = {}

local DAY = 86400

--- Seconds of a day.
M.DAY = DAY

local EARLIEST, LATEST = -62167219200, 253402300799 -- 0000-01-01, 9999-12-31T23:59:59Z

--- Tests whether a value is a time from 1970 to 9999.
-- @param value seconds since the epoch
-- @treturn boolean
function M.is_epoch(value)
  return type(value) == "number" and value >= 0 and value <= LATEST
end

--- Limits a time to four-digit years.
-- @tparam number seconds since the epoch
-- @treturn[1] number the same; an integer if it has no fraction, so Lua 5.3+ prints no ".0"
-- @treturn[2] nil
-- @treturn[2] string what is wrong
function M.in_range(seconds)
  if not (seconds >= EARLIEST and seconds < LATEST + 1) then
    return nil, "time outside the years 0000 to 9999"
  end
  local integer = floor(seconds)
  return integer == seconds and integer or seconds
end

--- Counts the days from 1970-01-01 to a date. A day beyond the end of its month counts on.
-- @function days_from_civil
-- @tparam number year
-- @tparam number month
-- @tparam number day
-- @treturn number
local function days_from_civil(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12 -- from 1 March on, the leap day ends the year
  end
  local leap_days = floor(year / 4) - floor(year / 100) + floor(year / 400)
  return 365 * year + leap_days + floor((153 * (month - 3) + 2) / 5) + day - 719469
end

M.days_from_civil = days_from_civil

--- Returns the date of a day.
-- @tparam number days since 1970-01-01
-- @treturn number year
-- @treturn number month
-- @treturn number day
function M.civil_from_days(days)
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

--- Returns the first second of a date.
-- @tparam number year
-- @tparam number month
-- @tparam number day
-- @treturn[1] number seconds since the epoch
-- @treturn[2] nil
-- @treturn[2] string which number is out of range
function M.day_start(year, month, day)
  if month < 1 or month > 12 then
    return nil, "month out of range"
  elseif day < 1 or day > days_in_month(year, month) then
    return nil, "day out of range"
  end
  return days_from_civil(year, month, day) * DAY
end

--- Returns the seconds from midnight to a time of day.
-- @tparam number hour
-- @tparam number minute
-- @tparam number second 60 is allowed: RFC 3339 §5.7 and RFC 9110 §5.6.7 have leap seconds
-- @treturn[1] number
-- @treturn[2] nil
-- @treturn[2] string which number is out of range
function M.day_seconds(hour, minute, second)
  if hour > 23 then
    return nil, "hour out of range"
  elseif minute > 59 then
    return nil, "minute out of range"
  elseif second > 60 then
    return nil, "second out of range"
  end
  return hour * 3600 + minute * 60 + second
end

return M
