-- A client sends a request and returns its response.
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local raises = require "spec.support.raises"

local get = fake.get

local TOKEN = fake.TOKEN
local UUID = "^%x+%-%x+%-4%x+%-%x+%-%x+$"

describe("a request of a client", function()
  describe("sends", function()
    it("the token, Accept, ValidateMfa and two ids, and no other header", function()
      local _, _, transport = get { {} }
      local header = transport.sent[1].header
      assert.equal("Bearer " .. TOKEN, header.authorization)
      assert.equal("application/json", header.accept)
      assert.equal("true", header.validatemfa)
      assert.matches(UUID, header["ms-requestid"])
      assert.matches(UUID, header["ms-correlationid"])
      assert.equal(5, #transport.sent[1].headers)
    end)

    it("new ids with every call", function()
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

    it("client-request-id as well with partner_api_headers", function()
      local _, _, transport = get({ {} }, { partner_api_headers = true })
      local header = transport.sent[1].header
      assert.equal(header["ms-requestid"], header["client-request-id"])
    end)

    it("no ValidateMfa with validate_mfa = false", function()
      local _, _, transport = get({ {} }, { validate_mfa = false })
      assert.is_nil(transport.sent[1].header.validatemfa)
    end)

    it("the headers of the client, and those of the call before them, in any case", function()
      local _, _, transport = get({ {} },
        { headers = { accept = "text/json", ["X-Locale"] = "de-DE", validateMFA = false } },
        { headers = { ["x-locale"] = "fr-FR", ["MS-Contract-Version"] = "v1" } })
      local header = transport.sent[1].header
      assert.equal("text/json", header.accept)
      assert.equal("fr-FR", header["x-locale"])
      assert.equal("v1", header["ms-contract-version"])
      assert.is_nil(header.validatemfa)
    end)

    it("every header once, and its own token and ids whatever the caller sets", function()
      local spellings = { authorization = "Basic x", ["ms-requestid"] = "x",
                          ["MS-CORRELATIONID"] = "x", ACCEPT = "text/json" }
      local _, _, transport = get({ {} }, { headers = spellings }, { headers = spellings })
      local header = transport.sent[1].header
      assert.equal("Bearer " .. TOKEN, header.authorization)
      assert.matches(UUID, header["ms-requestid"])
      assert.matches(UUID, header["ms-correlationid"])
      assert.equal("text/json", header.accept)
    end)

    it("its path below base_url, with the query sorted and escaped", function()
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

    it("a table with the content type of the caller, whatever the case of its name", function()
      for _, name in ipairs { "Content-Type", "content-type", "CONTENT-TYPE", "Content-type",
                              "cOnTeNt-TyPe", "content-Type", "CONTENT-type" } do
        local client, transport = fake.client { {} }
        client:request("PATCH", "/v1/x", { body = {}, headers = { [name] = "text/json" } })
        assert.equal("text/json", transport.sent[1].header["content-type"])
      end
    end)

    it("a table with the content type of the client", function()
      local client, transport = fake.client({ {} },
        { headers = { ["content-type"] = "text/json" } })
      client:request("POST", "/v1/x", { body = {} })
      assert.equal("text/json", transport.sent[1].header["content-type"])
    end)

    it("options without changing the caller's tables", function()
      local options = { body = { a = 1 }, headers = { A = "b" }, query = { c = 1 } }
      local client = fake.client { {} }
      client:request("POST", "/v1/x", options)
      assert.same({ body = { a = 1 }, headers = { A = "b" }, query = { c = 1 } }, options)
    end)

    it("its limits along to the transport", function()
      local _, _, transport = get({ {} })
      local sent = transport.sent[1]
      assert.equal(180, sent.timeout)
      assert.equal(15, sent.connect_timeout)
      assert.equal(128 * 1024 * 1024, sent.max_body)
      assert.is_true(sent.max_headers > 0)
    end)

    it("the limits of the client along, and no connect_timeout longer than the timeout", function()
      local _, _, transport = get({ {} }, { timeout = 3, connect_timeout = 5, max_body = 7 })
      local sent = transport.sent[1]
      assert.equal(3, sent.timeout)
      assert.equal(3, sent.connect_timeout)
      assert.equal(7, sent.max_body)
    end)

    it("the timeout of the call along, in place of the client's", function()
      local _, _, transport = get({ {} }, { timeout = 100 }, { timeout = 7 })
      assert.equal(7, transport.sent[1].timeout)
    end)
  end)

  describe("returns", function()
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

    it("a body that is not JSON as it is", function()
      local response = get { { body = "text", headers = { ["content-type"] = "text/plain" } } }
      assert.equal("text", response.body)
      assert.is_nil(response.json)
    end)

    it("an empty body after a 204", function()
      local response = get { { status = 204 } }
      assert.equal(204, response.status)
      assert.equal("", response.body)
    end)

    it("a protocol error for invalid JSON", function()
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

    it("the error of a failure whose type says JSON, and whose body is not", function()
      local _, err = get { { status = 400, body = "Bad Request!",
                             headers = { ["content-type"] = "application/json" } } }
      assert.equal("bad_request", err.kind)
      assert.equal("Bad Request!", err.message)
    end)

    it("an error for JSON of more than 2,000,000 values, or max_values", function()
      local _, err = get({ { body = "[" .. ("{},"):rep(2e6) .. "{}]" } })
      assert.equal("protocol", err.kind)
      assert.equal("the response has more than 2000000 JSON values, the limit max_values",
        err.message)
      assert.matches("max_values", err.hint, 1, true)
      _, err = get({ { body = "[1,2,3]" } }, { max_values = 3 })
      assert.matches("more than 3 JSON values", err.message, 1, true)
      assert.same({ 1, 2 }, assert(get({ { body = "[1,2]" } }, { max_values = 3 })).json)
    end)

    it("what to do if the response is larger than max_body", function()
      local failure = { kind = "protocol", message = "the response is larger than max_body" }
      local _, err = get({ failure }, { max_body = 3 * 2 ^ 20 })
      assert.same({ "the response is larger than 3 MiB", "Raise max_body if you expect so much" },
        { err.message, err.hint })
      _, err = get { { kind = "protocol", message = "the response is not valid" } }
      assert.is_nil(err.hint)
    end)

    it("what to do after a timeout, with the seconds of the call", function()
      local slow = { kind = "timeout", message = "too slow" }
      local options = { timeout = 20, retry = { attempts = 1 } }
      local client = fake.client({ slow }, options)
      local _, err = client:request("GET", "/v1/customers")
      assert.equal("Raise timeout (now 20 s), or try again later", err.hint)
      client = fake.client({ slow, slow }, options)
      _, err = client:request("GET", "/v1/customers", { timeout = 7 })
      assert.equal("Raise timeout (now 7 s), or try again later", err.hint)
      _, err = client.security:partner_requests { timeout = 8 }
      assert.equal("Raise timeout (now 8 s), or try again later", err.hint)
    end)
  end)

  it("adds the ids that were sent to an error of the network", function()
    local _, err, transport = get({ { kind = "tls" } })
    assert.equal(transport.sent[1].header["ms-requestid"], err.request_id)
    assert.equal(transport.sent[1].header["ms-correlationid"], err.correlation_id)
  end)

  describe("raises at the caller's line for", function()
    local client = fake.client {}

    for name, case in pairs {
      ["a method that is not a word"] = { { "get", "/v1/x" }, "the method must be a word" },
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
      ["a name that no header has"] = { { "GET", "/x", { headers = { ["A:"] = "b" } } },
        'request: "A:" is not a header name' },
      ["an id with a line break"] = { { "GET", "/x", { correlation_id = "a\r\nEvil: 1" } },
        'option "correlation_id" must be one line of text' },
      ["an empty id"] = { { "GET", "/x", { request_id = "" } },
        'option "request_id" must be one line of text' },
      ["a body that JSON cannot hold"] = { { "POST", "/x", { body = { print } } },
        "request: the body cannot be sent as JSON: " },
    } do
      it(name, function()
        raises(function() client:request(case[1][1], case[1][2], case[1][3]) end, case[2])
      end)
    end
  end)

  it("raises for a body with GET or HEAD, which libcurl would send as a POST", function()
    for _, method in ipairs { "GET", "HEAD" } do
      raises(function()
        fake.client({}):request(method, "/v1/customers", { body = { name = "x" } })
      end, method .. " has no body")
    end
  end)

  it("can leave out one of the client's headers", function()
    local _, _, transport = get({ {} }, nil, { headers = { ValidateMfa = false } })
    assert.is_nil(transport.sent[1].header.validatemfa)
    assert.truthy(transport.sent[1].header.accept)
  end)
end)

describe("a client", function()
  it("closes its transport, and shows its address as text", function()
    local client, transport = fake.client {}
    client:close()
    assert.equal(1, transport.closed)
    assert.equal("pcapi.client (https://api.partnercenter.microsoft.com)", tostring(client))
  end)
end)
