local auth = require "pcapi.auth"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local holds = require "spec.support.holds"
local new_store = require("spec.support.store").new
local sign_in = require "spec.support.sign_in"

local account_with, expired, record, stored = sign_in.account_with, sign_in.expired,
  sign_in.record, sign_in.stored

describe("an account with a refresh token of the caller", function()
  it("exchanges it for an access token, and returns that until it must be renewed", function()
    local account, context, transport = sign_in.account(nil, { sign_in.tokens() })
    for _, at in ipairs { fake.NOW, fake.NOW + 3479 } do
      context.time = at
      assert.equal("SECRETaccess", account:token(nil, context))
    end
    assert.equal(1, #transport.sent)
    assert.same({
      grant_type = "refresh_token", refresh_token = "SECRETgiven", client_id = "me",
      scope = sign_in.RESOURCE .. "/user_impersonation offline_access",
    }, transport.sent[1].form)
    assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/v2.0/token",
      transport.sent[1].url)
  end)

  it("requests a resource and no scope at version 1", function()
    local account, context, transport = sign_in.account({ oauth_version = "v1" },
      { sign_in.tokens { expires_in = "3599" } })
    assert.equal("SECRETaccess", account:token(nil, context))
    assert.equal(sign_in.RESOURCE, transport.sent[1].form.resource)
    assert.is_nil(transport.sent[1].form.scope)
  end)

  it("sends the credential of the application", function()
    local account, context, transport = sign_in.account({ client_secret = "SECRET+/=" },
      { sign_in.tokens() })
    account:token(nil, context)
    assert.equal("SECRET+/=", transport.sent[1].form.client_secret)
  end)

  it("continues with the refresh token of the response", function()
    local account, context, transport = sign_in.account(nil,
      { sign_in.tokens(), sign_in.tokens() })
    account:token(nil, context)
    account:token("SECRETaccess", context)
    assert.equal("SECRETnew", transport.sent[2].form.refresh_token)
  end)

  it("continues with it if the response has none, or the same", function()
    for _, again in ipairs { false, "SECRETgiven" } do
      local account, context, transport = sign_in.account(nil,
        { sign_in.tokens { refresh_token = again }, sign_in.tokens() })
      account:token(nil, context)
      account:token("SECRETaccess", context)
      assert.equal("SECRETgiven", transport.sent[2].form.refresh_token)
    end
  end)

  it("drops a byte order mark, blanks and line ends around it", function()
    for _, text in ipairs { "SECRETgiven\r\n", "\239\187\191SECRETgiven", " SECRETgiven\n" } do
      for _, given in ipairs { text, function() return text end } do
        local account, context, transport = sign_in.account({ refresh_token = given },
          { sign_in.tokens() })
        assert.equal("SECRETaccess", account:token(nil, context))
        assert.equal("SECRETgiven", transport.sent[1].form.refresh_token)
      end
    end
  end)

  it("does not send one with a line break or in UTF-16, and says which", function()
    for text, why in pairs { ["SECRET\nSECRET"] = "holds a line break",
                             ["\255\254S\0E\0"] = "is UTF-16 text" } do
      local account, context, transport = sign_in.account { refresh_token = text }
      for _, err in ipairs { select(2, account:token(nil, context)),
                             (select(2, account:status())) } do
        assert.equal("config", err.kind)
        assert.matches("refresh_token " .. why, err.message, 1, true)
        assert.is_false(holds(err, "SECRET"))
      end
      assert.equal(0, #transport.sent)
    end
  end)

  it("calls a function for it", function()
    local account, context, transport = sign_in.account(
      { refresh_token = function() return "SECRETlate" end }, { sign_in.tokens() })
    account:token(nil, context)
    assert.equal("SECRETlate", transport.sent[1].form.refresh_token)
  end)

  it("uses what another process has stored since", function()
    local store = auth.memory_store()
    local first, context = sign_in.account({ store = store }, { sign_in.tokens() })
    first:token(nil, context)
    local second, _, transport = sign_in.account({ store = store }, {})
    assert.equal("SECRETaccess", second:token(nil, context))
    assert.equal(0, #transport.sent)
    local third, other, sent = sign_in.account({ store = store }, { sign_in.tokens() })
    third:token("SECRETaccess", other)
    assert.equal("SECRETnew", sent.sent[1].form.refresh_token)
  end)

  it("starts a new sign-in with another one", function()
    local store = auth.memory_store()
    local first, context = sign_in.account({ store = store }, { sign_in.tokens() })
    first:token(nil, context)
    local second, _, transport = sign_in.account(
      { store = store, refresh_token = "SECRETother" }, { sign_in.tokens() })
    second:token(nil, sign_in.context(transport))
    assert.equal("SECRETother", transport.sent[1].form.refresh_token)
  end)

  it("uses the stored sign-in if the function returns none", function()
    local account, context = account_with(record(), {}, { refresh_token = function() end })
    assert.equal("SECRETcached", account:token(nil, context))
  end)

  it("passes on the error of a function", function()
    local account, context = sign_in.account(
      { refresh_token = function() return nil, "the vault is sealed" end })
    local token, err = account:token(nil, context)
    assert.is_nil(token)
    assert.equal("nobody is signed in: the vault is sealed", err.message)
    assert.equal("the vault is sealed", err.cause)
    local why = errors.new { kind = "network", message = "no vault" }
    account, context = sign_in.account { refresh_token = function() return nil, why end }
    assert.equal(why, select(2, account:token(nil, context)))
    account, context = sign_in.account { refresh_token = function() end }
    assert.equal("nobody is signed in", select(2, account:token(nil, context)).message)
  end)

  it("replaces the stored sign-in only after tokens were granted: a killed process loses nothing",
    function()
      for _, text in ipairs { "none", record(), record { tenant = "other" } } do
        local before = text ~= "none" and text or nil
        local between = "unseen"
        local account, context, _, store
        account, context, _, store = account_with(before, { function()
          between = store.texts.spec
          return sign_in.tokens()
        end }, { refresh_token = "SECRETgiven" })
        assert.equal("SECRETaccess", account:token(nil, context))
        assert.equal(before, between)
        assert.equal("SECRETnew", stored(store).refresh_token)
      end
    end)

  it("uses the stored sign-in if it is refused, and does not try it again", function()
    local account, context, transport, store = account_with(record(),
      { sign_in.refusal("invalid_grant", 70008) }, { refresh_token = "SECRETgiven" })
    assert.equal("SECRETcached", account:token(nil, context))
    assert.equal("SECRETstored", stored(store).refresh_token)
    local again, other, sent = account_with(store.texts.spec, {},
      { refresh_token = "SECRETgiven" })
    assert.equal("SECRETcached", again:token(nil, other))
    assert.equal(1, #transport.sent)
    assert.equal(0, #sent.sent)
  end)

  it("renews the stored sign-in if it is refused and the stored token has expired", function()
    local account, context, transport = account_with(expired(),
      { sign_in.refusal("invalid_grant", 70008), sign_in.tokens() },
      { refresh_token = "SECRETgiven" })
    assert.equal("SECRETaccess", account:token(nil, context))
    assert.equal("SECRETstored", transport.sent[2].form.refresh_token)
  end)

  it("tries it again after an error that is not about it", function()
    for _, response in ipairs { { kind = "tls" }, sign_in.refusal("invalid_client", 7000222) } do
      local account, context, transport, store = account_with(record(), { response,
        sign_in.tokens() }, { refresh_token = "SECRETgiven" })
      assert.is_nil((account:token(nil, context)))
      assert.equal(record(), store.texts.spec)
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal("SECRETgiven", transport.sent[2].form.refresh_token)
    end
  end)

  it("stores only a hash of it", function()
    local store = new_store()
    local account, context = sign_in.account({ store = store, account = "spec" },
      { sign_in.tokens() })
    account:token(nil, context)
    assert.is_nil(store.texts.spec:find("SECRETgiven", 1, true))
    assert.equal(1, #stored(store).seeds)
  end)

  it("calls the function once, however long the lock is held", function()
    local store, calls = new_store(), 0
    store.held = function() return true end
    local account, context = sign_in.account({
      store = store, refresh_token = function()
        calls = calls + 1
        return "SECRETlate"
      end,
    }, {})
    assert.equal("timeout", select(2, account:token(nil, context)).kind)
    assert.equal(1, calls)
  end)

  it("sends it once, even if its successor could not be stored", function()
    local store = new_store()
    local account, context, transport = sign_in.account({ store = store, account = "spec" },
      { function()
          store.fails.set = "full"
          return sign_in.tokens()
        end, sign_in.tokens() })
    local token, err = account:token(nil, context)
    assert.is_nil(token)
    assert.equal("store", err.kind)
    store.fails.set = nil
    assert.equal("SECRETaccess", account:token(nil, context))
    assert.equal(1, #transport.sent)
    assert.equal("SECRETnew", stored(store).refresh_token)
  end)
end)
