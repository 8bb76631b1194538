local core = require "pcapi.core"
local records = require "pcapi.cli.records"
local time = require "pcapi.time"

local function by_lua(value)
  local epoch = time.parse_logged(value)
  return epoch and time.format(epoch):gsub("T", " "):gsub("Z$", "") or value
end

describe("a time for people", function()
  for text, expected in pairs {
    ["2024-02-03T07:08:09.123"] = "2024-02-03 07:08:09",
    ["2024-02-03T07:08:09.9999999Z"] = "2024-02-03 07:08:09",
    ["2024-02-03t07:08:09z"] = "2024-02-03 07:08:09", ["2024-02-03"] = "2024-02-03 00:00:00",
    ["2024-02-03T00:30:00+01:00"] = "2024-02-02 23:30:00",
    ["2024-02-03T23:30:00.5-0100"] = "2024-02-04 00:30:00",
    ["Sat, 03 Feb 2024 07:08:09 GMT"] = "2024-02-03 07:08:09",
    ["0001-01-01T00:00:00"] = "0001-01-01T00:00:00", ["2024-02-30"] = "2024-02-30",
    lately = "lately",
  } do
    it(("of %q is %q"):format(text, expected), function()
      assert.equal(expected, (records.readable_time(text)))
      assert.equal(expected, (by_lua(text)))
    end)
  end

  it("by the core is the one by pcapi.time", function()
    math.randomseed(1)
    for _ = 1, 2000 do
      local text = time.format(math.random(0, 2 ^ 31 - 1) * 4):gsub("Z$", "")
      text = text .. ("." .. math.random(0, 1e6)):rep(math.random(0, 1))
        .. (math.random(2) == 1 and "Z" or "")
      local shown = core.readable_time(text)
      assert.equal(by_lua(text), shown or text)
    end
  end)

  it("is any other value as it is", function()
    assert.equal(5, (records.readable_time(5)))
    assert.is_true((records.readable_time(true)))
  end)
end)
