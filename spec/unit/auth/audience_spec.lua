--- One sign-in that gives a token for each audience.
local auth = require "pcapi.auth"
local fake = require "spec.support.fake_transport"
local holds = require "spec.support.holds"
local new_store = require("spec.support.store").new
local sign_in = require "spec.support.sign_in"

local NOW = fake.NOW
local GRAPH = "https://graph.microsoft.com"
local account_with, record, stored = sign_in.account_with, sign_in.record, sign_in.stored

local function granted(access_token, refresh_token)
  return sign_in.tokens { access_token = access_token, refresh_token = refresh_token }
end

-- Asks for a token of an audience; nil for the account's own.
local function token(account, context, audience, refused)
  context.audience = audience
  return account:token(refused, context)
end

describe("an account", function()
  describe("that gets a token for another audience", function()
    it("requests the default scope of that audience at version 2", function()
      local account, context, transport = sign_in.account(nil, { granted "SECRETgraph" })
      assert.equal("SECRETgraph", token(account, context, GRAPH))
      assert.equal(GRAPH .. "/.default offline_access", transport.sent[1].form.scope)
      assert.is_nil(transport.sent[1].form.resource)
    end)

    it("requests that resource at version 1", function()
      local account, context, transport = sign_in.account({ oauth_version = "v1" },
        { granted "SECRETgraph" })
      assert.equal("SECRETgraph", token(account, context, GRAPH))
      assert.equal(GRAPH, transport.sent[1].form.resource)
      assert.is_nil(transport.sent[1].form.scope)
    end)

    it("takes its own resource for no other audience", function()
      local account, context, transport = sign_in.account({ scope = "x offline_access" },
        { sign_in.tokens() })
      for _, audience in ipairs { sign_in.RESOURCE, false, sign_in.RESOURCE } do
        assert.equal("SECRETaccess", token(account, context, audience or nil))
      end
      assert.equal(1, #transport.sent)
      assert.equal("x offline_access", transport.sent[1].form.scope)
    end)

    it("renews once for each, however often the audiences change", function()
      local account, context, transport = sign_in.account(nil,
        { granted("SECRETpc", "SECRETr1"), granted("SECRETgraph", "SECRETr2") })
      for _ = 1, 5 do
        assert.equal("SECRETpc", token(account, context))
        assert.equal("SECRETgraph", token(account, context, GRAPH))
      end
      assert.equal(2, #transport.sent)
      assert.equal("SECRETr1", transport.sent[2].form.refresh_token)
    end)

    it("uses what another account on the same store has stored for it", function()
      local first, context, _, store = account_with(record(), { granted "SECRETgraph" })
      token(first, context, GRAPH)
      local second, other, transport = sign_in.account { account = "spec", store = store,
                                                         refresh_token = false }
      assert.equal("SECRETgraph", token(second, other, GRAPH))
      assert.equal("SECRETcached", token(second, other))
      assert.equal(0, #transport.sent)
    end)

    it("shares it with an account whose own resource and scope it is", function()
      local first, context, _, store = account_with(record(), { granted "SECRETgraph" })
      token(first, context, GRAPH)
      local second, other, transport = sign_in.account { account = "spec", store = store,
        refresh_token = false, resource = GRAPH, scope = GRAPH .. "/.default offline_access" }
      assert.equal("SECRETgraph", token(second, other))
      assert.equal("SECRETcached", token(first, context))
      assert.equal(0, #transport.sent)
    end)
  end)

  describe("with tokens of two audiences", function()
    -- An account that has them, in its store and in memory.
    local function with_both(responses)
      local all = { granted("SECRETgraph", "SECRETr1") }
      for _, response in ipairs(responses or {}) do
        all[#all + 1] = response
      end
      local account, context, transport, store = account_with(record(), all)
      assert.equal("SECRETgraph", token(account, context, GRAPH))
      return account, context, transport, store
    end

    it("stores both under the newest refresh token, its own where it always was", function()
      local _, _, _, store = with_both()
      local json = stored(store)
      assert.equal("SECRETr1", json.refresh_token)
      assert.same({ "SECRETcached", sign_in.RESOURCE }, { json.access_token, json.resource })
      assert.same({ { access_token = "SECRETgraph", resource = GRAPH, obtained_at = NOW,
                      expires_at = NOW + 3600, scope = GRAPH .. "/.default offline_access" } },
        json.other_tokens)
    end)

    it("renews the one that was refused, and leaves the other", function()
      local account, context, transport, store = with_both { granted("SECRETagain", "SECRETr2") }
      assert.equal("SECRETagain", token(account, context, GRAPH, "SECRETgraph"))
      assert.equal("SECRETcached", token(account, context))
      assert.equal("SECRETagain", token(account, context, GRAPH))
      assert.equal(2, #transport.sent)
      assert.same({ "SECRETr2", "SECRETcached" },
        { stored(store).refresh_token, stored(store).access_token })
    end)

    it("renews the one that has expired, and leaves the other", function()
      local account, context, transport = with_both { granted("SECRETagain", "SECRETr2") }
      context.time = NOW + 3490 - 120 -- its own expires 100 s earlier
      assert.equal("SECRETgraph", token(account, context, GRAPH))
      context.time = NOW + 3500 - 120
      assert.equal("SECRETgraph", token(account, context, GRAPH))
      assert.equal("SECRETagain", token(account, context))
      assert.equal(2, #transport.sent)
      assert.equal(sign_in.SCOPE, transport.sent[2].form.scope)
    end)

    it("keeps both after a refusal for one audience", function()
      local account, context, transport, store = with_both {
        sign_in.refusal("invalid_grant", 65001), sign_in.refusal("invalid_grant", 50076) }
      local before = store.texts.spec
      for _, kind in ipairs { "consent_required", "mfa_required" } do
        local none, err = token(account, context, "https://manage.office.com")
        assert.is_nil(none)
        assert.equal(kind, err.kind)
      end
      assert.equal(before, store.texts.spec)
      assert.equal("SECRETgraph", token(account, context, GRAPH))
      assert.equal("SECRETcached", token(account, context))
      assert.equal(3, #transport.sent)
    end)

    it("stores what could not be stored with the next call, of any audience", function()
      local store
      local account, context, transport
      account, context, transport, store = with_both { function()
        store.fails.set = "disk full"
        return granted("SECRETagain", "SECRETr2")
      end }
      assert.equal("store", select(2, token(account, context, GRAPH, "SECRETgraph")).kind)
      store.fails.set = nil
      account:look_again()
      assert.equal("SECRETcached", token(account, context))
      assert.equal("SECRETagain", token(account, context, GRAPH, "SECRETgraph"))
      assert.equal(2, #transport.sent)
      assert.equal("SECRETr2", stored(store).refresh_token)
    end)

    it("reports the status of its own", function()
      local account = with_both()
      local status = account:status()
      assert.same({ NOW - 100, NOW + 3500 }, { status.obtained_at, status.expires_at })
    end)

    it("reports the user of any token if its own is missing", function()
      local account, context = account_with(record { access_token = false },
        { granted(sign_in.jwt { upn = "kim@fabrikam.example", aud = GRAPH }) })
      token(account, context, GRAPH)
      assert.equal("kim@fabrikam.example", account:status().claims.user)
    end)

    it("starts without both for another refresh token of the caller", function()
      local _, _, _, store = with_both()
      local account, context, transport = sign_in.account({ account = "spec", store = store,
        refresh_token = "SECRETother" }, { granted("SECRETpc", "SECRETr3"), granted "SECRETnew" })
      assert.equal("SECRETpc", token(account, context))
      assert.is_nil(stored(store).other_tokens)
      assert.equal("SECRETnew", token(account, context, GRAPH))
      assert.equal("SECRETr3", transport.sent[2].form.refresh_token)
    end)

    it("shows neither in a dump", function()
      local account, context = sign_in.account({ store = auth.memory_store() },
        { granted "SECRETpc", granted "SECRETgraph" })
      token(account, context)
      token(account, context, GRAPH)
      assert.is_false(holds(account, "SECRET"))
      assert.is_false(holds(account:status(), "SECRET"))
    end)
  end)

  it("does not give up a refresh token of the caller for lack of MFA at another audience",
    function()
      local account, context, transport, store = account_with(record(),
        { sign_in.refusal("invalid_grant", 50076), granted "SECRETpc" },
        { refresh_token = "SECRETgiven" })
      assert.equal("mfa_required", select(2, token(account, context, GRAPH)).kind)
      assert.equal(record(), store.texts.spec)
      assert.equal("SECRETpc", token(account, context))
      assert.equal("SECRETgiven", transport.sent[2].form.refresh_token)
    end)

  describe("that lets the user sign in", function()
    -- A sign-in by device code that is approved at once.
    local function signing_in(...)
      local codes, transport = 0, fake.new { sign_in.json {
        device_code = "SECRETdevice", user_code = "X", expires_in = 900, interval = 1,
        verification_uri = "https://x.example" }, granted("SECRETpc", "SECRETr1"), ... }
      local store = new_store()
      local account = auth.device_code { tenant = "fabrikam.example", client_id = "me",
        account = "spec", store = store, on_code = function() codes = codes + 1 end }
      return account, sign_in.context(transport), transport, function() return codes end, store
    end

    it("signs in for its own resource, then requests the token of the audience", function()
      local account, context, transport, codes, store = signing_in(granted "SECRETgraph")
      assert.equal("SECRETgraph", token(account, context, GRAPH))
      assert.equal(sign_in.SCOPE, transport.sent[1].form.scope)
      assert.equal("SECRETr1", transport.sent[3].form.refresh_token)
      assert.equal(1, codes())
      assert.equal("SECRETpc", token(account, context))
      assert.equal(3, #transport.sent)
      assert.equal("SECRETpc", stored(store).access_token)
    end)

    it("lets the user sign in once, even if the audience then demands another sign-in", function()
      local account, context, _, codes = signing_in(sign_in.refusal("invalid_grant", 70008))
      local none, err = token(account, context, GRAPH)
      assert.is_nil(none)
      assert.equal("sign_in_required", err.kind)
      assert.equal(1, codes())
    end)
  end)

  it("renews one audience at a time: another coroutine waits for it", function()
    local account, context, transport = sign_in.account(nil, {
      function()
        coroutine.yield()
        return granted("SECRETpc", "SECRETr1")
      end, granted("SECRETgraph", "SECRETr2") })
    local first = coroutine.create(function() return token(account, sign_in.context(transport)) end)
    assert.is_true((coroutine.resume(first)))
    local sleep = transport.sleep
    function transport:sleep(seconds)
      sleep(self, seconds)
      coroutine.yield()
    end
    local second = coroutine.create(function() return token(account, context, GRAPH) end)
    assert.is_true((coroutine.resume(second)))
    assert.equal(1, #transport.sent)
    assert.same({ true, "SECRETpc" }, { coroutine.resume(first) })
    assert.same({ true, "SECRETgraph" }, { coroutine.resume(second) })
    assert.equal("SECRETr1", transport.sent[2].form.refresh_token)
  end)
end)
