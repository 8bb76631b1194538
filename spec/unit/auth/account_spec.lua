local auth = require "pcapi.auth"
local fake = require "spec.support.fake_transport"
local holds = require "spec.support.holds"
local new_store = require("spec.support.store").new
local sign_in = require "spec.support.sign_in"

local NOW = fake.NOW
local account_with, record, stored = sign_in.account_with, sign_in.record, sign_in.stored

describe("an account", function()
  describe("renews the stored access token if it", function()
    for name, changes in pairs {
      ["is missing"] = { access_token = false },
      ["is of a wrong type"] = { access_token = 5 },
      ["has no times"] = { obtained_at = false, expires_at = false },
      ["has times that are none"] = { obtained_at = "x", expires_at = {} },
      ["has invalid times"] = { expires_at = 1e300 },
      ["is for another service"] = { resource = "https://graph.microsoft.com" },
      ["is over"] = { obtained_at = NOW - 3600, expires_at = NOW - 1 },
      ["will soon be over"] = { obtained_at = NOW - 3600, expires_at = NOW + 119 },
    } do
      it(name, function()
        local account, context, transport, store = account_with(record(changes),
          { sign_in.tokens() })
        assert.equal("SECRETaccess", account:token(nil, context))
        assert.equal("SECRETstored", transport.sent[1].form.refresh_token)
        assert.equal("SECRETnew", stored(store).refresh_token)
        assert.equal("SECRETaccess", stored(store).access_token)
        assert.equal(NOW + 3600, stored(store).expires_at)
        assert.equal("fabrikam.example", stored(store).tenant)
        assert.equal("https://login.microsoftonline.com", stored(store).origin)
      end)
    end
  end)

  describe("renews early", function()
    local function is_fresh_at(left, life, options)
      local account, context, transport = account_with(
        record { obtained_at = NOW - life + left, expires_at = NOW + left },
        { sign_in.tokens() }, options)
      assert.is_string((account:token(nil, context)))
      return #transport.sent == 0
    end

    it("two minutes before the expiry", function()
      assert.is_true(is_fresh_at(121, 3600))
      assert.is_false(is_fresh_at(120, 3600))
    end)

    it("as early as skew says", function()
      assert.is_true(is_fresh_at(601, 3600, { skew = 600 }))
      assert.is_false(is_fresh_at(600, 3600, { skew = 600 }))
      assert.is_true(is_fresh_at(2, 3600, { skew = 1 }))
    end)

    it("at half of the token's life if that is shorter", function()
      assert.is_true(is_fresh_at(31, 60))
      assert.is_false(is_fresh_at(30, 60))
      assert.is_true(is_fresh_at(3, 4))
    end)

    it("but not for each call, however short a token lives", function()
      local account, context, transport = sign_in.account(nil,
        { sign_in.tokens { expires_in = 60 } })
      account:token(nil, context)
      context.time = NOW + 29
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal(1, #transport.sent)
    end)
  end)

  describe("whose clock is", function()
    for _, skew in ipairs { 600, -600 } do
      it(("%d s ahead of the service renews by that clock"):format(skew), function()
        local account, context, transport = sign_in.account(nil,
          { sign_in.tokens { expires_on = tostring(NOW + 3600) }, sign_in.tokens() })
        context.time = NOW + skew
        account:token(nil, context)
        context.time = NOW + skew + 3479
        account:token(nil, context)
        assert.equal(1, #transport.sent)
        context.time = NOW + skew + 3480
        account:token(nil, context)
        assert.equal(2, #transport.sent)
      end)
    end

    it("set forward renews a little earlier than needed", function()
      local account, context, transport = sign_in.account(nil,
        { sign_in.tokens(), sign_in.tokens() })
      account:token(nil, context)
      context.time = NOW + 86400
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal(2, #transport.sent)
      account:token(nil, context)
      assert.equal(2, #transport.sent)
    end)

    it("set back renews after the first refusal", function()
      local account, context, transport = sign_in.account(nil,
        { sign_in.tokens { access_token = "SECRETone" },
          sign_in.tokens { access_token = "SECRETtwo" } })
      account:token(nil, context)
      context.time = NOW - 86400
      assert.equal("SECRETone", account:token(nil, context))
      assert.equal("SECRETtwo", account:token("SECRETone", context))
      context.time = NOW - 86400 + 3000
      assert.equal("SECRETtwo", account:token(nil, context))
      assert.equal(2, #transport.sent)
    end)
  end)

  describe("whose token was refused", function()
    it("renews once, before the token expires", function()
      local account, context, transport = account_with(record(), { sign_in.tokens() })
      assert.equal("SECRETcached", account:token(nil, context))
      assert.equal("SECRETaccess", account:token("SECRETcached", context))
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal(1, #transport.sent)
    end)

    it("uses what another process has stored since, and sends nothing", function()
      local account, context, transport, store = account_with(record())
      account:token(nil, context)
      store.texts.spec = record { access_token = "SECRETtheirs" }
      assert.equal("SECRETtheirs", account:token("SECRETcached", context))
      assert.equal(0, #transport.sent)
    end)

    it("uses what it has renewed itself since", function()
      local account, context, transport = sign_in.account(nil, { sign_in.tokens() })
      account:token(nil, context)
      assert.equal("SECRETaccess", account:token("SECRETold", context))
      assert.equal(1, #transport.sent)
    end)
  end)

  it("reads the store again after look_again", function()
    local account, context, _, store = account_with(record())
    account:token(nil, context)
    store.texts.spec = record { access_token = "SECRETtheirs" }
    assert.equal("SECRETcached", account:token(nil, context))
    account:look_again()
    assert.equal("SECRETtheirs", account:token(nil, context))
  end)

  describe("reports, without a request,", function()
    it("claims, times, application and tenant", function()
      local token = sign_in.jwt { upn = "kim@fabrikam.example", amr = { "mfa" }, ver = "1.0",
                                  scp = "user_impersonation" }
      local account, _, transport = account_with(record { access_token = token, signed_in_at = 7 })
      local status = assert(account:status())
      assert.equal("kim@fabrikam.example", status.claims.user)
      assert.equal("yes", status.claims.mfa)
      assert.equal(NOW - 100, status.obtained_at)
      assert.equal(NOW + 3500, status.expires_at)
      assert.equal(7, status.signed_in_at)
      assert.equal("me", status.client_id)
      assert.equal("fabrikam.example", status.tenant)
      assert.equal(0, #transport.sent)
    end)

    it("no claims and no times before the first token", function()
      local status = assert(sign_in.account():status())
      assert.equal("unknown", status.claims.mfa)
      assert.equal("fabrikam.example", status.tenant)
      assert.equal("me", status.client_id)
      assert.is_nil(status.expires_at)
    end)

    it("no invalid time", function()
      local status = assert((account_with(record { expires_at = "x", obtained_at = {},
                                                  signed_in_at = 1e300 })):status())
      assert.is_nil(status.expires_at)
      assert.is_nil(status.obtained_at)
      assert.is_nil(status.signed_in_at)
    end)

    it("that nobody is signed in, or that the store cannot be read", function()
      assert.equal("sign_in_required", select(2, (account_with(nil)):status()).kind)
      assert.equal("store", select(2, (account_with "{"):status()).kind)
    end)
  end)

  it("is stored under tenant and application, or under the option account", function()
    local store = new_store()
    local account, context = sign_in.account({ store = store }, { sign_in.tokens() })
    account:token(nil, context)
    assert.is_string(store.texts["fabrikam.example/me"])
    assert.equal("pcapi.auth.account (fabrikam.example/me)", tostring(account))
    assert.equal("pcapi.auth.account (x)", tostring((sign_in.account { account = "x" })))
  end)

  it("has one identity, whatever its name in the store", function()
    local function identity(options)
      return (sign_in.account(options)):identity()
    end
    assert.equal(identity(), identity { account = "x", tenant = "FABRIKAM.example" })
    for _, options in ipairs { { tenant = "contoso.example" }, { client_id = "you" },
                               { login_url = "https://login.example" } } do
      assert.is_true(identity() ~= identity(options))
    end
    assert.is_nil(identity():find("SECRET", 1, true))
  end)

  describe("shows no secret", function()
    it("in a dump of it, before and after a call", function()
      local store = auth.memory_store()
      local account, context = sign_in.account({ store = store, client_secret = "SECRETclient" },
        { sign_in.tokens { access_token = fake.TOKEN } })
      assert.is_false(holds(account, "SECRET"))
      account:token(nil, context)
      assert.is_false(holds(account, "SECRET"))
      assert.is_false(holds(store, "SECRET"))
      assert.is_false(holds(account:status(), "SECRET"))
    end)

    it("in an error, whatever the token endpoint says", function()
      for _, said in ipairs { "SECRETgiven", "SECRET%2Bclient", "SECRET+client" } do
        local account, context = sign_in.account({ client_secret = "SECRET+client" },
          { sign_in.refusal("invalid_grant", 50076, { error_description = "no " .. said,
                                                      claims = said }) })
        local _, err = account:token(nil, context)
        assert.equal("mfa_required", err.kind)
        assert.is_false(holds(err, "SECRET"))
      end
    end)
  end)
end)
