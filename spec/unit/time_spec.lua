local time = require("pcapi.time")
local raised_by = require("spec.support.raised_by")

local NOW = 1706944089 -- 2024-02-03T07:08:09Z

local function each(cases, name, check)
  for _, case in ipairs(cases) do
    it(name:format(tostring(case[1])), function()
      check(case[1], case[2], case[3])
    end)
  end
end

local function refused(value, message)
  assert.is_nil(value)
  assert.is_string(message)
  return message
end

describe("time.parse", function()
  each({
    { "2024-02-03T07:08:09", NOW },
    { "2024-02-03T07:08:09Z", NOW },
    { "2024-02-03t07:08:09z", NOW },
    { "2024-02-03 07:08:09", NOW },
    { "2024-02-03T07:08:09+00:00", NOW },
    { "2024-02-03T07:08:09-00:00", NOW },
    { "2024-02-03T07:08:09-08:00", NOW + 8 * 3600 },
    { "2024-02-03T07:08:09+0530", NOW - 5 * 3600 - 30 * 60 },
    { "2024-02-03T00:00:00+01:00", 1706914800 },
    { "2024-02-03", 1706918400 },
    { "1970-01-01", 0 },
    { "1969-12-31T23:59:59Z", -1 },
    { "2000-02-29", 951782400 },
    { "2024-02-29", 1709164800 },
    { "2016-12-31T23:59:60Z", 1483228800 },
    { "0001-01-01T00:00:00", -62135596800 },
    { "0000-01-01", -62167219200 },
    { "9999-12-31T23:59:59Z", 253402300799 },
  }, "reads %s", function(text, expected)
    assert.equal(expected, time.parse(text))
  end)

  each({
    { "2024-02-03T07:08:09.5", 0.5 },
    { "2024-02-03T07:08:09.25Z", 0.25 },
    { "2024-02-03T07:08:09.125-00:00", 0.125 },
    { "2024-02-03 07:08:09.1234567Z", 0.1234567 },
    { "2024-02-03T07:08:09.123456789012345678901234567890", 0.1234567 },
  }, "keeps the fraction of %s", function(text, expected)
    assert.near(NOW + expected, time.parse(text), 1e-6)
  end)

  it("gives a whole number no decimal point", function()
    assert.equal("1706944089", tostring(time.parse("2024-02-03T07:08:09")))
    assert.equal("1706944089", tostring(time.parse("2024-02-03T07:08:09.0000000Z")))
    assert.equal("1706918400", tostring(time.parse("2024-02-03")))
  end)

  it("never rounds the last tick of a day up to the next day", function()
    for _, day in ipairs({ "0001-01-01", "1969-12-31", "2024-02-03", "9999-12-31" }) do
      local seconds = time.parse(day .. "T23:59:59.9999999Z")
      assert.equal(day .. "T23:59:59Z", time.format(seconds))
    end
  end)

  it("knows the leap years", function()
    assert.is_number(time.parse("2000-02-29"))
    assert.is_number(time.parse("2024-02-29"))
    refused(time.parse("1900-02-29"))
    refused(time.parse("2023-02-29"))
  end)

  it("knows how long each month is", function()
    local lengths = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
    for month, length in ipairs(lengths) do
      assert.is_number(time.parse(("2023-%02d-%02d"):format(month, length)))
      refused(time.parse(("2023-%02d-%02d"):format(month, length + 1)))
    end
  end)

  each({
    { "" }, { "now" }, { "1706944089" }, { "20240203" },
    { "2024-00-03" }, { "2024-13-03" }, { "2024-02-00" }, { "2024-02-30" }, { "2024-2-3" },
    { "2024-02-03Z" }, { "2024-02-03T" }, { "2024-02-03T07:08" }, { "2024-02-03T7:08:09" },
    { "2024-02-03T24:00:00" }, { "2024-02-03T07:60:09" }, { "2024-02-03T07:08:61" },
    { "2024-02-03T07:08:09." }, { "2024-02-03T07:08:09,5" }, { "2024-02-03T07:08:09.5.5" },
    { "2024-02-03T07:08:09+24:00" }, { "2024-02-03T07:08:09+01:60" },
    { "2024-02-03T07:08:09+1:00" }, { "2024-02-03T07:08:09+01" }, { "2024-02-03T07:08:09 Z" },
    { "2024-02-03T07:08:09ZZ" }, { "2024-02-03T07:08:09CET" }, { "2024-02-03  07:08:09" },
    { " 2024-02-03" }, { "2024-02-03 " }, { "2024-02-03\n" }, { "2024-02-03\0" },
    { "-2024-02-03" }, { "12024-02-03" }, { "2024/02/03" },
    { "0000-01-01T00:00:00+00:01" }, { "9999-12-31T23:59:60Z" },
  }, "refuses %q", function(text)
    refused(time.parse(text))
  end)

  it("refuses a value that is not a string, and names its type", function()
    assert.matches("1706944089", refused(time.parse(NOW)))
    assert.matches("nil", refused(time.parse(nil)))
    assert.matches("table", refused(time.parse({})))
  end)

  it("says which part is out of range", function()
    assert.matches("month", refused(time.parse("2024-13-01")))
    assert.matches("day", refused(time.parse("2024-02-30")))
    assert.matches("hour", refused(time.parse("2024-02-03T24:00:00")))
    assert.matches("minute", refused(time.parse("2024-02-03T00:60:00")))
    assert.matches("second", refused(time.parse("2024-02-03T00:00:61")))
    assert.matches("zone", refused(time.parse("2024-02-03T00:00:00+99:00")))
  end)

  it("shows a refused text shortened and without control characters", function()
    local message = refused(time.parse("\27[31m" .. ("x"):rep(10000)))
    assert.is_nil(message:find("[^\32-\126]"))
    assert.is_true(#message < 200)
  end)
end)

describe("time.parse_http", function()
  local AT = 784111777 -- 1994-11-06T08:49:37Z, the date of RFC 9110's examples

  each({
    { "Sun, 06 Nov 1994 08:49:37 GMT", AT },
    { "Sun Nov  6 08:49:37 1994", AT },
    { "Sunday, 06-Nov-94 08:49:37 GMT", AT, NOW },
    { "Wed Nov 16 08:49:37 1994", AT + 10 * 86400 },
    { "Sat, 03 Feb 2024 07:08:09 GMT", NOW },
    { "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 },
    { "Sat, 06 Nov 1994 08:49:37 GMT", AT },
  }, "reads %s", function(text, expected, now)
    assert.equal(expected, time.parse_http(text, now))
  end)

  it("gives a whole number no decimal point", function()
    assert.equal("784111777", tostring(time.parse_http("Sunday, 06-Nov-94 08:49:37 GMT", NOW)))
  end)

  it("knows every month", function()
    local names = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }
    for month, name in ipairs(names) do
      local seconds = time.parse_http(("Mon, 02 %s 2023 00:00:00 GMT"):format(name))
      assert.equal(("2023-%02d-02"):format(month), time.format_date(seconds))
    end
  end)

  each({
    { "03-Feb-24 07:08:09", "2024", NOW },
    { "04-Feb-24 07:08:09", "2024", NOW },
    { "03-Feb-74 07:08:09", "2074", NOW },
    { "03-Feb-74 07:08:10", "1974", NOW },
    { "31-Dec-99 00:00:00", "1999", NOW },
    { "01-Jan-05 00:00:00", "2105", 4070908800 },
    { "01-Jan-98 00:00:00", "2098", 4070908800 },
    { "01-Jan-98 00:00:00", "1998", 951782400 },
    { "01-Jan-49 00:00:00", "2049", 951782400 },
  }, "puts the two-digit year of %s within 50 years", function(text, year, now)
    local seconds = assert(time.parse_http("Monday, " .. text .. " GMT", now))
    assert.equal(year, time.format_date(seconds):sub(1, 4))
  end)

  it("accepts a leap day in a two-digit year", function()
    assert.equal(951782400, time.parse_http("Tuesday, 29-Feb-00 00:00:00 GMT", NOW))
    refused(time.parse_http("Tuesday, 29-Feb-23 00:00:00 GMT", NOW))
  end)

  it("refuses a two-digit year without the present time", function()
    assert.matches("present", refused(time.parse_http("Sunday, 06-Nov-94 08:49:37 GMT")))
  end)

  it("raises an error if now is not a number", function()
    assert.matches("time_spec.lua:%d+: now must be", raised_by(function()
      local _ = time.parse_http("Sun, 06 Nov 1994 08:49:37 GMT", "now")
    end))
  end)

  each({
    { "" }, { "120" }, { "2024-02-03T07:08:09Z" },
    { "Sun, 06 Nov 1994 08:49:37" }, { "Sun, 06 Nov 1994 08:49:37 UTC" },
    { "Sun, 06 Nov 1994 08:49:37 +0000" }, { "sun, 06 Nov 1994 08:49:37 GMT" },
    { "Sun, 06 nov 1994 08:49:37 GMT" }, { "Sun, 06 Nox 1994 08:49:37 GMT" },
    { "Sun, 6 Nov 1994 08:49:37 GMT" }, { "Sun, 31 Nov 1994 08:49:37 GMT" },
    { "Sun, 06 Nov 1994 24:00:00 GMT" }, { "Sun, 06 Nov 1994 08:60:37 GMT" },
    { "Sun, 06 Nov 1994 08:49:61 GMT" }, { "Xyz, 06 Nov 1994 08:49:37 GMT" },
    { "Sunday, 06 Nov 1994 08:49:37 GMT" }, { "Sun, 06-Nov-94 08:49:37 GMT" },
    { "Sun Nov 6 08:49:37 1994" }, { "Sun Nov  0 08:49:37 1994" },
    { "Sun, 06 Nov 1994 08:49:37 GMT " }, { "Xyz Nov  6 08:49:37 1994" },
  }, "refuses %q", function(text)
    refused(time.parse_http(text, NOW))
  end)

  it("refuses a value that is not a string", function()
    refused(time.parse_http(120))
    refused(time.parse_http(nil, NOW))
  end)
end)

describe("time.format", function()
  each({
    { NOW, "2024-02-03T07:08:09Z" },
    { NOW + 0.75, "2024-02-03T07:08:09Z" },
    { 0, "1970-01-01T00:00:00Z" },
    { -1, "1969-12-31T23:59:59Z" },
    { -0.5, "1969-12-31T23:59:59Z" },
    { 951782399, "2000-02-28T23:59:59Z" },
    { 951782400, "2000-02-29T00:00:00Z" },
    { -62167219200, "0000-01-01T00:00:00Z" },
    { 253402300799.5, "9999-12-31T23:59:59Z" },
  }, "writes %s", function(epoch, expected)
    assert.equal(expected, time.format(epoch))
    assert.equal(expected:sub(1, 10), time.format_date(epoch))
  end)

  it("writes every day of 400 years as parse reads it", function()
    local before
    for day = -141428, 4670 do -- 1582-10-15 to 1982-10-15
      local date = time.format_date(day * 86400)
      assert(date ~= before and time.parse(date) == day * 86400, date)
      before = date
    end
    assert.equal("1982-10-15", before)
  end)

  it("writes every time of day as parse reads it", function()
    for second = 0, 86399, 7 do
      local at = 951782400 + second
      assert(time.parse(time.format(at)) == at, second)
    end
  end)

  each({ { "2024-02-03" }, { 0 / 0 }, { math.huge }, { -math.huge }, { 253402300800 },
    { -62167219201 }, { {} } }, "raises for %s", function(epoch)
    assert.has_error(function() time.format(epoch) end)
    assert.has_error(function() time.format_date(epoch) end)
  end)

  it("raises an error at the caller's line", function()
    assert.matches("time_spec.lua:%d+: epoch must be",
      raised_by(function() local _ = time.format("x") end))
    assert.matches("time_spec.lua:%d+: epoch must be",
      raised_by(function() local _ = time.format_date(nil) end))
  end)
end)

describe("time.parse_logged", function()
  each({
    { "2024-02-03T07:08:09", NOW }, { "2024-02-03T07:08:09.0000000Z", NOW },
    { "Sat, 03 Feb 2024 07:08:09 GMT", NOW }, { "Sat Feb  3 07:08:09 2024", NOW },
    { "2024-02-03", 1706918400 }, { "2000-01-01T00:00:00", 946684800 },
  }, "reads %s", function(value, expected)
    assert.equal(expected, time.parse_logged(value))
  end)

  each({
    { "0001-01-01T00:00:00" }, { "0001-01-01T00:00:00.0000000Z" }, { "0001-01-01T00:00:00+02:00" },
    { "0001-01-01" }, { "1601-01-01T00:00:00Z" }, { "1753-01-01T00:00:00" }, { "1900-01-01" },
    { "1970-01-01T00:00:00Z" }, { "9999-12-31T23:59:59.9999999" }, { "9999-12-31" },
    { "2/3/2024 7:08:09 AM" }, { "03.02.2024 07:08:09" }, { "/Date(1706944089000)/" }, { "" },
    { "null" }, { 1706944089 }, { true }, { {} }, { 1e308 },
  }, "finds no time in %s", function(value)
    assert.is_nil((time.parse_logged(value)))
  end)

  it("finds no time in nil", function()
    assert.is_nil((time.parse_logged(nil)))
  end)
end)

describe("time.since", function()
  each({
    { "90s", NOW - 90 },
    { "0s", NOW },
    { "30m", NOW - 1800 },
    { "24h", NOW - 86400 },
    { "7d", NOW - 7 * 86400 },
    { "2w", NOW - 14 * 86400 },
    { "today", 1706918400 },
    { "yesterday", 1706832000 },
    { "2024-02-01", 1706745600 },
    { "2024-02-03T07:08:09-08:00", NOW + 8 * 3600 },
    { "2024-02-03T07:08", NOW - 9 },
    { "2024-02-03 07:08", NOW - 9 },
    { "2024-02-03t07:08z", NOW - 9 },
    { "2024-02-03T07:08Z", NOW - 9 },
    { "2024-02-03T09:08+02:00", NOW - 9 },
    { "2024-02-03 02:38-0430", NOW - 9 },
    { "2024-02-03 07:08:09", NOW },
    { "1706944089", NOW },
    { "4102444800", 4102444800 },
    { 1700000000, 1700000000 },
    { 1700000000.0, 1700000000 },
    { 0, 0 },
  }, "reads %s", function(value, expected)
    assert.equal(expected, time.since(value, NOW))
  end)

  it("starts today at midnight UTC, whatever the second", function()
    assert.equal(1706918400, time.since("today", 1706918400))
    assert.equal(1706918400, time.since("today", 1706918400 + 86399.9))
    assert.equal(1706832000, time.since("yesterday", 1706918400))
  end)

  it("gives a whole number no decimal point", function()
    assert.equal("1706857689", tostring(time.since("24h", NOW)))
    assert.equal("1706857689", tostring(time.since("24h", NOW + 0.0)))
    assert.equal("1706918400", tostring(time.since("today", NOW + 0.5)))
  end)

  each({
    { "" }, { "tomorrow" }, { "Today" }, { "24" }, { "20240203" }, { "170694408" },
    { "1706944089000" }, { "1706944089.5" }, { " 1706944089" }, { "0x65bdea59" },
    { "2024-02-03T07" }, { "2024-02-03T07:" }, { "2024-02-03T07:08:" }, { "2024-02-03T24:00" },
    { "2024-02-03T07:60" }, { "2024-02-30T07:08" }, { "2024-02-03T07:08 UTC" },
    { "24H" }, { "-24h" },
    { "+24h" }, { "1.5h" }, { "24 h" }, { "24hours" }, { "h" }, { "1y" }, { "2024-02-30" },
    { "999999999d" }, { "18446744073709551616s" }, { "213503982334602d" },
    { ("9"):rep(400) .. "w" },
    { 0 / 0 }, { math.huge }, { 1e15 }, { true }, { {} },
  }, "refuses %s and says what is accepted", function(value)
    local message = refused(time.since(value, NOW))
    for _, form in ipairs({ "epoch", "90s", "30m", "24h", "7d", "2w", "today", "yesterday",
      "2024%-02%-03T07:08:09Z" }) do
      assert.matches(form, message)
    end
  end)

  it("refuses nil", function()
    refused(time.since(nil, NOW))
  end)

  it("raises an error without the present time", function()
    assert.matches("time_spec.lua:%d+: now must be",
      raised_by(function() local _ = time.since("24h") end))
    assert.matches("now must be", raised_by(time.since, "24h", "now"))
    assert.matches("now must be", raised_by(time.since, "24h", 0 / 0))
  end)
end)
