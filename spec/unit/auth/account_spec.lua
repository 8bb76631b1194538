local account_ = require "pcapi.auth.account"
local auth = require "pcapi.auth"
local context_ = require "pcapi.auth.context"
local cjson = require "cjson"
local core = require "pcapi.core"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local folder = require "spec.support.folder"
local holds = require "spec.support.holds"
local keys = require "spec.support.keys"
local raises = require "spec.support.raises"
local sign_in = require "spec.support.sign_in"
local store_ = require "spec.support.store"

local NOW = fake.NOW
local unpack = rawget(_G, "unpack") or table.unpack

-- What a store holds of an account that was renewed some time ago; false takes away.
local function entry(changes)
  local all = sign_in.merged({
    version = 1, client_id = "me", refresh_token = "SECRETstored", access_token = "SECRETcached",
    tenant = "fabrikam.example", origin = "https://login.microsoftonline.com",
    resource = sign_in.RESOURCE, scope = sign_in.SCOPE,
    obtained_at = NOW - 100, expires_at = NOW + 3500,
  }, changes)
  for name, value in pairs(all) do
    all[name] = value or nil
  end
  return cjson.encode(all)
end

-- An account whose store holds a text under its name.
local function account_with(text, answers, options)
  local store = store_.new { kept = text }
  local account, context, transport = sign_in.account(sign_in.merged({
    account = "kept", store = store, refresh_token = false,
  }, options), answers)
  return account, context, transport, store
end

local function expired()
  return entry { obtained_at = NOW - 3700, expires_at = NOW - 100 }
end

local function kept(store)
  return core.decode(store.texts.kept)
end

describe("pcapi.auth.account", function()
  describe("of a refresh token that was given", function()
    it("spends it for an access token, which it gives until it is to be renewed", function()
      local account, context, transport = sign_in.account(nil, { sign_in.tokens() })
      for _, at in ipairs { NOW, NOW + 3479 } do
        context.time = at
        assert.equal("SECRETaccess", account:token(nil, context))
      end
      assert.equal(1, #transport.sent)
      assert.same({
        grant_type = "refresh_token", refresh_token = "SECRETseed", client_id = "me",
        scope = sign_in.RESOURCE .. "/user_impersonation offline_access",
      }, transport.sent[1].form)
      assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/v2.0/token",
        transport.sent[1].url)
    end)

    it("asks for a resource, and no scope, of version 1", function()
      local account, context, transport = sign_in.account({ oauth_version = "v1" },
        { sign_in.tokens { expires_in = "3599" } })
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal(sign_in.RESOURCE, transport.sent[1].form.resource)
      assert.is_nil(transport.sent[1].form.scope)
    end)

    it("shows who the application is", function()
      local account, context, transport = sign_in.account({ client_secret = "SECRET+/=" },
        { sign_in.tokens() })
      account:token(nil, context)
      assert.equal("SECRET+/=", transport.sent[1].form.client_secret)
    end)

    it("goes on with the newer one that the answer brought", function()
      local account, context, transport = sign_in.account(nil,
        { sign_in.tokens(), sign_in.tokens() })
      account:token(nil, context)
      account:token("SECRETaccess", context)
      assert.equal("SECRETnew", transport.sent[2].form.refresh_token)
    end)

    it("goes on with it where the answer brought none, or the same", function()
      for _, again in ipairs { false, "SECRETseed" } do
        local account, context, transport = sign_in.account(nil,
          { sign_in.tokens { refresh_token = again }, sign_in.tokens() })
        account:token(nil, context)
        account:token("SECRETaccess", context)
        assert.equal("SECRETseed", transport.sent[2].form.refresh_token)
      end
    end)

    it("leaves out what a variable has around it", function()
      for _, given in ipairs { "SECRETseed\r\n", "\239\187\191SECRETseed", " SECRETseed\n" } do
        for _, seed in ipairs { given, function() return given end } do
          local account, context, transport = sign_in.account({ refresh_token = seed },
            { sign_in.tokens() })
          assert.equal("SECRETaccess", account:token(nil, context))
          assert.equal("SECRETseed", transport.sent[1].form.refresh_token)
        end
      end
    end)

    it("sends none that cannot be one, and says what is wrong", function()
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

    it("asks a function for it", function()
      local account, context, transport = sign_in.account(
        { refresh_token = function() return "SECRETlate" end }, { sign_in.tokens() })
      account:token(nil, context)
      assert.equal("SECRETlate", transport.sent[1].form.refresh_token)
    end)

    it("passes on what the store has renewed since, in this process or another", function()
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

    it("takes another one for a new sign-in", function()
      local store = auth.memory_store()
      local first, context = sign_in.account({ store = store }, { sign_in.tokens() })
      first:token(nil, context)
      local second, _, transport = sign_in.account(
        { store = store, refresh_token = "SECRETother" }, { sign_in.tokens() })
      second:token(nil, sign_in.context(transport))
      assert.equal("SECRETother", transport.sent[1].form.refresh_token)
    end)

    it("does without, where the function has none and somebody is signed in", function()
      local account, context = account_with(entry(), {}, { refresh_token = function() end })
      assert.equal("SECRETcached", account:token(nil, context))
    end)

    it("hands on why a function has none", function()
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

    it("replaces what is kept only once it was granted: who is killed meanwhile lost nothing",
      function()
        for _, text in ipairs { "none", entry(), entry { tenant = "other" } } do
          local before = text ~= "none" and text or nil
          local between = "unseen"
          local account, context, _, store
          account, context, _, store = account_with(before, { function()
            between = store.texts.kept
            return sign_in.tokens()
          end }, { refresh_token = "SECRETseed" })
          assert.equal("SECRETaccess", account:token(nil, context))
          assert.equal(before, between)
          assert.equal("SECRETnew", kept(store).refresh_token)
        end
      end)

    it("goes on with what is kept where it is refused, and does not try it again", function()
      local account, context, transport, store = account_with(entry(),
        { sign_in.refusal("invalid_grant", 70008) }, { refresh_token = "SECRETseed" })
      assert.equal("SECRETcached", account:token(nil, context))
      assert.equal("SECRETstored", kept(store).refresh_token)
      local again, other, sent = account_with(store.texts.kept, {},
        { refresh_token = "SECRETseed" })
      assert.equal("SECRETcached", again:token(nil, other))
      assert.equal(1, #transport.sent)
      assert.equal(0, #sent.sent)
    end)

    it("renews what is kept where it is refused, if that is due", function()
      local account, context, transport = account_with(expired(),
        { sign_in.refusal("invalid_grant", 70008), sign_in.tokens() },
        { refresh_token = "SECRETseed" })
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal("SECRETstored", transport.sent[2].form.refresh_token)
    end)

    it("tries it again after a failure that says nothing of it", function()
      for _, answer in ipairs { { kind = "tls" }, sign_in.refusal("invalid_client", 7000222) } do
        local account, context, transport, store = account_with(entry(), { answer,
          sign_in.tokens() }, { refresh_token = "SECRETseed" })
        assert.is_nil((account:token(nil, context)))
        assert.equal(entry(), store.texts.kept)
        assert.equal("SECRETaccess", account:token(nil, context))
        assert.equal("SECRETseed", transport.sent[2].form.refresh_token)
      end
    end)

    it("keeps of the one it began with no more than a hash", function()
      local store = store_.new()
      local account, context = sign_in.account({ store = store, account = "kept" },
        { sign_in.tokens() })
      account:token(nil, context)
      assert.is_nil(store.texts.kept:find("SECRETseed", 1, true))
      assert.equal(1, #kept(store).seeds)
    end)
  end)

  it("says that nobody is signed in, and how to", function()
    local account, context = account_with(nil, {}, { how_to_sign_in = "pcapi login" })
    local token, err = account:token(nil, context)
    assert.is_nil(token)
    assert.equal("sign_in_required", err.kind)
    assert.equal("Sign in again: pcapi login", err.hint)
  end)

  it("says that there is no refresh token, where none was given: a variable may not be set",
    function()
      local account, context = account_with(nil, {}, {})
      local _, err = account:token(nil, context)
      assert.matches("^nobody is signed in: no refresh_token was given, and none is in ",
        err.message)
      assert.matches("whether the variable that it comes from is set", err.hint, 1, true)
    end)

  for name, case in pairs {
    ["an application"] = { { client_id = "another" }, "application another, not me" },
    ["a tenant"] = { { tenant = "another" }, "tenant another, not fabrikam.example" },
    ["a sign-in service"] = { { origin = "https://login.microsoftonline.us" },
      "service https://login.microsoftonline.us, not https://login.microsoftonline.com" },
  } do
    it("says of " .. name .. " that the sign-in belongs to another one, and touches nothing",
      function()
        local text = entry(case[1])
        local account, context, transport, store = account_with(text)
        local token, err = account:token(nil, context)
        assert.is_nil(token)
        assert.equal("sign_in_required", err.kind)
        assert.matches(case[2], err.message, 1, true)
        assert.matches("^Sign in again", err.hint)
        assert.equal(text, store.texts.kept)
        assert.equal(0, #transport.sent)
      end)
  end

  it("takes what stood for a moment to prove the store for nobody's", function()
    local account, context, _, store = account_with("{}")
    assert.equal("sign_in_required", select(2, account:token(nil, context)).kind)
    assert.equal("{}", store.texts.kept)
  end)

  describe("leaves as it is, and says where it is, a text that is", function()
    for name, text in pairs {
      ["empty"] = "", ["no JSON"] = "{", ["cut off"] = entry():sub(1, -2), ["a number"] = "5",
      ["a list"] = "[]", ["null"] = "null", ["of another version"] = entry { version = 2 },
      ["without refresh token"] = entry { refresh_token = false },
      ["of an empty refresh token"] = entry { refresh_token = "" },
      ["of no application"] = entry { client_id = false },
      ["of zeros, as after a crash of the machine"] = ("\0"):rep(100),
    } do
      it(name, function()
        for _, seed in ipairs { false, "SECRETseed" } do
          local account, context, transport, store = account_with(text, {},
            { refresh_token = seed })
          local token, err = account:token(nil, context)
          assert.is_nil(token)
          assert.equal("store", err.kind)
          assert.matches(tostring(store), err.message, 1, true)
          assert.matches("left as it is", err.message, 1, true)
          assert.matches("^Sign in again", err.hint)
          assert.is_false(holds(err, "SECRET"))
          assert.equal(text, store.texts.kept)
          assert.equal(0, #transport.sent)
        end
      end)
    end
  end)

  describe("renews what is kept when its access token", function()
    for name, changes in pairs {
      ["is missing"] = { access_token = false },
      ["is of a wrong type"] = { access_token = 5 },
      ["has no times"] = { obtained_at = false, expires_at = false },
      ["has times that are none"] = { obtained_at = "x", expires_at = {} },
      ["has times that nobody can show"] = { expires_at = 1e300 },
      ["is for another service"] = { resource = "https://graph.microsoft.com" },
      ["is over"] = { obtained_at = NOW - 3600, expires_at = NOW - 1 },
      ["will soon be over"] = { obtained_at = NOW - 3600, expires_at = NOW + 119 },
    } do
      it(name, function()
        local account, context, transport, store = account_with(entry(changes),
          { sign_in.tokens() })
        assert.equal("SECRETaccess", account:token(nil, context))
        assert.equal("SECRETstored", transport.sent[1].form.refresh_token)
        assert.equal("SECRETnew", kept(store).refresh_token)
        assert.equal("SECRETaccess", kept(store).access_token)
        assert.equal(NOW + 3600, kept(store).expires_at)
        assert.equal("fabrikam.example", kept(store).tenant)
        assert.equal("https://login.microsoftonline.com", kept(store).origin)
      end)
    end
  end)

  describe("renews early:", function()
    local function is_fresh_at(left, life, options)
      local account, context, transport = account_with(
        entry { obtained_at = NOW - life + left, expires_at = NOW + left },
        { sign_in.tokens() }, options)
      assert.is_string((account:token(nil, context)))
      return #transport.sent == 0
    end

    it("two minutes before the end", function()
      assert.is_true(is_fresh_at(121, 3600))
      assert.is_false(is_fresh_at(120, 3600))
    end)

    it("as early as it is told", function()
      assert.is_true(is_fresh_at(601, 3600, { skew = 600 }))
      assert.is_false(is_fresh_at(600, 3600, { skew = 600 }))
      assert.is_true(is_fresh_at(2, 3600, { skew = 1 }))
    end)

    it("at half of its life where that is shorter", function()
      assert.is_true(is_fresh_at(31, 60))
      assert.is_false(is_fresh_at(30, 60))
      assert.is_true(is_fresh_at(3, 4))
    end)

    it("not for each call, however short a token lives", function()
      local account, context, transport = sign_in.account(nil,
        { sign_in.tokens { expires_in = 60 } })
      account:token(nil, context)
      context.time = NOW + 29
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal(1, #transport.sent)
    end)
  end)

  describe("with a clock that is", function()
    for _, skew in ipairs { 600, -600 } do
      it(("%d s ahead of the service counts by its own"):format(skew), function()
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

    it("set back learns from the first refusal", function()
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
    it("renews once, though it would be good for long", function()
      local account, context, transport = account_with(entry(), { sign_in.tokens() })
      assert.equal("SECRETcached", account:token(nil, context))
      assert.equal("SECRETaccess", account:token("SECRETcached", context))
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal(1, #transport.sent)
    end)

    it("takes what somebody else has stored since, and sends nothing", function()
      local account, context, transport, store = account_with(entry())
      account:token(nil, context)
      store.texts.kept = entry { access_token = "SECRETtheirs" }
      assert.equal("SECRETtheirs", account:token("SECRETcached", context))
      assert.equal(0, #transport.sent)
    end)

    it("takes what it has itself by now", function()
      local account, context, transport = sign_in.account(nil, { sign_in.tokens() })
      account:token(nil, context)
      assert.equal("SECRETaccess", account:token("SECRETold", context))
      assert.equal(1, #transport.sent)
    end)
  end)

  it("looks into the store again when it is told to", function()
    local account, context, _, store = account_with(entry())
    account:token(nil, context)
    store.texts.kept = entry { access_token = "SECRETtheirs" }
    assert.equal("SECRETcached", account:token(nil, context))
    account:look_again()
    assert.equal("SECRETtheirs", account:token(nil, context))
  end)

  describe("keeps the order that loses nothing:", function()
    it("the store is proved writable before the refresh token is spent", function()
      local seen
      local store = store_.new { kept = expired() }
      local account, context = account_with(nil, { function()
        seen = { kept(store).refresh_token, unpack(store.journal) }
        return sign_in.tokens()
      end }, { store = store })
      account:token(nil, context)
      assert.equal("SECRETstored", seen[1])
      assert.matches("lock get get set$", table.concat(seen, " "))
    end)

    it("nothing is sent when it is not", function()
      for _, call in ipairs { "get", "set", "lock" } do
        local account, context, transport, store = account_with(expired())
        store.fails[call] = "disk full"
        local token, err = account:token(nil, context)
        assert.is_nil(token)
        assert.equal("store", err.kind)
        assert.matches("disk full", err.message, 1, true)
        assert.equal("disk full", err.cause)
        assert.equal(0, #transport.sent)
        assert.equal(expired(), store.texts.kept)
        assert.is_false(holds(err, "SECRET"))
      end
    end)

    it("nothing is sent when its proof of the application cannot be used", function()
      local account, context, transport, store = account_with(expired(), {},
        { client_secret = function() return nil, "the vault is sealed" end })
      local token, err = account:token(nil, context)
      assert.is_nil(token)
      assert.equal("config", err.kind)
      assert.matches("the vault is sealed", err.message, 1, true)
      assert.equal(0, #transport.sent)
      assert.is_nil(store.seconds)
    end)

    it("no secret is asked for while a token that is kept is good", function()
      local account, context = account_with(entry(), {},
        { client_secret = function() error "asked" end })
      assert.equal("SECRETcached", account:token(nil, context))
    end)

    it("an error object of the store is handed on as it is", function()
      local why = errors.new { kind = "network", message = "the vault is sealed" }
      local account, context, _, store = account_with(expired())
      store.fails.set = why
      assert.equal(why, select(2, account:token(nil, context)))
    end)

    it("the new refresh token is stored before its access token is given", function()
      local account, context, _, store = account_with(expired(), { sign_in.tokens() })
      local token = account:token(nil, context)
      assert.equal(token, kept(store).access_token)
      assert.equal("SECRETnew", kept(store).refresh_token)
    end)

    it("what was kept beside the tokens stays", function()
      local account, context, _, store = account_with(
        entry { expires_at = NOW, signed_in_at = 5, settings = { tenant = "x" }, seeds = { "s" } },
        { sign_in.tokens() })
      account:token(nil, context)
      assert.equal(5, kept(store).signed_in_at)
      assert.same({ tenant = "x" }, kept(store).settings)
      assert.same({ "s" }, kept(store).seeds)
    end)

    it("a refusal leaves what is kept as it was", function()
      local account, context, _, store = account_with(expired(),
        { sign_in.refusal("invalid_grant", 50076) })
      assert.is_nil((account:token(nil, context)))
      assert.equal("SECRETstored", kept(store).refresh_token)
      assert.is_false(store.locked)
    end)

    for name, answer in pairs {
      ["the page of a network that wants a login first"] = { status = 200, body = "<html>Hotel" },
      ["an empty answer"] = { status = 200, body = "" },
      ["a redirect"] = { status = 302, headers = { location = "https://hotel.example/" } },
      ["JSON of another shape"] = sign_in.json { status = "ok" },
    } do
      it(name .. " leaves what is kept as it was, and the next call renews it", function()
        local account, context, transport, store = account_with(expired(),
          { answer, sign_in.tokens() })
        local token, err = account:token(nil, context)
        assert.is_nil(token)
        assert.equal("protocol", err.kind)
        assert.equal(expired(), store.texts.kept)
        assert.equal("SECRETaccess", account:token(nil, context))
        assert.equal("SECRETstored", transport.sent[2].form.refresh_token)
      end)
    end

    it("the lock is given back whatever happens", function()
      for _, answers in ipairs { { sign_in.tokens() }, { { kind = "tls" } },
                                 { { body = "<html>" } } } do
        local account, context, _, store = account_with(expired(), answers)
        account:token(nil, context)
        assert.is_false(store.locked)
      end
    end)
  end)

  describe("that cannot store what was granted", function()
    -- The store breaks while the token endpoint answers.
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

    it("says so, gives no access token, and keeps the old refresh token", function()
      local _, _, transport, store, token, err = broken()
      assert.is_nil(token)
      assert.equal("store", err.kind)
      assert.matches("disk full", err.message, 1, true)
      assert.equal("SECRETstored", kept(store).refresh_token)
      assert.equal(1, #transport.sent)
      assert.is_false(holds(err, "SECRET"))
      assert.is_false(store.locked)
    end)

    it("stores it with its next call, and needs no other one", function()
      local account, context, transport, store = broken()
      store.fails.set = nil
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal("SECRETnew", kept(store).refresh_token)
      assert.equal(1, #transport.sent)
    end)

    it("says so again as long as that fails, and sends nothing", function()
      local account, context, transport = broken()
      for _ = 1, 2 do
        assert.equal("store", select(2, account:token(nil, context)).kind)
      end
      assert.equal(1, #transport.sent)
    end)

    it("does not put it over what somebody else has stored since", function()
      local account, context, transport, store = broken()
      store.fails.set = nil
      store.texts.kept = entry { refresh_token = "SECRETtheirs", access_token = "SECRETtheir" }
      assert.equal("SECRETtheir", account:token(nil, context))
      assert.equal("SECRETthird", account:token("SECRETtheir", context))
      assert.equal("SECRETtheirs", transport.sent[2].form.refresh_token)
    end)

    it("does not put it over a sign-in that was taken away since", function()
      local account, context, transport, store = broken()
      store.fails.set = nil
      store.texts.kept = nil
      assert.equal("sign_in_required", select(2, account:token(nil, context)).kind)
      assert.is_nil(store.texts.kept)
      assert.equal(1, #transport.sent)
    end)
  end)

  describe("that meets a lock", function()
    it("waits, and gives what the holder stored", function()
      local account, context, transport, store = account_with(expired())
      local tries = 0
      store.held = function()
        tries = tries + 1
        if tries == 3 then
          store.texts.kept = entry { access_token = "SECRETtheirs" }
        end
        return true
      end
      assert.equal("SECRETtheirs", account:token(nil, context))
      assert.equal(0, #transport.sent)
      assert.is_true(#transport.slept >= 2)
      assert.is_true(transport.slept[1] < 0.1)
    end)

    it("looks a second time when it has the lock, and sends nothing", function()
      local account, context, transport, store = account_with(expired())
      store.held = function()
        store.texts.kept = entry { access_token = "SECRETtheirs" }
        return false
      end
      assert.equal("SECRETtheirs", account:token(nil, context))
      assert.equal(0, #transport.sent)
      assert.is_false(store.locked)
    end)

    it("renews itself when the holder did not", function()
      local account, context, transport, store = account_with(expired(), { sign_in.tokens() })
      local tries = 0
      store.held = function()
        tries = tries + 1
        return tries < 3
      end
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal(1, #transport.sent)
    end)

    it("gives up at its deadline, with a timeout that names the account", function()
      local account, context, transport, store = account_with(expired())
      store.held = function() return true end
      context.deadline = transport:now() + 5
      local token, err = account:token(nil, context)
      assert.is_nil(token)
      assert.equal("timeout", err.kind)
      assert.matches("the lock of kept", err.hint, 1, true)
      assert.is_true(transport:now() <= context.deadline)
      assert.is_true(transport:now() > context.deadline - 1)
      assert.is_true(#transport.slept < 100)
    end)

    it("says so when the holder took the sign-in away", function()
      local account, context, _, store = account_with(expired())
      store.held = function()
        store.texts.kept = nil
        return true
      end
      assert.equal("sign_in_required", select(2, account:token(nil, context)).kind)
    end)

    it("does not even ask for it while the token is good", function()
      local account, context, _, store = account_with(entry())
      store.held = function() return true end
      assert.equal("SECRETcached", account:token(nil, context))
      account:token(nil, context)
      assert.same({ "get" }, store.journal)
    end)

    it("asks for it for as long as the call may take", function()
      for _, left in ipairs { 5, 600 } do
        local account, context, transport, store = account_with(expired(), { sign_in.tokens() })
        context.deadline = transport:now() + left
        account:token(nil, context)
        assert.is_true(store.seconds >= left)
        assert.is_true(store.seconds < left + 150)
      end
    end)
  end)

  describe("explains a refusal:", function()
    local function refused(answer, options)
      local account, context = account_with(expired(), { answer },
        sign_in.merged({ how_to_sign_in = "pcapi login --profile x" }, options))
      local token, err = account:token(nil, context)
      assert.is_nil(token)
      return err
    end

    it("MFA is missing, and by what to sign in with it", function()
      local err = refused(sign_in.refusal("invalid_grant", 50076))
      assert.equal("mfa_required", err.kind)
      assert.equal("Sign in again with MFA: pcapi login --profile x", err.hint)
      assert.equal("AADSTS50076", err.code)
    end)

    it("the sign-in is over", function()
      local err = refused(sign_in.refusal("invalid_grant", 700082))
      assert.equal("sign_in_required", err.kind)
      assert.equal("Sign in again: pcapi login --profile x", err.hint)
    end)

    it("what no sign-in mends has its own next step", function()
      assert.equal("The client secret or certificate has expired: make a new one in the "
        .. "registration", refused(sign_in.refusal("invalid_client", 7000222)).hint)
      assert.equal("consent_required", refused(sign_in.refusal("invalid_grant", 65001)).kind)
      assert.equal("config", refused(sign_in.refusal("invalid_request", 90002)).kind)
    end)

    it("claims that are asked for, as a command hands them on", function()
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

    it("without words on how to sign in it says less", function()
      assert.equal("Sign in again with MFA",
        refused(sign_in.refusal("invalid_grant", 50076), { how_to_sign_in = false }).hint)
    end)
  end)

  describe("with a way to sign in", function()
    local function signing_in(tokens, err, text)
      local store = store_.new { kept = text }
      local transport = fake.new { sign_in.tokens() }
      local asked = 0
      local account = account_.new({ client_id = "me", account = "kept",
        settings = { tenant = "fabrikam.example" } },
        require("pcapi.auth.endpoints").new { tenant = "fabrikam.example" }, store,
        function(_, context)
          asked = asked + 1
          return type(tokens) == "function" and tokens(context) or tokens, err
        end)
      return account, sign_in.context(transport), store, function() return asked end, transport
    end

    local GRANTED = { access_token = "SECRETfirst", refresh_token = "SECRETsigned",
                      obtained_at = NOW, expires_at = NOW + 3600 }

    it("stores what comes of it, with the time and the settings", function()
      local account, context, store = signing_in(GRANTED)
      assert.equal("SECRETfirst", account:sign_in(context))
      assert.equal("SECRETsigned", kept(store).refresh_token)
      assert.equal(NOW, kept(store).signed_in_at)
      assert.same({ tenant = "fabrikam.example" }, kept(store).settings)
      assert.is_false(store.locked)
    end)

    it("gives its token to the calls that follow, and asks nobody again", function()
      local account, context, _, asked = signing_in(GRANTED)
      assert.equal("SECRETfirst", account:token(nil, context))
      assert.equal("SECRETfirst", account:token(nil, context))
      assert.equal(1, asked())
    end)

    it("does not ask a person while somebody is signed in", function()
      local account, context, _, asked, transport = signing_in(GRANTED, nil, expired())
      assert.equal("SECRETaccess", account:token(nil, context))
      assert.equal(0, asked())
      assert.equal(1, #transport.sent)
    end)

    it("replaces any sign-in, also one that cannot be read", function()
      for _, text in ipairs { expired(), "garbage", entry { client_id = "another" } } do
        local account, context, store = signing_in(GRANTED, nil, text)
        assert.equal("SECRETfirst", account:sign_in(context))
        assert.equal("SECRETsigned", kept(store).refresh_token)
      end
    end)

    it("hands on why nobody signed in, and stores nothing", function()
      local why = errors.new { kind = "sign_in_required", message = "declined" }
      local account, context, store = signing_in(nil, why, expired())
      local token, err = account:sign_in(context)
      assert.is_nil(token)
      assert.equal(why, err)
      assert.equal(expired(), store.texts.kept)
    end)

    it("refuses a sign-in that cannot be renewed, and says what to ask for", function()
      local account, context, store = signing_in(sign_in.merged(GRANTED, { refresh_token = false }))
      local token, err = account:sign_in(context)
      assert.is_nil(token)
      assert.equal("consent_required", err.kind)
      assert.matches("offline_access", err.hint, 1, true)
      assert.is_nil(store.texts.kept)
    end)

    it("asks no person for what could not be stored", function()
      for _, call in ipairs { "get", "set", "lock" } do
        local account, context, store, asked = signing_in(GRANTED, nil, expired())
        store.fails[call] = "disk full"
        local token, err = account:sign_in(context)
        assert.is_nil(token)
        assert.equal("store", err.kind)
        assert.equal(0, asked())
        assert.equal(expired(), store.texts.kept)
        assert.is_false(store.locked or false)
      end
    end)

    it("says so when it cannot be stored in the end, and gives no token", function()
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

    it("stores it also when the person took all the time there was", function()
      local context, store, transport, _
      local function slow()
        transport.time = context.deadline + 1
        store.held = function() return transport.time < context.deadline + 2 end
        return GRANTED
      end
      local account
      account, context, store, _, transport = signing_in(slow)
      assert.equal("SECRETfirst", account:sign_in(context))
      assert.equal("SECRETsigned", kept(store).refresh_token)
    end)

    it("asks no person without a proof of the application that can be used", function()
      local store, shown = store_.new(), false
      local account = auth.device_code { tenant = "x", client_id = "me", store = store,
        client_secret_file = "/none", on_code = function() shown = true end }
      local token, err = account:sign_in(sign_in.context(fake.new {}))
      assert.is_nil(token)
      assert.equal("config", err.kind)
      assert.is_false(shown)
    end)

    it("asks one person once: other coroutines wait for what comes of it", function()
      local account, context, _, asked = signing_in(function()
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
      assert.equal(1, asked())
    end)

    it("waits for that person until the deadline of the call", function()
      local account, context, _, asked = signing_in(function()
        coroutine.yield()
        return GRANTED
      end)
      local first = coroutine.create(function() return account:token(nil, context) end)
      coroutine.resume(first)
      local token, err = account:token(nil, context)
      assert.is_nil(token)
      assert.equal("timeout", err.kind)
      assert.is_true(context.transport:now() <= context.deadline)
      assert.equal(1, asked())
      assert.equal("suspended", coroutine.status(first))
    end)

    it("asks anew after a sign-in that raised", function()
      local n = 0
      local account, context = signing_in(function()
        n = n + 1
        return n == 1 and error "interrupted" or GRANTED
      end)
      assert.is_false((pcall(account.sign_in, account, context)))
      assert.equal("SECRETfirst", account:token(nil, context))
    end)

    it("takes what a person has to be asked by in place of a context", function()
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

    it("says by what to sign in where the person came without MFA", function()
      local why = errors.new { kind = "mfa_required", message = "no", hint = "x" }
      local account, context = signing_in(nil, why)
      local _, err = account:sign_in(context)
      assert.equal("Sign in again with MFA", err.hint)
    end)

    it("is not asked to by a refusal that a sign-in does not mend", function()
      local account, _, _, asked = signing_in(GRANTED, nil, expired())
      local transport = fake.new { sign_in.refusal("invalid_client", 7000222) }
      local _, err = account:token(nil, sign_in.context(transport))
      assert.equal("invalid_client", err.kind)
      assert.equal(0, asked())
    end)
  end)

  it("without a way to sign in blames the caller's line", function()
    local account = sign_in.account()
    raises(function() account:sign_in() end, "this account has no way to sign in")
  end)

  describe("that signs out", function()
    it("forgets what is kept, and what it remembers", function()
      local account, context, _, store = account_with(entry())
      account:token(nil, context)
      assert.is_true((account:sign_out(context)))
      assert.is_nil(store.texts.kept)
      assert.equal("sign_in_required", select(2, account:token(nil, context)).kind)
      assert.is_false(store.locked)
    end)

    it("has nothing against nobody being signed in", function()
      local account, context = account_with(nil)
      assert.is_true((account:sign_out(context)))
    end)

    it("waits for who renews, so that nothing comes back", function()
      local account, context, transport, store = account_with(entry())
      local tries = 0
      store.held = function()
        tries = tries + 1
        return tries < 3
      end
      assert.is_true((account:sign_out(context)))
      assert.equal(2, #transport.slept)
    end)

    it("says so when that fails", function()
      for _, call in ipairs { "set", "lock" } do
        local account, context, _, store = account_with(entry())
        store.fails[call] = "read-only"
        local ok, err = account:sign_out(context)
        assert.is_nil(ok)
        assert.equal("store", err.kind)
        assert.matches("read-only", err.message, 1, true)
        assert.is_false(store.locked or false)
      end
    end)
  end)

  describe("tells without asking anybody", function()
    it("claims, times, application and tenant", function()
      local token = sign_in.jwt { upn = "kim@fabrikam.example", amr = { "mfa" }, ver = "1.0",
                                  scp = "user_impersonation" }
      local account, _, transport = account_with(entry { access_token = token, signed_in_at = 7 })
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

    it("that nothing is known before the first token", function()
      local status = assert(sign_in.account():status())
      assert.equal("unknown", status.claims.mfa)
      assert.equal("fabrikam.example", status.tenant)
      assert.equal("me", status.client_id)
      assert.is_nil(status.expires_at)
    end)

    it("no time that is none", function()
      local status = assert((account_with(entry { expires_at = "x", obtained_at = {},
                                                  signed_in_at = 1e300 })):status())
      assert.is_nil(status.expires_at)
      assert.is_nil(status.obtained_at)
      assert.is_nil(status.signed_in_at)
    end)

    it("that nobody is signed in, or that it cannot be read", function()
      assert.equal("sign_in_required", select(2, (account_with(nil)):status()).kind)
      assert.equal("store", select(2, (account_with "{"):status()).kind)
    end)
  end)

  it("asks a function for the refresh token once, however long the lock is held", function()
    local store, asked = store_.new(), 0
    store.held = function() return true end
    local account, context = sign_in.account({
      store = store, refresh_token = function()
        asked = asked + 1
        return "SECRETlate"
      end,
    }, {})
    assert.equal("timeout", select(2, account:token(nil, context)).kind)
    assert.equal(1, asked)
  end)

  it("sends a refresh token no second time when only its successor could not be stored", function()
    local store = store_.new()
    local account, context, transport = sign_in.account({ store = store, account = "kept" },
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
    assert.equal("SECRETnew", kept(store).refresh_token)
  end)

  it("is known in its store by tenant and application, or by the name it is given", function()
    local store = store_.new()
    local account, context = sign_in.account({ store = store }, { sign_in.tokens() })
    account:token(nil, context)
    assert.is_string(store.texts["fabrikam.example/me"])
    assert.equal("pcapi.auth.account (fabrikam.example/me)", tostring(account))
    assert.equal("pcapi.auth.account (x)", tostring((sign_in.account { account = "x" })))
  end)

  it("tells whom its tokens are of, whatever it is called in its store", function()
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

  it("makes the proof of a certificate anew by the service's clock", function()
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

  describe("shows no secret", function()
    it("in what is dumped of it, before and after a call", function()
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
      for _, said in ipairs { "SECRETseed", "SECRET%2Bclient", "SECRET+client" } do
        local account, context = sign_in.account({ client_secret = "SECRET+client" },
          { sign_in.refusal("invalid_grant", 50076, { error_description = "no " .. said,
                                                      claims = said }) })
        local _, err = account:token(nil, context)
        assert.equal("mfa_required", err.kind)
        assert.is_false(holds(err, "SECRET"))
      end
    end)
  end)

  describe("makes a context", function()
    it("for calls outside of a client, with a deadline of its own", function()
      local transport = fake.new {}
      local context = context_.new { transport = transport, timeout = 7 }
      assert.equal(transport, context.transport)
      assert.equal(1007, context.deadline)
      assert.is_number(context.clock())
      assert.is_number(context.random())
      assert.equal(1180, context_.new({ transport = transport }).deadline)
      assert.is_function(context_.new().transport.send)
    end)
  end)
end)
