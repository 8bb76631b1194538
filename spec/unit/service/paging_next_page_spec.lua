-- Following the pages of a list: links and continuation tokens.
local cjson = require "cjson"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local pages = require "spec.support.pages"

local json, page, ids, requests = pages.json, pages.page, pages.ids, pages.requests

local URL = "https://api.partnercenter.microsoft.com"
local NOT_FOUND = { status = 404, body = '{"code":"1000","description":"Not found."}' }

describe("a list of several pages", function()
  describe("follows the link", function()
    local NEXT = "/v1/partnerRequests?seekOperation=Next"

    for _, case in ipairs {
      { URL .. NEXT, URL .. NEXT }, { NEXT, URL .. NEXT },
      { "/partnerRequests?seekOperation=Next", URL .. NEXT },
      { "partnerRequests?seekOperation=Next", URL .. NEXT },
    } do
      it("from " .. case[1], function()
        local records, _, transport = requests { page("a", { uri = case[1] }), page "b" }
        assert.same({ "a", "b" }, ids(records))
        assert.equal(case[2], transport.sent[2].url)
        assert.equal("GET", transport.sent[2].method)
      end)
    end

    it("below the prefix that worked", function()
      local _, _, transport = requests { NOT_FOUND, page("a", { uri = "partnerRequests?p=2" }),
                                         page "b" }
      assert.equal(URL .. "/pcapi/v1/partnerRequests?p=2", transport.sent[3].url)
    end)

    it("with GET and without a body, whatever the link says", function()
      local _, _, transport = requests {
        page("a", { uri = NEXT, method = "DELETE", body = "x" }), page "b",
      }
      assert.equal("GET", transport.sent[2].method)
      assert.is_nil(transport.sent[2].body)
    end)

    it("in PascalCase", function()
      local records, _, transport = requests {
        json { Items = { { requestId = "a" } }, Links = { Next = { Uri = NEXT, Headers = {
          { Key = "MS-ContinuationToken", Value = "t" } } } } },
        page "b",
      }
      assert.same({ "a", "b" }, ids(records))
      assert.equal("t", transport.sent[2].header["ms-continuationtoken"])
    end)

    it("with the headers of the link, as they are", function()
      local _, _, transport = requests {
        page("a", { uri = NEXT, headers = { { key = "MS-ContinuationToken", value = "a,b/c==" },
                                            { key = "X-Other", value = "y" } } }), page "b",
      }
      assert.equal("a,b/c==", transport.sent[2].header["ms-continuationtoken"])
      assert.equal("y", transport.sent[2].header["x-other"])
    end)

    it("or a token in the body", function()
      for _, name in ipairs { "continuationToken", "ContinuationToken" } do
        local records, _, transport = requests {
          json { items = { { requestId = "a" } }, [name] = "t,1" }, page "b",
        }
        assert.same({ "a", "b" }, ids(records))
        assert.equal(URL .. "/v1/partnerRequests", transport.sent[2].url)
        assert.equal("t,1", transport.sent[2].header["ms-continuationtoken"])
      end
    end)

    it("or a token in a header", function()
      local records, _, transport = requests {
        json({ { requestId = "a" } }, { headers = { ["ms-continuationtoken"] = "t1" } }),
        json({ { requestId = "b" } }, { headers = { ["ms-continuationtoken"] = "t2" } }),
        json { { requestId = "c" } },
      }
      assert.same({ "a", "b", "c" }, ids(records))
      assert.equal("t1", transport.sent[2].header["ms-continuationtoken"])
      assert.equal("t2", transport.sent[3].header["ms-continuationtoken"])
    end)

    it("or a token with the query of the first page", function()
      local client, transport = fake.client {
        json({ {} }, { headers = { ["ms-continuationtoken"] = "t" } }), json {},
      }
      client.security:application_mfa_adoption_status { startDate = "2024-02-01" }
      assert.equal(URL .. "/v1/applicationmfaadoptionstatus?startDate=2024-02-01",
        transport.sent[2].url)
    end)

    it("with the access token, a new request id and the same correlation id", function()
      local _, _, transport = requests { page("a", { uri = NEXT }), page "b" }
      local first, second = transport.sent[1].header, transport.sent[2].header
      assert.equal("Bearer " .. fake.TOKEN, second.authorization)
      assert.not_equal(first["ms-requestid"], second["ms-requestid"])
      assert.equal(first["ms-correlationid"], second["ms-correlationid"])
    end)

    it("and retries the next page", function()
      local records, _, transport = requests { page("a", { uri = NEXT }), { status = 503 },
                                               page "b" }
      assert.same({ "a", "b" }, ids(records))
      assert.equal(transport.sent[2].header["ms-requestid"],
        transport.sent[3].header["ms-requestid"])
    end)

    it("and returns no part of the list if that page fails", function()
      local records, err = requests { page("a", { uri = NEXT }), { status = 403 } }
      assert.is_nil(records)
      assert.equal("forbidden", err.kind)
    end)

    it("within the deadline of the call", function()
      local _, err, transport = requests({
        page("a", { uri = NEXT }, { takes = 6 }), { status = 503, takes = 3.9 },
      }, { timeout = 10 })
      assert.equal("server", err.kind)
      assert.equal(2, #transport.sent)
      assert.equal(4, transport.sent[2].timeout)
    end)

    it("until a page has none", function()
      for _, link in ipairs { {}, { uri = "" }, { uri = cjson.null }, { uri = 5 } } do
        local records, _, transport = requests { page("a", link) }
        assert.same({ "a" }, ids(records))
        assert.equal(1, #transport.sent)
      end
      for _, text in ipairs { '""', "null", "{}", "5" } do
        local records = requests { { body = '{"items":[],"continuationToken":' .. text .. "}" } }
        assert.same({}, ids(records))
      end
    end)
  end)

  describe("does not follow a link", function()
    for _, uri in ipairs {
      "https://evil.example/v1/x", "http://api.partnercenter.microsoft.com/v1/x",
      "//evil.example/v1/x", URL .. ".evil.example/v1/x", URL .. "@evil.example/",
      "/v1/x#y", "customers?a=b#c", "/v1/x y",
    } do
      it("to " .. uri .. ", which would see the token or is no address", function()
        local records, err, transport = requests { page("a", { uri = uri }) }
        assert.is_nil(records)
        assert.equal("protocol", err.kind)
        assert.matches("^the link to the next page ", err.message)
        assert.equal(1, #transport.sent)
      end)
    end

    for _, header in ipairs {
      { key = "X-Any\r\nEvil", value = "x" }, { key = "X-Any", value = "x\r\nEvil: 1" },
      { key = "X-Any", value = "x\nEvil: 1" }, { key = "X-Any", value = "x\0y" },
      { key = "X Any", value = "x" }, { key = "X-Any" }, { value = "x" }, {},
      { key = "X-Any", value = { 1 } },
    } do
      it(("with the header %q"):format(cjson.encode(header)), function()
        local records, err, transport = requests {
          page("a", { uri = "/v1/x", headers = { header } }),
        }
        assert.is_nil(records)
        assert.equal("protocol", err.kind)
        assert.matches("^the link to the next page is unusable: ", err.message)
        assert.equal(1, #transport.sent)
      end)
    end

    for _, text in ipairs { '"x"', "5", "true", '["x"]', "[5]", "[null]", "[[]]" } do
      it("whose headers are " .. text, function()
        local records, err, transport = requests { { body =
          '{"items":[],"links":{"next":{"uri":"/v1/x","headers":' .. text .. "}}}" } }
        assert.is_nil(records)
        assert.equal("protocol", err.kind)
        assert.matches("^the link to the next page is unusable: ", err.message)
        assert.equal(1, #transport.sent)
      end)
    end

    it("of another shape", function()
      for _, text in ipairs { '"x"', "5", "[]", '{"next":"x"}', '{"next":5}', '{"next":[null]}' } do
        local records = requests { { body = '{"items":[],"links":' .. text .. "}" } }
        assert.same({}, ids(records))
      end
    end)

    it("or a token with a line break", function()
      local _, err, transport = requests { { body =
        '{"items":[],"continuationToken":"a\\r\\nEvil: 1"}' } }
      assert.equal("protocol", err.kind)
      assert.equal(1, #transport.sent)
    end)
  end)

  it("lets no link set headers of the client or of the connection", function()
    local ours = { "Authorization", "AUTHORIZATION", "Host", "Cookie", "Content-Length",
                   "Transfer-Encoding", "Connection", "Accept", "Proxy-Authorization",
                   "MS-RequestId", "MS-CorrelationId", "User-Agent", "Accept-Encoding" }
    local list = {}
    for i, name in ipairs(ours) do
      list[i] = { key = name, value = "evil" }
    end
    local _, _, transport = requests { page("a", { uri = "/v1/x", headers = list }), page "b" }
    for _, line in ipairs(transport.sent[2].headers) do
      assert.is_nil(line:find("evil", 1, true))
    end
    assert.equal("Bearer " .. fake.TOKEN, transport.sent[2].header.authorization)
  end)

  describe("ends with an error", function()
    it("if a link repeats", function()
      local link = { uri = "/v1/partnerRequests?p=2" }
      local records, err, transport = requests { page("a", link), page("b", link), page("c", link) }
      assert.is_nil(records)
      assert.equal("protocol", err.kind)
      assert.equal("the pages of the list do not end", err.message)
      assert.equal(2, #transport.sent)
    end)

    it("if two pages lead to each other", function()
      local _, err, transport = requests {
        page("a", { uri = "/v1/x?p=2" }), page("b", { uri = "/v1/x?p=3" }),
        page("c", { uri = "/v1/x?p=2" }),
      }
      assert.equal("protocol", err.kind)
      assert.equal(3, #transport.sent)
    end)

    it("if a token repeats", function()
      local again = json({}, { headers = { ["ms-continuationtoken"] = "same" } })
      local _, err, transport = requests { again, again, again }
      assert.equal("protocol", err.kind)
      assert.equal(2, #transport.sent)
    end)

    it("but not if one address has new tokens", function()
      local answers = {}
      for i = 1, 50 do
        answers[i] = page(i, i < 50 and { uri = "/v1/x", headers = {
          { key = "MS-ContinuationToken", value = "t" .. i } } } or nil)
      end
      local records = requests(answers)
      assert.equal(50, #records)
    end)

    it("after 10,000 pages", function()
      local answers = setmetatable({}, { __index = function(_, i)
        return { body = '{"items":[],"continuationToken":"' .. i .. '"}' }
      end })
      local _, err, transport = requests(answers)
      assert.equal("the pages of the list do not end", err.message)
      assert.equal(10000, #transport.sent)
    end)
  end)

  it("returns errors of the network with the ids that were sent", function()
    local _, err, transport = requests({ { kind = "tls", message = "bad certificate" } })
    assert.is_true(errors.is(err))
    assert.equal("tls", err.kind)
    assert.equal(transport.sent[1].header["ms-requestid"], err.request_id)
    assert.equal(transport.sent[1].header["ms-correlationid"], err.correlation_id)
  end)
end)
