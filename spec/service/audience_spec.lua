--- Tokens of several audiences from one stored sign-in, against the sandbox's sign-in service.
local auth = require "pcapi.auth"
local claims = require "pcapi.auth.claims"
local contexts = require "pcapi.auth.context"
local curl = require "spec.support.curl"
local sandbox = require "spec.support.sandbox"
local tenants = require "spec.support.tenant"

local pcapi = sandbox.library

local PARTNER_CENTER = "https://api.partnercenter.microsoft.com"
local GRAPH = "https://graph.microsoft.com"
local AUDIENCES = { PARTNER_CENTER, GRAPH }

local directory, tenant

before_each(function()
  directory = curl.shell("mktemp -d"):match "%S+"
  tenant = tenants.new "rotate=once" -- a refresh token is good once: none is sent twice
end)

after_each(function()
  os.execute("rm -rf " .. directory)
end)

local function account(options)
  return auth.refresh_token(sandbox.merged({
    tenant = tenant.name, client_id = "client", refresh_token = tenant.refresh_token,
    login_url = sandbox.url .. "/login/" .. tenant.settings,
    store = auth.file_store(directory), account = "spec",
  }, options))
end

local function client(provider)
  return pcapi.new { auth = provider, base_url = sandbox.url, ca_file = sandbox.ca_file,
                     timeout = 20 }
end

-- The audience of the token that a client sends.
local function audience_of(made)
  local response = assert(made:request("GET", "/_sandbox/echo"))
  return claims.read(response.json.headers.authorization:match "^Bearer (.*)$").audience
end

local function context(audience)
  return contexts.new { transport = sandbox.transport(), timeout = 20, audience = audience }
end

describe("one sign-in for two audiences", function()
  it("gives each of two clients its tokens, with one renewal for each audience", function()
    for _ = 1, 10 do
      for _, audience in ipairs(AUDIENCES) do -- new accounts, as in two programs run by cron
        assert.equal(audience, audience_of(client(account { resource = audience })))
      end
    end
    assert.equal(2, tenant:refreshes())
  end)

  it("does so for one account, whose calls name the audience", function()
    local one = account()
    for _ = 1, 10 do
      for _, audience in ipairs(AUDIENCES) do
        assert.equal(audience, claims.read(assert(one:token(nil, context(audience)))).audience)
      end
    end
    assert.equal(2, tenant:refreshes())
  end)

  for _, version in ipairs { "v1", "v2" } do
    it("works at version " .. version .. " of the endpoint", function()
      local one = account { oauth_version = version }
      for _, audience in ipairs(AUDIENCES) do
        assert.equal(audience, claims.read(assert(one:token(nil, context(audience)))).audience)
      end
    end)
  end

  it("renews only the audience whose token was refused", function()
    local one = account()
    assert(one:token(nil, context()))
    local graph = assert(one:token(nil, context(GRAPH)))
    local again = assert(one:token(graph, context(GRAPH)))
    assert.not_equal(graph, again)
    assert.equal(GRAPH, claims.read(again).audience)
    assert(one:token(nil, context()))
    assert.equal(3, tenant:refreshes())
  end)

  it("serves fifty processes that need a token at once, with one renewal for each audience",
    function()
      assert(account():token(nil, context()))
      local store = auth.file_store(directory)
      store:set("spec", (store:get "spec":gsub('"expires_at":%d+', '"expires_at":1000')))
      local result = sandbox.shell(([[for i in $(seq 25); do for audience in %s %s; do
        PCAPI_LOGIN_URL=%s %s spec/support/renew.lua %s %s 1 $audience & done; done; wait]]):format(
        PARTNER_CENTER, GRAPH, sandbox.url .. "/login/" .. tenant.settings, sandbox.lua, directory,
        tenant.name))
      assert.equal(("ok\n"):rep(50), result.out)
      assert.equal(1 + 2, tenant:refreshes())
    end)

  it("serves two processes that alternate, with one renewal for each audience", function()
    assert(account():token(nil, context()))
    local result = sandbox.shell(([[for audience in %s %s; do for i in 1 2; do
      PCAPI_LOGIN_URL=%s %s spec/support/renew.lua %s %s 20 $audience & done; done; wait]]):format(
      PARTNER_CENTER, GRAPH, sandbox.url .. "/login/" .. tenant.settings, sandbox.lua, directory,
      tenant.name))
    assert.equal(("ok\n"):rep(4), result.out)
    assert.equal(2, tenant:refreshes())
  end)

  it("serves more audiences than it stores: the oldest is renewed when it is needed", function()
    local one = account()
    for i = 1, 9 do
      assert(one:token(nil, context("https://" .. i .. ".example")))
    end
    assert(one:token(nil, context "https://2.example"))
    assert.equal(9, tenant:refreshes())
    assert(one:token(nil, context "https://1.example"))
    assert.equal(10, tenant:refreshes())
  end)
end)
