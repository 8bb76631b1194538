local retry = require "pcapi.http.retry"

local NOW = 1706944089 -- 2024-02-03T07:08:09Z

local function decide(failure, changes)
  changes = changes or {}
  return retry.decide(failure, changes.method or "GET", changes.attempt or 1,
    changes.left or 1000, changes.policy, changes.random or function() return 0 end)
end

local UNAVAILABLE = { kind = "server", status = 503 }

describe("pcapi.http.retry", function()
  for _, status in ipairs { 408, 429, 500, 502, 503, 504 } do
    it("allows another attempt after status " .. status, function()
      assert.is_number(decide { kind = "server", status = status })
    end)
  end

  for _, status in ipairs { 200, 301, 400, 401, 403, 404, 405, 406, 409, 412, 417, 501, 505 } do
    it("allows no other attempt after status " .. status, function()
      assert.is_nil(decide { kind = "server", status = status })
    end)
  end

  it("allows another attempt after a network error or a timeout", function()
    assert.is_number(decide { kind = "network" })
    assert.is_number(decide { kind = "timeout" })
  end)

  for _, kind in ipairs { "tls", "config", "protocol", "unauthorized" } do
    it("allows no other attempt after an error of kind " .. kind, function()
      assert.is_nil(decide { kind = kind })
    end)
  end

  it("allows no other attempt after a refusal for lack of MFA", function()
    for _, status in ipairs { 401, 403, 429, 503 } do
      assert.is_nil(decide { kind = "mfa_required", status = status })
    end
    assert.is_nil(decide { kind = "mfa_required" })
  end)

  for _, method in ipairs { "GET", "HEAD", "PUT", "DELETE", "OPTIONS" } do
    it("allows a second " .. method, function()
      assert.is_number(decide(UNAVAILABLE, { method = method }))
      assert.is_number(decide({ kind = "network" }, { method = method }))
    end)
  end

  for _, method in ipairs { "POST", "PATCH", "ODD" } do
    it("allows a second " .. method .. " only after a 429", function()
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

    it("the attempts of the policy", function()
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

    it("with the base or the cap of the policy", function()
      assert.equal(2, decide(UNAVAILABLE, { policy = { base = 4 } }))
      assert.equal(0.05, decide(UNAVAILABLE, { policy = { cap = 0.1 } }))
    end)

    it("as long as the service demands, also above the cap", function()
      local failure = { kind = "throttled", status = 429, retry_after = 57 }
      assert.equal(57, decide(failure))
      assert.equal(57, decide(failure, { policy = { cap = 1 } }))
    end)

    it("ten minutes at most, whatever the service demands", function()
      for _, seconds in ipairs { 601, 86400, 1e308, math.huge } do
        local failure = { kind = "throttled", status = 429, retry_after = seconds }
        assert.equal(600, decide(failure))
        assert.is_nil(decide(failure, { left = 600 }))
      end
    end)

    it("the backoff if the service demands an invalid time", function()
      for _, seconds in ipairs { -5, 0 / 0, -math.huge } do
        assert.equal(0.25, decide { kind = "throttled", status = 429, retry_after = seconds })
      end
    end)

    it("the backoff if the service demands less", function()
      assert.equal(0.25, decide { kind = "throttled", status = 429, retry_after = 0 })
    end)

    it("only if the wait ends before the deadline", function()
      local failure = { kind = "throttled", status = 429, retry_after = 57 }
      assert.equal(57, decide(failure, { left = 57.001 }))
      assert.is_nil(decide(failure, { left = 57 }))
      assert.is_nil(decide(UNAVAILABLE, { left = 0.25 }))
      assert.is_nil(decide(UNAVAILABLE, { left = -1 }))
    end)
  end)

  describe("retry_after", function()
    local SENT_AT = "Sat, 03 Feb 2024 07:00:00 GMT" -- eight minutes behind our clock

    for _, case in ipairs {
      { "57", nil, 57 }, { "0", nil, 0 }, { "007", nil, 7 }, { " 8 ", nil, 8 },
      { "9.0", nil, 9 }, { "9.", nil, 9 }, { "5, 10", nil, 10 }, { "30,3.0", nil, 30 },
      { "31536000", nil, 86400 }, { ("7"):rep(400), nil, 86400 },
      { "5, " .. ("1"):rep(310), nil, 86400 }, { "86400.5", nil, 86400 },
      { "Fri, 31 Dec 9999 23:59:59 GMT", SENT_AT, 86400 },
      { "Fri, 31 Dec 9999 23:59:59 GMT", nil, 86400 },
      { "Sat, 03 Feb 2024 07:01:30 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", 0 },
      { " Sat, 03 Feb 2024 07:01:30 GMT ", SENT_AT, 90 },
      { "Sat, 03 Feb 2024 07:01:30 GMT", SENT_AT, 90 },
      { "Saturday, 03-Feb-24 07:01:30 GMT", SENT_AT, 90 },
      { "Sat Feb  3 07:01:30 2024", SENT_AT, 90 },
      { "Sat, 03 Feb 2024 07:08:39 GMT", nil, 30 },
      { "Sat, 03 Feb 2024 07:08:39 GMT", "garbage", 30 },
      { "Sat, 03 Feb 2024 06:00:00 GMT", SENT_AT, 0 },
      { "Sat, 03 Feb 2024 06:00:00 GMT", nil, 0 },
    } do
      it(("is %d for %q if Date is %s"):format(case[3], case[1], case[2] or "missing"),
        function()
          assert.equal(case[3],
            retry.retry_after({ ["retry-after"] = case[1], date = case[2] }, NOW))
        end)
    end

    it("keeps a fraction of a second", function()
      assert.equal(1.5, retry.retry_after({ ["retry-after"] = "1.5" }, NOW))
      assert.equal(0.125, retry.retry_after({ ["retry-after"] = "0.1259999" }, NOW))
    end)

    for _, text in ipairs { "", "soon", "-5", "5s", "0x10", "1e3", "1e999", "5, soon", "5,", ",",
                            "inf", "nan", "+5", ".5", "1.5.5", " ", "5, -1",
                            "Sat, 33 Feb 2024 07:01:30 GMT", "2024-02-03T07:08:09Z" } do
      it(("is nil for %q"):format(text), function()
        assert.is_nil(retry.retry_after({ ["retry-after"] = text }, NOW))
      end)
    end

    it("is nil without the header", function()
      assert.is_nil(retry.retry_after({ date = SENT_AT }, NOW))
    end)

    it("compares a date with this machine's clock if Date is implausible", function()
      for _, date in ipairs { "Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Jan 0000 00:00:00 GMT",
                              "Wed, 01 Jan 2500 00:00:00 GMT" } do
        assert.equal(0, retry.retry_after({ ["retry-after"] = SENT_AT, date = date }, NOW), date)
      end
    end)
  end)

  it("gives a hint with whole seconds", function()
    assert.equal("Try again in 3 s, and send fewer requests", retry.hint(2.5))
  end)
end)
