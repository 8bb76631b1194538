--- Signing in at an independent OpenID provider (npm oidc-provider). It is stricter than Entra:
-- a refresh token that is sent twice counts as stolen, and revokes its whole family.
local auth = require "pcapi.auth"
local contexts = require "pcapi.auth.context"
local curl = require "spec.support.curl"
local endpoints = require "pcapi.auth.endpoints"
local grant = require "pcapi.auth.grant"
local oidc = require "spec.support.oidc"
local sandbox = require "spec.support.sandbox"

local directory, provider, keys

local function make_keys()
  keys = curl.shell("mktemp -d"):match "%S+"
  for _, name in ipairs { "jwt_ps", "jwt_rs" } do
    curl.shell(("cd %s && openssl req -x509 -newkey rsa:2048 -days 2 -subj /CN=%s -passout "
      .. "'pass:open sesame' -keyout %s.key -out %s.pem 2>&1"):format(keys, name, name, name))
  end
end

setup(function()
  make_keys()
  provider = oidc.start {
    device_life = 7,
    certificates = { jwt_ps = keys .. "/jwt_ps.pem", jwt_rs = keys .. "/jwt_rs.pem" },
  }
end)

teardown(function()
  provider:stop()
  os.execute("rm -rf " .. keys)
end)

before_each(function()
  directory = curl.shell("mktemp -d"):match "%S+"
end)

after_each(function()
  os.execute("rm -rf " .. directory)
end)

local function options(client_id, more)
  local all = { tenant = provider.tenant, client_id = client_id, login_url = provider.url,
                store = auth.file_store(directory), account = "spec" }
  for name, value in pairs(more or {}) do
    all[name] = value
  end
  return all
end

local function context(timeout)
  return contexts.new { transport = sandbox.transport(), timeout = timeout or 30 }
end

-- Signs in with curl as the browser, and returns the account.
local function signed_in(client_id, more)
  local all = options(client_id, more)
  local redirect
  all.open = function(address)
    redirect = provider:authorize(address)
    os.execute(curl.COMMAND .. " -s -o /dev/null --noproxy '*' " .. curl.quote(redirect) .. " &")
  end
  local account = auth.authorization_code(all)
  assert(account:sign_in(context()))
  return account
end

-- Forces a refresh.
local function renew(account)
  return account:token(account:token(nil, context()), context())
end

-- The results of the last requests of the token endpoint.
local function last_results(count)
  local all, requests = {}, provider:requests()
  for i = #requests - count + 1, #requests do
    all[#all + 1] = requests[i].grant_type .. " " .. requests[i].result
  end
  return all
end

describe("authorization code with PKCE", function()
  it("signs in by a loopback redirect, and renews", function()
    local account = signed_in "pub"
    for _ = 1, 3 do
      assert(renew(account))
    end
    assert.same({ "refresh_token ok", "refresh_token ok", "refresh_token ok" }, last_results(3))
  end)

  it("gives tokens of two audiences, each renewed by the newest refresh token", function()
    local account = signed_in "pub"
    local graph = context()
    graph.audience = "https://graph.microsoft.com"
    for _ = 1, 2 do
      for audience, of in pairs { ["https://api.partnercenter.microsoft.com"] = context(),
                                  ["https://graph.microsoft.com"] = graph } do
        local first = assert(account:token(nil, of))
        assert.equal(audience, auth.claims(assert(account:token(first, of))).audience)
      end
    end
    assert.same({ "refresh_token ok", "refresh_token ok", "refresh_token ok",
                  "refresh_token ok" }, last_results(4))
  end)

  it("gives a token with user, MFA and audience", function()
    local said = signed_in "pub":status().claims
    assert.same({ "user", "yes", "https://api.partnercenter.microsoft.com" },
      { said.subject, said.mfa, said.audience })
  end)

  it("works with a client secret of any characters", function()
    assert(renew(signed_in("sec", { client_secret = oidc.SECRET })))
  end)

  it("returns invalid_client for a wrong secret", function()
    local account = signed_in("sec", { client_secret = oidc.SECRET })
    local wrong = auth.refresh_token(options("sec", { client_secret = "wrong" }))
    local token, err = wrong:token(account:token(nil, context()), context())
    assert.is_nil(token)
    assert.same({ "invalid_client", "invalid_client" }, { err.kind, err.oauth_error })
    assert.is_nil(tostring(err):find("wrong", 1, true))
  end)
end)

describe("a certificate in place of a secret", function()
  for client_id, alg in pairs { jwt_ps = "PS256", jwt_rs = "RS256" } do
    it("signs by " .. alg .. " with an encrypted key", function()
      local account = signed_in(client_id, {
        certificate = keys .. "/" .. client_id .. ".pem",
        certificate_key = keys .. "/" .. client_id .. ".key",
        key_passphrase = "open sesame", assertion_alg = alg,
      })
      assert(renew(account))
      assert(renew(account)) -- no assertion comes twice
    end)
  end

  it("of another client is refused", function()
    local account = signed_in("jwt_ps", {
      certificate = keys .. "/jwt_ps.pem", certificate_key = keys .. "/jwt_ps.key",
      key_passphrase = "open sesame",
    })
    local other = auth.refresh_token(options("jwt_ps", {
      certificate = keys .. "/jwt_rs.pem", certificate_key = keys .. "/jwt_rs.key",
      key_passphrase = "open sesame",
    }))
    local token, err = other:token(account:token(nil, context()), context())
    assert.is_nil(token)
    assert.equal("invalid_client", err.kind)
  end)

  for _, drift in ipairs { 600, -600 } do
    it("is accepted if the clock is wrong by " .. drift .. " s", function()
      local account = signed_in("jwt_ps", {
        certificate = keys .. "/jwt_ps.pem", certificate_key = keys .. "/jwt_ps.key",
        key_passphrase = "open sesame",
      })
      local wrong = context()
      wrong.clock = function() return os.time() + drift end
      assert(account:token(account:token(nil, wrong), wrong))
    end)
  end

  for name, case in pairs {
    ["a wrong passphrase"] = { { key_passphrase = "shut sesame" }, "passphrase" },
    ["no passphrase"] = { { key_passphrase = false }, "passphrase" },
    ["another key"] = { { certificate_key = "jwt_rs.key" }, "belongs to no certificate" },
    ["no such file"] = { { certificate_key = "none.key" }, "No such file" },
  } do
    it("with " .. name .. " is a config error that shows nothing of the key", function()
      local account = auth.refresh_token(options("jwt_ps", {
        refresh_token = "some", certificate = keys .. "/jwt_ps.pem",
        certificate_key = keys .. "/" .. (case[1].certificate_key or "jwt_ps.key"),
        key_passphrase = case[1].key_passphrase == nil and "open sesame"
          or case[1].key_passphrase or nil,
      }))
      local token, err = account:token(nil, context())
      assert.is_nil(token)
      assert.equal("config", err.kind)
      assert.truthy(err.message:find(case[2], 1, true), err.message)
      for _, secret in ipairs { "open sesame", "shut sesame", "PRIVATE" } do
        assert.is_nil(tostring(err):find(secret, 1, true))
      end
    end)
  end
end)

describe("device code", function()
  -- This provider sends no interval, so the flow waits five seconds between polls: most specs
  -- poll the endpoint themselves.
  local function begin()
    local account = auth.device_code(options("pub", { on_code = print }))
    local started = assert(grant.send(context(), account.endpoint.device_code_url,
      endpoints.add_target(account.endpoint, { client_id = "pub" })))
    return started, function()
      return account:request(context(), {
        grant_type = "urn:ietf:params:oauth:grant-type:device_code",
        device_code = started.device_code,
      })
    end
  end

  it("is pending, then valid once, then consumed", function()
    local started, poll = begin()
    local tokens, err = poll()
    assert.is_nil(tokens)
    assert.equal("authorization_pending", err.oauth_error)
    provider:approve(started.verification_uri, started.user_code)
    assert.is_string(assert(poll()).access_token)
    tokens, err = poll()
    assert.is_nil(tokens)
    assert.same({ "sign_in_required", "invalid_grant" }, { err.kind, err.oauth_error })
  end)

  it("is denied", function()
    local started, poll = begin()
    provider:deny(started.verification_uri, started.user_code)
    local _, err = poll()
    assert.same({ "sign_in_required", "access_denied" }, { err.kind, err.oauth_error })
    assert.truthy(err.hint:find("declined", 1, true))
  end)

  it("signs in once for many tokens; another code expires meanwhile", function()
    local started, poll = begin()
    local all = options "pub"
    function all.on_code(text, details)
      assert.truthy(text:find(details.user_code, 1, true))
      provider:approve(details.verification_uri, details.user_code)
    end
    local account = auth.device_code(all)
    assert(account:sign_in(context()))
    assert(renew(account))
    os.execute("sleep " .. started.expires_in - 4)
    local _, err = poll()
    assert.same({ "sign_in_required", "expired_token" }, { err.kind, err.oauth_error })
  end)
end)

describe("a refresh token", function()
  it("that was used before is refused, with the hint to sign in again", function()
    local account = signed_in "pub"
    local store = auth.file_store(directory)
    local old = store:get "spec"
    assert(renew(account))
    store:set("spec", old) -- as from a backup
    local other = auth.refresh_token(options("pub", { how_to_sign_in = "pcapi login" }))
    local token, err = other:token(other:token(nil, context()), context())
    assert.is_nil(token)
    assert.same({ "sign_in_required", "Sign in again: pcapi login" }, { err.kind, err.hint })
  end)

  it("is sent once by fifty processes that need a token at once", function()
    local account = signed_in "pub"
    local store = auth.file_store(directory)
    store:set("spec", (store:get "spec":gsub('"expires_at":%d+', '"expires_at":1000')))
    local before = #provider:requests()
    local result = sandbox.shell(([[for i in $(seq 50); do PCAPI_LOGIN_URL=%s PCAPI_CLIENT_ID=pub ]]
      .. [[%s spec/support/renew.lua %s %s & done; wait]]):format(provider.url, sandbox.lua,
      directory, provider.tenant))
    assert.equal(("ok\n"):rep(50), result.out)
    assert.equal(before + 1, #provider:requests())
    assert(renew(account))
  end)

  it("leaves no session open after its use", function()
    sandbox.leaves_nothing(function()
      local waiting = context()
      local account = signed_in "pub"
      account:token(account:token(nil, waiting), waiting)
      waiting.transport:close()
    end)
  end)
end)
