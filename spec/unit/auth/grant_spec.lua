local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local grant = require "pcapi.auth.grant"
local holds = require "spec.support.holds"
local sign_in = require "spec.support.sign_in"
local time = require "pcapi.time"
local url = require "pcapi.url"

local NOW = fake.NOW
local TOKEN_URL = "https://login.example/t/oauth2/v2.0/token"

-- Asks for tokens. `how` may have `client`, `context` (more fields of them) and `form`.
-- Gives the tokens, or nil, err; and the transport.
local function ask(answers, how)
  how = how or {}
  local transport = fake.new(answers)
  local client = sign_in.merged({
    endpoint = { token_url = TOKEN_URL }, client_id = "me", proof_has_time = false,
    prove = function() return true end,
  }, how.client)
  local tokens, err = grant.request(sign_in.context(transport, how.context), client,
    sign_in.merged({ grant_type = "refresh_token", refresh_token = "SECRETold" }, how.form))
  return tokens, err, transport
end

local function fails(answers, how)
  local tokens, err, transport = ask(answers, how)
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

describe("pcapi.auth.grant", function()
  describe("sends", function()
    it("a form to the token endpoint, with the application's id", function()
      local _, _, transport = ask { sign_in.tokens() }
      local sent = transport.sent[1]
      assert.equal("POST", sent.method)
      assert.equal(TOKEN_URL, sent.url)
      assert.equal("application/x-www-form-urlencoded", sent.header["content-type"])
      assert.equal("application/json", sent.header.accept)
      assert.same({ grant_type = "refresh_token", refresh_token = "SECRETold", client_id = "me" },
        sent.form)
    end)

    it("every value encoded, so that none can end where it should not", function()
      local value = "a&b=c+d %/~\195\188\r\n"
      local _, _, transport = ask({ sign_in.tokens() }, { form = { refresh_token = value } })
      assert.equal(value, transport.sent[1].form.refresh_token)
      assert.is_nil(transport.sent[1].body:find "[^%w%-._~%%&=]")
    end)

    it("what proves who the application is", function()
      local _, _, transport = ask({ sign_in.tokens() }, { client = { prove = function(form, where)
        form.client_secret = "SECRET for " .. where
        return true
      end } })
      assert.equal("SECRET for " .. TOKEN_URL, transport.sent[1].form.client_secret)
    end)

    it("nothing when there is no such proof", function()
      local why = errors.new { kind = "config", message = "no secret" }
      local err, transport = fails({}, { client = { prove = function() return nil, why end } })
      assert.equal(why, err)
      assert.equal(0, #transport.sent)
    end)

    it("an id that the service's log can be searched by, a new one each time", function()
      local _, _, transport = ask { { status = 503 }, sign_in.tokens() }
      local first = transport.sent[1].header["client-request-id"]
      assert.matches("^%x+%-%x+%-4%x+%-%x+%-%x+$", first)
      assert.not_equal(first, transport.sent[2].header["client-request-id"])
    end)

    it("a limit of half a minute for an attempt, or of what is left", function()
      local _, _, transport = ask { sign_in.tokens() }
      assert.equal(30, transport.sent[1].timeout)
      _, _, transport = ask({ sign_in.tokens() }, { context = { deadline = 1007 } })
      assert.equal(7, transport.sent[1].timeout)
      _, _, transport = ask({ sign_in.tokens() }, { context = { deadline = 900 } })
      assert.is_true(transport.sent[1].timeout > 0 and transport.sent[1].timeout < 0.1)
    end)

    it("a limit of the answer's size", function()
      local _, _, transport = ask { sign_in.tokens() }
      assert.is_true(transport.sent[1].max_body <= 1024 * 1024)
    end)
  end)

  describe("gives", function()
    it("access token and refresh token", function()
      local tokens = tokens_with()
      assert.equal("SECRETaccess", tokens.access_token)
      assert.equal("SECRETnew", tokens.refresh_token)
    end)

    it("no refresh token where the answer has none that can be used", function()
      for _, value in ipairs { false, "", 5, {}, true } do
        assert.is_nil(tokens_with({ refresh_token = value }).refresh_token)
      end
    end)

    it("the refresh token that was sent, when the answer repeats it", function()
      assert.equal("SECRETold", tokens_with({ refresh_token = "SECRETold" }).refresh_token)
    end)

    it("what of the answer happens to be a secret that was sent", function()
      local tokens = assert(ask({ sign_in.tokens { access_token = "SECRETsame" } },
        { form = { refresh_token = "SECRETsame" } }))
      assert.equal("SECRETsame", tokens.access_token)
    end)

    it("tokens also from an answer with a byte order mark, or of another type", function()
      local answer = sign_in.tokens()
      for _, changes in ipairs { { body = "\239\187\191" .. answer.body }, { headers = {} },
                                 { headers = { ["content-type"] = "text/html" } } } do
        assert.equal("SECRETaccess",
          assert(ask { sign_in.merged(answer, changes) }).access_token)
      end
    end)
  end)

  describe("takes for the life of a token", function()
    for name, case in pairs {
      ["a number"] = { 3599, 3599 },
      ["a text, as version 1 writes it"] = { "3599", 3599 },
      ["a number with a fraction"] = { 60.5, 60.5 },
      ["an hour without one"] = { false, 3600 },
      ["an hour for words"] = { "soon", 3600 },
      ["an hour for nothing"] = { "", 3600 },
      ["an hour for no time at all"] = { 0, 3600 },
      ["an hour for less than nothing"] = { -5, 3600 },
      ["an hour for a list"] = { {}, 3600 },
      ["an hour for yes"] = { true, 3600 },
      ["an hour for ever"] = { "1e999", 3600 },
      ["an hour for what is no number"] = { "nan", 3600 },
      ["an hour for more than anybody's life"] = { 1e18, 3600 },
      ["an hour for the largest number there is"] = { 1e308, 3600 },
      ["an hour for a word that some read as a number"] = { "inf", 3600 },
    } do
      it(name, function()
        local tokens = tokens_with { expires_in = case[1] }
        assert.equal(NOW, tokens.obtained_at)
        assert.equal(NOW + case[2], tokens.expires_at)
      end)
    end

    it("no time of another clock", function()
      for _, skew in ipairs { -600, 600 } do
        local tokens = tokens_with { expires_in = "3599", expires_on = tostring(NOW + skew + 3599),
                                     not_before = tostring(NOW + skew) }
        assert.equal(NOW + 3599, tokens.expires_at)
      end
    end)
  end)

  describe("calls it a protocol error, and says what to check, when", function()
    local JSON = { ["content-type"] = "application/json" }
    local HTML = { ["content-type"] = "text/html" }

    for name, answer in pairs {
      ["a proxy answers with HTML"] = { headers = HTML, body = "<html>Please log in</html>" },
      ["HTML calls itself JSON"] = { headers = JSON, body = "<html>Please log in</html>" },
      ["the answer is empty"] = { headers = JSON },
      ["the answer is cut off"] = { headers = JSON, body = '{"access_token":"SECRETacc' },
      ["the answer is garbage"] = { headers = JSON, body = "\0\1\2\255" },
      ["the answer is a text"] = { headers = JSON, body = '"SECRETaccess"' },
      ["the answer is null"] = { headers = JSON, body = "null" },
      ["the answer is a list"] = { headers = JSON, body = '["SECRETaccess"]' },
      ["there is no access token"] = sign_in.tokens { access_token = false },
      ["the access token is empty"] = sign_in.tokens { access_token = "" },
      ["the access token is longer than any"] = sign_in.tokens {
        access_token = "SECRET" .. ("x"):rep(70000) },
      ["the access token is a number"] = sign_in.tokens { access_token = 5 },
      ["there is a choice of addresses"] = { status = 300 },
      ["the address leads elsewhere"] = { status = 302, headers = { location = "/x" } },
      ["a proxy wants a password"] = { status = 407, headers = HTML, body = "<h1>Proxy</h1>" },
      ["nobody is there"] = { status = 404, headers = HTML, body = "<h1>Not found</h1>" },
      ["a refusal is of no known shape"] = { status = 400, headers = JSON, body = "[]" },
      ["a refusal is empty"] = { status = 400 },
    } do
      it(name, function()
        local err, transport = fails { answer }
        assert.equal("protocol", err.kind)
        assert.matches("^sign%-in: ", err.message)
        assert.matches("token_url", err.hint, 1, true)
        assert.is_false(holds(err, "SECRET"))
        assert.equal(1, #transport.sent)
      end)
    end
  end)

  it("names the type of an answer that is no JSON", function()
    assert.matches("not JSON (text/html)", fails({ { headers = {
      ["content-type"] = "text/html" }, body = "<html>" } }).message, 1, true)
    assert.equal("sign-in: the answer is not a JSON object", fails({ sign_in.json "5" }).message)
  end)

  describe("of a refusal", function()
    it("gives kind, number, name, next step and status", function()
      local err = fails { sign_in.refusal("invalid_grant", 50076) }
      assert.equal("mfa_required", err.kind)
      assert.equal("AADSTS50076", err.code)
      assert.equal("invalid_grant", err.oauth_error)
      assert.equal("Sign in again with MFA", err.hint)
      assert.equal(400, err.status)
    end)

    it("gives the name as the code where there is no number", function()
      local err = fails { sign_in.refusal "invalid_grant" }
      assert.equal("invalid_grant", err.code)
      assert.equal("sign_in_required", err.kind)
    end)

    it("gives the words without the ids and the time behind them", function()
      assert.equal("sign-in: AADSTS50076: It is refused.",
        fails({ sign_in.refusal("invalid_grant", 50076) }).message)
    end)

    it("gives the ids of the service's log, and none that the service never saw", function()
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

    it("gives the claims that are asked for", function()
      local claims = '{"access_token":{"capolids":{"essential":true,"values":["x"]}}}'
      local err = fails { sign_in.refusal("interaction_required", 50076, { claims = claims }) }
      assert.equal(claims, err.claims)
    end)

    it("calls a name that is new a bad request, and keeps it", function()
      local err = fails { sign_in.refusal("teapot", nil, { error_description = "short" }) }
      assert.equal("bad_request", err.kind)
      assert.equal("teapot", err.code)
      assert.equal("sign-in: short", err.message)
    end)

    it("goes by the status where the name is new and the status says more", function()
      assert.equal("throttled", fails({ sign_in.refusal("teapot", nil, nil, { status = 429,
        headers = { ["retry-after"] = "500" } }) }).kind)
      local failing = sign_in.refusal("teapot", nil, nil, { status = 500 })
      assert.equal("server", fails({ failing, failing, failing, failing }).kind)
    end)

    it("goes by the name where that is known, but calls 429 throttled in any case", function()
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

    it("survives members of wrong types", function()
      for _, body in ipairs { '{"error":"invalid_grant","error_description":5,"error_codes":"x"}',
                              '{"error":"invalid_grant","error_codes":[null,{},"y"],"claims":[]}',
                              '{"error":"invalid_grant","trace_id":{},"correlation_id":7}' } do
        local err = fails { sign_in.json(body, { status = 400 }) }
        assert.equal("sign_in_required", err.kind)
        assert.equal("invalid_grant", err.code)
      end
    end)
  end)

  describe("tries again", function()
    local failing = { status = 503 }

    it("after what passes, waiting longer each time", function()
      local tokens, _, transport = ask { failing, { kind = "network" }, { kind = "timeout" },
                                         sign_in.tokens() }
      assert.equal("SECRETaccess", tokens.access_token)
      assert.same({ 0.25, 0.5, 1 }, transport.slept)
      for _, sent in ipairs(transport.sent) do
        assert.equal("SECRETold", sent.form.refresh_token)
      end
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

    it("never after a refusal, nor after what cannot be verified", function()
      for _, answer in ipairs { sign_in.refusal("invalid_grant", 70008), { kind = "tls" },
                                sign_in.refusal("invalid_client", 7000215, nil, { status = 401 }),
                                { kind = "config" }, { kind = "protocol" } } do
        local _, transport = fails { answer }
        assert.equal(1, #transport.sent)
      end
    end)

    it("after as long as the service asks for", function()
      local _, _, transport = ask { { status = 429, headers = { ["retry-after"] = "57" } },
                                    sign_in.tokens() }
      assert.same({ 57 }, transport.slept)
    end)

    it("not when that is beyond the deadline, and says how long it is", function()
      local err, transport = fails({ { status = 429, headers = { ["retry-after"] = "57" } } },
        { context = { deadline = 1050 } })
      assert.equal("throttled", err.kind)
      assert.equal(57, err.retry_after)
      assert.same({}, transport.slept)
    end)

    it("not when the deadline has come meanwhile", function()
      local _, transport = fails({ sign_in.merged(failing, { takes = 4.9 }) },
        { context = { deadline = 1005 } })
      assert.equal(1, #transport.sent)
    end)

    it("four times at most, and gives the last failure", function()
      local err, transport = fails { failing, failing, { status = 502 }, { status = 504 } }
      assert.equal(504, err.status)
      assert.equal("server", err.kind)
      assert.equal(4, #transport.sent)
    end)

    it("with a proof that is made anew", function()
      local n = 0
      local _, _, transport = ask({ failing, sign_in.tokens() }, { client = { prove = function(form)
        n = n + 1
        form.client_assertion = "SECRET" .. n
        return true
      end } })
      assert.equal("SECRET1", transport.sent[1].form.client_assertion)
      assert.equal("SECRET2", transport.sent[2].form.client_assertion)
    end)
  end)

  it("says of failures of the network who was not reached", function()
    local err = fails { { kind = "tls", message = "certificate expired" } }
    assert.equal("tls", err.kind)
    assert.equal("the sign-in service: certificate expired", err.message)
  end)

  describe("whose proof is refused", function()
    -- Gives what ask() gives, and the times for which a proof was made.
    local function ask_with_times(answers, proof_has_time)
      local times = {}
      local tokens, err, transport = ask(answers, { client = {
        proof_has_time = proof_has_time,
        prove = function(_, _, now)
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
      it(("by a clock that is %d s ahead makes one for that clock, at once"):format(drift),
        function()
          local tokens, _, transport, times = ask_with_times(
            { out_of_time(drift), sign_in.tokens() }, true)
          assert.equal(NOW + 3600, tokens.expires_at) -- by our own clock
          assert.same({ NOW, NOW + drift }, times)
          assert.same({}, transport.slept)
        end)

      it(("by a clock that is %d s ahead tries that once"):format(drift), function()
        local tokens, err, _, times = ask_with_times(
          { out_of_time(drift), out_of_time(drift) }, true)
        assert.is_nil(tokens)
        assert.equal("AADSTS700024", err.code)
        assert.equal(2, #times)
      end)
    end

    it("keeps to that clock in later attempts", function()
      local _, _, _, times = ask_with_times(
        { out_of_time(600), { status = 503 }, sign_in.tokens() }, true)
      assert.same({ NOW, NOW + 600, NOW + 600 }, times)
    end)

    it("does nothing of the kind where the clocks agree, or no time is told", function()
      for _, drift in ipairs { 0, 20, -20, false } do
        local _, _, _, times = ask_with_times({ out_of_time(drift) }, true)
        assert.equal(1, #times)
      end
    end)

    it("does nothing of the kind with a secret, which no clock can mend", function()
      local _, err, _, times = ask_with_times({ out_of_time(600) }, false)
      assert.equal("invalid_client", err.kind)
      assert.equal(1, #times)
    end)

    it("does nothing of the kind after another refusal", function()
      local _, _, _, times = ask_with_times({ sign_in.refusal("invalid_grant", 70008, nil,
        { headers = { date = http_date(NOW + 600) } }) }, true)
      assert.equal(1, #times)
    end)

    it("tells by how much the clocks differ", function()
      assert.equal(600, select(2, ask_with_times({ out_of_time(600) }, false)).clock_drift)
      assert.is_nil(select(2, ask_with_times({ out_of_time(false) }, false)).clock_drift)
      assert.equal(time.parse_http(http_date(NOW), NOW), NOW)
    end)
  end)

  describe("keeps out of every error", function()
    local FIELDS = { "client_secret", "client_assertion", "refresh_token", "code", "code_verifier",
                     "device_code" }
    local SECRET = "SECRET~a+b/c=d é&\"<"

    -- What a server may make of it before it sends it back.
    local SPELLINGS = {
      ["as it is"] = function(secret) return secret end,
      ["percent-encoded"] = url.escape,
      ["percent-encoded in lower case"] = function(secret)
        return (url.escape(secret):gsub("%%%x%x", string.lower))
      end,
      ["as in HTML"] = function(secret)
        return (secret:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub('"', "&quot;"))
      end,
      ["form-encoded"] = function(secret)
        return (url.escape(secret):gsub("%%20", "+"))
      end,
    }

    local function echoes(said)
      local quoted = require("cjson").encode(said)
      return {
        ["the words of a refusal"] = sign_in.refusal("invalid_grant", nil,
          { error_description = "bad: " .. said }),
        ["the words of a refusal, its slashes not escaped"] = sign_in.json(
          '{"error":"invalid_grant","error_description":' .. quoted:gsub("\\/", "/") .. "}",
          { status = 400 }),
        ["the words of a refusal, all but letters escaped"] = sign_in.json(
          '{"error":"invalid_grant","error_description":"' .. said:gsub("[^%w\128-\255]",
            function(c) return ("\\u%04x"):format(c:byte()) end) .. '"}', { status = 400 }),
        ["the name of a refusal"] = sign_in.refusal(said),
        ["the claims of a refusal"] = sign_in.refusal("invalid_grant", 50076, { claims = said }),
        ["ids of a refusal"] = sign_in.refusal("invalid_grant", nil,
          { trace_id = said, correlation_id = said }),
        ["an error of another shape"] = sign_in.json({ error = { code = said, message = said,
          target = said, innerError = { [said] = { said } } } }, { status = 400 }),
        ["a fault of the service"] = sign_in.json({ code = said, description = said,
          data = { said, { said } }, source = said }, { status = 400 }),
        ["a page"] = { status = 400, body = "<html><title>" .. said .. "</title></html>" },
        ["plain text"] = { status = 403, body = said },
        ["the reason"] = { status = 400, reason = said },
        ["a header"] = { status = 401, headers = { ["www-authenticate"] = 'Bearer claims="'
          .. said .. '"', ["x-ms-request-id"] = said, ["client-request-id"] = said } },
        ["the type of an answer that is no JSON"] = { headers = { ["content-type"] = said } },
        ["the body of an answer that is no JSON"] = { body = said },
      }
    end

    for how, spell in pairs(SPELLINGS) do
      for where, answer in pairs(echoes(spell(SECRET))) do
        it(("a secret that came back %s in %s"):format(how, where), function()
          for _, field in ipairs(FIELDS) do
            local err = fails({ answer }, { form = { [field] = SECRET } })
            assert.is_false(holds(err, "SECRET"), field .. ": " .. tostring(err))
          end
        end)
      end
    end

    it("half of a secret at the end of what is shown", function()
      for length = 150, 230 do
        local err = fails({ { status = 400, body = ("x"):rep(length) .. SECRET } },
          { form = { client_secret = SECRET } })
        assert.is_false(holds(err, "SECR"))
      end
    end)

    it("no word of it for a secret so short that it is part of others", function()
      local err = fails({ sign_in.refusal("invalid_grant", 50076) }, { form = { code = "AA" } })
      assert.equal("AADSTS50076", err.code)
      assert.equal("sign-in: AADSTS50076: It is refused.", err.message)
    end)

    it("a secret that the service answers with", function()
      for _, answer in ipairs { sign_in.tokens { access_token = false },
                                sign_in.json '{"refresh_token":"SECRETnew"' } do
        assert.is_false(holds(fails { answer }, "SECRET"))
      end
    end)
  end)
end)
