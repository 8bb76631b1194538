local calendar = require "pcapi.time.calendar"

describe("calendar.is_epoch", function()
  it("takes the seconds from 1970 to 9999", function()
    for _, seconds in ipairs { 0, 0.5, 1706944089, 253402300799 } do
      assert.is_true(calendar.is_epoch(seconds))
    end
  end)

  it("refuses any other value", function()
    for _, value in ipairs { -1, 253402300800, math.huge, 0 / 0, "0", {}, true } do
      assert.is_false(calendar.is_epoch(value))
    end
    assert.is_false(calendar.is_epoch(nil))
  end)
end)
