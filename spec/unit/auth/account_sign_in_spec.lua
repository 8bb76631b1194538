local auth = require "pcapi.auth"
local endpoints = require "pcapi.auth.endpoints"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local new_account = require("pcapi.auth.account").new
local new_store = require("spec.support.store").new
local raises = require "spec.support.raises"
local sign_in = require "spec.support.sign_in"

local NOW = fake.NOW
local account_with, expired, record, stored = sign_in.account_with, sign_in.expired,
  sign_in.record, sign_in.stored

describe("an account", function()
  describe("that lets the user sign in", function()
    local function signing_in(tokens, err, text)
      local store = new_store { spec = text }
      local transport = fake.new { sign_in.tokens() }
      local calls = 0
      local account = new_account({ client_id = "me", account = "spec",
        settings = { tenant = "fabrikam.example" } },
        endpoints.new { tenant = "fabrikam.example" }, store,
        function(_, context)
          calls = calls + 1
          return type(tokens) == "function" and tokens(context) or tokens, err
        end)
      return account, sign_in.context(transport), store, function() return calls end, transport
    end

    local GRANTED = { access_token = "SECRETfirst", refresh_token = "SECRETsigned",
                      obtained_at = NOW, expires_at = NOW + 3600 }

    it("stores the tokens, the time and the settings", function()
      local account, context, store = signing_in(GRANTED)
      assert.equal("SECRETfirst", account:sign_in(context))
      assert.equal("SECRETsigned", stored(store).refresh_token)
      assert.equal(NOW, stored(store).signed_in_at)
      assert.same({ tenant = "fabrikam.example" }, stored(store).settings)
      assert.is_false(store.locked)
    end)

    it("returns the token to later calls, without another sign-in", function()
      local account, context, _, calls = signing_in(GRANTED)
      assert.equal("SECRETfirst", account:token(nil, context))
      assert.equal("SECRETfirst", account:token(nil, context))
      assert.equal(1, calls())
    end)

    it("starts no sign-in while a refresh token is stored", function()
      local account, context, _, calls, transport = signing_in(GRANTED, nil, expired())
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal(0, calls())
      assert.equal(1, #transport.sent)
    end)

    it("replaces any stored sign-in, also one that cannot be read", function()
      for _, text in ipairs { expired(), "garbage", record { client_id = "another" } } do
        local account, context, store = signing_in(GRANTED, nil, text)
        assert.equal("SECRETfirst", account:sign_in(context))
        assert.equal("SECRETsigned", stored(store).refresh_token)
      end
    end)

    it("passes on the error of the flow, and stores nothing", function()
      local why = errors.new { kind = "sign_in_required", message = "declined" }
      local account, context, store = signing_in(nil, why, expired())
      local token, err = account:sign_in(context)
      assert.is_nil(token)
      assert.equal(why, err)
      assert.equal(expired(), store.texts.spec)
    end)

    it("rejects a response without a refresh token, and names offline_access", function()
      local account, context, store = signing_in(sign_in.merged(GRANTED, { refresh_token = false }))
      local token, err = account:sign_in(context)
      assert.is_nil(token)
      assert.equal("consent_required", err.kind)
      assert.matches("offline_access", err.hint, 1, true)
      assert.is_nil(store.texts.spec)
    end)

    it("starts no sign-in if the store cannot be used", function()
      for _, call in ipairs { "get", "set", "lock" } do
        local account, context, store, calls = signing_in(GRANTED, nil, expired())
        store.fails[call] = "disk full"
        local token, err = account:sign_in(context)
        assert.is_nil(token)
        assert.equal("store", err.kind)
        assert.equal(0, calls())
        assert.equal(expired(), store.texts.spec)
        assert.is_false(store.locked or false)
      end
    end)

    it("returns an error if the tokens cannot be stored", function()
      local account, context, store
      account, context, store = signing_in(function()
        store.fails.set = "disk full"
        return GRANTED
      end)
      local token, err = account:sign_in(context)
      assert.is_nil(token)
      assert.equal("store", err.kind)
      assert.is_false(store.locked)
    end)

    it("stores the tokens even after the deadline of the sign-in", function()
      local context, store, transport, _
      local function slow()
        transport.time = context.deadline + 1
        store.held = function() return transport.time < context.deadline + 2 end
        return GRANTED
      end
      local account
      account, context, store, _, transport = signing_in(slow)
      assert.equal("SECRETfirst", account:sign_in(context))
      assert.equal("SECRETsigned", stored(store).refresh_token)
    end)

    it("starts no sign-in if the credential cannot be used", function()
      local store, shown = new_store(), false
      local account = auth.device_code { tenant = "x", client_id = "me", store = store,
        client_secret_file = "/none", on_code = function() shown = true end }
      local token, err = account:sign_in(sign_in.context(fake.new {}))
      assert.is_nil(token)
      assert.equal("config", err.kind)
      assert.is_false(shown)
    end)

    it("starts one sign-in: other coroutines wait for its result", function()
      local account, context, _, calls = signing_in(function()
        coroutine.yield()
        return GRANTED
      end)
      local first = coroutine.create(function() return account:token(nil, context) end)
      assert.is_true((coroutine.resume(first)))
      context.transport.sleep = function(transport, seconds)
        transport.time = transport.time + seconds
        coroutine.yield()
      end
      local second = coroutine.create(function() return account:token(nil, context) end)
      assert.is_true((coroutine.resume(second)))
      assert.equal("suspended", coroutine.status(second))
      assert.same({ true, "SECRETfirst" }, { coroutine.resume(first) })
      assert.same({ true, "SECRETfirst" }, { coroutine.resume(second) })
      assert.equal(1, calls())
    end)

    it("waits for the sign-in of another coroutine until the deadline of the call", function()
      local account, context, _, calls = signing_in(function()
        coroutine.yield()
        return GRANTED
      end)
      local first = coroutine.create(function() return account:token(nil, context) end)
      coroutine.resume(first)
      local token, err = account:token(nil, context)
      assert.is_nil(token)
      assert.equal("timeout", err.kind)
      assert.is_true(context.transport:now() <= context.deadline)
      assert.equal(1, calls())
      assert.equal("suspended", coroutine.status(first))
    end)

    it("starts another sign-in after one that raised", function()
      local n = 0
      local account, context = signing_in(function()
        n = n + 1
        return n == 1 and error "interrupted" or GRANTED
      end)
      assert.is_false((pcall(account.sign_in, account, context)))
      assert.equal("SECRETfirst", account:token(nil, context))
    end)

    it("takes the options of a context in place of one", function()
      local deadline
      local account, context = signing_in(function(given)
        deadline = given.deadline
        return GRANTED
      end)
      for timeout, left in pairs { [5] = 5, none = 900 } do
        assert.equal("SECRETfirst", account:sign_in { transport = context.transport,
          clock = context.clock, timeout = timeout ~= "none" and timeout or nil })
        assert.equal(context.transport:now() + left, deadline)
      end
    end)

    it("says how to sign in with MFA after a sign-in without MFA", function()
      local why = errors.new { kind = "mfa_required", message = "no", hint = "x" }
      local account, context = signing_in(nil, why)
      local _, err = account:sign_in(context)
      assert.equal("Sign in again with MFA", err.hint)
    end)

    it("starts no sign-in after an error that a sign-in does not cure", function()
      local account, _, _, calls = signing_in(GRANTED, nil, expired())
      local transport = fake.new { sign_in.refusal("invalid_client", 7000222) }
      local _, err = account:token(nil, sign_in.context(transport))
      assert.equal("invalid_client", err.kind)
      assert.equal(0, calls())
    end)
  end)

  it("without a flow raises at the caller's line", function()
    local account = sign_in.account()
    raises(function() account:sign_in() end, "this account has no way to sign in")
  end)

  describe("that signs out", function()
    it("removes the sign-in from the store and from memory", function()
      local account, context, _, store = account_with(record())
      account:token(nil, context)
      assert.is_true((account:sign_out(context)))
      assert.is_nil(store.texts.spec)
      assert.equal("sign_in_required", select(2, account:token(nil, context)).kind)
      assert.is_false(store.locked)
    end)

    it("succeeds if nobody is signed in", function()
      local account, context = account_with(nil)
      assert.is_true((account:sign_out(context)))
    end)

    it("waits for a renewal of another process, which could store the sign-in again", function()
      local account, context, transport, store = account_with(record())
      local tries = 0
      store.held = function()
        tries = tries + 1
        return tries < 3
      end
      assert.is_true((account:sign_out(context)))
      assert.equal(2, #transport.slept)
    end)

    it("returns the error of the store", function()
      for _, call in ipairs { "set", "lock" } do
        local account, context, _, store = account_with(record())
        store.fails[call] = "read-only"
        local ok, err = account:sign_out(context)
        assert.is_nil(ok)
        assert.equal("store", err.kind)
        assert.matches("read-only", err.message, 1, true)
        assert.is_false(store.locked or false)
      end
    end)
  end)
end)
