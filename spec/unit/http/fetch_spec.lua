local fake = require "spec.support.fake_transport"
local pcapi = require "pcapi"
local raises = require "spec.support.raises"

local URL = "https://api.example.com/data.json"

local function fetch(answer, options, address)
  local transport = fake.new { answer }
  local all = { transport = transport }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  local response, err = pcapi.fetch(address or URL, all)
  return response, err, transport
end

describe("pcapi.fetch", function()
  it("gives the answer as it is, with JSON decoded", function()
    local response = fetch { reason = "OK", body = '{"name":"x"}',
                             headers = { ["content-type"] = "application/json" } }
    assert.equal(200, response.status)
    assert.equal("OK", response.reason)
    assert.equal("application/json", response.headers["content-type"])
    assert.equal('{"name":"x"}', response.body)
    assert.same({ name = "x" }, response.json)
  end)

  it("takes any status for an answer, and tries nothing again", function()
    for _, status in ipairs { 204, 302, 401, 404, 429, 503 } do
      local response, _, transport = fetch { status = status }
      assert.equal(status, response.status)
      assert.equal(1, #transport.sent)
      assert.same({}, transport.slept)
    end
  end)

  it("sends GET and no header of its own, least of all a token", function()
    local _, _, transport = fetch {}
    local sent = transport.sent[1]
    assert.equal("GET", sent.method)
    assert.equal(URL, sent.url)
    assert.same({}, sent.headers)
    assert.is_nil(sent.body)
    assert.equal(180, sent.timeout)
    assert.equal(15, sent.connect_timeout)
  end)

  it("sends what it is told", function()
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

  it("takes 2,000,000 JSON values at most, or max_values", function()
    local response, err = fetch { body = '{"a":[' .. ("[],"):rep(2e6) .. "[]]}" }
    assert.is_nil(response)
    assert.equal("protocol", err.kind)
    assert.equal("the answer holds more than 2000000 JSON values, the ceiling max_values",
      err.message)
    response, err = fetch({ body = "[1,2,3]" }, { max_values = 3 })
    assert.is_nil(response)
    assert.matches("more than 3 JSON values", err.message, 1, true)
    assert.same({ 1, 2 }, assert(fetch({ body = "[1,2]" }, { max_values = 3 })).json)
  end)

  it("gives the cure where a response is larger than max_body", function()
    local _, err = fetch { kind = "protocol", message = "the answer is larger than max_body" }
    assert.equal("Raise max_body, if so much is expected", err.hint)
  end)

  it("gives the error of the network", function()
    local response, err = fetch { kind = "timeout", message = "too slow" }
    assert.is_nil(response)
    assert.equal("timeout", err.kind)
    assert.equal("too slow", err.message)
  end)

  it("gives a failed answer as it came, though its type says JSON and it is none", function()
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

  it("gives a protocol error for JSON that is none", function()
    local response, err = fetch { body = "[1,", headers = { ["content-type"] = "text/json" } }
    assert.is_nil(response)
    assert.equal("protocol", err.kind)
    assert.equal(200, err.status)
    assert.matches("at byte 4", err.message, 1, true)
  end)

  it("looks at the address anew when it changes, or what is allowed does", function()
    fetch({}, { allow_http = true }, "http://127.0.0.1:9/")
    raises(function() pcapi.fetch("http://127.0.0.1:9/") end, "must begin with https://")
    fetch({}, nil, URL)
    raises(function() pcapi.fetch("http://a.example/") end, "must begin with https://")
    raises(function() pcapi.fetch("http://a.example/") end, "must begin with https://")
  end)

  describe("blames the caller's line for", function()
    local transport = fake.new {}

    for name, case in pairs {
      ["an address that is none"] = { "example.com", {},
        "pcapi.fetch: the address is not an absolute address" },
      ["an address with a line break"] = { URL .. "\r\nEvil: 1", {}, "only printable ASCII" },
      ["http to elsewhere"] = { "http://a.example/", { allow_http = true },
        "the address must begin with https://" },
      ["another protocol"] = { "file:///etc/passwd", {}, "must begin with https://" },
      ["a method that is no word"] = { URL, { method = "GET /" }, 'option "method" must be' },
      ["an unknown option"] = { URL, { token = "x" }, 'pcapi.fetch has no option "token"' },
      ["a header with a line break"] = { URL, { headers = { A = "b\nc" } },
        "pcapi.fetch: header A holds a line break" },
      ["a body that is no text"] = { URL, { body = {} }, 'option "body" must be string' },
    } do
      it(name, function()
        case[2].transport = transport
        raises(function() pcapi.fetch(case[1], case[2]) end, case[3])
        assert.equal(0, #transport.sent)
      end)
    end

    it("no address, before any other call as well", function()
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
