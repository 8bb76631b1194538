local failures = require "pcapi.history.failures"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local HOUR, DAY = 3600, 86400

describe("a failing tenant", function()
  local FIRST = { kind = "network", since = NOW, reported = NOW }

  it("is reported when it begins to fail", function()
    local after, is_reported = failures.update(nil, "network", NOW)
    assert.same(FIRST, after)
    assert.is_true(is_reported)
  end)

  it("is not reported again while it fails in the same way", function()
    local after, is_reported = failures.update(FIRST, "network", NOW + DAY)
    assert.same(FIRST, after)
    assert.is_false(is_reported)
  end)

  it("is reported when it fails in another way", function()
    local after, is_reported = failures.update(FIRST, "sign_in_required", NOW + DAY)
    assert.same({ kind = "sign_in_required", since = NOW, reported = NOW + DAY }, after)
    assert.is_true(is_reported)
  end)

  it("is reported every 7 days, also on a day of 23 hours", function()
    local _, is_reported = failures.update(FIRST, "network", NOW + 6 * DAY)
    assert.is_false(is_reported)
    local after
    after, is_reported = failures.update(FIRST, "network", NOW + 7 * DAY - HOUR)
    assert.same({ kind = "network", since = NOW, reported = NOW + 7 * DAY - HOUR }, after)
    assert.is_true(is_reported)
  end)

  it("is reported once it responds, and then no more", function()
    local after, is_reported = failures.update(FIRST, nil, NOW + DAY)
    assert.is_nil(after)
    assert.is_true(is_reported)
    after, is_reported = failures.update(nil, nil, NOW + DAY)
    assert.is_nil(after)
    assert.is_false(is_reported)
  end)
end)

describe("the tenants that were not asked", function()
  it("are those of earlier rounds, the oldest first", function()
    local a, b, c, d = { id = "a", asked = NOW - 1 }, { id = "b", asked = NOW },
      { id = "c", asked = NOW - DAY }, { id = "d", asked = NOW - DAY }
    assert.same({ c, d, a }, failures.not_asked({ a, b, d, c }, NOW))
  end)
end)
