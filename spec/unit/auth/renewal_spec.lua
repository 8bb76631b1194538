local core = require "pcapi.core"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local folder = require "spec.support.folder"
local holds = require "spec.support.holds"
local keys = require "spec.support.keys"
local new_store = require("spec.support.store").new
local sign_in = require "spec.support.sign_in"

local NOW = fake.NOW
local account_with, expired, record, stored = sign_in.account_with, sign_in.expired,
  sign_in.record, sign_in.stored
local unpack = rawget(_G, "unpack") or table.unpack

describe("an account", function()
  it("says that nobody is signed in, and how to sign in", function()
    local account, context = account_with(nil, {}, { how_to_sign_in = "pcapi login" })
    local token, err = account:token(nil, context)
    assert.is_nil(token)
    assert.equal("sign_in_required", err.kind)
    assert.equal("Sign in again: pcapi login", err.hint)
  end)

  it("says that no refresh token was given: a variable may not be set",
    function()
      local account, context = account_with(nil, {}, {})
      local _, err = account:token(nil, context)
      assert.matches("^nobody is signed in: no refresh_token was given, and none is stored in ",
        err.message)
      assert.matches("check that the variable that it comes from is set", err.hint, 1, true)
    end)

  for name, case in pairs {
    ["application"] = { { client_id = "another" }, "application another, not me" },
    ["tenant"] = { { tenant = "another" }, "tenant another, not fabrikam.example" },
    ["sign-in service"] = { { origin = "https://login.microsoftonline.us" },
      "service https://login.microsoftonline.us, not https://login.microsoftonline.com" },
  } do
    it("rejects the sign-in of another " .. name .. ", and leaves it unchanged",
      function()
        local text = record(case[1])
        local account, context, transport, store = account_with(text)
        local token, err = account:token(nil, context)
        assert.is_nil(token)
        assert.equal("sign_in_required", err.kind)
        assert.matches(case[2], err.message, 1, true)
        assert.matches("^Sign in again", err.hint)
        assert.equal(text, store.texts.spec)
        assert.equal(0, #transport.sent)
      end)
  end

  it("takes the text of a write test for no sign-in", function()
    local account, context, _, store = account_with("{}")
    assert.equal("sign_in_required", select(2, account:token(nil, context)).kind)
    assert.equal("{}", store.texts.spec)
  end)

  describe("leaves a stored text unchanged, and names its location, if it is", function()
    for name, text in pairs {
      ["empty"] = "", ["no JSON"] = "{", ["cut off"] = record():sub(1, -2), ["a number"] = "5",
      ["a list"] = "[]", ["null"] = "null", ["of another version"] = record { version = 2 },
      ["without refresh token"] = record { refresh_token = false },
      ["of an empty refresh token"] = record { refresh_token = "" },
      ["of no application"] = record { client_id = false },
      ["all zeros, as after a crash of the machine"] = ("\0"):rep(100),
    } do
      it(name, function()
        for _, given in ipairs { false, "SECRETgiven" } do
          local account, context, transport, store = account_with(text, {},
            { refresh_token = given })
          local token, err = account:token(nil, context)
          assert.is_nil(token)
          assert.equal("store", err.kind)
          assert.matches(tostring(store), err.message, 1, true)
          assert.matches("it was not changed", err.message, 1, true)
          assert.matches("ign in again$", err.hint)
          assert.is_false(holds(err, "SECRET"))
          assert.equal(text, store.texts.spec)
          assert.equal(0, #transport.sent)
        end
      end)
    end
  end)

  describe("renews in an order that loses nothing:", function()
    it("the store is written before the refresh token is sent", function()
      local seen
      local store = new_store { spec = expired() }
      local account, context = account_with(nil, { function()
        seen = { stored(store).refresh_token, unpack(store.journal) }
        return sign_in.tokens()
      end }, { store = store })
      account:token(nil, context)
      assert.equal("SECRETstored", seen[1])
      assert.matches("lock get get set$", table.concat(seen, " "))
    end)

    it("nothing is sent if the store cannot be written", function()
      for _, call in ipairs { "get", "set", "lock" } do
        local account, context, transport, store = account_with(expired())
        store.fails[call] = "disk full"
        local token, err = account:token(nil, context)
        assert.is_nil(token)
        assert.equal("store", err.kind)
        assert.matches("disk full", err.message, 1, true)
        assert.equal("disk full", err.cause)
        assert.equal(0, #transport.sent)
        assert.equal(expired(), store.texts.spec)
        assert.is_false(holds(err, "SECRET"))
      end
    end)

    it("nothing is sent if the credential cannot be used", function()
      local account, context, transport, store = account_with(expired(), {},
        { client_secret = function() return nil, "the vault is sealed" end })
      local token, err = account:token(nil, context)
      assert.is_nil(token)
      assert.equal("config", err.kind)
      assert.matches("the vault is sealed", err.message, 1, true)
      assert.equal(0, #transport.sent)
      assert.is_nil(store.seconds)
    end)

    it("no function for a secret is called while the stored token is fresh", function()
      local account, context = account_with(record(), {},
        { client_secret = function() error "asked" end })
      assert.equal("SECRETcached", account:token(nil, context))
    end)

    it("an error object of the store is passed on", function()
      local why = errors.new { kind = "network", message = "the vault is sealed" }
      local account, context, _, store = account_with(expired())
      store.fails.set = why
      assert.equal(why, select(2, account:token(nil, context)))
    end)

    it("the new refresh token is stored before its access token is returned", function()
      local account, context, _, store = account_with(expired(), { sign_in.tokens() })
      local token = account:token(nil, context)
      assert.equal(token, stored(store).access_token)
      assert.equal("SECRETnew", stored(store).refresh_token)
    end)

    it("what is stored beside the tokens stays", function()
      local account, context, _, store = account_with(
        record { expires_at = NOW, signed_in_at = 5, settings = { tenant = "x" }, seeds = { "s" } },
        { sign_in.tokens() })
      account:token(nil, context)
      assert.equal(5, stored(store).signed_in_at)
      assert.same({ tenant = "x" }, stored(store).settings)
      assert.same({ "s" }, stored(store).seeds)
    end)

    it("a refusal leaves the stored sign-in unchanged", function()
      local account, context, _, store = account_with(expired(),
        { sign_in.refusal("invalid_grant", 50076) })
      assert.is_nil((account:token(nil, context)))
      assert.equal("SECRETstored", stored(store).refresh_token)
      assert.is_false(store.locked)
    end)

    for name, response in pairs {
      ["the page of a network that wants a login first"] = { status = 200, body = "<html>Hotel" },
      ["an empty response"] = { status = 200, body = "" },
      ["a redirect"] = { status = 302, headers = { location = "https://hotel.example/" } },
      ["JSON of another shape"] = sign_in.json { status = "ok" },
    } do
      it(name .. " leaves the stored sign-in unchanged, and the next call renews it", function()
        local account, context, transport, store = account_with(expired(),
          { response, sign_in.tokens() })
        local token, err = account:token(nil, context)
        assert.is_nil(token)
        assert.equal("protocol", err.kind)
        assert.equal(expired(), store.texts.spec)
        assert.equal("SECRETaccess", account:token(nil, context))
        assert.equal("SECRETstored", transport.sent[2].form.refresh_token)
      end)
    end

    it("the lock is released after success and failure", function()
      for _, responses in ipairs { { sign_in.tokens() }, { { kind = "tls" } },
                                 { { body = "<html>" } } } do
        local account, context, _, store = account_with(expired(), responses)
        account:token(nil, context)
        assert.is_false(store.locked)
      end
    end)
  end)

  describe("that cannot store the granted tokens", function()
    -- The store breaks while the token endpoint responses.
    local function broken()
      local store
      local function breaking()
        store.fails.set = "disk full"
        return sign_in.tokens()
      end
      local account, context, transport
      account, context, transport, store = account_with(expired(),
        { breaking, sign_in.tokens { access_token = "SECRETthird" } })
      local token, err = account:token(nil, context)
      return account, context, transport, store, token, err
    end

    it("returns an error, and keeps the old refresh token", function()
      local _, _, transport, store, token, err = broken()
      assert.is_nil(token)
      assert.equal("store", err.kind)
      assert.matches("disk full", err.message, 1, true)
      assert.equal("SECRETstored", stored(store).refresh_token)
      assert.equal(1, #transport.sent)
      assert.is_false(holds(err, "SECRET"))
      assert.is_false(store.locked)
    end)

    it("stores them at its next call, without another request", function()
      local account, context, transport, store = broken()
      store.fails.set = nil
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal("SECRETnew", stored(store).refresh_token)
      assert.equal(1, #transport.sent)
    end)

    it("returns the error again while that fails, and sends nothing", function()
      local account, context, transport = broken()
      for _ = 1, 2 do
        assert.equal("store", select(2, account:token(nil, context)).kind)
      end
      assert.equal(1, #transport.sent)
    end)

    it("does not overwrite what another process has stored since", function()
      local account, context, transport, store = broken()
      store.fails.set = nil
      store.texts.spec = record { refresh_token = "SECRETtheirs", access_token = "SECRETtheir" }
      assert.equal("SECRETtheir", account:token(nil, context))
      assert.equal("SECRETthird", account:token("SECRETtheir", context))
      assert.equal("SECRETtheirs", transport.sent[2].form.refresh_token)
    end)

    it("does not restore a sign-in that was removed since", function()
      local account, context, transport, store = broken()
      store.fails.set = nil
      store.texts.spec = nil
      assert.equal("sign_in_required", select(2, account:token(nil, context)).kind)
      assert.is_nil(store.texts.spec)
      assert.equal(1, #transport.sent)
    end)
  end)

  describe("that finds the store locked", function()
    it("waits, and returns what the holder stored", function()
      local account, context, transport, store = account_with(expired())
      local tries = 0
      store.held = function()
        tries = tries + 1
        if tries == 3 then
          store.texts.spec = record { access_token = "SECRETtheirs" }
        end
        return true
      end
      assert.equal("SECRETtheirs", account:token(nil, context))
      assert.equal(0, #transport.sent)
      assert.is_true(#transport.slept >= 2)
      assert.is_true(transport.slept[1] < 0.1)
    end)

    it("reads the store again under the lock, and sends nothing after a renewal", function()
      local account, context, transport, store = account_with(expired())
      store.held = function()
        store.texts.spec = record { access_token = "SECRETtheirs" }
        return false
      end
      assert.equal("SECRETtheirs", account:token(nil, context))
      assert.equal(0, #transport.sent)
      assert.is_false(store.locked)
    end)

    it("renews if the holder did not", function()
      local account, context, transport, store = account_with(expired(), { sign_in.tokens() })
      local tries = 0
      store.held = function()
        tries = tries + 1
        return tries < 3
      end
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal(1, #transport.sent)
    end)

    it("times out at its deadline, and names the account", function()
      local account, context, transport, store = account_with(expired())
      store.held = function() return true end
      context.deadline = transport:now() + 5
      local token, err = account:token(nil, context)
      assert.is_nil(token)
      assert.equal("timeout", err.kind)
      assert.matches("the lock of spec", err.hint, 1, true)
      assert.is_true(transport:now() <= context.deadline)
      assert.is_true(transport:now() > context.deadline - 1)
      assert.is_true(#transport.slept < 100)
    end)

    it("says that nobody is signed in if the holder removed the sign-in", function()
      local account, context, _, store = account_with(expired())
      store.held = function()
        store.texts.spec = nil
        return true
      end
      assert.equal("sign_in_required", select(2, account:token(nil, context)).kind)
    end)

    it("takes no lock while the token is fresh", function()
      local account, context, _, store = account_with(record())
      store.held = function() return true end
      assert.equal("SECRETcached", account:token(nil, context))
      account:token(nil, context)
      assert.same({ "get" }, store.journal)
    end)

    it("locks for as long as the call may take", function()
      for _, left in ipairs { 5, 600 } do
        local account, context, transport, store = account_with(expired(), { sign_in.tokens() })
        context.deadline = transport:now() + left
        account:token(nil, context)
        assert.is_true(store.seconds >= left)
        assert.is_true(store.seconds < left + 150)
      end
    end)
  end)

  describe("whose refresh token is refused", function()
    local function refused(response, options)
      local account, context = account_with(expired(), { response },
        sign_in.merged({ how_to_sign_in = "pcapi login --profile x" }, options))
      local token, err = account:token(nil, context)
      assert.is_nil(token)
      return err
    end

    it("for lack of MFA says how to sign in with MFA", function()
      local err = refused(sign_in.refusal("invalid_grant", 50076))
      assert.equal("mfa_required", err.kind)
      assert.equal("Sign in again with MFA: pcapi login --profile x", err.hint)
      assert.equal("AADSTS50076", err.code)
    end)

    it("because the sign-in has ended says how to sign in", function()
      local err = refused(sign_in.refusal("invalid_grant", 700082))
      assert.equal("sign_in_required", err.kind)
      assert.equal("Sign in again: pcapi login --profile x", err.hint)
    end)

    it("for a reason that no sign-in cures gives another next step", function()
      assert.equal("The client secret or certificate has expired: create a new one in the "
        .. "registration", refused(sign_in.refusal("invalid_client", 7000222)).hint)
      assert.equal("consent_required", refused(sign_in.refusal("invalid_grant", 65001)).kind)
      assert.equal("config", refused(sign_in.refusal("invalid_request", 90002)).kind)
    end)

    it("with a claims challenge gives the command that passes the claims on", function()
      local claims = '{"access_token":{"x":{"values":["y"]}}}'
      local err = refused(sign_in.refusal("interaction_required", 50076, { claims = claims }))
      assert.equal("Sign in again with MFA: pcapi login --profile x --browser --claims '" .. claims
        .. "'", err.hint)
      for _, odd in ipairs { "{'; rm -rf ~'}", "{\n}" } do
        err = refused(sign_in.refusal("interaction_required", 50076, { claims = odd }))
        assert.equal("Sign in again with MFA: pcapi login --profile x", err.hint)
      end
      err = refused(sign_in.refusal("interaction_required", 50076, { claims = claims }),
        { how_to_sign_in = "ask Kim" })
      assert.equal("Sign in again with MFA: ask Kim", err.hint)
    end)

    it("says less without how_to_sign_in", function()
      assert.equal("Sign in again with MFA",
        refused(sign_in.refusal("invalid_grant", 50076), { how_to_sign_in = false }).hint)
    end)
  end)

  it("signs the assertion again by the service's clock", function()
    local at = keys.make()
    local account, context, transport = sign_in.account({ certificate = at.cert,
      certificate_key = at.key }, { sign_in.refusal("invalid_client", 700024, nil, {
        status = 401, headers = { date = "Sat, 03 Feb 2024 07:18:09 GMT" } }), sign_in.tokens() })
    assert.equal("SECRETaccess", account:token(nil, context))
    for i, now in ipairs { NOW, NOW + 600 } do
      local payload = transport.sent[i].form.client_assertion:match "%.(.-)%."
      assert.is_true(math.abs(core.decode(core.unbase64(payload)).iat - now) <= 60)
    end
    folder.remove()
  end)
end)
