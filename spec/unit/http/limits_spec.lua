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

describe("limits.explain", function()
  local errors = require "pcapi.error"
  local limits = require "pcapi.http.limits"

  local function explained(fields, options)
    fields.kind = fields.kind or "protocol"
    local err = errors.new(fields)
    limits.explain(err, options or {})
    return { err.message, err.hint }
  end

  it("names the size of a body in the largest unit that fits", function()
    for bytes, size in pairs { [1000] = "1000 bytes", [1024] = "1 KiB", [100000] = "97.7 KiB",
                               [1e6] = "976.6 KiB", [64 * 2 ^ 20] = "64 MiB",
                               [3 * 2 ^ 30] = "3 GiB", [5 * 2 ^ 50] = "5242880 GiB" } do
      assert.same({ "the response is larger than " .. size,
                    "Raise max_body if you expect so much" },
        explained({ message = "the response is larger than max_body" }, { max_body = bytes }))
    end
  end)

  it("names the size of the headers, which no option changes", function()
    assert.same({ "the headers of the response are larger than 64 KiB",
                  "Check whether a proxy or another server responds in place of the service" },
      explained { message = "the headers of the response exceed the size limit" })
  end)

  it("names the seconds after a timeout, unless the transport knows better", function()
    assert.same({ "slow", "Raise timeout (now 180 s), or try again later" },
      explained { kind = "timeout", message = "slow" })
    assert.same({ "slow", "Check the network" },
      explained { kind = "timeout", message = "slow", hint = "Check the network" })
  end)

  it("leaves any other error as it is", function()
    assert.same({ "not valid" }, explained { message = "not valid" })
    assert.same({ "refused", "Check it" },
      explained { kind = "network", message = "refused", hint = "Check it" })
  end)
end)
