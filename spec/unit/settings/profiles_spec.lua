local auth = require "pcapi.auth"
local cjson = require "cjson"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local folder = require "spec.support.folder"
local holds = require "spec.support.holds"
local profiles = require "pcapi.settings.profiles"
local sign_in = require "spec.support.sign_in"

local NOW = fake.NOW

describe("a profile", function()
  teardown(folder.remove)

  local home

  before_each(function()
    home = folder.new()
  end)

  -- A profile of a home with a configuration of this text.
  local function open(text, variables, options)
    local all = sign_in.merged({ HOME = home,
      PCAPI_CONFIG = text and folder.write(home .. "/config", text) or nil }, variables)
    return profiles.open(sign_in.merged({ getenv = function(name) return all[name] end }, options))
  end

  -- Puts a sign-in into the store.
  local function store(name, entry)
    auth.file_store(home .. "/.local/state/pcapi"):set(name, type(entry) == "string" and entry
      or cjson.encode(sign_in.merged({ version = 1, client_id = "me",
        refresh_token = "SECRETstored" }, entry)))
  end

  it("has its settings, and the store of this user", function()
    local profile = assert(open "tenant = t")
    assert.equal("default", profile.name)
    assert.equal("t", profile.settings.values.tenant)
    assert.equal(home .. "/.local/state/pcapi", tostring(profile.store))
  end)

  it("has the store that a setting names", function()
    assert.equal(home .. "/s", tostring(assert(open("store = " .. home .. "/s")).store))
    assert.equal("/e", tostring(assert(open(nil, { PCAPI_STORE = "/e" })).store))
  end)

  describe("without a folder for a store", function()
    local SETTINGS = "tenant = t\nclient_id = me\n"

    it("opens, and its account gives an error that says what to set", function()
      for kind, more in pairs { refresh_token = {}, device_code = { on_code = print } } do
        local account, err = assert(open(SETTINGS, { HOME = "" })):account(kind, more)
        assert.is_nil(account)
        assert.equal("config", err.kind)
        assert.matches("there is no HOME", err.message, 1, true)
        assert.matches("XDG_STATE_HOME", err.message, 1, true)
      end
    end)

    it("has an account when the environment has a refresh token, which needs no store", function()
      local profile = assert(open(SETTINGS, { HOME = "", PCAPI_REFRESH_TOKEN = "SECRETenv" }))
      assert.is_table(profile:account())
    end)
  end)

  it("gives the error of the configuration file", function()
    local profile, err = open "tenent = t"
    assert.is_nil(profile)
    assert.matches('did you mean "tenant"', err.message, 1, true)
  end)

  it("reads no store when a token is given", function()
    local profile = assert(open(nil, { HOME = "" }, { given_token = true }))
    assert.is_nil(profile.store)
    store("default", { settings = { tenant = "stored" } })
    assert.is_nil(assert(open(nil, nil, { given_token = true })).settings.values.tenant)
  end)

  it("has the settings stored with its sign-in, below all others", function()
    store("work", { settings = { tenant = "stored", client_id = "me", cloud = "china",
                                ca_file = "/stored" } })
    store("default", { settings = { tenant = "other" } })
    local profile = assert(open("[work]\nca_file = /file", nil, { profile = "work" }))
    assert.is_nil(profile.store_error)
    assert.equal("stored", profile.settings.values.tenant)
    assert.equal("sign-in", profile.settings.origins.tenant)
    assert.equal("/file", profile.settings.values.ca_file)
    assert.equal("https://partner.partnercenterapi.microsoftonline.cn", profile:resource())
  end)

  it("opens when its sign-in is unreadable; its account gives the error, with the cure", function()
    store("default", "garbage")
    local profile = assert(open "tenant = t\nclient_id = me")
    assert.equal("store", profile.store_error.kind)
    local account, err = profile:account()
    assert.is_nil(account)
    assert.equal("store", err.kind)
    assert.matches(home, err.message, 1, true)
    assert.equal("Sign in again: pcapi login", err.hint)
    assert.equal("garbage", profile.store:get "default")
    assert.is_table(profile:account("device_code", { on_code = print }))
  end)

  it("has tenant and application of a sign-in that stored no settings", function()
    store("default", { tenant = "t", client_id = "c" })
    local values = assert(open()).settings.values
    assert.same({ "t", "c" }, { values.tenant, values.client_id })
  end)

  it("opens without the stored settings when one is impossible, so that a user can sign in",
    function()
      store("default", { settings = { tenant = "t", client_id = "c", cloud = "mars" } })
      local profile = assert(open())
      assert.same({}, profile.settings.values)
      assert.same({}, profile.settings.origins)
      local _, err = profile:account()
      assert.equal("store", err.kind)
      assert.matches("has a setting that cannot be used: cloud must be", err.message, 1, true)
      assert.equal("Sign in again: pcapi login --tenant TENANT --client-id ID", err.hint)
    end)

  it("hints at the flags of a first sign-in if nothing else gives tenant and application",
    function()
      store("default", "garbage")
      local function hint(text, variables, flags)
        return assert(open(text, variables, { flags = flags })).store_error.hint
      end
      local first = "Sign in again: pcapi login --tenant TENANT --client-id ID"
      assert.equal(first, hint "")
      assert.equal(first, hint "client_id = me")
      assert.equal(first, hint("client_id = me", nil, { tenant = "t" })) -- a flag is given once
      assert.equal("Sign in again: pcapi login", hint("client_id = me", { PCAPI_TENANT = "t" }))
    end)

  it("has a command that signs in to it", function()
    assert.equal("pcapi login", profiles.how_to_sign_in "default")
    assert.equal("pcapi login --profile work", profiles.how_to_sign_in "work")
  end)

  describe("the names of all profiles", function()
    local function names(text, variables)
      local all = sign_in.merged({ HOME = home,
        PCAPI_CONFIG = text and folder.write(home .. "/config", text) or nil }, variables)
      return profiles.names { getenv = function(name) return all[name] end }
    end

    it("are none at first", function()
      assert.same({}, names())
      assert.same({}, names("timeout = 5"))
    end)

    it("are those of the file and of the stored sign-ins, each once and sorted", function()
      store("work", {})
      store("contoso", {})
      store("default", {})
      assert.same({ "contoso", "default", "fabrikam", "work" }, names "[work]\n[fabrikam]\n")
    end)

    it("lack the sign-ins of scripts, whose names cannot name a profile", function()
      store("fabrikam.example/client", {})
      store("with space", {})
      store("work", {})
      assert.same({ "work" }, names())
    end)

    it("include the longest one, whose file name has more bytes", function()
      local longest = ("@"):rep(64)
      store(longest, {})
      assert.same({ longest }, names())
      assert.is_nil((open(nil, nil, { profile = longest .. "@" })))
    end)

    it("are those of the store that is set for all profiles", function()
      auth.file_store(home .. "/s"):set("there", "{}")
      store("elsewhere", {})
      assert.same({ "there" }, names("store = " .. home .. "/s"))
      assert.same({ "there" }, names(nil, { PCAPI_STORE = home .. "/s" }))
      assert.same({ "default", "elsewhere" }, names("[default]\nstore = " .. home .. "/s"))
    end)

    it("are those of the file alone without a folder for a store", function()
      assert.same({ "work" }, names("[work]", { HOME = "" }))
    end)

    it("are an error when the store or the file is unreadable", function()
      store("work", {})
      os.execute("chmod 755 " .. home .. "/.local/state/pcapi")
      local all, err = names()
      assert.is_nil(all)
      assert.equal("store", err.kind)
      assert.matches("chmod 700", err.hint, 1, true)
      all, err = names "tenent = t"
      assert.is_nil(all)
      assert.equal("config", err.kind)
    end)
  end)

  describe("has as the names of its tenant", function()
    local function tenants(text)
      return assert(open(text)):tenants()
    end

    local ID = "5f0b3c1e-0000-4000-8000-000000000000"
    local TOKEN = { tenant = "t.example", access_token = sign_in.jwt { tid = ID },
                    obtained_at = NOW, expires_at = NOW + 3600 }

    it("nothing when no tenant is set", function()
      assert.same({}, tenants())
    end)

    it("the one that is set, and the id in its stored sign-in", function()
      assert.same({ "t.example" }, tenants "tenant = t.example")
      store("default", TOKEN)
      assert.same({ "t.example", ID }, tenants())
    end)

    it("no id from a sign-in to another tenant", function()
      store("default", TOKEN)
      assert.same({ "other.example" }, tenants "tenant = other.example")
    end)
  end)

  describe("makes an account", function()
    local SETTINGS = "tenant = t\nclient_id = me\n"

    it("that gives the token stored under its name", function()
      store("work", { access_token = "SECRETaccess", resource = sign_in.RESOURCE,
                     obtained_at = NOW, expires_at = NOW + 3600 })
      local account = assert(assert(open(SETTINGS, nil, { profile = "work" })):account())
      assert.equal("SECRETaccess", account:token(nil, sign_in.context(fake.new {})))
    end)

    it("whose errors name the command that signs in", function()
      local account = assert(assert(open(SETTINGS, nil, { profile = "work" })):account())
      local _, err = account:token(nil, sign_in.context(fake.new {}))
      assert.equal("sign_in_required", err.kind)
      assert.equal("Sign in again: pcapi login --profile work", err.hint)
    end)

    it("of its settings", function()
      local profile = assert(open(SETTINGS .. "login_url = https://l.example\noauth_version = v1\n"
        .. "resource = https://r.example\nclient_secret_file = "
        .. folder.write(home .. "/secret", "SECRETs\n")))
      store("default", {})
      local transport = fake.new { sign_in.tokens() }
      assert.equal("SECRETaccess", assert(profile:account()):token(nil, sign_in.context(transport)))
      assert.equal("https://l.example/t/oauth2/token", transport.sent[1].url)
      assert.same({ client_id = "me", client_secret = "SECRETs", grant_type = "refresh_token",
                    refresh_token = "SECRETstored", resource = "https://r.example" },
        transport.sent[1].form)
    end)

    it("of the kind that the caller names, with its options", function()
      local shown
      local transport = fake.new { sign_in.json { device_code = "d", user_code = "u",
        verification_uri = "https://v.example" }, sign_in.tokens() }
      local profile = assert(open(SETTINGS))
      local account = assert(profile:account("device_code", {
        on_code = function(message) shown = message end, settings = { tenant = "t" } }))
      assert.equal("SECRETaccess", account:sign_in(sign_in.context(transport)))
      assert.matches("https://v.example", shown, 1, true)
      assert.matches('"settings":{"tenant":"t"}', profile.store:get "default", 1, true)
    end)

    it("of the environment's refresh token, which replaces no stored sign-in", function()
      store("default", {})
      local profile = assert(open(SETTINGS, { PCAPI_REFRESH_TOKEN = "SECRETenv" }))
      local before = profile.store:get "default"
      local transport = fake.new { sign_in.tokens() }
      assert.equal("SECRETaccess", assert(profile:account()):token(nil, sign_in.context(transport)))
      assert.equal("SECRETenv", transport.sent[1].form.refresh_token)
      assert.equal(before, profile.store:get "default")
    end)

    it("only with tenant and application; the error says what to run", function()
      for _, text in ipairs { "", "tenant = t", "client_id = c" } do
        local account, err = assert(open(text, nil, { profile = "work" })):account()
        assert.is_nil(account)
        assert.equal("sign_in_required", err.kind)
        assert.matches("not signed in as profile work", err.message, 1, true)
        assert.matches("pcapi login --profile work --tenant TENANT --client-id ID", err.hint, 1,
          true)
      end
    end)

    it("of the environment's refresh token only with tenant and application", function()
      local account, err = assert(open("", { PCAPI_REFRESH_TOKEN = "SECRET" })):account()
      assert.is_nil(account)
      assert.equal("config", err.kind)
      assert.matches("PCAPI_TENANT and PCAPI_CLIENT_ID", err.message, 1, true)
    end)

    it("only of possible settings; the error names the wrong one", function()
      local account, err = assert(open(SETTINGS .. "login_url = http://x.example")):account()
      assert.is_nil(account)
      assert.equal("config", err.kind)
      assert.matches("login_url", err.message, 1, true)
      account, err = assert(open(SETTINGS .. "certificate = c\nclient_secret_file = s")):account()
      assert.is_nil(account)
      assert.matches("client_secret_file and certificate", err.message, 1, true)
    end)

    it("that shows no secret", function()
      local profile = assert(open(SETTINGS, { PCAPI_CLIENT_SECRET = "SECRET",
                                              PCAPI_REFRESH_TOKEN = "SECRET" }))
      assert.is_false(holds(assert(profile:account()), "SECRET"))
    end)
  end)

  it("gives the options of a client", function()
    local profile = assert(open("ca_file = /f\nproxy = \"\"\nno_proxy = *\ntimeout = 7\n"
      .. "prefix = pcapi\ntenant = t\nmax_records = 8\nmax_body = 9"))
    assert.same({ ca_file = "/f", proxy = "", no_proxy = "*", timeout = 7, prefix = "pcapi",
                  max_records = 8, max_body = 9,
                  base_url = "https://api.partnercenter.microsoft.com" }, profile:client_options())
    assert.equal("https://b.example", assert(open "base_url = https://b.example")
      :client_options().base_url)
    assert.equal("https://partner.partnercenterapi.microsoftonline.cn", assert(open "cloud = china")
      :client_options().base_url)
  end)

  it("gives an error object whenever it fails", function()
    assert.is_true(errors.is(select(2, open "x")))
    assert.is_true(errors.is(select(2, assert(open ""):account())))
  end)
end)
