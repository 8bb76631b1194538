describe("limits.life", function()
  local limits = require "pcapi.http.limits"

  it("returns seconds from 0.001 to ten years", function()
    assert.same({ 57, 0.001, 0.001, 0.001 },
      { limits.life(57), limits.life(0), limits.life(-5), limits.life(1e-9) })
    for _, seconds in ipairs { 1e12, 1e308, math.huge, 0 / 0 } do
      assert.equal(limits.LONGEST_LIFE, limits.life(seconds))
    end
  end)
end)

describe("limits.pause", function()
  local limits = require "pcapi.http.limits"

  it("returns the seconds that a server demands", function()
    assert.equal(57, limits.pause(57))
    assert.equal(0.5, limits.pause(0.5))
  end)

  it("returns ten minutes at most", function()
    for _, seconds in ipairs { 601, 31536000, 1e308, math.huge } do
      assert.equal(600, limits.pause(seconds))
    end
  end)

  it("returns 0 for nil, a negative number and nan", function()
    assert.equal(0, limits.pause(nil))
    assert.equal(0, limits.pause(-5))
    assert.equal(0, limits.pause(0 / 0))
  end)
end)
