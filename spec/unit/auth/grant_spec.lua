local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local grant = require "pcapi.auth.grant"
local holds = require "spec.support.holds"
local sign_in = require "spec.support.sign_in"
local time = require "pcapi.time"

local NOW = fake.NOW
local TOKEN_URL = "https://login.example/t/oauth2/v2.0/token"

-- Requests tokens. `how` may have `client`, `context` (more fields of them) and `form`.
-- Returns the tokens, or nil, err; and the transport.
local function ask(responses, how)
  how = how or {}
  local transport = fake.new(responses)
  local client = sign_in.merged({
    endpoint = { token_url = TOKEN_URL }, client_id = "me", uses_clock = false,
    authenticate = function() return true end,
  }, how.client)
  local tokens, err = grant.request(sign_in.context(transport, how.context), client,
    sign_in.merged({ grant_type = "refresh_token", refresh_token = "SECRETold" }, how.form))
  return tokens, err, transport
end

local function fails(responses, how)
  local tokens, err, transport = ask(responses, how)
  assert.is_nil(tokens)
  assert.is_true(errors.is(err))
  return err, transport
end

local function tokens_with(changes)
  return (assert(ask { sign_in.tokens(changes) }))
end

local function http_date(at)
  return os.date("!%a, %d %b %Y %H:%M:%S GMT", at)
end

describe("a request to the token endpoint", function()
  describe("sends", function()
    it("a form with the client id to the token endpoint", function()
      local _, _, transport = ask { sign_in.tokens() }
      local sent = transport.sent[1]
      assert.equal("POST", sent.method)
      assert.equal(TOKEN_URL, sent.url)
      assert.equal("application/x-www-form-urlencoded", sent.header["content-type"])
      assert.equal("application/json", sent.header.accept)
      assert.same({ grant_type = "refresh_token", refresh_token = "SECRETold", client_id = "me" },
        sent.form)
    end)

    it("every value percent-encoded", function()
      local value = "a&b=c+d %/~\195\188\r\n"
      local _, _, transport = ask({ sign_in.tokens() }, { form = { refresh_token = value } })
      assert.equal(value, transport.sent[1].form.refresh_token)
      assert.is_nil(transport.sent[1].body:find "[^%w%-._~%%&=]")
    end)

    it("the credential of the application", function()
      local function authenticate(form, where)
        form.client_secret = "SECRET for " .. where
        return true
      end
      local _, _, transport = ask({ sign_in.tokens() },
        { client = { authenticate = authenticate } })
      assert.equal("SECRET for " .. TOKEN_URL, transport.sent[1].form.client_secret)
    end)

    it("nothing if the credential cannot be used", function()
      local why = errors.new { kind = "config", message = "no secret" }
      local function authenticate()
        return nil, why
      end
      local err, transport = fails({}, { client = { authenticate = authenticate } })
      assert.equal(why, err)
      assert.equal(0, #transport.sent)
    end)

    it("a new client-request-id for each attempt", function()
      local _, _, transport = ask { { status = 503 }, sign_in.tokens() }
      local first = transport.sent[1].header["client-request-id"]
      assert.matches("^%x+%-%x+%-4%x+%-%x+%-%x+$", first)
      assert.not_equal(first, transport.sent[2].header["client-request-id"])
    end)

    it("with a timeout of 30 seconds, or of the time until the deadline", function()
      local _, _, transport = ask { sign_in.tokens() }
      assert.equal(30, transport.sent[1].timeout)
      _, _, transport = ask({ sign_in.tokens() }, { context = { deadline = 1007 } })
      assert.equal(7, transport.sent[1].timeout)
      _, _, transport = ask({ sign_in.tokens() }, { context = { deadline = 900 } })
      assert.is_true(transport.sent[1].timeout > 0 and transport.sent[1].timeout < 0.1)
    end)

    it("with a limit of the response's size", function()
      local _, _, transport = ask { sign_in.tokens() }
      assert.is_true(transport.sent[1].max_body <= 1024 * 1024)
    end)
  end)

  describe("returns", function()
    it("access token and refresh token", function()
      local tokens = tokens_with()
      assert.equal("SECRETaccess", tokens.access_token)
      assert.equal("SECRETnew", tokens.refresh_token)
    end)

    it("no refresh token if the response has no usable one", function()
      for _, value in ipairs { false, "", 5, {}, true } do
        assert.is_nil(tokens_with({ refresh_token = value }).refresh_token)
      end
    end)

    it("the refresh token that was sent if the response repeats it", function()
      assert.equal("SECRETold", tokens_with({ refresh_token = "SECRETold" }).refresh_token)
    end)

    it("an access token that equals a secret of the form", function()
      local tokens = assert(ask({ sign_in.tokens { access_token = "SECRETsame" } },
        { form = { refresh_token = "SECRETsame" } }))
      assert.equal("SECRETsame", tokens.access_token)
    end)

    it("tokens also from a response with a byte order mark, or of another type", function()
      local response = sign_in.tokens()
      for _, changes in ipairs { { body = "\239\187\191" .. response.body }, { headers = {} },
                                 { headers = { ["content-type"] = "text/html" } } } do
        assert.equal("SECRETaccess",
          assert(ask { sign_in.merged(response, changes) }).access_token)
      end
    end)
  end)

  describe("takes as the life of a token", function()
    for name, case in pairs {
      ["a number"] = { 3599, 3599 },
      ["a string, as version 1 sends it"] = { "3599", 3599 },
      ["a number with a fraction"] = { 60.5, 60.5 },
      ["an hour if it is missing"] = { false, 3600 },
      ["an hour for a word"] = { "soon", 3600 },
      ["an hour for an empty string"] = { "", 3600 },
      ["an hour for zero"] = { 0, 3600 },
      ["an hour for a negative number"] = { -5, 3600 },
      ["an hour for a list"] = { {}, 3600 },
      ["an hour for true"] = { true, 3600 },
      ["an hour for a string that overflows"] = { "1e999", 3600 },
      ["an hour for nan"] = { "nan", 3600 },
      ["an hour for 30 billion years"] = { 1e18, 3600 },
      ["an hour for the largest number"] = { 1e308, 3600 },
      ["an hour for inf"] = { "inf", 3600 },
    } do
      it(name, function()
        local tokens = tokens_with { expires_in = case[1] }
        assert.equal(NOW, tokens.obtained_at)
        assert.equal(NOW + case[2], tokens.expires_at)
      end)
    end

    it("no absolute time of another clock", function()
      for _, skew in ipairs { -600, 600 } do
        local tokens = tokens_with { expires_in = "3599", expires_on = tostring(NOW + skew + 3599),
                                     not_before = tostring(NOW + skew) }
        assert.equal(NOW + 3599, tokens.expires_at)
      end
    end)
  end)

  describe("returns a protocol error, and says what to check, if", function()
    local JSON = { ["content-type"] = "application/json" }
    local HTML = { ["content-type"] = "text/html" }

    for name, response in pairs {
      ["a proxy responses with HTML"] = { headers = HTML, body = "<html>Please log in</html>" },
      ["HTML calls itself JSON"] = { headers = JSON, body = "<html>Please log in</html>" },
      ["the response is empty"] = { headers = JSON },
      ["the response is cut off"] = { headers = JSON, body = '{"access_token":"SECRETacc' },
      ["the response is garbage"] = { headers = JSON, body = "\0\1\2\255" },
      ["the response is a text"] = { headers = JSON, body = '"SECRETaccess"' },
      ["the response is null"] = { headers = JSON, body = "null" },
      ["the response is a list"] = { headers = JSON, body = '["SECRETaccess"]' },
      ["there is no access token"] = sign_in.tokens { access_token = false },
      ["the access token is empty"] = sign_in.tokens { access_token = "" },
      ["the access token is too long"] = sign_in.tokens {
        access_token = "SECRET" .. ("x"):rep(70000) },
      ["the access token is a number"] = sign_in.tokens { access_token = 5 },
      ["the status is 300"] = { status = 300 },
      ["the response is a redirect"] = { status = 302, headers = { location = "/x" } },
      ["a proxy wants a password"] = { status = 407, headers = HTML, body = "<h1>Proxy</h1>" },
      ["the address is not found"] = { status = 404, headers = HTML, body = "<h1>Not found</h1>" },
      ["an error response is of no known shape"] = { status = 400, headers = JSON, body = "[]" },
      ["an error response is empty"] = { status = 400 },
    } do
      it(name, function()
        local err, transport = fails { response }
        assert.equal("protocol", err.kind)
        assert.matches("^sign%-in: ", err.message)
        assert.matches("token_url", err.hint, 1, true)
        assert.is_false(holds(err, "SECRET"))
        assert.equal(1, #transport.sent)
      end)
    end
  end)

  it("names the type of a response that is not JSON", function()
    assert.matches("not JSON (text/html)", fails({ { headers = {
      ["content-type"] = "text/html" }, body = "<html>" } }).message, 1, true)
    assert.equal("sign-in: the response is not a JSON object", fails({ sign_in.json "5" }).message)
  end)

  describe("of an error response", function()
    it("returns kind, number, name, next step and status", function()
      local err = fails { sign_in.refusal("invalid_grant", 50076) }
      assert.equal("mfa_required", err.kind)
      assert.equal("AADSTS50076", err.code)
      assert.equal("invalid_grant", err.oauth_error)
      assert.equal("Sign in again with MFA", err.hint)
      assert.equal(400, err.status)
    end)

    it("returns the name as the code if there is no number", function()
      local err = fails { sign_in.refusal "invalid_grant" }
      assert.equal("invalid_grant", err.code)
      assert.equal("sign_in_required", err.kind)
    end)

    it("returns the description without the ids and the time at its end", function()
      assert.equal("sign-in: AADSTS50076: It is refused.",
        fails({ sign_in.refusal("invalid_grant", 50076) }).message)
    end)

    it("returns only ids that the service has logged", function()
      local err = fails { sign_in.refusal("invalid_grant", 50076,
        { trace_id = "t-1", correlation_id = "c-1" }) }
      assert.equal("t-1", err.request_id)
      assert.equal("c-1", err.correlation_id)
      local transport
      err, transport = fails { sign_in.refusal "invalid_grant" }
      assert.is_nil(err.request_id)
      assert.equal(transport.sent[1].header["client-request-id"], err.correlation_id)
      err = fails { sign_in.refusal("invalid_grant", nil, nil,
        { headers = { ["x-ms-request-id"] = "t-2" } }) }
      assert.equal("t-2", err.request_id)
    end)

    it("returns the claims of a challenge", function()
      local claims = '{"access_token":{"capolids":{"essential":true,"values":["x"]}}}'
      local err = fails { sign_in.refusal("interaction_required", 50076, { claims = claims }) }
      assert.equal(claims, err.claims)
    end)

    it("returns an unknown name as a bad request", function()
      local err = fails { sign_in.refusal("teapot", nil, { error_description = "short" }) }
      assert.equal("bad_request", err.kind)
      assert.equal("teapot", err.code)
      assert.equal("sign-in: short", err.message)
    end)

    it("goes by the status if the name is unknown", function()
      assert.equal("throttled", fails({ sign_in.refusal("teapot", nil, nil, { status = 429,
        headers = { ["retry-after"] = "500" } }) }).kind)
      local failing = sign_in.refusal("teapot", nil, nil, { status = 500 })
      assert.equal("server", fails({ failing, failing, failing, failing }).kind)
    end)

    it("goes by a known name, but 429 is always throttled", function()
      local later = sign_in.refusal("temporarily_unavailable", 90033, nil, { status = 503 })
      local err = fails { later, later, later, later }
      assert.equal("server", err.kind)
      assert.equal("Try again later", err.hint)
      local loop = sign_in.refusal("invalid_grant", 70008, nil, { status = 500 })
      assert.equal("sign_in_required", fails({ loop, loop, loop, loop }).kind)
      err = fails { sign_in.refusal("temporarily_unavailable", 90055, nil, { status = 429,
        headers = { ["retry-after"] = "500" } }) }
      assert.equal("throttled", err.kind)
      assert.equal("AADSTS90055", err.code)
      assert.matches("Try again in 500 s", err.hint, 1, true)
    end)

    it("ignores members of wrong types", function()
      for _, body in ipairs { '{"error":"invalid_grant","error_description":5,"error_codes":"x"}',
                              '{"error":"invalid_grant","error_codes":[null,{},"y"],"claims":[]}',
                              '{"error":"invalid_grant","trace_id":{},"correlation_id":7}' } do
        local err = fails { sign_in.json(body, { status = 400 }) }
        assert.equal("sign_in_required", err.kind)
        assert.equal("invalid_grant", err.code)
      end
    end)
  end)

  describe("retries", function()
    local failing = { status = 503 }

    it("after transient failures, with growing pauses", function()
      local tokens, _, transport = ask { failing, { kind = "network" }, { kind = "timeout" },
                                         sign_in.tokens() }
      assert.equal("SECRETaccess", tokens.access_token)
      assert.same({ 0.25, 0.5, 1 }, transport.slept)
      for _, sent in ipairs(transport.sent) do
        assert.equal("SECRETold", sent.form.refresh_token)
      end
    end)

    it("after it has called on_pause", function()
      local seen = {}
      ask({ failing, sign_in.tokens() }, { context = { on_pause = function(pause)
        seen[#seen + 1] = pause
      end } })
      assert.same({ { kind = "server", status = 503, seconds = 0.25, attempt = 2, attempts = 4 } },
        seen)
    end)

    for _, status in ipairs { 408, 429, 500, 502, 503, 504 } do
      it("after status " .. status, function()
        assert.is_table((ask { { status = status }, sign_in.tokens() }))
      end)
    end

    for _, status in ipairs { 400, 401, 403, 404, 405, 501 } do
      it("never after status " .. status, function()
        local _, transport = fails { { status = status } }
        assert.equal(1, #transport.sent)
        assert.same({}, transport.slept)
      end)
    end

    it("never after an OAuth error or a TLS failure", function()
      for _, response in ipairs { sign_in.refusal("invalid_grant", 70008), { kind = "tls" },
                                sign_in.refusal("invalid_client", 7000215, nil, { status = 401 }),
                                { kind = "config" }, { kind = "protocol" } } do
        local _, transport = fails { response }
        assert.equal(1, #transport.sent)
      end
    end)

    it("after the pause of Retry-After", function()
      local _, _, transport = ask { { status = 429, headers = { ["retry-after"] = "57" } },
                                    sign_in.tokens() }
      assert.same({ 57 }, transport.slept)
    end)

    it("not if that pause ends after the deadline, and returns its length", function()
      local err, transport = fails({ { status = 429, headers = { ["retry-after"] = "57" } } },
        { context = { deadline = 1050 } })
      assert.equal("throttled", err.kind)
      assert.equal(57, err.retry_after)
      assert.same({}, transport.slept)
    end)

    it("not after the deadline", function()
      local _, transport = fails({ sign_in.merged(failing, { takes = 4.9 }) },
        { context = { deadline = 1005 } })
      assert.equal(1, #transport.sent)
    end)

    it("until four attempts have failed, and returns the last failure", function()
      local err, transport = fails { failing, failing, { status = 502 }, { status = 504 } }
      assert.equal(504, err.status)
      assert.equal("server", err.kind)
      assert.equal(4, #transport.sent)
    end)

    it("with a new assertion", function()
      local n = 0
      local function authenticate(form)
        n = n + 1
        form.client_assertion = "SECRET" .. n
        return true
      end
      local _, _, transport = ask({ failing, sign_in.tokens() },
        { client = { authenticate = authenticate } })
      assert.equal("SECRET1", transport.sent[1].form.client_assertion)
      assert.equal("SECRET2", transport.sent[2].form.client_assertion)
    end)
  end)

  it("says of network failures which service was not reached", function()
    local err = fails { { kind = "tls", message = "certificate expired" } }
    assert.equal("tls", err.kind)
    assert.equal("the sign-in service: certificate expired", err.message)
  end)

  describe("after a refused assertion", function()
    -- Returns the results of ask(), and the times for which an assertion was made.
    local function ask_with_times(responses, uses_clock)
      local times = {}
      local tokens, err, transport = ask(responses, { client = {
        uses_clock = uses_clock,
        authenticate = function(_, _, now)
          times[#times + 1] = now
          return true
        end,
      } })
      return tokens, err, transport, times
    end

    local function out_of_time(drift)
      return sign_in.refusal("invalid_client", 700024, nil, {
        status = 401, headers = { date = drift and http_date(NOW + drift) or nil } })
    end

    for _, drift in ipairs { 600, -600 } do
      it(("signs one for a clock that is %d s ahead, at once"):format(drift),
        function()
          local tokens, _, transport, times = ask_with_times(
            { out_of_time(drift), sign_in.tokens() }, true)
          assert.equal(NOW + 3600, tokens.expires_at) -- by our own clock
          assert.same({ NOW, NOW + drift }, times)
          assert.same({}, transport.slept)
        end)

      it(("tries a clock that is %d s ahead once"):format(drift), function()
        local tokens, err, _, times = ask_with_times(
          { out_of_time(drift), out_of_time(drift) }, true)
        assert.is_nil(tokens)
        assert.equal("AADSTS700024", err.code)
        assert.equal(2, #times)
      end)
    end

    it("uses that clock in later attempts, too", function()
      local _, _, _, times = ask_with_times(
        { out_of_time(600), { status = 503 }, sign_in.tokens() }, true)
      assert.same({ NOW, NOW + 600, NOW + 600 }, times)
    end)

    it("does not retry if the clocks agree, or the response has no time", function()
      for _, drift in ipairs { 0, 20, -20, false } do
        local _, _, _, times = ask_with_times({ out_of_time(drift) }, true)
        assert.equal(1, #times)
      end
    end)

    it("does not retry with a secret, which depends on no clock", function()
      local _, err, _, times = ask_with_times({ out_of_time(600) }, false)
      assert.equal("invalid_client", err.kind)
      assert.equal(1, #times)
    end)

    it("does not retry after another error", function()
      local _, _, _, times = ask_with_times({ sign_in.refusal("invalid_grant", 70008, nil,
        { headers = { date = http_date(NOW + 600) } }) }, true)
      assert.equal(1, #times)
    end)

    it("returns the difference of the clocks", function()
      assert.equal(600, select(2, ask_with_times({ out_of_time(600) }, false)).clock_drift)
      assert.is_nil(select(2, ask_with_times({ out_of_time(false) }, false)).clock_drift)
      assert.equal(time.parse_http(http_date(NOW), NOW), NOW)
    end)
  end)
end)
