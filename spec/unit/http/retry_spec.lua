local retry = require "pcapi.http.retry"

local function decide(failure, changes)
  changes = changes or {}
  return retry.decide(failure, changes.method or "GET", changes.attempt or 1,
    changes.left or 1000, changes.policy, changes.random or function() return 0 end)
end

local UNAVAILABLE = { kind = "server", status = 503 }

describe("pcapi.http.retry", function()
  for _, status in ipairs { 408, 429, 500, 502, 503, 504 } do
    it("tries again after status " .. status, function()
      assert.is_number(decide { kind = "server", status = status })
    end)
  end

  for _, status in ipairs { 200, 301, 400, 401, 403, 404, 405, 406, 409, 412, 417, 501, 505 } do
    it("is done after status " .. status, function()
      assert.is_nil(decide { kind = "server", status = status })
    end)
  end

  it("tries again when the network failed or was too slow", function()
    assert.is_number(decide { kind = "network" })
    assert.is_number(decide { kind = "timeout" })
  end)

  for _, kind in ipairs { "tls", "config", "protocol", "unauthorized" } do
    it("is done after a failure of kind " .. kind, function()
      assert.is_nil(decide { kind = kind })
    end)
  end

  it("never retries an MFA refusal, whatever its status", function()
    for _, status in ipairs { 401, 403, 429, 503 } do
      assert.is_nil(decide { kind = "mfa_required", status = status })
    end
    assert.is_nil(decide { kind = "mfa_required" })
  end)

  for _, method in ipairs { "GET", "HEAD", "PUT", "DELETE", "OPTIONS" } do
    it("may send a " .. method .. " twice", function()
      assert.is_number(decide(UNAVAILABLE, { method = method }))
      assert.is_number(decide({ kind = "network" }, { method = method }))
    end)
  end

  for _, method in ipairs { "POST", "PATCH", "ODD" } do
    it("sends a " .. method .. " again only when it was turned away", function()
      assert.is_nil(decide(UNAVAILABLE, { method = method }))
      assert.is_nil(decide({ kind = "network" }, { method = method }))
      assert.is_nil(decide({ kind = "timeout" }, { method = method }))
      assert.is_number(decide({ kind = "throttled", status = 429 }, { method = method }))
    end)
  end

  describe("counts", function()
    it("four attempts by default", function()
      assert.is_number(decide(UNAVAILABLE, { attempt = 3 }))
      assert.is_nil(decide(UNAVAILABLE, { attempt = 4 }))
    end)

    it("as many as the policy says", function()
      assert.is_nil(decide(UNAVAILABLE, { policy = { attempts = 1 } }))
      assert.is_number(decide(UNAVAILABLE, { attempt = 4, policy = { attempts = 5 } }))
    end)
  end)

  describe("waits", function()
    local function highest() return 1 - 2 ^ -32 end

    it("at least half of a backoff that doubles", function()
      for attempt, seconds in ipairs { 0.25, 0.5, 1 } do
        assert.equal(seconds, decide(UNAVAILABLE, { attempt = attempt }))
      end
    end)

    it("less than the whole backoff", function()
      for attempt, seconds in ipairs { 0.5, 1, 2 } do
        local delay = decide(UNAVAILABLE, { attempt = attempt, random = highest })
        assert.is_true(delay < seconds and delay > seconds * 0.99)
      end
    end)

    it("no longer than the cap", function()
      local policy = { attempts = 100 }
      assert.equal(15, decide(UNAVAILABLE, { attempt = 50, policy = policy }))
      assert.is_true(decide(UNAVAILABLE, { attempt = 50, policy = policy, random = highest }) < 30)
    end)

    it("by the base and cap of the policy, one without the other too", function()
      assert.equal(2, decide(UNAVAILABLE, { policy = { base = 4 } }))
      assert.equal(0.05, decide(UNAVAILABLE, { policy = { cap = 0.1 } }))
    end)

    it("as long as the service names, cap or not", function()
      local failure = { kind = "throttled", status = 429, retry_after = 57 }
      assert.equal(57, decide(failure))
      assert.equal(57, decide(failure, { policy = { cap = 1 } }))
    end)

    it("ten minutes at most, whatever the service names", function()
      for _, asked in ipairs { 601, 86400, 1e308, math.huge } do
        local failure = { kind = "throttled", status = 429, retry_after = asked }
        assert.equal(600, decide(failure))
        assert.is_nil(decide(failure, { left = 600 }))
      end
    end)

    it("the backoff when the service names no time", function()
      for _, asked in ipairs { -5, 0 / 0, -math.huge } do
        assert.equal(0.25, decide { kind = "throttled", status = 429, retry_after = asked })
      end
    end)

    it("the backoff when the service names less", function()
      assert.equal(0.25, decide { kind = "throttled", status = 429, retry_after = 0 })
    end)

    it("only when that ends before the deadline", function()
      local failure = { kind = "throttled", status = 429, retry_after = 57 }
      assert.equal(57, decide(failure, { left = 57.001 }))
      assert.is_nil(decide(failure, { left = 57 }))
      assert.is_nil(decide(UNAVAILABLE, { left = 0.25 }))
      assert.is_nil(decide(UNAVAILABLE, { left = -1 }))
    end)
  end)
end)
