-- Where a client gets its token from an account that renews itself.
local fake = require "spec.support.fake_transport"
local holds = require "spec.support.holds"
local new_store = require("spec.support.store").new
local sign_in = require "spec.support.sign_in"

local get, failing = fake.get, fake.failing

describe("a client with an account", function()
  -- A client with an account that is signed in and renews itself.
  local function signed_in(responses, options)
    local store = new_store()
    local account = require("pcapi.auth").refresh_token {
      tenant = "fabrikam.example", client_id = "me", refresh_token = "SECRETseed",
      client_secret = "SECRETclient", store = store, account = "work",
      how_to_sign_in = "pcapi login",
    }
    local client, transport = fake.client(responses,
      sign_in.merged({ auth = account, token = "none" }, options))
    return client, transport, store, account
  end

  local ONE = sign_in.tokens { access_token = "SECRETone", refresh_token = "SECRETrefresh1" }
  local TWO = sign_in.tokens { access_token = "SECRETtwo", refresh_token = "SECRETrefresh2" }

  local function fails(...)
    local client, transport, store = signed_in(...)
    local response, err = client:request("GET", "/v1/customers")
    assert.is_nil(response)
    assert.is_false(holds(err, "SECRET"))
    return err, transport, store
  end

  it("gets a token, and calls with it", function()
    local client, transport = signed_in { ONE, {}, {} }
    assert.is_table(client:request("GET", "/v1/a"))
    assert.is_table(client:request("GET", "/v1/b"))
    assert.equal(3, #transport.sent)
    assert.equal("SECRETseed", transport.sent[1].form.refresh_token)
    assert.equal("Bearer SECRETone", transport.sent[2].header.authorization)
    assert.equal("Bearer SECRETone", transport.sent[3].header.authorization)
  end)

  it("passes it the transport, the clocks and the deadline", function()
    local seen
    local client, transport = fake.client({ {} }, { token = "none", auth = {
      token = function(_, refused, context)
        seen = { refused, context }
        return "one"
      end,
    } })
    client:request("GET", "/v1/a", { timeout = 7 })
    assert.is_nil(seen[1])
    assert.equal(transport, seen[2].transport)
    assert.equal(1007, seen[2].deadline)
    assert.equal(fake.NOW, seen[2].clock())
    assert.is_number(seen[2].random())
    assert.is_nil(seen[2].audience)
  end)

  it("passes it the audience, before the first call and after a refusal", function()
    local audiences = {}
    local client = fake.client({ failing(401), {} }, {
      token = "none", audience = "https://graph.microsoft.com", auth = {
        token = function(_, refused, context)
          audiences[#audiences + 1] = context.audience
          return refused and "two" or "one"
        end,
      },
    })
    assert.is_table(client:request("GET", "/v1/a"))
    assert.same({ "https://graph.microsoft.com", "https://graph.microsoft.com" }, audiences)
  end)

  it("can share it with a client of another audience, and each has its own token", function()
    local GRAPH = "https://graph.microsoft.com"
    local client, transport, _, account = signed_in { ONE, {}, TWO, {}, {}, {} }
    local graph = fake.client({}, { token = "none", auth = account, transport = transport,
                                    base_url = GRAPH, audience = GRAPH })
    for _ = 1, 2 do
      assert.is_table(client:request("GET", "/v1/a"))
      assert.is_table(graph:request("GET", "/v1.0/me"))
    end
    assert.matches(GRAPH .. "/.default", transport.sent[3].form.scope, 1, true)
    local sent = {}
    for _, i in ipairs { 2, 4, 5, 6 } do
      sent[#sent + 1] = transport.sent[i].url .. " " .. transport.sent[i].header.authorization
    end
    assert.same({ "https://api.partnercenter.microsoft.com/v1/a Bearer SECRETone",
                  GRAPH .. "/v1.0/me Bearer SECRETtwo",
                  "https://api.partnercenter.microsoft.com/v1/a Bearer SECRETone",
                  GRAPH .. "/v1.0/me Bearer SECRETtwo" }, sent)
  end)

  it("counts a renewal against the timeout of the call", function()
    local client, transport = signed_in { sign_in.merged(ONE, { takes = 4 }), {} }
    client:request("GET", "/v1/a", { timeout = 10 })
    assert.equal(10, transport.sent[1].timeout)
    assert.equal(6, transport.sent[2].timeout)
  end)

  it("stores a new refresh token before it uses the access token", function()
    local client, store, stored, _
    client, _, store = signed_in { ONE, function()
      stored = store.texts.work
      return {}
    end }
    assert.is_table(client:request("GET", "/v1/a"))
    assert.matches("SECRETrefresh1", stored, 1, true)
    assert.matches("SECRETone", stored, 1, true)
  end)

  it("renews after a 401, and sends the same call again, at once and once", function()
    local client, transport = signed_in { ONE, failing(401), TWO, {} }
    local response = assert(client:request("GET", "/v1/a"))
    assert.equal(2, response.attempts)
    assert.equal("SECRETrefresh1", transport.sent[3].form.refresh_token)
    assert.equal("Bearer SECRETtwo", transport.sent[4].header.authorization)
    assert.equal(transport.sent[2].header["ms-requestid"],
      transport.sent[4].header["ms-requestid"])
    assert.same({}, transport.slept)
  end)

  it("renews once, and returns a second 401", function()
    local err, transport = fails { ONE, failing(401), TWO, failing(401) }
    assert.equal("unauthorized", err.kind)
    assert.equal(401, err.status)
    assert.equal(4, #transport.sent)
  end)

  it("uses after a 401 the token that another process has stored, and renews nothing", function()
    local client, transport, store
    client, transport, store = signed_in { ONE, function()
      store.texts.work = store.texts.work:gsub("SECRETone", "SECRETtheirs")
      return failing(401)
    end, {} }
    assert.is_table(client:request("GET", "/v1/a"))
    assert.equal("Bearer SECRETtheirs", transport.sent[3].header.authorization)
    assert.equal(3, #transport.sent)
  end)

  it("renews in the middle of a list, and goes on with the same page", function()
    local client, transport = signed_in {
      ONE,
      { body = [[{"totalCount":2,"items":[{"upn":"a"}],"links":{"next":{"uri":"/more?size=1",
        "headers":[{"key":"MS-ContinuationToken","value":"c-1"}]}}}]] },
      failing(401), TWO,
      { body = '{"totalCount":2,"items":[{"upn":"b"}]}' },
    }
    local users = assert(client.security:non_mfa_principals())
    assert.equal(2, #users)
    assert.equal("b", users[2].upn)
    assert.equal(transport.sent[3].url, transport.sent[5].url)
    assert.equal("c-1", transport.sent[5].header["ms-continuationtoken"])
    assert.equal("Bearer SECRETtwo", transport.sent[5].header.authorization)
  end)

  it("returns how to sign in after a refusal for lack of MFA, and renews nothing", function()
    for _, refusal in ipairs { failing(401, { body = '{"code":"900421"}' }),
                               failing(401, { reason = "Unauthorized - MFA required" }) } do
      local err, transport = fails { ONE, refusal }
      assert.equal("mfa_required", err.kind)
      assert.equal("Sign in again with MFA: pcapi login", err.hint)
      assert.equal(2, #transport.sent)
    end
  end)

  it("finds the new sign-in in the store after a refusal for lack of MFA", function()
    local client, transport, store = signed_in { ONE, failing(401, { body =
      '{"code":"900421"}' }), {} }
    assert.is_nil((client:request("GET", "/v1/a")))
    store.texts.work = store.texts.work:gsub("SECRETone", "SECRETmfa")
    assert.is_table(client:request("GET", "/v1/a"))
    assert.equal("Bearer SECRETmfa", transport.sent[3].header.authorization)
  end)

  it("returns a general hint after a refusal for lack of MFA if the provider has none", function()
    local err = select(2, get { failing(401, { body = '{"code":"900421"}' }) })
    assert.matches("^Sign in again and pass MFA", err.hint)
  end)

  for name, case in pairs {
    ["that the sign-in has ended"] = { sign_in.refusal("invalid_grant", 700082),
      "sign_in_required", "Sign in again: pcapi login" },
    ["that MFA is missing"] = { sign_in.refusal("invalid_grant", 50076), "mfa_required",
      "Sign in again with MFA: pcapi login" },
    ["that the secret has expired"] = { sign_in.refusal("invalid_client", 7000222),
      "invalid_client", "has expired" },
    ["that the sign-in service is not reached"] = { { kind = "tls", message = "no" }, "tls" },
  } do
    it("returns " .. name .. " in place of a 401, which is its cause", function()
      local err = fails { ONE, failing(401), case[1] }
      assert.equal(case[2], err.kind)
      assert.matches(case[3] or "", err.hint or "", 1, true)
      assert.equal(401, err.cause.status)
      assert.equal("unauthorized", err.cause.kind)
    end)

    it("returns " .. name .. " before it sends anything to the service", function()
      local err, transport = fails { case[1] }
      assert.equal(case[2], err.kind)
      assert.matches(case[3] or "", err.hint or "", 1, true)
      assert.equal(1, #transport.sent)
    end)
  end

  it("returns that the store failed, with its error as the cause", function()
    local client, transport, store = signed_in {}
    store.fails.set = "disk full"
    local _, err = client:request("GET", "/v1/a")
    assert.equal("store", err.kind)
    assert.equal("disk full", err.cause)
    assert.equal(0, #transport.sent)
  end)

  it("refuses a token that cannot be sent, without showing it", function()
    for _, token in ipairs { "", "SECRET token", 5, {} } do
      local client, transport = fake.client({}, { token = "none", auth = {
        token = function() return token end } })
      local _, err = client:request("GET", "/v1/a")
      assert.equal("unauthorized", err.kind)
      assert.is_false(holds(err, "SECRET"))
      assert.equal(0, #transport.sent)
    end
  end)

  it("shows no secret in a dump", function()
    local client, transport, store = signed_in { ONE, {} }
    client:request("GET", "/v1/a")
    store.texts, transport.responses, transport.sent = {}, {}, {}
    assert.is_false(holds(client, "SECRET"))
  end)
end)

describe("the identity of a client", function()
  local sandbox_token = require "sandbox.token"

  local function identity(claims, options)
    options = options and options(claims) or { token = sandbox_token.mint(claims) }
    return (fake.client({}, options)):identity()
  end

  it("is made of the service, and tenant and application of the token", function()
    local one = identity { tid = "ONE", appid = "app" }
    assert.equal(one, identity { tid = "one", appid = "app", upn = "other@one.example" })
    assert.is_true(one ~= identity { tid = "two", appid = "app" })
    assert.is_true(one ~= identity { tid = "one", appid = "other" })
    assert.is_true(one ~= identity({ tid = "one", appid = "app" }, function(claims)
      return { token = sandbox_token.mint(claims), base_url = "https://other.example" }
    end))
  end)

  it("is unknown if a function gives the token", function()
    assert.is_nil(identity({}, function()
      return { token = function() return fake.TOKEN end }
    end))
  end)

  it("does not depend on the audience: the service's records do not", function()
    local auth = { token = function() return "x" end, identity = function() return "tenant x" end }
    local function of(audience, base_url)
      local client = fake.client({}, { token = "none", auth = auth, audience = audience,
                                       base_url = base_url })
      return client:identity()
    end
    assert.equal(of(nil, "https://graph.microsoft.com"),
      of("https://graph.microsoft.com", "https://graph.microsoft.com"))
    assert.not_equal(of "https://graph.microsoft.com",
      of("https://graph.microsoft.com", "https://graph.microsoft.com"))
  end)
end)
