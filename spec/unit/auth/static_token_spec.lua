local fake = require "spec.support.fake_transport"
local static_token = require "pcapi.auth.static_token"
local holds = require "spec.support.holds"

describe("a static token", function()
  it("is returned for every call, but not after its refusal", function()
    local provider = static_token.new "one"
    assert.equal("one", provider:token())
    assert.equal("one", provider:token(nil))
    assert.is_nil(provider:token "one")
  end)

  it("comes from a function, which is called with the refused token", function()
    local calls = {}
    local provider = static_token.new(function(refused)
      calls[#calls + 1] = refused or "none"
      return "token" .. #calls
    end)
    assert.equal("token1", provider:token())
    assert.equal("token2", provider:token "token1")
    assert.same({ "none", "token1" }, calls)
  end)

  it("passes on the error of the function", function()
    local token, why = static_token.new(function() return nil, "locked" end):token()
    assert.is_nil(token)
    assert.equal("locked", why)
  end)

  it("has an identity that does not show it", function()
    local token = require("sandbox.token").mint { tid = "ABC", appid = "App" }
    assert.equal("tenant abc app app", static_token.new(token):identity())
    assert.is_nil(static_token.new(function() return token end).identity)
    local opaque = static_token.new "SECRETone":identity()
    local other = static_token.new "SECRETtwo":identity()
    assert.is_true(opaque ~= other)
    assert.is_nil((opaque .. other):find("SECRET", 1, true))
  end)

  it("is not shown in a dump", function()
    assert.is_false(holds(static_token.new(fake.TOKEN), "SECRET"))
  end)
end)
