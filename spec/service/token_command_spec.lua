--- `pcapi token`, which hands a token to other programs.
local cjson = require("cjson").new()
local claims = require "pcapi.auth.claims"
local curl = require "spec.support.curl"
local homes = require "spec.support.home"
local sandbox = require "spec.support.sandbox"

local home

before_each(function()
  home = homes.new()
end)

after_each(function()
  home:remove()
end)

-- The requests to the token endpoint, by their grants.
local function grants(settings)
  local path = ("/_sandbox/log?login=%s/%s"):format(settings or "-", home.tenant)
  local all = {}
  for _, request in ipairs(cjson.decode(curl.fetch({ url = sandbox.url .. path }).body)) do
    all[#all + 1] = request.grant_type
  end
  return all
end

local function seed()
  local path = "/_sandbox/refresh_token?client_id=" .. homes.CLIENT
  return curl.fetch({ url = sandbox.url .. path }).body
end

-- An environment as in CI, with this refresh token.
local function with_refresh_token(refresh_token)
  return { PCAPI_REFRESH_TOKEN = refresh_token, PCAPI_TENANT = home.tenant,
           PCAPI_CLIENT_ID = homes.CLIENT }
end

describe("pcapi token", function()
  it("prints the access token and a line feed, and nothing else", function()
    home:sign_in()
    local result = home:run { "token" }
    assert.same({ 0, "" }, { result.status, result.err })
    assert.matches("^[%w_%-]+%.[%w_%-]+%.[%w_%-]+\n$", result.out)
    local read = claims.read(result.out:sub(1, -2))
    assert.equal("admin@fabrikam.example", read.user)
  end)

  it("prints a token that the service accepts, over a pipe", function()
    home:sign_in()
    local words = sandbox.command_line({ "token" }, { HOME = home.path, PCAPI_TOKEN = false })
    local result = sandbox.shell(("{ printf 'Authorization: Bearer '; %s; } | %s -s -H @- "
      .. "--cacert %s --noproxy '*' %s/v1/partnerRequests"):format(words, curl.COMMAND,
      sandbox.ca_file, sandbox.url))
    assert.matches('"totalCount":60', result.out, 1, true)
  end)

  it("renews a token that has expired, and only then", function()
    home:sign_in()
    assert.equal(home:run({ "token" }).out, home:run({ "token" }).out)
    assert.same({ "authorization_code" }, grants())
    home:sign_in "life=1"
    os.execute "sleep 1"
    local result = home:run({ "token" }, { PCAPI_LOGIN_URL = homes.login_url "life=1" })
    assert.equal(0, result.status, result.err)
    assert.same({ "authorization_code", "refresh_token" }, grants "life=1")
  end)

  it("prints the token that was given", function()
    local result = home:run({ "token" }, { PCAPI_TOKEN = " some.token \n" })
    assert.same({ 0, "some.token\n", "" }, { result.status, result.out, result.err })
    assert.equal("other.token\n", home:run({ "--token-stdin", "token" }, nil, "other.token").out)
    result = home:run({ "token" }, { PCAPI_TOKEN = "SECRET token" })
    assert.same({ 4, "" }, { result.status, result.out })
    assert.is_nil(result.err:find("SECRET", 1, true))
  end)

  it("prints nothing if nobody is signed in", function()
    for _, words in ipairs { { "token" }, { "token", "--json" }, { "token", "--refresh-token" } } do
      local result = home:run(words)
      assert.same({ 4, "" }, { result.status, result.out })
      assert.matches("Run: pcapi login", result.err, 1, true)
    end
  end)

  it("prints nothing if the sign-in has ended", function()
    home:sign_in "life=1"
    os.execute "sleep 1"
    for _, words in ipairs { { "token" }, { "token", "--refresh-token" } } do
      local result = home:run(words, { PCAPI_LOGIN_URL = homes.login_url "aadsts=700082" })
      assert.same({ 4, "" }, { result.status, result.out })
      assert.matches("Sign in again: pcapi login", result.err, 1, true)
    end
  end)

  it("--json adds expiry, user, tenant and audience", function()
    home:sign_in()
    local result = home:run { "token", "--json" }
    local object = cjson.decode(result.out)
    assert.equal(object.access_token .. "\n", home:run({ "token" }).out)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", object.expires_at)
    assert.same({ "default", "admin@fabrikam.example", "https://api.partnercenter.microsoft.com" },
      { object.profile, object.user, object.audience })
    assert.is_nil(object.refresh_token)
    object = cjson.decode(home:run({ "token", "--json" },
      { PCAPI_TOKEN = sandbox.token { exp = 2000000000 } }).out)
    assert.equal("2033-05-18T03:33:20Z", object.expires_at)
    object = cjson.decode(home:run({ "token", "--json" }, { PCAPI_TOKEN = "opaque" }).out)
    assert.same({ "opaque", nil }, { object.access_token, object.expires_at })
  end)
end)

describe("pcapi token --refresh-token", function()
  it("prints the refresh token, which signs in elsewhere", function()
    home:sign_in()
    local result = home:run { "token", "--refresh-token" }
    assert.same({ 0, "" }, { result.status, result.err })
    assert.matches("^%S+\n$", result.out)
    local other = homes.new()
    finally(function() other:remove() end)
    local list = other:run({ "non-mfa" }, with_refresh_token(result.out))
    assert.equal(0, list.status, list.err)
  end)

  it("prints a new one for that of the environment, which ends 90 days after its issue", function()
    local given = seed()
    local result = home:run({ "token", "--refresh-token" }, with_refresh_token(given))
    assert.same({ 0, "" }, { result.status, result.err })
    assert.not_equal(given .. "\n", result.out)
    assert.same({ "refresh_token" }, grants())
    assert.equal(0, home:run({ "non-mfa" }, with_refresh_token(result.out)).status)
  end)

  it("--json adds its end and the account that it needs", function()
    home:sign_in()
    local object = cjson.decode(home:run({ "token", "--refresh-token", "--json" }).out)
    assert.equal(object.refresh_token .. "\n", home:run({ "token", "--refresh-token" }).out)
    assert.same({ home.tenant, homes.CLIENT }, { object.tenant, object.client_id })
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT", object.sign_in_until)
    assert.is_nil(object.access_token)
  end)

  it("has none for an access token that was given", function()
    for _, words in ipairs { { "token", "--refresh-token" },
                             { "--token-stdin", "token", "--refresh-token" } } do
      local result = home:run(words, { PCAPI_TOKEN = "some.token" }, "other.token")
      assert.same({ 2, "" }, { result.status, result.out })
      assert.matches("an access token has no refresh token", result.err, 1, true)
    end
  end)

  it("warns on a terminal, where it stays on the screen", function()
    home:sign_in()
    local result = home:run_on_terminal { "token", "--refresh-token" }
    assert.equal(0, result.status, result.screen)
    assert.matches("pcapi: whoever reads this refresh token can sign in", result.screen, 1, true)
    result = home:run_on_terminal { "-q", "token", "--refresh-token" }
    assert.is_nil(result.screen:find("pcapi:", 1, true))
    result = home:run_on_terminal({ "token", "--refresh-token" }, nil, nil, "| cat")
    assert.is_nil(result.screen:find("pcapi:", 1, true))
    result = home:run_on_terminal { "token" }
    assert.matches("^%S+\n$", result.screen)
  end)
end)
