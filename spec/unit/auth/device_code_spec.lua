local auth = require "pcapi.auth"
local cjson = require "cjson"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local holds = require "spec.support.holds"
local sign_in = require "spec.support.sign_in"
local url = require "pcapi.url"

local GRANT = "urn:ietf:params:oauth:grant-type:device_code"

-- What starts the flow; false takes a member away.
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

-- Signs in. Gives the token, or nil, err; the transport; and what was shown and told:
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

describe("pcapi.auth.device_code", function()
  describe("starts", function()
    it("with the application's id and the scope, and no secret", function()
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

    it("by showing the message as it was given, and its parts", function()
      local _, _, _, said = run { started { message = "Gehen Sie zu …" }, sign_in.tokens() }
      assert.equal("Gehen Sie zu …", said.message)
      assert.same({ user_code = "ABCD-EFGH", expires_in = 900,
                    verification_uri = "https://microsoft.com/devicelogin" }, said.details)
    end)

    it("by our own words where there is no message", function()
      for _, message in ipairs { false, "", 5 } do
        local _, _, _, said = run { started { message = message }, sign_in.tokens() }
        assert.matches("https://microsoft.com/devicelogin", said.message, 1, true)
        assert.matches("ABCD-EFGH", said.message, 1, true)
      end
    end)

    it("with the address as version 1 calls it", function()
      local _, _, _, said = run { started { verification_uri = false, message = false,
        verification_url = "https://aka.ms/devicelogin" }, sign_in.tokens() }
      assert.matches("https://aka.ms/devicelogin", said.message, 1, true)
      assert.equal("https://aka.ms/devicelogin", said.details.verification_uri)
    end)

    it("by never showing the code that only the application may know", function()
      local _, _, _, said = run { started { message = false }, sign_in.tokens() }
      assert.is_false(holds(said, "SECRET"))
    end)
  end)

  describe("does not ask a person when", function()
    for name, case in pairs {
      ["the application is unknown"] = { sign_in.refusal("unauthorized_client", 700016),
        "consent_required" },
      ["the tenant is unknown"] = { sign_in.refusal("invalid_request", 90002), "config" },
      ["a proxy responses with HTML"] = { { body = "<html>" }, "protocol" },
      ["the service is not reached"] = { { kind = "network" }, "network" },
      ["there is no device code"] = { started { device_code = false }, "protocol" },
      ["there is no user code"] = { started { user_code = false }, "protocol" },
      ["there is no place to enter it"] = { started { verification_uri = false,
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

  describe("asks whether the person is done", function()
    it("with the device code, and the proof of a confidential application", function()
      local _, _, transport = run({ started(), sign_in.tokens() }, { client_secret = "SECRETs" })
      assert.equal("https://login.microsoftonline.com/fabrikam.example/oauth2/v2.0/token",
        transport.sent[2].url)
      assert.same({ grant_type = GRANT, device_code = "SECRETdevice", client_id = "me",
                    client_secret = "SECRETs" }, transport.sent[2].form)
    end)

    it("in version 1 with the resource, and the name for the code that it has there", function()
      local _, _, transport = run({ started(), sign_in.tokens() }, { oauth_version = "v1" })
      local form = transport.sent[2].form
      assert.equal("SECRETdevice", form.code)
      assert.equal(sign_in.RESOURCE, form.resource)
      assert.equal(GRANT, form.grant_type)
      assert.is_nil(form.scope)
    end)

    it("again as long as it is pending, and gives the token", function()
      local token, _, transport, said = run { started(), PENDING, PENDING, sign_in.tokens() }
      assert.equal("SECRETaccess", token)
      assert.same({ 5, 5, 5 }, transport.slept)
      assert.same({ 895, 890 }, said.waits)
    end)

    it("five seconds slower after each slow_down, for good", function()
      local _, _, transport = run { started(), SLOW_DOWN, PENDING, SLOW_DOWN, PENDING,
                                    sign_in.tokens() }
      assert.same({ 5, 10, 10, 15, 15 }, transport.slept)
    end)

    for name, case in pairs {
      ["as often as it is told"] = { 3, 3 },
      ["as often as it is told by a text"] = { "7", 7 },
      ["every five seconds when it is not told"] = { false, 5 },
      ["every five seconds when that makes no sense"] = { "soon", 5 },
      ["every five seconds when that is a list"] = { {}, 5 },
      ["every five seconds when that is never"] = { "1e999", 5 },
      ["every five seconds when that is beyond the code's life"] = { 1000, 5 },
      ["every five seconds when that is as long as the code lives"] = { 900, 5 },
      ["every five seconds when that is a number without end"] = { 1e308, 5 },
      ["every five seconds when that is no number"] = { "nan", 5 },
      ["no more rarely than every ten minutes"] = { 700, 600, 3600 },
      ["no more than once a second when told at once"] = { 0, 1 },
      ["no more than once a second when told before"] = { -5, 1 },
      ["no more than once a second when told twice"] = { 0.5, 1 },
    } do
      it(name, function()
        local _, _, transport = run({ started { interval = case[1], expires_in = case[3] or 900 },
                                      PENDING, sign_in.tokens() }, nil, { deadline = 10000 })
        assert.same({ case[2], case[2] }, transport.slept)
      end)
    end
  end)

  describe("stops when", function()
    for name, case in pairs {
      ["the person declined"] = { "authorization_declined", nil, "declined" },
      ["access was denied"] = { "access_denied", nil, "declined" },
      ["the code is too old"] = { "expired_token", 70019, "in time" },
      ["the code is not the right one"] = { "bad_verification_code", 70018, "Sign in again" },
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

    it("anything else is in the way, and says what", function()
      local err = fails { started(), sign_in.refusal("invalid_grant", 53003) }
      assert.equal("forbidden", err.kind)
      err = fails { started(), sign_in.refusal("invalid_client", 7000218, nil, { status = 401 }) }
      assert.matches("allow public client flows", err.hint, 1, true)
      assert.equal("AADSTS50999", fails({ started(),
        sign_in.refusal("invalid_grant", 50999) }).code)
      assert.equal("bad_request", fails({ started(), sign_in.refusal("teapot", 1) }).kind)
    end)

    it("nobody entered the code in time", function()
      local err, transport = fails({ started { expires_in = 20 }, PENDING, PENDING, PENDING },
        { how_to_sign_in = "pcapi login" })
      assert.equal("sign_in_required", err.kind)
      assert.matches("not entered in time", err.message, 1, true)
      assert.equal("Sign in again: pcapi login", err.hint)
      assert.equal(4, #transport.sent)
      assert.is_true(transport:now() <= 1020)
    end)

    it("the call's own time is over", function()
      local err, transport = fails({ started(), PENDING }, nil, { deadline = 1008 })
      assert.equal("sign_in_required", err.kind)
      assert.is_true(transport:now() <= 1008)
    end)

    for name, life in pairs { ["is missing"] = false, ["makes no sense"] = "soon",
                              ["is nothing"] = 0, ["is less than nothing"] = -1,
                              ["is for ever"] = "1e999", ["is no number"] = "nan",
                              ["is longer than anybody's"] = 1e308 } do
      it("a quarter of an hour is over, where the code's life " .. name, function()
        local responses = { started { expires_in = life, interval = 400 }, PENDING, PENDING }
        local err, _, said = fails(responses, nil, { deadline = 10000 })
        assert.matches("in time", err.message, 1, true)
        assert.equal(900, said.details.expires_in)
      end)
    end

    it("takes the code's life from a text", function()
      local _, _, _, said = run { started { expires_in = "600" }, sign_in.tokens() }
      assert.equal(600, said.details.expires_in)
    end)
  end)

  describe("goes on, and slower (RFC 8628 §3.5), after", function()
    for name, response in pairs {
      ["a failure of the network"] = { kind = "network" },
      ["a timeout"] = { kind = "timeout" },
      ["status 500"] = { status = 500 },
      ["status 503"] = { status = 503 },
      ["status 408"] = { status = 408 },
      ["status 429"] = { status = 429 },
      ["an answer to try later"] = sign_in.refusal("temporarily_unavailable", 90033, nil,
        { status = 503 }),
      ["the page of a network that wants a login first"] = { status = 200,
        body = "<html>Welcome to the hotel</html>" },
      ["its page with another status"] = { status = 511, body = "<html>" },
      ["its redirect"] = { status = 302, headers = { location = "https://hotel.example/" } },
      ["its refusal"] = { status = 403, body = "Log in to this network first" },
      ["its certificate"] = { kind = "tls" },
      ["an empty response"] = { status = 200, body = "" },
      ["half an response"] = { status = 200, body = '{"access_token":"SECR' },
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

    it("as many failures as there is time for, and gives the last", function()
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

    it("a failure that passed, saying that nobody was in time", function()
      local err = fails { started { expires_in = 20 }, { kind = "network" }, PENDING }
      assert.equal("sign_in_required", err.kind)
    end)

    it("as long as the service asks for", function()
      local _, _, transport = run { started(), { status = 429, headers = {
        ["retry-after"] = "57" } }, sign_in.tokens() }
      assert.same({ 5, 57 }, transport.slept)
    end)

    it("ten minutes at most, however long the service asks for", function()
      for _, asked in ipairs { "31536000", ("9"):rep(400), "Fri, 31 Dec 9999 23:59:59 GMT" } do
        local _, _, transport = run({ started { expires_in = 3600 }, { status = 503, headers = {
          ["retry-after"] = asked } }, sign_in.tokens() }, nil, { deadline = 10000 })
        assert.same({ 5, 600 }, transport.slept)
      end
    end)

    it("pages in place of responses, until the code expires, and gives the last", function()
      local responses = { started { expires_in = 300 } }
      for i = 2, 40 do
        responses[i] = { status = 200, body = "<html>" }
      end
      local err, transport = fails(responses)
      assert.equal("protocol", err.kind)
      assert.is_true(#transport.sent >= 5 and #transport.sent < 20)
      assert.is_true(transport:now() <= 1300)
    end)

    it("no failure that will not pass", function()
      local err, transport = fails { started(), { kind = "config" } }
      assert.equal("config", err.kind)
      assert.equal(2, #transport.sent)
    end)
  end)

  it("keeps what it granted: the calls that follow ask nobody", function()
    local store = auth.memory_store()
    local responses = { started(), sign_in.tokens() }
    assert.equal("SECRETaccess", (run(responses, { store = store, account = "x" })))
    local account, context, transport = sign_in.account(
      { store = store, account = "x", refresh_token = false }, {})
    assert.equal("SECRETaccess", account:token(nil, context))
    assert.equal(0, #transport.sent)
  end)

  it("keeps the device code out of every error, however the server repeats it", function()
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
