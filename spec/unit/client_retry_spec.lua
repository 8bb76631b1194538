-- Which requests of a client are tried again, when and how often.
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"

local get, failing = fake.get, fake.failing

describe("a client", function()
  describe("retries", function()
    it("after a failure that may pass, and counts the attempts", function()
      local response, _, transport = get { failing(503), { kind = "network" }, failing(429), {} }
      assert.equal(4, response.attempts)
      assert.same({ 0.25, 0.5, 1 }, transport.slept)
    end)

    it("with the same ids in all attempts", function()
      local _, _, transport = get { failing(503), { kind = "timeout" }, {} }
      local first = transport.sent[1].header
      for i = 2, 3 do
        assert.equal(first["ms-requestid"], transport.sent[i].header["ms-requestid"])
        assert.equal(first["ms-correlationid"], transport.sent[i].header["ms-correlationid"])
      end
    end)

    it("until the attempts are used up, and returns the last failure", function()
      local _, err, transport = get { failing(500), failing(502), failing(503), failing(504) }
      assert.equal(504, err.status)
      assert.equal(4, #transport.sent)
      assert.equal(3, #transport.slept)
    end)

    it("as often as retry.attempts says", function()
      local _, err, transport = get({ failing(503), failing(503) }, { retry = { attempts = 2 } })
      assert.equal(503, err.status)
      assert.equal(2, #transport.sent)
      local _, _, once = get({ failing(503) }, { retry = { attempts = 1 } })
      assert.equal(1, #once.sent)
    end)

    it("with the backoff of its options", function()
      local _, _, transport = get({ failing(503), failing(503), {} },
        { retry = { base = 4, cap = 6 }, random = function() return 0.5 end })
      assert.same({ 3, 4.5 }, transport.slept)
    end)

    it("after the time that Retry-After names", function()
      local _, _, transport = get {
        failing(429, { headers = { ["retry-after"] = "57" } }),
        failing(503, { headers = { ["retry-after"] = "Sat, 03 Feb 2024 07:00:20 GMT",
                                   date = "Sat, 03 Feb 2024 07:00:00 GMT" } }),
        failing(503, { headers = { ["retry-after"] = "soon" } }),
        {},
      }
      assert.same({ 57, 20, 1 }, transport.slept)
    end)

    it("never if Retry-After is beyond the deadline, and returns how long it is", function()
      local _, err, transport = get({ failing(429, { headers = { ["retry-after"] = "57" } }) },
        { timeout = 57 })
      assert.equal("throttled", err.kind)
      assert.equal(57, err.retry_after)
      assert.same({}, transport.slept)
    end)

    it("with the rest of the timeout", function()
      local _, _, transport = get({ failing(503, { takes = 4 }), failing(503, { takes = 2 }), {} },
        { timeout = 10 })
      assert.equal(10, transport.sent[1].timeout)
      assert.equal(5.75, transport.sent[2].timeout)
      assert.equal(3.25, transport.sent[3].timeout)
    end)

    it("never with a timeout of 0, which would mean none", function()
      local tokens = { "a", "b" }
      local _, _, transport = get({ failing(401, { takes = 20 }), {} }, {
        timeout = 10, token = function() return table.remove(tokens, 1) end,
      })
      assert.is_true(transport.sent[2].timeout > 0)
      assert.is_true(transport.sent[2].timeout < 0.01)
    end)

    it("no POST that the service may have carried out", function()
      for _, response in ipairs { failing(503), { kind = "network" }, { kind = "timeout" } } do
        local client, transport = fake.client { response }
        local _, err = client:request("POST", "/v1/x")
        assert.is_true(errors.is(err))
        assert.equal(1, #transport.sent)
      end
    end)

    it("a POST that was throttled", function()
      local client, transport = fake.client { failing(429), {} }
      assert.is_table(client:request("POST", "/v1/x", { body = "once" }))
      assert.equal("once", transport.sent[2].body)
    end)

    it("never after a refusal for lack of MFA", function()
      local calls = 0
      local _, err, transport = get({ failing(401, { body = '{"code":"900421"}' }) }, {
        token = function()
          calls = calls + 1
          return "token" .. calls
        end,
      })
      assert.equal("mfa_required", err.kind)
      assert.equal(1, #transport.sent)
      assert.equal(1, calls)
    end)

    it("never after a failure that will not pass", function()
      for _, response in ipairs { failing(400), failing(401), failing(403), failing(404),
                                  failing(501), { kind = "tls" }, { kind = "config" },
                                  { kind = "protocol" } } do
        local _, err, transport = get { response }
        assert.is_true(errors.is(err))
        assert.equal(1, #transport.sent)
        assert.same({}, transport.slept)
      end
    end)
  end)
end)

it("a failure whose type says JSON, and whose body is not, keeps its status", function()
  for status, kind in pairs { [502] = "server", [404] = "not_found", [403] = "forbidden" } do
    local client = fake.client({ { status = status, body = "<title>A gateway</title>",
      headers = { ["content-type"] = "application/json" } } }, { retry = { attempts = 1 } })
    local _, err = client:request("GET", "/v1/a")
    assert.equal(kind, err.kind)
    assert.equal(status, err.status)
    assert.equal("A gateway", err.message)
  end
end)
