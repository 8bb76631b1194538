--- Tests that the sandbox signs users in as Entra does.
local cjson = require "cjson"
local token = require "sandbox.token"
local api = require "spec.support.api"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local login = require "spec.support.login"

local URL = os.getenv("PCAPI_SANDBOX_URL")
local API = "https://api.partnercenter.microsoft.com"
local SCOPE = API .. "/.default offline_access"
local CLIENT = "2f6c1a7e-41d3-4f0e-9b0a-6d5f3f0c9e21"
local REDIRECT = "http://localhost:8400/"
local DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
local JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
local VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
local sandbox_it = api.needing_sandbox(it, pending)
local new_tenant, account, post = login.new_tenant, login.account, login.post
local merged, refresh_token, refresh = login.merged, login.refresh_token, login.refresh
local refusal, claims_of, call_api = login.refusal, login.claims_of, login.call_api
local query_of, authorize, code_from = login.query_of, login.authorize, login.code_from
local redeem = login.redeem

describe("the sandbox's token endpoint", function()
  sandbox_it("issues tokens that the API accepts, in the format of version 2", function()
    local response = refresh(account())
    local body = cjson.decode(response.body)
    assert.equal(200, response.status)
    assert.equal("Bearer", body.token_type)
    assert.equal(API .. "/user_impersonation " .. API .. "/.default", body.scope)
    assert.same({ 3600, 3600 }, { body.expires_in, body.ext_expires_in })
    assert.is_nil(body.expires_on)
    assert.equal("no-store, no-cache", response.headers["cache-control"])
    assert.equal(200, call_api(body.access_token).status)
    local claims = claims_of(response)
    assert.same({ API, CLIENT, "0", "user_impersonation" },
                { claims.aud, claims.appid, claims.appidacr, claims.scp })
    assert.same({ "pwd", "mfa" }, claims.amr)
  end)

  sandbox_it("issues tokens in the format of version 1", function()
    local body = cjson.decode(refresh(account(), { resource = API, scope = "openid" }).body)
    assert.same({ "3600", "3600", API, "user_impersonation" },
                { body.expires_in, body.ext_expires_in, body.resource, body.scope })
    assert.matches("^%d+$", body.expires_on)
    assert.equal(3600, tonumber(body.expires_on) - tonumber(body.not_before))
    assert.is_string(body.id_token)
    assert.equal(200, call_api(body.access_token).status)
  end)

  sandbox_it("puts the tenant of the path into the token if it is a GUID", function()
    local tenant = new_tenant()
    assert.equal(tenant, claims_of(refresh("-/" .. tenant)).tid)
    assert.equal(token.TENANT, claims_of(refresh("-/contoso.example")).tid)
  end)

  sandbox_it("issues a new refresh token each time and accepts the old one again", function()
    local where, first = account(), refresh_token()
    local second = cjson.decode(refresh(where, { refresh_token = first }).body).refresh_token
    assert.not_equal(first, second)
    assert.equal(200, refresh(where, { refresh_token = second }).status)
    assert.equal(200, refresh(account(), { refresh_token = first, scope = false }).status)
  end)

  sandbox_it("accepts a refresh token from its own client only", function()
    assert.same({ 400, "invalid_grant", 70000 },
                refusal(refresh(account(), { refresh_token = refresh_token("another") })))
    assert.same({ 400, "invalid_grant", 70000 },
                refusal(refresh(account(), { refresh_token = "1.abc.def" })))
  end)

  sandbox_it("requires a POST form with each parameter once", function()
    local where = account() .. "/oauth2/v2.0/token"
    local function code(response)
      return cjson.decode(response.body).error_codes[1]
    end
    assert.equal(900561, code(curl.fetch { url = URL .. "/login/" .. where }))
    assert.equal(900144, code(post(where, {}, {
      args = { "-d", '{"grant_type":"refresh_token"}', "-H", "Content-Type: application/json" } })))
    for _, name in ipairs { "grant_type", "client_id", "refresh_token" } do
      local response = refresh(account(), { [name] = false })
      assert.equal(900144, code(response))
      assert.matches("'" .. name .. "'", response.body, 1, true)
    end
    assert.equal(900144, code(refresh(account(), { client_id = "" })))
    assert.equal(9000411, code(refresh(account(), nil, { args = { "-d", "client_id=another" } })))
    assert.same({ 400, "unsupported_grant_type", 70003 },
                refusal(refresh(account(), { grant_type = "password" })))
  end)

  sandbox_it("accepts scope in version 2 and resource in version 1 only", function()
    assert.same({ 400, "invalid_request", 901002 },
                refusal(refresh(account(), { resource = API }, { version = "/oauth2/v2.0" })))
    assert.same({ 400, "invalid_resource", 50001 },
                refusal(refresh(account(), nil, { version = "/oauth2" })))
    assert.same({ 400, "invalid_scope", 700022 },
                refusal(refresh(account(), { scope = "https://a.example/b " .. SCOPE })))
  end)

  sandbox_it("issues a token for another service on request", function()
    local body = cjson.decode(refresh(account(), { scope = "User.Read offline_access" }).body)
    assert.equal("https://graph.microsoft.com", token.read(body.access_token).aud)
    assert.equal(401, call_api(body.access_token).status)
  end)

  sandbox_it("refuses in Entra's format, with the ids of the request", function()
    local id = new_tenant()
    local response = refresh(account("aadsts=50076"), nil,
                           { headers = { "client-request-id: " .. id } })
    local body = cjson.decode(response.body)
    assert.same({ 400, "invalid_grant", 50076 }, refusal(response))
    assert.matches("^AADSTS50076: Due to a configuration change .-\r\nTrace ID: "
      .. "%x+%-%x+%-%x+%-%x+%-%x+\r\nCorrelation ID: " .. id:gsub("%-", "%%-")
      .. "\r\nTimestamp: %d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%dZ$", body.error_description)
    assert.same({ id, id }, { body.correlation_id, response.headers["client-request-id"] })
    assert.equal(body.trace_id, response.headers["x-ms-request-id"])
    assert.matches("code=50076$", body.error_uri)
    assert.equal("basic_action", body.suberror)
    assert.is_table(cjson.decode(body.claims).access_token.capolids)
  end)

  sandbox_it("returns 404 outside of a login", function()
    assert.equal(404, post(account() .. "/oauth2/v2.0/tokens", {}).status)
    assert.equal(404, post("-/oauth2/token", {}).status)
  end)
end)

describe("the sandbox's clients", function()
  local function base64url(text)
    local file = files.temporary()
    local out = assert(io.open(file, "wb"))
    out:write(text)
    out:close()
    local encoded = curl.shell("base64 -w0 <" .. file):gsub("+", "-"):gsub("/", "_"):gsub("=", "")
    os.remove(file)
    return encoded
  end

  -- Makes an assertion of this client for version 2 of a login, with these parts replaced.
  local function assertion(where, header, claims)
    local now = os.time()
    return base64url(cjson.encode(merged({
      alg = "PS256", typ = "JWT", ["x5t#S256"] = ("A"):rep(43) }, header))) .. "."
      .. base64url(cjson.encode(merged({
        aud = URL .. "/login/" .. where .. "/oauth2/v2.0/token", iss = CLIENT, sub = CLIENT,
        jti = new_tenant(), nbf = now, iat = now, exp = now + 300 }, claims))) .. ".c2ln"
  end

  local function show(where, header, claims, fields)
    return refresh(where, merged({
      client_assertion_type = JWT_BEARER,
      client_assertion = assertion(where, header, claims) }, fields))
  end

  sandbox_it("may have any secret unless one is set", function()
    local response = refresh(account(), { client_secret = "any" })
    assert.equal("1", claims_of(response).appidacr)
    local where = account("secret=a%3Bb%2F+c")
    assert.equal(200, refresh(where, { client_secret = "a;b/+c" }).status)
    assert.same({ 401, "invalid_client", 7000215 },
                refusal(refresh(where, { client_secret = "a" })))
    assert.same({ 401, "invalid_client", 7000218 }, refusal(refresh(where)))
  end)

  sandbox_it("may sign an assertion", function()
    local where = account("secret=x")
    assert.equal("2", claims_of(show(where)).appidacr)
    assert.equal(200, show(where, { alg = "RS256" }).status)
  end)

  sandbox_it("learn what is wrong with an assertion", function()
    local where = account()
    local function reason(header, claims, fields)
      local response = show(where, header, claims, fields)
      assert.same({ 401, "invalid_client", 700027 }, refusal(response))
      return cjson.decode(response.body).error_description:match("Reason %- (.-)%]")
    end
    assert.matches("alg", reason { alg = "HS256" })
    assert.matches("x5t#S256", reason { ["x5t#S256"] = false })
    assert.matches("aud must be " .. URL, reason(nil, { aud = URL }), 1, true)
    assert.matches("iss and sub", reason(nil, { sub = "another" }))
    assert.matches("jti", reason(nil, { jti = false }))
    assert.matches("exp", reason(nil, { exp = "soon" }))
    assert.matches("three parts", reason(nil, nil, { client_assertion = "a.b" }))
    assert.matches("client_assertion_type", reason(nil, nil, { client_assertion_type = "saml" }))
  end)

  sandbox_it("are checked against the server's clock", function()
    local function refused(settings, claims)
      return refusal(show(account(settings), nil, claims))[3]
    end
    local now = os.time()
    assert.equal(700024, refused("-", { exp = now - 1 }))
    assert.equal(700024, refused("skew=600"))
    assert.equal(700024, refused("skew=-600"))
    assert.is_nil(refused("skew=600", { nbf = now + 600, exp = now + 900 }))
  end)
end)

describe("the sandbox's sign-in by browser", function()
  sandbox_it("redirects the browser with a code that is valid once", function()
    local where = account()
    local response = authorize(where)
    assert.equal(302, response.status)
    assert.equal(REDIRECT .. "?", response.headers.location:sub(1, #REDIRECT + 1))
    local query = query_of(response.headers.location)
    assert.equal("a state", query.state)
    local body = cjson.decode(redeem(where, { code = query.code }).body)
    assert.equal(200, call_api(body.access_token).status)
    assert.is_string(body.refresh_token)
    assert.same({ 400, "invalid_grant", 54005 }, refusal(redeem(where, { code = query.code })))
  end)

  sandbox_it("issues a refresh token only for offline_access", function()
    local where = account()
    local body = cjson.decode(redeem(where, {
      code = code_from(where, { scope = API .. "/.default" }) }).body)
    assert.is_nil(body.refresh_token)
  end)

  sandbox_it("checks the client that redeems the code", function()
    local where = account()
    local code = code_from(where)
    local function refused(fields)
      fields.code = fields.code or code
      return refusal(redeem(where, fields))[3]
    end
    assert.equal(501481, refused { code_verifier = VERIFIER:reverse() })
    assert.equal(501481, refused { code_verifier = false })
    assert.equal(500112, refused { redirect_uri = "http://localhost:8400" })
    assert.equal(70000, refused { client_id = "another" })
    assert.equal(70000, refused { code = refresh_token() })
    assert.equal(900144, refused { redirect_uri = false })
    assert.is_nil(refused {})
  end)

  sandbox_it("works without PKCE", function()
    local where = account()
    local code = code_from(where, { code_challenge = false, code_challenge_method = false })
    assert.equal(501481, refusal(redeem(where, { code = code }))[3])
    assert.equal(200, redeem(where, { code = code, code_verifier = false }).status)
  end)

  sandbox_it("works in version 1", function()
    local where = account()
    local location = authorize(where, { scope = false, resource = API }, "/oauth2").headers.location
    local body = cjson.decode(post(where .. "/oauth2/token", {
      grant_type = "authorization_code", client_id = CLIENT, redirect_uri = REDIRECT,
      code_verifier = VERIFIER, code = query_of(location).code }).body)
    assert.same({ "3600", API }, { body.expires_in, body.resource })
  end)

  sandbox_it("adds a path to a redirect URI without one", function()
    local response = authorize(account(), { redirect_uri = "http://localhost:8400" })
    assert.matches("^http://localhost:8400/%?", response.headers.location)
    response = authorize(account(), { redirect_uri = "http://127.0.0.1:1/a?b=c" })
    assert.matches("^http://127%.0%.0%.1:1/a%?b=c&", response.headers.location)
  end)

  sandbox_it("redirects to loopback addresses only", function()
    for _, uri in ipairs { "http://other.example/", "http://localhost.example/", "myapp://x",
                           "http://localhost@other.example/", "http://[::1]:8400/" } do
      local response = authorize(account(), { redirect_uri = uri })
      assert.same({ 400, "text/html", nil },
                  { response.status, response.headers["content-type"], response.headers.location })
      assert.matches("AADSTS50011", response.body, 1, true)
    end
  end)

  sandbox_it("returns errors in the redirect", function()
    local function back(fields, settings)
      return query_of(authorize(account(settings), fields).headers.location)
    end
    local denied = back(nil, "deny=1")
    assert.same({ "access_denied", "a state" }, { denied.error, denied.state })
    assert.matches("^AADSTS65004: ", denied.error_description)
    assert.is_nil(denied.code)
    assert.equal("unsupported_response_type", back({ response_type = "token" }).error)
    assert.equal("invalid_request", back({ code_challenge_method = "plain" }).error)
    assert.equal("invalid_request", back({ resource = API }).error)
    assert.equal("invalid_request", back({ scope = false }).error)
  end)
end)

describe("the sandbox's sign-in by device code", function()
  local function begin(where, version)
    local fields = { client_id = CLIENT, scope = SCOPE }
    if version then
      fields = { client_id = CLIENT, resource = API }
    end
    return cjson.decode(post(where .. (version or "/oauth2/v2.0") .. "/devicecode", fields).body)
  end

  local function poll(where, code, fields)
    return post(where .. "/oauth2/v2.0/token", merged({
      grant_type = DEVICE, client_id = CLIENT, device_code = code }, fields))
  end

  sandbox_it("issues a code and approves it after a poll", function()
    local where = account()
    local started = begin(where)
    assert.same({ 900, 1, 9 }, { started.expires_in, started.interval, #started.user_code })
    assert.is_truthy(started.message:find(started.user_code, 1, true))
    assert.is_truthy(started.message:find(started.verification_uri, 1, true))
    assert.equal(200, curl.fetch({ url = started.verification_uri }).status)
    assert.same({ 400, "authorization_pending", 70016 },
                refusal(poll(where, started.device_code)))
    local body = cjson.decode(poll(where, started.device_code).body)
    assert.equal(200, call_api(body.access_token).status)
    assert.is_string(body.refresh_token)
    assert.same({ 400, "invalid_grant", 54005 }, refusal(poll(where, started.device_code)))
  end)

  sandbox_it("follows the settings for polls and intervals", function()
    local where = account("slow_down=1;pending=2;interval=7")
    local started = begin(where)
    local said = {}
    for at = 1, 4 do
      said[at] = refusal(poll(where, started.device_code))[2] or "done"
    end
    assert.same({ "slow_down", "authorization_pending", "authorization_pending", "done" }, said)
    assert.equal(7, started.interval)
  end)

  sandbox_it("can end with each error", function()
    for settings, ending in pairs { declined = { 400, "authorization_declined", 65004 },
                                 denied = { 400, "access_denied", 65004 },
                                 expired = { 400, "expired_token", 70019 },
                                 bad = { 400, "bad_verification_code", 70018 } } do
      local where = account("pending=0;device=" .. settings)
      assert.same(ending, refusal(poll(where, begin(where).device_code)))
    end
  end)

  sandbox_it("accepts its own codes only", function()
    local where = account("pending=0")
    assert.equal(70018, refusal(poll(where, "1.abc.def"))[3])
    assert.equal(70018, refusal(poll(where, begin(where).device_code, { client_id = "x" }))[3])
    assert.equal(900144, refusal(poll(where))[3])
  end)

  sandbox_it("uses the names and strings of version 1", function()
    local where = account("pending=0")
    local started = begin(where, "/oauth2")
    assert.same({ "900", "1" }, { started.expires_in, started.interval })
    assert.is_string(started.verification_url)
    local body = cjson.decode(post(where .. "/oauth2/token", {
      grant_type = "device_code", client_id = CLIENT, code = started.device_code }).body)
    assert.equal("3600", body.expires_in)
  end)
end)
