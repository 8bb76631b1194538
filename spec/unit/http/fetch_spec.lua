local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local pcapi = require "pcapi"
local raises = require "spec.support.raises"

local URL = "https://api.example.com/data.json"

local function fetch(response_of_server, options, address)
  local transport = fake.new { response_of_server }
  local all = { transport = transport }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  local response, err = pcapi.fetch(address or URL, all)
  return response, err, transport
end

describe("pcapi.fetch", function()
  it("returns the response unchanged, with decoded JSON", function()
    local response = fetch { reason = "OK", body = '{"name":"x"}',
                             headers = { ["content-type"] = "application/json" } }
    assert.equal(200, response.status)
    assert.equal("OK", response.reason)
    assert.equal("application/json", response.headers["content-type"])
    assert.equal('{"name":"x"}', response.body)
    assert.same({ name = "x" }, response.json)
  end)

  it("returns a response of any status, and repeats nothing", function()
    for _, status in ipairs { 204, 302, 401, 404, 429, 503 } do
      local response, _, transport = fetch { status = status }
      assert.equal(status, response.status)
      assert.equal(1, #transport.sent)
      assert.same({}, transport.slept)
    end
  end)

  it("sends a GET without headers of its own, and without a token", function()
    local _, _, transport = fetch {}
    local sent = transport.sent[1]
    assert.equal("GET", sent.method)
    assert.equal(URL, sent.url)
    assert.same({}, sent.headers)
    assert.is_nil(sent.body)
    assert.equal(180, sent.timeout)
    assert.equal(15, sent.connect_timeout)
  end)

  it("sends method, body and headers of the options, with their limits", function()
    local _, _, transport = fetch({}, { method = "POST", body = "x", timeout = 5, max_body = 7,
                                        connect_timeout = 2, headers = { B = "2", A = "1" } })
    local sent = transport.sent[1]
    assert.equal("POST", sent.method)
    assert.equal("x", sent.body)
    assert.same({ "A: 1", "B: 2" }, sent.headers)
    assert.equal(5, sent.timeout)
    assert.equal(2, sent.connect_timeout)
    assert.equal(7, sent.max_body)
  end)

  it("decodes 2,000,000 JSON values at most, or max_values", function()
    local response, err = fetch { body = '{"a":[' .. ("[],"):rep(2e6) .. "[]]}" }
    assert.is_nil(response)
    assert.equal("protocol", err.kind)
    assert.equal("the response has more than 2000000 JSON values, the limit max_values",
      err.message)
    response, err = fetch({ body = "[1,2,3]" }, { max_values = 3 })
    assert.is_nil(response)
    assert.matches("more than 3 JSON values", err.message, 1, true)
    assert.same({ 1, 2 }, assert(fetch({ body = "[1,2]" }, { max_values = 3 })).json)
  end)

  it("returns the limit and a hint if a response is larger than max_body", function()
    local failure = { kind = "protocol", message = "the response is larger than max_body" }
    local _, err = fetch(failure)
    assert.same({ "the response is larger than 128 MiB", "Raise max_body if you expect so much" },
      { err.message, err.hint })
    _, err = fetch(failure, { max_body = 1000 })
    assert.equal("the response is larger than 1000 bytes", err.message)
  end)

  it("returns the limit and a hint after a timeout", function()
    local failure = { kind = "timeout", message = "too slow" }
    local _, err = fetch(failure)
    assert.equal("Raise timeout (now 180 s), or try again later", err.hint)
    _, err = fetch(failure, { timeout = 0.5 })
    assert.equal("Raise timeout (now 0.5 s), or try again later", err.hint)
  end)

  it("returns the error of the network", function()
    local response, err = fetch { kind = "timeout", message = "too slow" }
    assert.is_nil(response)
    assert.equal("timeout", err.kind)
    assert.equal("too slow", err.message)
  end)

  it("returns a response with a bad status unchanged if its JSON cannot be read", function()
    for status, body in pairs { [302] = "moved", [404] = "", [429] = "<html>slow down</html>",
                                [502] = '{"cut":', [503] = "\0\255" } do
      local response = fetch { status = status, body = body, headers = {
        ["content-type"] = "application/problem+json", ["retry-after"] = "9" } }
      assert.equal(status, response.status)
      assert.equal(body, response.body)
      assert.equal("9", response.headers["retry-after"])
      assert.is_nil(response.json)
    end
  end)

  it("returns a protocol error for invalid JSON", function()
    local response, err = fetch { body = "[1,", headers = { ["content-type"] = "text/json" } }
    assert.is_nil(response)
    assert.equal("protocol", err.kind)
    assert.equal(200, err.status)
    assert.matches("at byte 4", err.message, 1, true)
  end)

  it("checks the address again if it or allow_http changes", function()
    fetch({}, { allow_http = true }, "http://127.0.0.1:9/")
    raises(function() pcapi.fetch("http://127.0.0.1:9/") end, "must begin with https://")
    fetch({}, nil, URL)
    raises(function() pcapi.fetch("http://a.example/") end, "must begin with https://")
    raises(function() pcapi.fetch("http://a.example/") end, "must begin with https://")
  end)

  describe("with retry", function()
    -- Fetches over a fake transport that has these responses.
    local function fetch_again(responses, options)
      local transport = fake.new(responses)
      local all = { transport = transport, retry = true }
      for name, value in pairs(options or {}) do
        all[name] = value
      end
      local response, err = pcapi.fetch(URL, all)
      return response, err, transport
    end

    for _, status in ipairs { 408, 429, 500, 502, 503, 504 } do
      it("sends a GET again after a " .. status, function()
        local response, _, transport = fetch_again { { status = status }, { body = "done" } }
        assert.equal("done", response.body)
        assert.equal(2, response.attempts)
        assert.equal(2, #transport.sent)
        assert.equal(1, #transport.slept)
      end)
    end

    it("sends one request if its response is good", function()
      local response, _, transport = fetch_again { {} }
      assert.equal(200, response.status)
      assert.equal(1, response.attempts)
      assert.same({}, transport.slept)
    end)

    it("sends one request after a status that is final", function()
      for _, status in ipairs { 302, 400, 401, 403, 404, 501 } do
        local response, _, transport = fetch_again { { status = status } }
        assert.equal(status, response.status)
        assert.equal(1, response.attempts)
        assert.equal(1, #transport.sent)
      end
    end)

    it("sends the same request each time, with the time that is left", function()
      local _, _, transport = fetch_again({ { status = 503, takes = 2 }, {} }, {
        headers = { A = "1" }, timeout = 10, connect_timeout = 9, max_body = 7 })
      local first, second = transport.sent[1], transport.sent[2]
      for _, name in ipairs { "method", "url", "body", "max_body", "max_headers" } do
        assert.equal(first[name], second[name])
      end
      assert.same(first.headers, second.headers)
      assert.equal(10, first.timeout)
      assert.equal(8 - transport.slept[1], second.timeout)
      assert.equal(second.timeout, second.connect_timeout)
    end)

    it("sends a GET again after an error of the network", function()
      local response = fetch_again { { kind = "network" }, { kind = "timeout" }, {} }
      assert.equal(3, response.attempts)
    end)

    it("returns the last error", function()
      local response, err, transport = fetch_again({ { kind = "network", message = "first" },
        { status = 503 }, { kind = "network", message = "last" } }, { retry = { attempts = 3 } })
      assert.is_nil(response)
      assert.equal("last", err.message)
      assert.equal(3, #transport.sent)
    end)

    it("returns a final error at once", function()
      local _, err, transport = fetch_again { { kind = "tls" } }
      assert.equal("tls", err.kind)
      assert.equal(1, #transport.sent)
    end)

    it("returns the response with the bad status after the last attempt", function()
      local bad = { status = 503, body = "busy", headers = { ["x-a"] = "b" } }
      local response, err, transport = fetch_again { bad, bad, bad, bad }
      assert.is_nil(err)
      assert.same({ 503, "busy", "b", 4 },
        { response.status, response.body, response.headers["x-a"], response.attempts })
      assert.equal(4, #transport.sent)
    end)

    it("waits with a backoff between base and cap", function()
      local bad = { status = 503 }
      local _, _, transport = fetch_again({ bad, bad, bad, bad, {} },
        { retry = { attempts = 5, base = 1, cap = 3 } })
      for i, most in ipairs { 1, 2, 3, 3 } do
        local slept = transport.slept[i]
        assert.is_true(slept >= most / 2 and slept < most, i .. ": " .. slept)
      end
    end)

    it("waits as long as Retry-After says", function()
      for name, case in pairs {
        seconds = { { ["retry-after"] = "57" }, 57 },
        date = { { ["retry-after"] = "Sat, 03 Feb 2024 07:08:39 GMT",
                   date = "Sat, 03 Feb 2024 07:08:09 GMT" }, 30 },
      } do
        local _, _, transport = fetch_again { { status = 503, headers = case[1] }, {} }
        assert.same({ case[2] }, transport.slept, name)
      end
    end)

    it("does not wait beyond the timeout of the call", function()
      local response, _, transport = fetch_again({ { status = 429,
        headers = { ["retry-after"] = "57" } } }, { timeout = 50 })
      assert.equal(429, response.status)
      assert.equal(1, response.attempts)
      assert.same({}, transport.slept)
    end)

    it("repeats a POST only after a 429, which says that nothing was done", function()
      local post = { method = "POST", body = "x" }
      for _, bad in ipairs { { status = 503 }, { kind = "network" }, { kind = "timeout" } } do
        local _, _, transport = fetch_again({ bad }, post)
        assert.equal(1, #transport.sent)
      end
      local response, _, transport = fetch_again({ { status = 429 }, {} }, post)
      assert.equal(2, response.attempts)
      assert.equal("x", transport.sent[2].body)
    end)

    it("repeats a POST after any transient failure if resend allows it", function()
      local response = fetch_again({ { status = 503 }, { kind = "network" }, {} },
        { method = "POST", body = "x", retry = { resend = true } })
      assert.equal(3, response.attempts)
    end)

    it("decodes the last response only", function()
      local json = { ["content-type"] = "application/json" }
      local response = fetch_again { { status = 503, headers = json, body = "[1," },
                                     { headers = json, body = "[1]" } }
      assert.same({ 1 }, response.json)
      local _, err, transport = fetch_again { { headers = json, body = "[1," } }
      assert.equal("protocol", err.kind)
      assert.equal(1, #transport.sent)
    end)

    it("ends when the sleep is stopped", function()
      local stopped = errors.new { kind = "stopped", message = "the run of tasks was stopped" }
      local transport = fake.new { { status = 503 } }
      function transport:sleep() return nil, stopped end -- luacheck: ignore self
      local response, err = pcapi.fetch(URL, { transport = transport, retry = true })
      assert.is_nil(response)
      assert.equal(stopped, err)
    end)

    it("passes on_wait to the sleep", function()
      local transport, given = fake.new { { status = 503 }, {} }, nil
      function transport:sleep(_, on_wait) given = on_wait end -- luacheck: ignore self
      local function on_wait() end
      assert(pcapi.fetch(URL, { transport = transport, retry = true, on_wait = on_wait }))
      assert.equal(on_wait, given)
    end)

    it("sends one request if retry is false, or allows one attempt", function()
      for _, retry in ipairs { false, { attempts = 1 } } do
        local response, _, transport = fetch_again({ { status = 503 } }, { retry = retry })
        assert.equal(503, response.status)
        assert.equal(1, #transport.sent)
      end
    end)
  end)

  describe("raises an error at the caller's line for", function()
    local transport = fake.new {}

    for name, case in pairs {
      ["an invalid address"] = { "example.com", {},
        "pcapi.fetch: the address is not an absolute address" },
      ["an address with a line break"] = { URL .. "\r\nEvil: 1", {}, "only printable ASCII" },
      ["http to elsewhere"] = { "http://a.example/", { allow_http = true },
        "the address must begin with https://" },
      ["another protocol"] = { "file:///etc/passwd", {}, "must begin with https://" },
      ["an invalid method"] = { URL, { method = "GET /" }, 'option "method" must be' },
      ["an unknown option"] = { URL, { token = "x" }, 'pcapi.fetch has no option "token"' },
      ["a header with a line break"] = { URL, { headers = { A = "b\nc" } },
        "pcapi.fetch: header A holds a line break" },
      ["an unknown option of retry"] = { URL, { retry = { attempt = 1 } },
        'pcapi.fetch: retry has no option "attempt"; did you mean "attempts"?' },
      ["a retry that is neither a table nor a boolean"] = { URL, { retry = 3 },
        'option "retry" must be table or boolean' },
      ["a resend that is not a boolean"] = { URL, { retry = { resend = "POST" } },
        'option "resend" must be boolean' },
      ["a body that is not a string"] = { URL, { body = {} }, 'option "body" must be string' },
    } do
      it(name, function()
        case[2].transport = transport
        raises(function() pcapi.fetch(case[1], case[2]) end, case[3])
        assert.equal(0, #transport.sent)
      end)
    end

    it("a missing address, also in the first call", function()
      local loaded = package.loaded["pcapi.http.fetch"]
      package.loaded["pcapi.http.fetch"] = nil
      local fresh = require "pcapi.http.fetch"
      package.loaded["pcapi.http.fetch"] = loaded
      raises(function() fresh.fetch(nil, { transport = transport }) end,
        "pcapi.fetch: the address is not an address")
      raises(function() pcapi.fetch {} end, "pcapi.fetch: the address is not an address")
    end)
  end)
end)

describe("the transport of pcapi.fetch", function()
  local fake_core = require "spec.support.fake_core"
  local core, fetch_module, restore

  before_each(function()
    core, restore = fake_core.install()
    fetch_module = require "pcapi.http.fetch"
  end)

  after_each(function() restore() end)

  it("gets what the options say, also if they changed since the last call", function()
    local options = { headers = { A = "1" }, timeout = 9 }
    local function sent()
      assert(fetch_module.fetch(URL, options))
      return core.sent[#core.sent]
    end
    assert.same({ "A: 1" }, sent().headers)
    assert.same({ "A: 1" }, sent().headers)
    options.headers.B = "2"
    assert.same({ "A: 1", "B: 2" }, sent().headers)
    options.headers.A = nil
    assert.same({ "B: 2" }, sent().headers)
    options.headers = nil
    assert.same({ {}, 9 }, { sent().headers, sent().timeout })
    options.timeout = 8
    assert.equal(8, sent().timeout)
    options.timeout = nil
    assert.equal(180, sent().timeout)
    options = nil
    assert.equal(180, sent().timeout)
    core.respond = function() return { body = "[1,2,3]" } end
    assert.same({ 1, 2, 3 }, fetch_module.fetch(URL, { max_values = 9 }).json)
    assert.is_nil((fetch_module.fetch(URL, { max_values = 2 })))
  end)

  it("refuses what became wrong since the last call", function()
    local options = { headers = { A = "1" }, retry = { attempts = 2 } }
    local function fetch_again() assert(fetch_module.fetch(URL, options)) end
    fetch_again()
    options.headers.A = "a\nb"
    raises(fetch_again, "header A holds a line break")
    options.headers.A, options.retry.attempt = "1", 1
    raises(fetch_again, 'retry has no option "attempt"')
    options.retry.attempt, options.token = nil, "x"
    raises(fetch_again, 'no option "token"')
    options = "text"
    raises(fetch_again, "pcapi.fetch takes a table of options, not a string")
    options = {}
    fetch_again()
    options = { [1] = "x" }
    raises(fetch_again, 'no option "1"')
  end)

  it("is reused for the next call with equal options", function()
    for _ = 1, 3 do
      assert(fetch_module.fetch(URL))
    end
    assert.equal(1, #core.sessions)
    assert(fetch_module.fetch(URL, { http_version = "1.1" }))
    assert.equal(2, #core.sessions)
    assert.is_true(core.sessions[1].closed)
  end)

  it("calls the on_wait of the call that waits, and of no call before", function()
    core.respond = function() return { takes = 1 } end
    local calls = 0
    assert(fetch_module.fetch(URL, { on_wait = function() calls = calls + 1 end }))
    local before = calls
    assert.is_true(before > 0)
    assert(fetch_module.fetch(URL))
    assert.equal(before, calls)
  end)
end)
