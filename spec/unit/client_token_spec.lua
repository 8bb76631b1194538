-- Where a client gets its token from a function, and which tokens a call takes.
local fake = require "spec.support.fake_transport"
local holds = require "spec.support.holds"
local sign_in = require "spec.support.sign_in"

local get, failing = fake.get, fake.failing

describe("a client", function()
  describe("with a function for the token", function()
    -- Returns the tokens one after the other, and records its arguments.
    local function source(...)
      local tokens, calls = { ... }, {}
      return function(refused)
        calls[#calls + 1] = refused or "none"
        return tokens[#calls]
      end, calls
    end

    it("calls it once per call, without a refused token", function()
      local token, calls = source("one", "two")
      local client, transport = fake.client({ {}, {} }, { token = token })
      client:request("GET", "/v1/a")
      client:request("GET", "/v1/b")
      assert.same({ "none", "none" }, calls)
      assert.equal("Bearer one", transport.sent[1].header.authorization)
      assert.equal("Bearer two", transport.sent[2].header.authorization)
    end)

    it("uses one token for all attempts", function()
      local token, calls = source("one", "two")
      local _, _, transport = get({ failing(503), {} }, { token = token })
      assert.same({ "none" }, calls)
      assert.equal("Bearer one", transport.sent[2].header.authorization)
    end)

    it("calls it with the refused token after a 401, and sends again, at once and once", function()
      local token, calls = source("one", "two", "three")
      local response, _, transport = get({ failing(401), {} }, { token = token })
      assert.equal(2, response.attempts)
      assert.same({ "none", "one" }, calls)
      assert.equal("Bearer two", transport.sent[2].header.authorization)
      assert.equal(transport.sent[1].header["ms-requestid"],
        transport.sent[2].header["ms-requestid"])
      assert.same({}, transport.slept)
    end)

    it("gives up when the second token is refused as well", function()
      local token, calls = source("one", "two", "three")
      local _, err, transport = get({ failing(401), failing(401) }, { token = token })
      assert.equal("unauthorized", err.kind)
      assert.same({ "none", "one" }, calls)
      assert.equal(2, #transport.sent)
    end)

    it("does not send the same token again", function()
      local token, calls = source("one", "one")
      local _, err, transport = get({ failing(401) }, { token = token })
      assert.equal(401, err.status)
      assert.same({ "none", "one" }, calls)
      assert.equal(1, #transport.sent)
    end)

    it("returns the service's refusal if there is no other token", function()
      for _, other in ipairs { "nothing", "a b" } do
        local token = source("one", other ~= "nothing" and other or nil)
        local _, err, transport = get({ failing(401) }, { token = token })
        assert.equal(401, err.status)
        assert.equal(1, #transport.sent)
      end
    end)

    it("does not call it again after a 403", function()
      local token, calls = source("one", "two")
      get({ failing(403) }, { token = token })
      assert.same({ "none" }, calls)
    end)

    it("still retries after the second token met a failure that may pass", function()
      local token, calls = source("one", "two")
      local response, _, transport = get({ failing(401), failing(503), {} }, { token = token })
      assert.equal(3, response.attempts)
      assert.same({ "none", "one" }, calls)
      assert.equal("Bearer two", transport.sent[3].header.authorization)
    end)

    it("returns why it failed, and sends nothing", function()
      local cause = { "login failed" }
      setmetatable(cause, { __tostring = function() return "login \27failed" end })
      local response, err, transport = get({}, { token = function() return nil, cause end })
      assert.is_nil(response)
      assert.equal("unauthorized", err.kind)
      assert.equal("the token function failed: login \\x1bfailed", err.message)
      assert.equal(cause, err.cause)
      assert.equal(0, #transport.sent)
    end)

    it("refuses a token that cannot be sent, without showing it", function()
      for _, token in ipairs { "", "SECRET token", "SECRET\r\nEvil: 1", "SECRET\0", "=SECRET", 5,
                               true, {} } do
        local _, err, transport = get({}, { token = function() return token end })
        assert.equal("unauthorized", err.kind)
        assert.matches("^the token ", err.message)
        assert.is_false(holds(err, "SECRET"))
        assert.equal(0, #transport.sent)
      end
      local _, err = get({}, { token = function() end })
      assert.equal("the token is missing or empty", err.message)
    end)
  end)

  it("returns why a token function had no other token after a refusal", function()
    local err = select(2, get({ failing(401) }, {
      token = function(refused)
        if refused then
          return nil, "the store is locked"
        end
        return fake.TOKEN
      end,
    }))
    assert.equal("unauthorized", err.kind)
    assert.matches("the store is locked", err.cause.message, 1, true)
  end)
end)

describe("a call for users only", function()
  local APP = sign_in.jwt { roles = { "x" }, ver = "1.0" }
  local USER = sign_in.jwt { scp = "user_impersonation", ver = "1.0", amr = { "pwd" } }

  it("refuses an application's own token before it is sent, and says why", function()
    local client, transport = fake.client({}, { token = APP })
    for _, call in ipairs { "non_mfa_principals", "application_mfa_adoption_status",
                            "partner_requests" } do
      local list, err = client.security[call](client.security)
      assert.is_nil(list)
      assert.equal("forbidden", err.kind)
      assert.matches("App+User", err.message, 1, true)
      assert.matches("Sign in as a user", err.hint, 1, true)
      assert.is_false(holds(err, "SECRET"))
    end
    assert.equal(0, #transport.sent)
  end)

  it("sends any other token, also one without MFA: the service decides", function()
    for _, token in ipairs { USER, "opaque", sign_in.jwt { ver = "2.0" } } do
      local client, transport = fake.client({ { body = "[]" } }, { token = token })
      assert.is_table(client.security:non_mfa_principals())
      assert.equal("Bearer " .. token, transport.sent[1].header.authorization)
    end
  end)

  it("refuses an application's own token in place of a refused one", function()
    local client, transport = fake.client({ failing(401) }, { token = function(refused)
      return refused and APP or USER
    end })
    local _, err = client.security:non_mfa_principals()
    assert.equal("forbidden", err.kind)
    assert.equal(401, err.cause.status)
    assert.equal(1, #transport.sent)
  end)

  it("does not keep such a token from other requests", function()
    local client, transport = fake.client({ {}, {} }, { token = APP })
    assert.is_table(client:request("GET", "/v1/customers"))
    assert.equal("forbidden", select(2, client.security:non_mfa_principals()).kind)
    assert.is_table(client:request("GET", "/v1/customers"))
    assert.equal(2, #transport.sent)
  end)
end)
