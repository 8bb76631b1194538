local auth = require "pcapi.auth"
local cjson = require "cjson"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local holds = require "spec.support.holds"
local sign_in = require "spec.support.sign_in"
local url = require "pcapi.url"

local GRANT = "urn:ietf:params:oauth:grant-type:device_code"

-- The response that starts the flow; false removes a member.
local function started(changes)
  local all = sign_in.merged({
    device_code = "SECRETdevice", user_code = "ABCD-EFGH", expires_in = 900, interval = 5,
    verification_uri = "https://microsoft.com/devicelogin",
    message = "Open https://microsoft.com/devicelogin and enter ABCD-EFGH.",
  }, changes)
  for name, value in pairs(all) do
    all[name] = value or nil
  end
  return sign_in.json(all)
end

local PENDING = sign_in.refusal("authorization_pending", 70016)
local SLOW_DOWN = sign_in.refusal "slow_down"

-- Signs in. Returns the token, or nil, err; the transport; and what was reported:
-- `message`, `details`, `waits`.
local function run(responses, options, context_changes)
  local said = { waits = {} }
  local all = sign_in.merged({
    tenant = "fabrikam.example", client_id = "me",
    on_code = function(message, details)
      said.message, said.details = message, details
    end,
    on_wait = function(left) said.waits[#said.waits + 1] = left end,
  }, options)
  local transport = fake.new(responses)
  local account = auth.device_code(all)
  local token, err = account:sign_in(sign_in.context(transport,
    sign_in.merged({ deadline = transport:now() + 900 }, context_changes)))
  return token, err, transport, said
end

local function fails(responses, options, context_changes)
  local token, err, transport, said = run(responses, options, context_changes)
  assert.is_nil(token)
  assert.is_true(errors.is(err))
  assert.is_false(holds(err, "SECRET"))
  return err, transport, said
end

describe("a sign-in by device code", function()
  describe("starts", function()
    it("with the client id and the scope, and no secret", function()
      local _, _, transport = run({ started(), sign_in.tokens() }, { client_secret = "SECRET" })
      assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/v2.0/devicecode",
        transport.sent[1].url)
      assert.equal("POST", transport.sent[1].method)
      assert.same({ client_id = "me",
                    scope = sign_in.RESOURCE .. "/user_impersonation offline_access" },
        transport.sent[1].form)
    end)

    it("with the resource in version 1", function()
      local _, _, transport = run({ started(), sign_in.tokens() }, { oauth_version = "v1" })
      assert.same({ client_id = "me", resource = sign_in.RESOURCE }, transport.sent[1].form)
    end)

    it("by showing the message of the response, and its parts", function()
      local _, _, _, said = run { started { message = "Gehen Sie zu …" }, sign_in.tokens() }
      assert.equal("Gehen Sie zu …", said.message)
      assert.same({ user_code = "ABCD-EFGH", expires_in = 900,
                    verification_uri = "https://microsoft.com/devicelogin" }, said.details)
    end)

    it("by showing our own message if the response has none", function()
      for _, message in ipairs { false, "", 5 } do
        local _, _, _, said = run { started { message = message }, sign_in.tokens() }
        assert.matches("https://microsoft.com/devicelogin", said.message, 1, true)
        assert.matches("ABCD-EFGH", said.message, 1, true)
      end
    end)

    it("with the address under its name in version 1", function()
      local _, _, _, said = run { started { verification_uri = false, message = false,
        verification_url = "https://aka.ms/devicelogin" }, sign_in.tokens() }
      assert.matches("https://aka.ms/devicelogin", said.message, 1, true)
      assert.equal("https://aka.ms/devicelogin", said.details.verification_uri)
    end)

    it("without showing the device code", function()
      local _, _, _, said = run { started { message = false }, sign_in.tokens() }
      assert.is_false(holds(said, "SECRET"))
    end)
  end)

  describe("shows nothing to the user if", function()
    for name, case in pairs {
      ["the application is unknown"] = { sign_in.refusal("unauthorized_client", 700016),
        "consent_required" },
      ["the tenant is unknown"] = { sign_in.refusal("invalid_request", 90002), "config" },
      ["a proxy responds with HTML"] = { { body = "<html>" }, "protocol" },
      ["the service is not reached"] = { { kind = "network" }, "network" },
      ["there is no device code"] = { started { device_code = false }, "protocol" },
      ["there is no user code"] = { started { user_code = false }, "protocol" },
      ["there is no address to enter it"] = { started { verification_uri = false,
        message = false }, "protocol" },
    } do
      it(name, function()
        local err, transport, said = fails { case[1] }
        assert.equal(case[2], err.kind)
        assert.is_string(err.hint or err.kind == "network" and "")
        assert.is_nil(said.message)
        assert.equal(1, #transport.sent)
      end)
    end
  end)

  describe("polls", function()
    it("with the device code, and the credential of a confidential client", function()
      local _, _, transport = run({ started(), sign_in.tokens() }, { client_secret = "SECRETs" })
      assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/v2.0/token",
        transport.sent[2].url)
      assert.same({ grant_type = GRANT, device_code = "SECRETdevice", client_id = "me",
                    client_secret = "SECRETs" }, transport.sent[2].form)
    end)

    it("in version 1 with the resource, and with the code under its name there", function()
      local _, _, transport = run({ started(), sign_in.tokens() }, { oauth_version = "v1" })
      local form = transport.sent[2].form
      assert.equal("SECRETdevice", form.code)
      assert.equal(sign_in.RESOURCE, form.resource)
      assert.equal(GRANT, form.grant_type)
      assert.is_nil(form.scope)
    end)

    it("again while the sign-in is pending, and returns the token", function()
      local token, _, transport, said = run { started(), PENDING, PENDING, sign_in.tokens() }
      assert.equal("SECRETaccess", token)
      assert.same({ 5, 5, 5 }, transport.slept)
      assert.same({ 895, 890 }, said.waits)
    end)

    it("five seconds slower after each slow_down, and stays slower", function()
      local _, _, transport = run { started(), SLOW_DOWN, PENDING, SLOW_DOWN, PENDING,
                                    sign_in.tokens() }
      assert.same({ 5, 10, 10, 15, 15 }, transport.slept)
    end)

    for name, case in pairs {
      ["at the interval of the response"] = { 3, 3 },
      ["at an interval that is a string"] = { "7", 7 },
      ["every five seconds without an interval"] = { false, 5 },
      ["every five seconds if the interval is a word"] = { "soon", 5 },
      ["every five seconds if the interval is a list"] = { {}, 5 },
      ["every five seconds if the interval overflows"] = { "1e999", 5 },
      ["every five seconds if the interval is longer than the code's life"] = { 1000, 5 },
      ["every five seconds if the interval is as long as the code's life"] = { 900, 5 },
      ["every five seconds if the interval is the largest number"] = { 1e308, 5 },
      ["every five seconds if the interval is nan"] = { "nan", 5 },
      ["every ten minutes if the interval is longer"] = { 700, 600, 3600 },
      ["every second if the interval is zero"] = { 0, 1 },
      ["every second if the interval is negative"] = { -5, 1 },
      ["every second if the interval is shorter"] = { 0.5, 1 },
    } do
      it(name, function()
        local _, _, transport = run({ started { interval = case[1], expires_in = case[3] or 900 },
                                      PENDING, sign_in.tokens() }, nil, { deadline = 10000 })
        assert.same({ case[2], case[2] }, transport.slept)
      end)
    end
  end)

  describe("ends if", function()
    for name, case in pairs {
      ["the user declined"] = { "authorization_declined", nil, "declined" },
      ["access was denied"] = { "access_denied", nil, "declined" },
      ["the code has expired"] = { "expired_token", 70019, "in time" },
      ["the code is wrong"] = { "bad_verification_code", 70018, "Sign in again" },
      ["the code was used before"] = { "invalid_grant", 54005, "Sign in again" },
    } do
      it(name, function()
        local err, transport = fails { started(), PENDING, sign_in.refusal(case[1], case[2]) }
        assert.equal("sign_in_required", err.kind)
        assert.equal(case[1], err.oauth_error)
        assert.matches(case[3], err.hint, 1, true)
        assert.equal(3, #transport.sent)
      end)
    end

    it("another error occurs, and returns it", function()
      local err = fails { started(), sign_in.refusal("invalid_grant", 53003) }
      assert.equal("forbidden", err.kind)
      err = fails { started(), sign_in.refusal("invalid_client", 7000218, nil, { status = 401 }) }
      assert.matches("allow public client flows", err.hint, 1, true)
      assert.equal("AADSTS50999", fails({ started(),
        sign_in.refusal("invalid_grant", 50999) }).code)
      assert.equal("bad_request", fails({ started(), sign_in.refusal("teapot", 1) }).kind)
    end)

    it("the code was not entered in time", function()
      local err, transport = fails({ started { expires_in = 20 }, PENDING, PENDING, PENDING },
        { how_to_sign_in = "pcapi login" })
      assert.equal("sign_in_required", err.kind)
      assert.matches("not entered in time", err.message, 1, true)
      assert.equal("Sign in again: pcapi login", err.hint)
      assert.equal(4, #transport.sent)
      assert.is_true(transport:now() <= 1020)
    end)

    it("the deadline of the call has passed", function()
      local err, transport = fails({ started(), PENDING }, nil, { deadline = 1008 })
      assert.equal("sign_in_required", err.kind)
      assert.is_true(transport:now() <= 1008)
    end)

    for name, life in pairs { ["is missing"] = false, ["is invalid"] = "soon",
                              ["is zero"] = 0, ["is negative"] = -1,
                              ["overflows"] = "1e999", ["is nan"] = "nan",
                              ["is the largest number"] = 1e308 } do
      it("15 minutes have passed and the code's life " .. name, function()
        local responses = { started { expires_in = life, interval = 400 }, PENDING, PENDING }
        local err, _, said = fails(responses, nil, { deadline = 10000 })
        assert.matches("in time", err.message, 1, true)
        assert.equal(900, said.details.expires_in)
      end)
    end

    it("the code's life has passed, also if that is a string", function()
      local _, _, _, said = run { started { expires_in = "600" }, sign_in.tokens() }
      assert.equal(600, said.details.expires_in)
    end)
  end)

  describe("polls on, and slower (RFC 8628 §3.5), after", function()
    for name, response in pairs {
      ["a network failure"] = { kind = "network" },
      ["a timeout"] = { kind = "timeout" },
      ["status 500"] = { status = 500 },
      ["status 503"] = { status = 503 },
      ["status 408"] = { status = 408 },
      ["status 429"] = { status = 429 },
      ["a response to try again later"] = sign_in.refusal("temporarily_unavailable", 90033, nil,
        { status = 503 }),
      ["the page of a captive portal"] = { status = 200,
        body = "<html>Welcome to the hotel</html>" },
      ["a captive portal's page with status 511"] = { status = 511, body = "<html>" },
      ["a captive portal's redirect"] = { status = 302,
        headers = { location = "https://hotel.example/" } },
      ["a captive portal's status 403"] = { status = 403, body = "Log in to this network first" },
      ["a captive portal's certificate"] = { kind = "tls" },
      ["an empty response"] = { status = 200, body = "" },
      ["half of a response"] = { status = 200, body = '{"access_token":"SECR' },
      ["JSON of another shape"] = sign_in.json { status = "ok" },
      ["JSON that is a list"] = { status = 200, body = "[1]" },
      ["an error of another shape"] = { status = 400, body = '{"error":{"code":"x"}}' },
    } do
      it(name, function()
        local token, _, transport = run { started(), response, PENDING, sign_in.tokens() }
        assert.equal("SECRETaccess", token)
        assert.same({ 5, 10, 10 }, transport.slept)
      end)
    end

    it("failures until the deadline, and returns the last one", function()
      local down = { kind = "network", message = "no route" }
      local responses = { started() }
      for i = 2, 40 do
        responses[i] = down
      end
      local err, transport = fails(responses)
      assert.equal("network", err.kind)
      assert.is_true(#transport.sent > 8 and #transport.sent < 40)
      assert.is_true(transport.slept[#transport.slept] <= 60)
    end)

    it("a transient failure, and then times out", function()
      local err = fails { started { expires_in = 20 }, { kind = "network" }, PENDING }
      assert.equal("sign_in_required", err.kind)
    end)

    it("the pause of Retry-After", function()
      local _, _, transport = run { started(), { status = 429, headers = {
        ["retry-after"] = "57" } }, sign_in.tokens() }
      assert.same({ 5, 57 }, transport.slept)
    end)

    it("ten minutes at most, whatever Retry-After says", function()
      for _, asked in ipairs { "31536000", ("9"):rep(400), "Fri, 31 Dec 9999 23:59:59 GMT" } do
        local _, _, transport = run({ started { expires_in = 3600 }, { status = 503, headers = {
          ["retry-after"] = asked } }, sign_in.tokens() }, nil, { deadline = 10000 })
        assert.same({ 5, 600 }, transport.slept)
      end
    end)

    it("pages of a captive portal until the code expires, and returns their error", function()
      local responses = { started { expires_in = 300 } }
      for i = 2, 40 do
        responses[i] = { status = 200, body = "<html>" }
      end
      local err, transport = fails(responses)
      assert.equal("protocol", err.kind)
      assert.is_true(#transport.sent >= 5 and #transport.sent < 20)
      assert.is_true(transport:now() <= 1300)
    end)

    it("no permanent failure", function()
      local err, transport = fails { started(), { kind = "config" } }
      assert.equal("config", err.kind)
      assert.equal(2, #transport.sent)
    end)
  end)

  it("stores its tokens for later calls", function()
    local store = auth.memory_store()
    local responses = { started(), sign_in.tokens() }
    assert.equal("SECRETaccess", (run(responses, { store = store, account = "x" })))
    local account, context, transport = sign_in.account(
      { store = store, account = "x", refresh_token = false }, {})
    assert.equal("SECRETaccess", account:token(nil, context))
    assert.equal(0, #transport.sent)
  end)

  it("hides the device code in every error, however the server echoes it", function()
    for _, said in ipairs { "SECRET+device/code", url.escape "SECRET+device/code" } do
      for _, response in ipairs { { status = 400, body = said },
                                sign_in.refusal(said, nil, { error_description = said }),
                                { status = 400, body = cjson.encode { error = "invalid_grant",
                                  error_description = said } } } do
        -- time for one poll
        fails { started { device_code = "SECRET+device/code", expires_in = 14 }, response }
      end
    end
  end)
end)
