local client_ = require "pcapi.client"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local fake_core = require "spec.support.fake_core"
local holds = require "spec.support.holds"
local raises = require "spec.support.raises"
local sign_in = require "spec.support.sign_in"
local store_ = require "spec.support.store"

local TOKEN = fake.TOKEN
local UUID = "^%x+%-%x+%-4%x+%-%x+%-%x+$"

local function get(answers, options, request)
  local client, transport = fake.client(answers, options)
  local response, err = client:request("GET", "/v1/customers", request)
  return response, err, transport
end

local function failing(status, changes)
  local made = { status = status }
  for name, value in pairs(changes or {}) do
    made[name] = value
  end
  return made
end

describe("pcapi.client", function()
  describe("sends", function()
    it("token, Accept, ValidateMfa and two ids, and nothing else", function()
      local _, _, transport = get { {} }
      local header = transport.sent[1].header
      assert.equal("Bearer " .. TOKEN, header.authorization)
      assert.equal("application/json", header.accept)
      assert.equal("true", header.validatemfa)
      assert.matches(UUID, header["ms-requestid"])
      assert.matches(UUID, header["ms-correlationid"])
      assert.equal(5, #transport.sent[1].headers)
    end)

    it("another request id and correlation id with every call", function()
      local client, transport = fake.client { {}, {} }
      client:request("GET", "/v1/a")
      client:request("GET", "/v1/b")
      local first, second = transport.sent[1].header, transport.sent[2].header
      assert.not_equal(first["ms-requestid"], second["ms-requestid"])
      assert.not_equal(first["ms-correlationid"], second["ms-correlationid"])
      assert.not_equal(first["ms-requestid"], first["ms-correlationid"])
    end)

    it("the ids of the caller", function()
      local _, _, transport = get({ {} }, nil, { request_id = "r-1", correlation_id = "c-1" })
      assert.equal("r-1", transport.sent[1].header["ms-requestid"])
      assert.equal("c-1", transport.sent[1].header["ms-correlationid"])
    end)

    it("client-request-id as well where that is asked for", function()
      local _, _, transport = get({ {} }, { partner_api_headers = true })
      local header = transport.sent[1].header
      assert.equal(header["ms-requestid"], header["client-request-id"])
    end)

    it("no ValidateMfa where that is not wanted", function()
      local _, _, transport = get({ {} }, { validate_mfa = false })
      assert.is_nil(transport.sent[1].header.validatemfa)
    end)

    it("headers of the client, and of the call over them, whatever their case", function()
      local _, _, transport = get({ {} },
        { headers = { accept = "text/json", ["X-Locale"] = "de-DE", validateMFA = false } },
        { headers = { ["x-locale"] = "fr-FR", ["MS-Contract-Version"] = "v1" } })
      local header = transport.sent[1].header
      assert.equal("text/json", header.accept)
      assert.equal("fr-FR", header["x-locale"])
      assert.equal("v1", header["ms-contract-version"])
      assert.is_nil(header.validatemfa)
    end)

    it("every header once, and its own token and ids whatever a caller sets", function()
      local spellings = { authorization = "Basic x", ["ms-requestid"] = "x",
                          ["MS-CORRELATIONID"] = "x", ACCEPT = "text/json" }
      local _, _, transport = get({ {} }, { headers = spellings }, { headers = spellings })
      local header = transport.sent[1].header
      assert.equal("Bearer " .. TOKEN, header.authorization)
      assert.matches(UUID, header["ms-requestid"])
      assert.matches(UUID, header["ms-correlationid"])
      assert.equal("text/json", header.accept)
    end)

    it("to the path below base_url, with the query sorted and escaped", function()
      local _, _, transport = get({ {} }, { base_url = "https://gate.example/x/" },
        { query = { size = 10, ["$filter"] = "a b" } })
      assert.equal("https://gate.example/x/v1/customers?%24filter=a%20b&size=10",
        transport.sent[1].url)
    end)

    it("a body of text as it is", function()
      local client, transport = fake.client { {} }
      client:request("PUT", "/v1/x",
        { body = "a=b", headers = { ["Content-Type"] = "text/plain" } })
      assert.equal("PUT", transport.sent[1].method)
      assert.equal("a=b", transport.sent[1].body)
      assert.equal("text/plain", transport.sent[1].header["content-type"])
    end)

    it("a table as JSON", function()
      local client, transport = fake.client { {} }
      client:request("POST", "/v1/x", { body = { a = { 1, "b" } } })
      assert.equal('{"a":[1,"b"]}', transport.sent[1].body)
      assert.equal("application/json", transport.sent[1].header["content-type"])
    end)

    it("a table under the content type of the caller, however that is spelt", function()
      for _, name in ipairs { "Content-Type", "content-type", "CONTENT-TYPE", "Content-type",
                              "cOnTeNt-TyPe", "content-Type", "CONTENT-type" } do
        local client, transport = fake.client { {} }
        client:request("PATCH", "/v1/x", { body = {}, headers = { [name] = "text/json" } })
        assert.equal("text/json", transport.sent[1].header["content-type"])
      end
    end)

    it("a table under the content type that all calls of the client have", function()
      local client, transport = fake.client({ {} },
        { headers = { ["content-type"] = "text/json" } })
      client:request("POST", "/v1/x", { body = {} })
      assert.equal("text/json", transport.sent[1].header["content-type"])
    end)

    it("leaves the caller's tables as they are", function()
      local options = { body = { a = 1 }, headers = { A = "b" }, query = { c = 1 } }
      local client = fake.client { {} }
      client:request("POST", "/v1/x", options)
      assert.same({ body = { a = 1 }, headers = { A = "b" }, query = { c = 1 } }, options)
    end)

    it("limits with every request", function()
      local _, _, transport = get({ {} })
      local sent = transport.sent[1]
      assert.equal(180, sent.timeout)
      assert.equal(15, sent.connect_timeout)
      assert.equal(128 * 1024 * 1024, sent.max_body)
      assert.is_true(sent.max_headers > 0)
    end)

    it("2,000,000 JSON values at most, or max_values", function()
      local _, err = get({ { body = "[" .. ("{},"):rep(2e6) .. "{}]" } })
      assert.equal("protocol", err.kind)
      assert.equal("the response has more than 2000000 JSON values, the limit max_values",
        err.message)
      assert.matches("max_values", err.hint, 1, true)
      _, err = get({ { body = "[1,2,3]" } }, { max_values = 3 })
      assert.matches("more than 3 JSON values", err.message, 1, true)
      assert.same({ 1, 2 }, assert(get({ { body = "[1,2]" } }, { max_values = 3 })).json)
    end)

    it("the cure where a response is larger than max_body", function()
      for _, message in ipairs { "the answer is larger than max_body",
                                 "the response is larger than max_body" } do
        local _, err = get { { kind = "protocol", message = message } }
        assert.equal("Raise max_body if you expect so much", err.hint)
      end
      local _, err = get { { kind = "protocol", message = "the answer makes no sense" } }
      assert.is_nil(err.hint)
    end)

    it("limits of the client, and no connect_timeout beyond the timeout", function()
      local _, _, transport = get({ {} }, { timeout = 3, connect_timeout = 5, max_body = 7 })
      local sent = transport.sent[1]
      assert.equal(3, sent.timeout)
      assert.equal(3, sent.connect_timeout)
      assert.equal(7, sent.max_body)
    end)

    it("the timeout of the call before that of the client", function()
      local _, _, transport = get({ {} }, { timeout = 100 }, { timeout = 7 })
      assert.equal(7, transport.sent[1].timeout)
    end)
  end)

  describe("answers with", function()
    it("status, headers, body, decoded JSON and ids", function()
      local response = get { { reason = "OK", body = '{"a":1}',
                               headers = { ["ms-requestid"] = "r", ismfacompliant = "false" } } }
      assert.equal(200, response.status)
      assert.equal("OK", response.reason)
      assert.equal('{"a":1}', response.body)
      assert.same({ a = 1 }, response.json)
      assert.equal("r", response.request_id)
      assert.matches(UUID, response.correlation_id)
      assert.is_false(response.is_mfa_compliant)
      assert.equal(1, response.attempts)
    end)

    it("a body that is no JSON, as it is", function()
      local response = get { { body = "text", headers = { ["content-type"] = "text/plain" } } }
      assert.equal("text", response.body)
      assert.is_nil(response.json)
    end)

    it("nothing in the body for 204", function()
      local response = get { { status = 204 } }
      assert.equal(204, response.status)
      assert.equal("", response.body)
    end)

    it("a protocol error for JSON that is none", function()
      local response, err, transport = get { {
        body = "{", headers = { ["content-type"] = "application/json", ["ms-requestid"] = "r" } } }
      assert.is_nil(response)
      assert.equal("protocol", err.kind)
      assert.equal("r", err.request_id)
      assert.equal(1, #transport.sent)
    end)

    it("an error for every status from 300 on", function()
      for _, status in ipairs { 300, 302, 400, 404, 501 } do
        local response, err = get { { status = status } }
        assert.is_nil(response)
        assert.is_true(errors.is(err))
        assert.equal(status, err.status)
      end
    end)

    it("the error of a failure that is announced as JSON and is none", function()
      local _, err = get { { status = 400, body = "Bad Request!",
                             headers = { ["content-type"] = "application/json" } } }
      assert.equal("bad_request", err.kind)
      assert.equal("Bad Request!", err.message)
    end)
  end)

  describe("tries again", function()
    it("after failures that pass, and says how often", function()
      local response, _, transport = get { failing(503), { kind = "network" }, failing(429), {} }
      assert.equal(4, response.attempts)
      assert.same({ 0.25, 0.5, 1 }, transport.slept)
    end)

    it("and keeps one MS-RequestId over all attempts, one correlation id too", function()
      local _, _, transport = get { failing(503), { kind = "timeout" }, {} }
      local first = transport.sent[1].header
      for i = 2, 3 do
        assert.equal(first["ms-requestid"], transport.sent[i].header["ms-requestid"])
        assert.equal(first["ms-correlationid"], transport.sent[i].header["ms-correlationid"])
      end
    end)

    it("until its attempts are used up, and gives the last failure", function()
      local _, err, transport = get { failing(500), failing(502), failing(503), failing(504) }
      assert.equal(504, err.status)
      assert.equal(4, #transport.sent)
      assert.equal(3, #transport.slept)
    end)

    it("as often as it is told", function()
      local _, err, transport = get({ failing(503), failing(503) }, { retry = { attempts = 2 } })
      assert.equal(503, err.status)
      assert.equal(2, #transport.sent)
      local _, _, once = get({ failing(503) }, { retry = { attempts = 1 } })
      assert.equal(1, #once.sent)
    end)

    it("with the backoff it is told and the random it is given", function()
      local _, _, transport = get({ failing(503), failing(503), {} },
        { retry = { base = 4, cap = 6 }, random = function() return 0.5 end })
      assert.same({ 3, 4.5 }, transport.slept)
    end)

    it("after as long as the service names", function()
      local _, _, transport = get {
        failing(429, { headers = { ["retry-after"] = "57" } }),
        failing(503, { headers = { ["retry-after"] = "Sat, 03 Feb 2024 07:00:20 GMT",
                                   date = "Sat, 03 Feb 2024 07:00:00 GMT" } }),
        failing(503, { headers = { ["retry-after"] = "soon" } }),
        {},
      }
      assert.same({ 57, 20, 1 }, transport.slept)
    end)

    it("not when that is beyond the deadline, and says how long it is", function()
      local _, err, transport = get({ failing(429, { headers = { ["retry-after"] = "57" } }) },
        { timeout = 57 })
      assert.equal("throttled", err.kind)
      assert.equal(57, err.retry_after)
      assert.same({}, transport.slept)
    end)

    it("with what is left of the time for the whole call", function()
      local _, _, transport = get({ failing(503, { takes = 4 }), failing(503, { takes = 2 }), {} },
        { timeout = 10 })
      assert.equal(10, transport.sent[1].timeout)
      assert.equal(5.75, transport.sent[2].timeout)
      assert.equal(3.25, transport.sent[3].timeout)
    end)

    it("never with a timeout of zero, which would mean none", function()
      local tokens = { "a", "b" }
      local _, _, transport = get({ failing(401, { takes = 20 }), {} }, {
        timeout = 10, token = function() return table.remove(tokens, 1) end,
      })
      assert.is_true(transport.sent[2].timeout > 0)
      assert.is_true(transport.sent[2].timeout < 0.01)
    end)

    it("never after a POST that may have been done", function()
      for _, answer in ipairs { failing(503), { kind = "network" }, { kind = "timeout" } } do
        local client, transport = fake.client { answer }
        local _, err = client:request("POST", "/v1/x")
        assert.is_true(errors.is(err))
        assert.equal(1, #transport.sent)
      end
    end)

    it("after a POST that was throttled", function()
      local client, transport = fake.client { failing(429), {} }
      assert.is_table(client:request("POST", "/v1/x", { body = "once" }))
      assert.equal("once", transport.sent[2].body)
    end)

    it("never after an MFA refusal", function()
      local asked = 0
      local _, err, transport = get({ failing(401, { body = '{"code":"900421"}' }) }, {
        token = function()
          asked = asked + 1
          return "token" .. asked
        end,
      })
      assert.equal("mfa_required", err.kind)
      assert.equal(1, #transport.sent)
      assert.equal(1, asked)
    end)

    it("not after what will not change", function()
      for _, answer in ipairs { failing(400), failing(401), failing(403), failing(404),
                                failing(501), { kind = "tls" }, { kind = "config" },
                                { kind = "protocol" } } do
        local _, err, transport = get { answer }
        assert.is_true(errors.is(err))
        assert.equal(1, #transport.sent)
        assert.same({}, transport.slept)
      end
    end)
  end)

  describe("that was asked for a pause", function()
    local function asking(seconds)
      return failing(429, { headers = { ["retry-after"] = tostring(seconds) } })
    end

    it("lets its next call wait, too, and no other client's", function()
      local client, transport = fake.client({ asking(57), {}, {} }, { retry = { attempts = 1 } })
      local other = fake.client({}, { transport = transport })
      assert.is_nil((client:request("GET", "/v1/a")))
      assert.is_table(other:request("GET", "/v1/b"))
      assert.same({}, transport.slept)
      assert.is_table(client:request("GET", "/v1/c"))
      assert.same({ 57 }, transport.slept)
    end)

    it("lets it wait for what is left of the pause only", function()
      local client, transport = fake.client({ asking(57), {} }, { retry = { attempts = 1 } })
      client:request("GET", "/v1/a")
      transport.time = transport.time + 50
      client:request("GET", "/v1/b")
      assert.same({ 7 }, transport.slept)
      assert.equal(173, transport.sent[2].timeout)
    end)

    it("says so where the pause is longer than the call may take, and sends nothing", function()
      local client, transport = fake.client({ asking(57) }, { retry = { attempts = 1 } })
      client:request("GET", "/v1/a")
      local response, err = client:request("GET", "/v1/b", { timeout = 57 })
      assert.is_nil(response)
      assert.equal("throttled", err.kind)
      assert.equal(57, err.retry_after)
      assert.matches("pause that is not over", err.message)
      assert.matches("in 57 s", err.hint)
      assert.equal(1, #transport.sent)
      assert.same({}, transport.slept)
    end)

    it("does not wait again once the pause is over, nor after other failures", function()
      local client, transport = fake.client({ asking(3), {}, {}, failing(503), {}, {} })
      for _ = 1, 2 do
        assert.is_table(client:request("GET", "/v1/a"))
      end
      assert.same({ 3 }, transport.slept)
      for _ = 1, 2 do
        assert.is_table(client:request("GET", "/v1/a"))
      end
      assert.same({ 3, 0.25 }, transport.slept)
    end)

    describe("in a task", function()
      local core, restore, concurrent, transport

      before_each(function()
        core, restore = fake_core.install()
        concurrent = require "pcapi.concurrent"
        transport = require("pcapi.http.curl").new()
      end)

      after_each(function() restore() end)

      local function client_of()
        return (fake.client({}, { transport = transport }))
      end

      local function throttle_first()
        core.answer = function(_, number)
          return number == 1 and { status = 429, headers = { ["retry-after"] = "5" } } or {}
        end
      end

      local function when(client, pause)
        return function()
          transport:sleep(pause)
          return client:request("GET", "/v1/x") and core.time
        end
      end

      it("lets the other tasks of that client wait, and those of no other", function()
        throttle_first()
        local client, other = client_of(), client_of()
        local results = concurrent { when(client, 0), when(client, 1), when(client, 2),
                                     when(other, 1) }
        assert.equal(0, results.failed)
        for i = 1, 3 do
          assert.near(1005.2, results[i].value, 0.02)
        end
        assert.near(1001.1, results[4].value, 0.02)
      end)

      it("is stopped while it waits", function()
        throttle_first()
        local client = client_of()
        local results = concurrent { when(client, 0), when(client, 1), function(loop)
          transport:sleep(2)
          loop:stop()
        end }
        for i = 1, 2 do
          assert.is_nil(results[i].value)
        end
        assert.near(1002, core.time, 0.01)
        assert.equal(1, #core.sent)
      end)
    end)
  end)

  it("gives failures of the network the ids that were sent", function()
    local _, err, transport = get({ { kind = "tls" } })
    assert.equal(transport.sent[1].header["ms-requestid"], err.request_id)
    assert.equal(transport.sent[1].header["ms-correlationid"], err.correlation_id)
  end)

  describe("with a function for the token", function()
    -- Gives one of a list after the other, and keeps what it was called with.
    local function source(...)
      local tokens, calls = { ... }, {}
      return function(refused)
        calls[#calls + 1] = refused or "none"
        return tokens[#calls]
      end, calls
    end

    it("asks it once per call, without a refused token", function()
      local token, calls = source("one", "two")
      local client, transport = fake.client({ {}, {} }, { token = token })
      client:request("GET", "/v1/a")
      client:request("GET", "/v1/b")
      assert.same({ "none", "none" }, calls)
      assert.equal("Bearer one", transport.sent[1].header.authorization)
      assert.equal("Bearer two", transport.sent[2].header.authorization)
    end)

    it("keeps the token over attempts", function()
      local token, calls = source("one", "two")
      local _, _, transport = get({ failing(503), {} }, { token = token })
      assert.same({ "none" }, calls)
      assert.equal("Bearer one", transport.sent[2].header.authorization)
    end)

    it("after a 401 asks with the refused one and sends again, at once and once", function()
      local token, calls = source("one", "two", "three")
      local response, _, transport = get({ failing(401), {} }, { token = token })
      assert.equal(2, response.attempts)
      assert.same({ "none", "one" }, calls)
      assert.equal("Bearer two", transport.sent[2].header.authorization)
      assert.equal(transport.sent[1].header["ms-requestid"],
        transport.sent[2].header["ms-requestid"])
      assert.same({}, transport.slept)
    end)

    it("gives up when the second token is refused as well", function()
      local token, calls = source("one", "two", "three")
      local _, err, transport = get({ failing(401), failing(401) }, { token = token })
      assert.equal("unauthorized", err.kind)
      assert.same({ "none", "one" }, calls)
      assert.equal(2, #transport.sent)
    end)

    it("does not send the same token again", function()
      local token, calls = source("one", "one")
      local _, err, transport = get({ failing(401) }, { token = token })
      assert.equal(401, err.status)
      assert.same({ "none", "one" }, calls)
      assert.equal(1, #transport.sent)
    end)

    it("gives the service's refusal when there is no other token", function()
      for _, other in ipairs { "nothing", "a b" } do
        local token = source("one", other ~= "nothing" and other or nil)
        local _, err, transport = get({ failing(401) }, { token = token })
        assert.equal(401, err.status)
        assert.equal(1, #transport.sent)
      end
    end)

    it("does not ask again after a 403", function()
      local token, calls = source("one", "two")
      get({ failing(403) }, { token = token })
      assert.same({ "none" }, calls)
    end)

    it("still tries again after the second token met a failure that passes", function()
      local token, calls = source("one", "two")
      local response, _, transport = get({ failing(401), failing(503), {} }, { token = token })
      assert.equal(3, response.attempts)
      assert.same({ "none", "one" }, calls)
      assert.equal("Bearer two", transport.sent[3].header.authorization)
    end)

    it("hands on why it failed, and sends nothing", function()
      local cause = { "login failed" }
      setmetatable(cause, { __tostring = function() return "login \27failed" end })
      local response, err, transport = get({}, { token = function() return nil, cause end })
      assert.is_nil(response)
      assert.equal("unauthorized", err.kind)
      assert.equal("the token function failed: login \\x1bfailed", err.message)
      assert.equal(cause, err.cause)
      assert.equal(0, #transport.sent)
    end)

    it("names a token that cannot be sent, without showing it", function()
      for _, token in ipairs { "", "SECRET token", "SECRET\r\nEvil: 1", "SECRET\0", "=SECRET", 5,
                               true, {} } do
        local _, err, transport = get({}, { token = function() return token end })
        assert.equal("unauthorized", err.kind)
        assert.matches("^the token ", err.message)
        assert.is_false(holds(err, "SECRET"))
        assert.equal(0, #transport.sent)
      end
      local _, err = get({}, { token = function() end })
      assert.equal("the token is missing or empty", err.message)
    end)
  end)

  describe("with a provider of tokens", function()
    -- A client of an account that somebody signed in to, and that renews itself.
    local function signed_in(answers, options)
      local store = store_.new()
      local account = require("pcapi.auth").refresh_token {
        tenant = "fabrikam.example", client_id = "me", refresh_token = "SECRETseed",
        client_secret = "SECRETclient", store = store, account = "kept",
        how_to_sign_in = "pcapi login",
      }
      local client, transport = fake.client(answers,
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

    it("asks for a token, and calls with it", function()
      local client, transport = signed_in { ONE, {}, {} }
      assert.is_table(client:request("GET", "/v1/a"))
      assert.is_table(client:request("GET", "/v1/b"))
      assert.equal(3, #transport.sent)
      assert.equal("SECRETseed", transport.sent[1].form.refresh_token)
      assert.equal("Bearer SECRETone", transport.sent[2].header.authorization)
      assert.equal("Bearer SECRETone", transport.sent[3].header.authorization)
    end)

    it("tells it what it may use, and until when", function()
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
    end)

    it("has for the call what a renewal leaves of its time", function()
      local client, transport = signed_in { sign_in.merged(ONE, { takes = 4 }), {} }
      client:request("GET", "/v1/a", { timeout = 10 })
      assert.equal(10, transport.sent[1].timeout)
      assert.equal(6, transport.sent[2].timeout)
    end)

    it("uses an access token only when its refresh token is stored", function()
      local store, kept, _
      local client
      client, _, store = signed_in { ONE, function()
        kept = store.texts.kept
        return {}
      end }
      assert.is_table(client:request("GET", "/v1/a"))
      assert.matches("SECRETrefresh1", kept, 1, true)
      assert.matches("SECRETone", kept, 1, true)
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

    it("renews once: a second 401 stands", function()
      local err, transport = fails { ONE, failing(401), TWO, failing(401) }
      assert.equal("unauthorized", err.kind)
      assert.equal(401, err.status)
      assert.equal(4, #transport.sent)
    end)

    it("takes after a 401 what somebody else has stored, and renews nothing", function()
      local client, transport, store
      client, transport, store = signed_in { ONE, function()
        store.texts.kept = store.texts.kept:gsub("SECRETone", "SECRETtheirs")
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

    it("says by what to sign in after an MFA refusal, and renews nothing", function()
      for _, refusal in ipairs { failing(401, { body = '{"code":"900421"}' }),
                                 failing(401, { reason = "Unauthorized - MFA required" }) } do
        local err, transport = fails { ONE, refusal }
        assert.equal("mfa_required", err.kind)
        assert.equal("Sign in again with MFA: pcapi login", err.hint)
        assert.equal(2, #transport.sent)
      end
    end)

    it("finds the new sign-in in the store after an MFA refusal", function()
      local client, transport, store = signed_in { ONE, failing(401, { body =
        '{"code":"900421"}' }), {} }
      assert.is_nil((client:request("GET", "/v1/a")))
      store.texts.kept = store.texts.kept:gsub("SECRETone", "SECRETmfa")
      assert.is_table(client:request("GET", "/v1/a"))
      assert.equal("Bearer SECRETmfa", transport.sent[3].header.authorization)
    end)

    it("says less after an MFA refusal where the provider does not know", function()
      local err = select(2, get { failing(401, { body = '{"code":"900421"}' }) })
      assert.matches("^Sign in again and pass MFA", err.hint)
    end)

    for name, case in pairs {
      ["that the sign-in is over"] = { sign_in.refusal("invalid_grant", 700082),
        "sign_in_required", "Sign in again: pcapi login" },
      ["that MFA is missing"] = { sign_in.refusal("invalid_grant", 50076), "mfa_required",
        "Sign in again with MFA: pcapi login" },
      ["that the secret has expired"] = { sign_in.refusal("invalid_client", 7000222),
        "invalid_client", "has expired" },
      ["that nobody is reached"] = { { kind = "tls", message = "no" }, "tls" },
    } do
      it("says " .. name .. " instead of a 401, which is the cause", function()
        local err = fails { ONE, failing(401), case[1] }
        assert.equal(case[2], err.kind)
        assert.matches(case[3] or "", err.hint or "", 1, true)
        assert.equal(401, err.cause.status)
        assert.equal("unauthorized", err.cause.kind)
      end)

      it("says " .. name .. " before anything is sent to the service", function()
        local err, transport = fails { case[1] }
        assert.equal(case[2], err.kind)
        assert.matches(case[3] or "", err.hint or "", 1, true)
        assert.equal(1, #transport.sent)
      end)
    end

    it("says that the store failed, with what it said as the cause", function()
      local client, transport, store = signed_in {}
      store.fails.set = "disk full"
      local _, err = client:request("GET", "/v1/a")
      assert.equal("store", err.kind)
      assert.equal("disk full", err.cause)
      assert.equal(0, #transport.sent)
    end)

    it("names a token that cannot be sent, without showing it", function()
      for _, token in ipairs { "", "SECRET token", 5, {} } do
        local client, transport = fake.client({}, { token = "none", auth = {
          token = function() return token end } })
        local _, err = client:request("GET", "/v1/a")
        assert.equal("unauthorized", err.kind)
        assert.is_false(holds(err, "SECRET"))
        assert.equal(0, #transport.sent)
      end
    end)

    it("shows no secret of it in what is dumped", function()
      local client, transport, store = signed_in { ONE, {} }
      client:request("GET", "/v1/a")
      store.texts, transport.answers, transport.sent = {}, {}, {}
      assert.is_false(holds(client, "SECRET"))
    end)
  end)

  describe("whose call is for users only", function()
    local APP = sign_in.jwt { roles = { "x" }, ver = "1.0" }
    local USER = sign_in.jwt { scp = "user_impersonation", ver = "1.0", amr = { "pwd" } }

    it("refuses an application's own token before it is sent, and says why", function()
      local client, transport = fake.client({}, { token = APP })
      for _, call in ipairs { "non_mfa_principals", "application_mfa_adoption_status",
                              "partner_requests" } do
        local list, err = client.security[call](client.security)
        assert.is_nil(list)
        assert.equal("forbidden", err.kind)
        assert.matches("App+User", err.message, 1, true)
        assert.matches("Sign in as a user", err.hint, 1, true)
        assert.is_false(holds(err, "SECRET"))
      end
      assert.equal(0, #transport.sent)
    end)

    it("sends any other token, also one without MFA: the service alone decides", function()
      for _, token in ipairs { USER, "opaque", sign_in.jwt { ver = "2.0" } } do
        local client, transport = fake.client({ { body = "[]" } }, { token = token })
        assert.is_table(client.security:non_mfa_principals())
        assert.equal("Bearer " .. token, transport.sent[1].header.authorization)
      end
    end)

    it("refuses an application's own token also in place of a refused one", function()
      local client, transport = fake.client({ failing(401) }, { token = function(refused)
        return refused and APP or USER
      end })
      local _, err = client.security:non_mfa_principals()
      assert.equal("forbidden", err.kind)
      assert.equal(401, err.cause.status)
      assert.equal(1, #transport.sent)
    end)

    it("has nothing against such a token for calls of one's own", function()
      local client, transport = fake.client({ {}, {} }, { token = APP })
      assert.is_table(client:request("GET", "/v1/customers"))
      assert.equal("forbidden", select(2, client.security:non_mfa_principals()).kind)
      assert.is_table(client:request("GET", "/v1/customers"))
      assert.equal(2, #transport.sent)
    end)
  end)

  describe("tells whose answers it gives", function()
    local sandbox_token = require "sandbox.token"

    local function identity(claims, options)
      options = options and options(claims) or { token = sandbox_token.mint(claims) }
      return (fake.client({}, options)):identity()
    end

    it("by service, tenant and application of its token", function()
      local one = identity { tid = "ONE", appid = "app" }
      assert.equal(one, identity { tid = "one", appid = "app", upn = "other@one.example" })
      assert.is_true(one ~= identity { tid = "two", appid = "app" })
      assert.is_true(one ~= identity { tid = "one", appid = "other" })
      assert.is_true(one ~= identity({ tid = "one", appid = "app" }, function(claims)
        return { token = sandbox_token.mint(claims), base_url = "https://other.example" }
      end))
    end)

    it("not at all where a function gives the token", function()
      assert.is_nil(identity({}, function()
        return { token = function() return fake.TOKEN end }
      end))
    end)
  end)

  describe("is_token", function()
    it("takes all that RFC 6750 takes", function()
      for _, token in ipairs { "a", "eyJ0.eyJh-_.x", "AZaz09-._~+/==" } do
        assert.is_true(client_.is_token(token))
      end
    end)

    for _, token in ipairs { "", "a b", "a\n", "\ta", "a=b", "=", "a,b", '"a"', "\195\188",
                             "a\0" } do
      it(("refuses %q"):format(token), function()
        local ok, why = client_.is_token(token)
        assert.is_nil(ok)
        assert.is_string(why)
      end)
    end
  end)

  describe("blames the caller's line for", function()
    local client = fake.client {}

    for name, case in pairs {
      ["a method that is no word"] = { { "get", "/v1/x" }, "the method must be a word" },
      ["a method with a line break"] = { { "GET\r\n", "/v1/x" }, "the method must be a word" },
      ["no method"] = { { nil, "/v1/x" }, "the method must be a word" },
      ["a path without a slash"] = { { "GET", "v1/x" }, "the path must begin with a slash" },
      ["an address for a path"] = { { "GET", "https://evil.example/" }, "must begin with a slash" },
      ["a space in the path"] = { { "GET", "/a b" }, 'the path holds a space (byte 3); write it as '
        .. '%20, as url.escape of require "pcapi.url" does' },
      ["a fragment"] = { { "GET", "/v1/x#y" }, "the path holds the character # (byte 6); write it "
        .. "as %23" },
      ["a line break in the path"] = { { "GET", "/v1/x\r\nEvil: 1" }, "write it as %0D" },
      ["a path that is not ASCII"] = { { "GET", "/v1/\195\188" }, "which is not ASCII (byte 5)" },
      ["a path and query that are too long"] = { { "GET", "/v1/x",
        { query = { a = ("x"):rep(65536) } } }, "is longer than 65536 bytes" },
      ["no path"] = { { "GET" }, "the path must begin with a slash" },
      ["an unknown option"] = { { "GET", "/x", { qurey = {} } },
        'request has no option "qurey"; did you mean "query"?' },
      ["an option of a wrong type"] = { { "GET", "/x", { query = "a=b" } }, "must be table" },
      ["a table in the query"] = { { "GET", "/x", { query = { size = {} } } },
        'request: "size" of the query must be a text, a number or a boolean, not a table' },
      ["a function in the query"] = { { "GET", "/x", { query = { size = print } } },
        'request: "size" of the query must be a text, a number or a boolean, not a function' },
      ["a query that is an array"] = { { "GET", "/x", { query = { "size=1" } } },
        "request: the names of the query must be texts, not 1" },
      ["a header with a line break"] = { { "GET", "/x", { headers = { A = "b\r\nEvil: 1" } } },
        "request: header A holds a line break" },
      ["a header name that is none"] = { { "GET", "/x", { headers = { ["A:"] = "b" } } },
        'request: "A:" is not a header name' },
      ["an id with a line break"] = { { "GET", "/x", { correlation_id = "a\r\nEvil: 1" } },
        'option "correlation_id" must be one line of text' },
      ["an empty id"] = { { "GET", "/x", { request_id = "" } },
        'option "request_id" must be one line of text' },
      ["a body that is no JSON"] = { { "POST", "/x", { body = { print } } },
        "request: the body cannot be sent as JSON: " },
    } do
      it(name, function()
        raises(function() client:request(case[1][1], case[1][2], case[1][3]) end, case[2])
      end)
    end
  end)

  it("tells why a token function had no other token after a refusal", function()
    local err = select(2, get({ failing(401) }, {
      token = function(refused)
        if refused then
          return nil, "the store is locked"
        end
        return TOKEN
      end,
    }))
    assert.equal("unauthorized", err.kind)
    assert.matches("the store is locked", err.cause.message, 1, true)
  end)

  it("refuses a body with GET and HEAD, which would go out as a POST", function()
    for _, method in ipairs { "GET", "HEAD" } do
      raises(function()
        fake.client({}):request(method, "/v1/customers", { body = { name = "x" } })
      end, method .. " has no body")
    end
  end)

  it("takes a header of ours away for one request", function()
    local _, _, transport = get({ {} }, nil, { headers = { ValidateMfa = false } })
    assert.is_nil(transport.sent[1].header.validatemfa)
    assert.truthy(transport.sent[1].header.accept)
  end)

  it("closes its transport, and says as text where it goes", function()
    local client, transport = fake.client {}
    client:close()
    assert.equal(1, transport.closed)
    assert.equal("pcapi.client (https://api.partnercenter.microsoft.com)", tostring(client))
  end)

  describe("keeps the token out of", function()
    local echo = '{"code":"1","description":"no: ' .. TOKEN .. '"}'

    for name, answers in pairs {
      ["a refusal"] = { failing(401) }, ["a redirect"] = { failing(302) },
      ["a failure of the network"] = { { kind = "tls", message = "sent Bearer " .. TOKEN } },
      ["a refusal that repeats it"] = { failing(403, { body = echo }) },
      ["a page that repeats it"] = { failing(400, { body = "<p>Bearer " .. TOKEN .. "</p>" }) },
      ["a refusal that repeats it anywhere else"] = { failing(400, { body =
        '{"error":{"code":"' .. TOKEN .. '","target":"' .. TOKEN .. '","innerError":{"x":["'
        .. TOKEN .. '"]}}}', headers = { ["www-authenticate"] = 'Bearer claims="' .. TOKEN .. '"' },
      }) },
      ["a reason that repeats it"] = { failing(400, { reason = "Bad " .. TOKEN }) },
      ["an answer without sense"] = { { body = "[1,", headers = {
        ["content-type"] = "application/json" } } },
    } do
      it(name, function()
        local response, err = get(answers)
        assert.is_nil(response)
        assert.is_false(holds(err, "SECRET"))
      end)
    end

    it("an answer and a list", function()
      local response = get { { body = "[]" } }
      assert.is_false(holds(response, "SECRET"))
      local client = fake.client { { body = "[]" } }
      assert.is_false(holds(client.security:partner_requests(), "SECRET"))
    end)

    it("a token that is no JWT and is repeated without its scheme", function()
      local _, err = get({ failing(403, { body = '{"code":"1","data":["tok+SECRET/1="]}' }) },
        { token = "tok+SECRET/1=" })
      assert.is_false(holds(err, "SECRET"))
      assert.equal("[token]", err.data[1])
    end)

    it("a token whose slashes are escaped in JSON", function()
      local body = '{"code":"7","description":"bad ab\\/cd\\/SECRET"}'
      local _, err = get({ failing(400, { body = body }) }, { token = "ab/cd/SECRET" })
      assert.is_false(holds(err, "SECRET"))
    end)

    it("a token whose characters are escaped in JSON, or percent-encoded", function()
      for _, said in ipairs { "ab\\u002bcd\\u002FSECRET\\u003d", "ab%2Bcd%2FSECRET%3D",
                              "ab%2bcd%2fSECRET%3d" } do
        local _, err = get({ failing(400, { body = '{"code":"7","description":"' .. said
          .. '","data":[["' .. said .. '"]]}' }) }, { token = "ab+cd/SECRET=" })
        assert.is_false(holds(err, "SECRET"))
      end
    end)

    it("the fields of a client", function()
      assert.is_false(holds(fake.client {}, "SECRET"))
    end)

    it("the text of client and transport", function()
      local client = fake.client {}
      assert.is_nil(tostring(client):find("SECRET", 1, true))
      assert.is_nil(tostring(client.security):find("SECRET", 1, true))
    end)
  end)
end)
