--- Tests the faults, the tokens and the log of the sandbox's sign-in.
local cjson = require "cjson"
local settings = require "sandbox.login.settings"
local api = require "spec.support.api"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local login = require "spec.support.login"

local URL = os.getenv("PCAPI_SANDBOX_URL")
local API = "https://api.partnercenter.microsoft.com"
local SCOPE = API .. "/.default offline_access"
local CLIENT = "2f6c1a7e-41d3-4f0e-9b0a-6d5f3f0c9e21"
local sandbox_it = api.needing_sandbox(it, pending)
local account, post, refresh_token = login.account, login.post, login.refresh_token
local refresh, refusal, claims_of = login.refresh, login.refusal, login.claims_of
local call_api, encode, authorize = login.call_api, login.encode, login.authorize
local code_from, redeem = login.code_from, login.redeem

describe("a fault of the sandbox's sign-in", function()
  sandbox_it("can be any AADSTS code, with its OAuth error", function()
    local function refused(text)
      return refusal(refresh(account(text)))
    end
    assert.same({ 401, "invalid_client", 7000222 }, refused("aadsts=7000222"))
    assert.same({ 503, "temporarily_unavailable", 90033 }, refused("aadsts=90033"))
    assert.same({ 400, "invalid_grant", 123456 }, refused("aadsts=123456"))
    assert.same({ 403, "interaction_required", 53003 },
                refused("aadsts=53003;error=interaction_required;status=403"))
    local v1 = refresh(account("aadsts=50079"), { resource = API })
    assert.same({ 400, "interaction_required", 50079 }, refusal(v1))
    assert.is_string(cjson.decode(v1.body).claims)
  end)

  sandbox_it("can be an OAuth error without an AADSTS code", function()
    local response = refresh(account("error=server_error;status=500;retry_after=7"))
    assert.same({ 500, "server_error" }, refusal(response))
    assert.equal("7", response.headers["retry-after"])
  end)

  sandbox_it("can be a status with a realistic body", function()
    assert.same({ 429, "temporarily_unavailable", 90055 },
                refusal(refresh(account("status=429"))))
    assert.matches("<title>", refresh(account("status=502")).body)
    assert.same({ 400, "invalid_request", 9002313 }, refusal(refresh(account("status=400"))))
  end)

  sandbox_it("can be a response that is not JSON", function()
    local html = refresh(account("body=html;status=403"))
    assert.same({ 403, "text/html" }, { html.status, html.headers["content-type"] })
    assert.equal("", refresh(account("body=empty")).body)
    assert.matches("^\137PNG", refresh(account("body=garbage")).body)
    assert.matches('^{"token_type":"Bearer".*[^}]$', refresh(account("body=truncated")).body)
    assert.is_true(refresh(account("cut=headers")).exit > 0)
    assert.is_true(refresh(account("delay=0.3")).seconds >= 0.3)
  end)

  sandbox_it("ends after `times` requests of one login", function()
    local first, second = account("status=503;times=2"), account("status=503;times=2")
    local function status(where)
      return refresh(where).status
    end
    assert.same({ 503, 503, 200 }, { status(first), status(first), status(first) })
    assert.equal(503, status(second))
  end)

  sandbox_it("does not use up a code", function()
    local where = account("status=503;times=1")
    local code = code_from(where)
    assert.equal(503, redeem(where, { code = code }).status)
    assert.equal(200, redeem(where, { code = code }).status)
  end)

  sandbox_it("can be at the device code endpoint", function()
    local function statuses(where)
      local fields = { client_id = CLIENT, scope = SCOPE }
      return { post(where .. "/oauth2/v2.0/devicecode", fields).status, refresh(where).status }
    end
    assert.same({ 200, 400 }, statuses(account("aadsts=90002")))
    assert.same({ 400, 200 }, statuses(account("aadsts=90002;on=devicecode")))
  end)

  sandbox_it("never hides an invalid request", function()
    assert.same({ 400, "invalid_request", 900144 },
                refusal(refresh(account("body=html"), { client_id = false })))
  end)
end)

describe("the sandbox's tokens", function()
  sandbox_it("have the requested lifetime, in the requested format", function()
    local response = refresh(account("life=5;expires=string"))
    assert.equal("5", cjson.decode(response.body).expires_in)
    local claims = claims_of(response)
    assert.equal(5, claims.exp - claims.iat)
    local v1 = cjson.decode(refresh(account("expires=number"), { resource = API }).body)
    assert.same({ 3600, "number" }, { v1.expires_in, type(v1.expires_on) })
    assert.is_nil(cjson.decode(refresh(account("expires=none")).body).expires_in)
  end)

  sandbox_it("can come without a refresh token", function()
    assert.is_nil(cjson.decode(refresh(account("rotate=0")).body).refresh_token)
  end)

  sandbox_it("can come with a refresh token that is valid once", function()
    local where = account "rotate=once"
    local second = cjson.decode(refresh(where).body).refresh_token
    assert.equal(200, refresh(where, { refresh_token = second }).status)
    assert.same({ 400, "invalid_grant", 70000 },
      refusal(refresh(where, { refresh_token = second })))
  end)

  sandbox_it("have the requested claim about MFA", function()
    assert.same({ "pwd" }, claims_of(refresh(account("amr=pwd"))).amr)
    assert.same({ "rsa", "ngcmfa" }, claims_of(refresh(account("amr=rsa,ngcmfa"))).amr)
    assert.is_nil(claims_of(refresh(account("amr=false"))).amr)
  end)

  sandbox_it("can belong to an application without a user", function()
    local response = refresh(account("app_only=1"))
    local claims = claims_of(response)
    assert.is_nil(claims.scp or claims.amr or claims.upn)
    assert.is_table(claims.roles)
    assert.equal(403, call_api(cjson.decode(response.body).access_token).status)
  end)

  sandbox_it("pass a scenario on to the API", function()
    local response = refresh(account("scenario=records%3D3%3Bbom%3D0"))
    local requests = call_api(cjson.decode(response.body).access_token)
    assert.equal(3, #cjson.decode(requests.body).items)
  end)

  sandbox_it("follow a server's clock that is ahead or behind", function()
    for _, skew in ipairs { 600, -600 } do
      local response = refresh(account("skew=" .. skew))
      local now = os.time() + skew
      assert.is_true(math.abs(claims_of(response).iat - now) < 5)
      local date = curl.shell("date -u +%s -d " .. curl.quote(response.headers.date))
      assert.is_true(math.abs(tonumber(date) - now) < 5)
      local requests = call_api(cjson.decode(response.body).access_token)
      assert.equal(200, requests.status)
      date = curl.shell("date -u +%s -d " .. curl.quote(requests.headers.date))
      assert.is_true(math.abs(tonumber(date) - now) < 5)
    end
  end)
end)

describe("a login of the sandbox", function()
  sandbox_it("refuses unknown settings", function()
    for text, what in pairs { ["aadts=1"] = "setting: aadts", ["aadsts=x"] = "aadsts=x",
                               ["times=2"] = "times needs", ["nobody"] = "preset: nobody",
                               ["scenario=recods%3D1"] = "scenario=", ["life=-1"] = "life=-1" } do
      local response = refresh(account(text))
      assert.same({ 400, "text/plain" }, { response.status, response.headers["content-type"] })
      assert.matches(what, response.body, 1, true)
    end
  end)

  sandbox_it("logs its requests without secrets", function()
    local where = account("pending=0;times=1;status=503")
    local secret, held = "tell-nobody", refresh_token()
    refresh(where, { client_secret = secret, refresh_token = held })
    authorize(where, { state = secret })
    local response = curl.fetch { url = URL .. "/_sandbox/log?login=" .. encode(where) }
    local log = cjson.decode(response.body)
    assert.equal(2, #log)
    assert.same({ "POST", "/login/" .. where .. "/oauth2/v2.0/token", "refresh_token", "secret" },
                { log[1].method, log[1].uri, log[1].grant_type, log[1].client_auth })
    assert.same({ "client_id", "client_secret", "grant_type", "refresh_token", "scope" },
                log[1].parameters)
    assert.is_true(log[2].at >= log[1].at)
    assert.equal("GET", log[2].method)
    assert.is_nil(response.body:find(secret, 1, true) or response.body:find(held, 1, true))
    assert.equal(response.body, curl.fetch({ url = URL .. "/_sandbox/log?login=" .. where }).body)
  end)

  sandbox_it("works without settings", function()
    local base = os.getenv("PCAPI_LOGIN_URL")
    assert.equal(URL .. "/login/-", base)
  end)

  sandbox_it("has each of its settings in the README", function()
    local readme = files.slurp("sandbox/README.md"):match("## Signing in.*")
    for name in pairs(settings.known) do
      assert.matches("`" .. name .. "=", readme, 1, true)
    end
  end)
end)
