local fake = require "spec.support.fake_transport"
local sign_in = require "spec.support.sign_in"
local trace = require "pcapi.http.trace"
local url = require "pcapi.url"

-- Sends a request through a traced transport. Gives all lines as a text, what came
-- back, and the fake transport.
local function send(request, response_of_server)
  local lines = {}
  local transport = fake.new { response_of_server or {} }
  local traced = trace.new(transport, function(line)
    assert(not line:find "[\r\n]", "a line with a line break")
    lines[#lines + 1] = line
  end)
  local all = sign_in.merged({ method = "GET", url = "https://api.example/v1/x", headers = {} },
    request)
  local response, err = traced:send(all)
  return table.concat(lines, "\n"), response, err, transport
end

local function shows(text, said)
  assert.is_true(said:find(text, 1, true) ~= nil, ("%q is not in: %s"):format(text, said))
end

local function hides(said)
  assert.is_nil(said:find("SECRET", 1, true), said)
end

describe("pcapi.http.trace", function()
  it("logs method, address, headers, status and sizes of a request", function()
    local said = send({ method = "POST", url = "https://api.example/v1/x?size=10", body = "12345",
                        headers = { "Accept: application/json", "X-Locale: de-DE" } },
      { status = 404, reason = "Not Found", body = "1234567",
        headers = { ["content-type"] = "text/plain", date = "today" } })
    assert.equal(table.concat({
      "* 1 POST https://api.example/v1/x?size=10",
      "> Accept: application/json",
      "> X-Locale: de-DE",
      "> a body of 5 bytes, not shown",
      "< HTTP/1.1 404 Not Found",
      "< content-type: text/plain",
      "< date: today",
      "< a body of 7 bytes, not shown; no timing",
    }, "\n"), said)
  end)

  it("numbers the requests", function()
    local lines = {}
    local traced = trace.new(fake.new { {}, {} }, function(line) lines[#lines + 1] = line end)
    for _ = 1, 2 do
      traced:send { method = "GET", url = "https://a.example/", headers = {} }
    end
    assert.equal("* 1 GET https://a.example/", lines[1])
    assert.matches("\n* 2 GET https://a.example/", table.concat(lines, "\n"), 1, true)
  end)

  it("logs the time of name lookup, connection, TLS, first byte and end", function()
    local said = send({}, { timing = { name_lookup = 0.001, connect = 0.0125, tls = 0.05,
                                       first_byte = 0.1, total = 1.5 } })
    shows("name 0.001 s, connected 0.013 s, TLS 0.050 s, first byte 0.100 s, end 1.500 s", said)
  end)

  it("leaves out steps that were not needed, as on a reused connection", function()
    local said = send({}, { timing = { name_lookup = 0, connect = 0, tls = 0, first_byte = 0.1,
                                       total = 0.2 } })
    shows("not shown; first byte 0.100 s, end 0.200 s", said)
    shows("not shown; end 0.200 s", (send({}, { timing = { total = 0.2 } })))
  end)

  it("logs a failure and the steps before it", function()
    local said, response, err = send({}, { kind = "tls", message = "certificate has expired",
      timing = { name_lookup = 0.001, connect = 0.01, total = 0.02 } })
    assert.is_nil(response)
    assert.equal("tls", err.kind)
    shows("! tls: certificate has expired", said)
    shows("connected 0.010 s", said)
  end)

  it("logs a wait, and waits", function()
    local lines, transport = {}, fake.new {}
    local traced = trace.new(transport, function(line) lines[#lines + 1] = line end)
    traced:sleep(57)
    assert.same({ "* waits 57.000 s" }, lines)
    assert.same({ 57 }, transport.slept)
    assert.equal(transport:now(), traced:now())
    traced:close()
    assert.equal(1, transport.closed)
  end)

  it("returns the response unchanged", function()
    local _, response = send({}, { status = 201, body = "SECRET", headers = { a = "b" } })
    assert.equal(201, response.status)
    assert.equal("SECRET", response.body)
    assert.equal("b", response.headers.a)
  end)

  it("sends the request unchanged", function()
    local _, _, _, transport = send { headers = { "Authorization: Bearer SECRET" }, body = "SECRET",
                                      url = "https://api.example/?token=SECRET", method = "POST" }
    assert.equal("Bearer SECRET", transport.sent[1].header.authorization)
    assert.equal("SECRET", transport.sent[1].body)
    assert.equal("https://api.example/?token=SECRET", transport.sent[1].url)
  end)

  describe("hides", function()
    it("every body", function()
      hides((send({ method = "POST", body = "SECRET" }, { body = "SECRET" })))
      hides((send({ method = "POST", body = "SECRET" }, { status = 400, body = "SECRET" })))
    end)

    for _, line in ipairs { "Authorization: Bearer SECRET", "authorization: Basic SECRET",
                            "AUTHORIZATION: SECRET", "Proxy-Authorization: Basic SECRET",
                            "Cookie: a=SECRET; b=SECRET", "X-Api-Key: SECRET",
                            "X-Client-Secret: SECRET", "MS-ContinuationToken: SECRET",
                            "X-Amz-Security-Token: SECRET", "Passphrase: SECRET",
                            "X-Locale: eyJSECRET.eyJSECRET.SECRET" } do
      it("the header of a request " .. line:match "^[^:]+", function()
        local said = send { headers = { line, "X-Locale: de-DE" } }
        hides(said)
        shows("> " .. line:match "^[^:]+" .. ": [hidden]", said)
        shows("> X-Locale: de-DE", said)
      end)
    end

    for name, value in pairs {
      ["set-cookie"] = "a=SECRET; Path=/", ["ms-continuationtoken"] = "SECRET",
      ["x-access-token"] = "SECRET", ["authentication-info"] = "SECRET",
      location = "https://x.example/?code=SECRET&state=SECRET&access_token=SECRET#id_token=SECRET",
      ["x-quoted"] = 'token="SECRET SECRET", a="b"',
      link = '<https://x.example/?sig=1&continuation_token=SECRET>; rel="next"',
      ["x-debug"] = "got eyJSECRET.eyJSECRET.SECRET",
      refresh = "0; url=https://x.example/?refresh_token=SECRET",
    } do
      it("the header of a response " .. name, function()
        local said = send({}, { headers = { [name] = value, ["content-type"] = "text/plain" } })
        hides(said)
        shows("< " .. name .. ": ", said)
        shows("< content-type: text/plain", said)
      end)
    end

    for _, name in ipairs { "access_token", "token", "id_token_hint", "code", "code_verifier",
                            "client_secret", "state", "api-key", "sig_key", "Password",
                            "client_assertion", "SAMLSignature" } do
      it("the parameter of an address " .. name, function()
        local said = send { url = "https://api.example/x?a=b&" .. name .. "=SECRET&c=d" }
        hides(said)
        shows("?a=b&" .. name .. "=[hidden]&c=d", said)
      end)
    end

    it("a text in the path of an address that looks like a token", function()
      hides((send { url = "https://api.example/eyJSECRET.eyJSECRET.SECRET/x" }))
    end)

    it("a secret of a request header wherever a response repeats it", function()
      local request = { headers = { "Authorization: Bearer opaque-SECRET+/=",
                                    "X-Api-Key: SECRET2" } }
      for _, said in ipairs { "opaque-SECRET+/=", "Bearer opaque-SECRET+/=",
                              "SECRET2 and SECRET2" } do
        hides((send(request, { reason = said })))
        hides((send(request, { headers = { ["x-debug"] = "got " .. said } })))
        hides((send(request, { kind = "protocol", message = "got " .. said })))
      end
    end)

    it("no more than the secret in a text that repeats it", function()
      local said = send({ headers = { "Authorization: Bearer SECRET.+%d" } },
        { headers = { a = "1 SECRET.+%d 2 SECRET.+%d 3" } })
      shows("< a: 1 [hidden] 2 [hidden] 3\n", said)
    end)

    it("a secret of a form wherever a response repeats it", function()
      local request = {
        method = "POST", headers = { "Content-Type: application/x-www-form-urlencoded" },
        body = url.query({ grant_type = "refresh_token", client_id = "me", scope = "x",
                           refresh_token = "0.SECRET+/=", client_secret = "SECRET~s" }):sub(2),
      }
      for _, said in ipairs { "0.SECRET+/=", url.escape "0.SECRET+/=", "SECRET~s",
                              request.body } do
        hides((send(request, { reason = said })))
        hides((send(request, { headers = { ["x-debug"] = "got " .. said } })))
        hides((send(request, { kind = "protocol", message = "got " .. said })))
      end
      shows("< x-client: me", (send(request, { headers = { ["x-client"] = "me" } })))
    end)
  end)

  describe("does not hide", function()
    it("names that only look secret and are needed to find an error", function()
      local challenge = 'Bearer realm="", error="invalid_token", error_description="expired", '
        .. 'authorization_uri="https://login.example/authorize"'
      local said = send({ headers = { "Accept-Encoding: gzip" } }, { headers = {
        ["www-authenticate"] = challenge, ["content-encoding"] = "gzip",
        ["transfer-encoding"] = "chunked" } })
      shows("> Accept-Encoding: gzip", said)
      shows("< www-authenticate: " .. challenge, said)
      shows("< content-encoding: gzip", said)
      shows("< transfer-encoding: chunked", said)
    end)

    it("the ids for a search in the service's log", function()
      local said = send({ headers = { "MS-RequestId: r-1", "MS-CorrelationId: c-1" } },
        { headers = { ["ms-requestid"] = "r-1" } })
      shows("> MS-RequestId: r-1", said)
      shows("> MS-CorrelationId: c-1", said)
      shows("< ms-requestid: r-1", said)
    end)
  end)

  it("ignores an empty secret", function()
    local said = send({ headers = { "Cookie: ", "Authorization: Bearer ", "X-Locale: de-DE" } },
      { headers = { a = "b" } })
    shows("> X-Locale: de-DE", said)
    shows("< a: b", said)
  end)

  it("logs an address without a query, or with an odd one, unchanged", function()
    for _, tail in ipairs { "", "?a=b", "?a", "?a=b=c" } do
      shows("GET https://api.example/x" .. tail, (send { url = "https://api.example/x" .. tail }))
    end
  end)

  it("writes no control character that moves a terminal's cursor or begins a line", function()
    local said = send({ headers = { "X-Odd: \27[2J\7" } }, {
      status = 200, reason = "OK\27[31m",
      headers = { ["x-\27odd"] = "a\r\nb\27]0;title\7", c1 = "\194\155 31m" } })
    assert.is_nil(said:find "[%z\1-\9\11-\31\127]")
    assert.is_nil(said:find("\194\155", 1, true))
    shows("\\x1b[2J", said)
    said = send({}, { kind = "network", message = "\27[2J\nx" })
    assert.is_nil(said:find "[%z\1-\9\11-\31\127]")
  end)
end)
