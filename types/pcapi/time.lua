---@meta pcapi.time
-- Made by `make types` from lua/pcapi/time/init.lua; do not edit.

---Reads and writes dates and times, as text and as seconds since 1970-01-01T00:00:00Z (the epoch).
---@class pcapi.time
local pcapi_time = {}

---Reads an RFC 3339 time or date, and the looser forms that the service writes. A time without a zone is UTC: the service's log times have none. A date stands for its first second in UTC. `T` may be a space, `T` and `Z` may be lower case (RFC 3339 §5.6), a zone may lack its colon. Fractions are cut to microseconds.
---@param text string the time or date, without blanks around it
---@return number|nil # seconds since the epoch; an integer if there is no fraction
---@return string|nil # what is wrong with the text
function pcapi_time.parse(text) end

---Reads the date of an HTTP header, in any of the three forms of RFC 9110 §5.6.7. The name of the day must be valid, but may be the wrong one.
---@param text string the header's value
---@param now? number the present time, in seconds since the epoch; needed for the two-digit year of the obsolete RFC 850 form
---@return number|nil # seconds since the epoch
---@return string|nil # what is wrong with the text
function pcapi_time.parse_http(text, now) end

---Writes a time as RFC 3339 in UTC: `2024-02-03T07:08:09Z`.
---@param epoch number seconds since the epoch; a fraction is dropped
---@return string # the time
function pcapi_time.format(epoch) end

---Writes the date of a time in UTC: `2024-02-03`.
---@param epoch number seconds since the epoch
---@return string # the date
function pcapi_time.format_date(epoch) end

---Reads the time in a record: any form that `parse` or `parse_http` takes. A time before 2000 or after 9998 means "no date".
---@param value any the field of the record
---@return number|nil # seconds since the epoch; nil if the value is not a time, or means "no date"
function pcapi_time.parse_logged(value) end

---Tests whether a text is a date that exists, such as `2024-02-03`.
---@param text string 
---@return boolean # 
function pcapi_time.is_day(text) end

---Reads the start of a period, as a user writes it. Takes a number (seconds since the epoch); a duration before now in seconds, minutes, hours, days or weeks (`90s`, `30m`, `24h`, `7d`, `2w`); `today` or `yesterday`, from midnight UTC; or any form that `parse` takes, also without seconds. Ten digits in a string are seconds since the epoch, as `date +%s` writes them. Fewer digits are refused: 20240203 could be a date or seconds.
---@param value number|string the start
---@param now number the present time, in seconds since the epoch
---@return number|nil # seconds since the epoch
---@return string|nil # what is wrong, and which forms are accepted
function pcapi_time.since(value, now) end

return pcapi_time
