local cjson = require "cjson"
local core = require "pcapi.core"
local paging = require "pcapi.service.paging"
local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local security = require "pcapi.service.resources.security"

local URL = "https://api.partnercenter.microsoft.com"
local BOM = "\239\187\191"
local NOT_FOUND = { status = 404, body = '{"code":"1000","description":"Not found."}' }

local function json(value, changes)
  local body = next(value) and cjson.encode(value) or "[]"
  local made = { body = body, headers = { ["content-type"] = "application/json" } }
  for name, change in pairs(changes or {}) do
    made[name] = change
  end
  return made
end

-- A page of the request log: one record of that id, and the link after it.
local function page(id, link, changes)
  return json({ totalCount = 2, items = { { requestId = id } }, links = link and { next = link } },
    changes)
end

local function ids(records)
  local found = {}
  for i, record in ipairs(records) do
    found[i] = record.requestId
  end
  return found
end

local function requests(answers, options)
  local client, transport = fake.client(answers, options)
  local records, err = client.security:partner_requests()
  return records, err, transport
end

local function records_of(text)
  return paging.records({ json = core.decode(text), body = text },
    security.partner_requests.description)
end

describe("pcapi.service.paging", function()
  describe("takes for a list", function()
    for name, text in pairs {
      ["a collection"] = '{"totalCount":1,"items":[{"requestId":"r"}],"attributes":{}}',
      ["a collection in PascalCase"] = '{"TotalCount":1,"Items":[{"RequestId":"r"}]}',
      ["a bare array"] = '[{"requestId":"r"}]',
      ["a bare array behind white space"] = ' \r\n[{"requestId":"r"}]',
      ["a bare array behind a byte order mark"] = BOM .. '[{"requestId":"r"}]',
      ["a lone record"] = '{"requestId":"r","upn":null}',
      ["a lone record in PascalCase"] = '{"RequestId":"r"}',
    } do
      it(name, function()
        assert.same({ { requestId = "r" } }, records_of(text))
      end)
    end

    for _, text in ipairs { "[]", " [ ] ", BOM .. "[]", '{"items":[]}',
                            '{"totalCount":0,"items":[]}', '{"totalCount":0,"items":null}' } do
      it(("nothing in %q"):format(text), function()
        assert.same({}, records_of(text))
      end)
    end

    it("a lone record that is known by another spelling alone", function()
      assert.same({ { ipAddress = "192.0.2.7" } }, records_of '{"sourceIpAddress":"192.0.2.7"}')
    end)
  end)

  describe("refuses", function()
    for text, why in pairs {
      ["{}"] = "neither a list of records nor a record",
      ['{"totalCount":1}'] = "neither a list of records nor a record",
      ['{"odd":[{"requestId":"r"}]}'] = "neither a list of records nor a record",
      ['{"items":"x"}'] = "neither a list of records nor a record",
      ['{"items":5}'] = "neither a list of records nor a record",
      ['{"items":{"requestId":"r"}}'] = "neither a list of records nor a record",
      ["[null]"] = "no record of the list is an object",
      ['["x"]'] = "no record of the list is an object",
      ['{"totalCount":2,"items":[5,["a"],null]}'] = "no record of the list is an object",
      ["5"] = "a single value", ['"text"'] = "a single value", ["true"] = "a single value",
      ["false"] = "a single value",
    } do
      it(text .. " as " .. why, function()
        local records, err, transport = requests { { body = text } }
        assert.is_nil(records)
        assert.equal("protocol", err.kind)
        assert.equal(200, err.status)
        assert.matches(why, err.message, 1, true)
        assert.is_string(err.request_id)
        assert.equal(1, #transport.sent)
      end)
    end

    for _, body in ipairs { "", "null", "<html>x</html>", '{"items":[' } do
      it(("the body %q, which is not JSON"):format(body), function()
        local records, err = requests { { body = body } }
        assert.is_nil(records)
        assert.equal("protocol", err.kind)
        assert.matches("not JSON", err.message, 1, true)
      end)
    end
  end)

  describe("settles records of", function()
    it("the request log: one name for the address, no empty texts, real booleans", function()
      local records = requests { json { items = {
        { sourceIpAddress = "192.0.2.7", correlationId = "", mfaCompliant = "False" },
        { ipAddress = "192.0.2.8", UPN = "kim", mfaCompliant = true },
      } } }
      assert.same({ ipAddress = "192.0.2.7", mfaCompliant = false }, records[1])
      assert.same({ ipAddress = "192.0.2.8", upn = "kim", mfaCompliant = true }, records[2])
    end)

    it("the principals: one name for the time, in any of its spellings", function()
      for _, name in ipairs {
        "lastNonMfaCompliantLoginDateTime", "LastNonMfaCompliantLoginDateTime",
        "lastNonMfaCompliantRequestDateTime", "LastNonMfaCompliantRequestDateTime",
      } do
        local client = fake.client { json { items = { { [name] = "2024-02-03T07:08:09.123" } } } }
        assert.same({ lastNonMfaCompliantLoginDateTime = "2024-02-03T07:08:09.123" },
          client.security:non_mfa_principals()[1])
      end
    end)

    it("the adoption status: counts as numbers, the date as it came", function()
      local client = fake.client { json { {
        loginDate = "2024-02-03", mfaCompliantRequestCount = "3", TotalRequestCount = 9,
        applicationName = "",
      } } }
      local row = client.security:application_mfa_adoption_status()[1]
      assert.same({ loginDate = "2024-02-03", mfaCompliantRequestCount = 3,
                    totalRequestCount = 9 }, row)
    end)
  end)

  describe("asks", function()
    for call, path in pairs {
      non_mfa_principals = "/v1/nonMfaCompliantPartnerPrincipals",
      application_mfa_adoption_status = "/v1/applicationmfaadoptionstatus",
      partner_requests = "/v1/partnerRequests",
    } do
      it("with GET for " .. path, function()
        local client, transport = fake.client { json {} }
        client.security[call](client.security)
        assert.equal("GET", transport.sent[1].method)
        assert.equal(URL .. path, transport.sent[1].url)
        assert.is_nil(transport.sent[1].body)
      end)
    end

    it("/pcapi/v1 only after a 404, with an id of its own", function()
      local records, _, transport = requests { NOT_FOUND, page "a" }
      assert.same({ "a" }, ids(records))
      local first, second = transport.sent[1], transport.sent[2]
      assert.equal(URL .. "/v1/partnerRequests", first.url)
      assert.equal(URL .. "/pcapi/v1/partnerRequests", second.url)
      assert.not_equal(first.header["ms-requestid"], second.header["ms-requestid"])
      assert.equal(first.header["ms-correlationid"], second.header["ms-correlationid"])
    end)

    for _, status in ipairs { 400, 401, 403 } do
      it("no second prefix after a " .. status, function()
        local _, err, transport = requests { { status = status } }
        assert.equal(status, err.status)
        assert.equal(1, #transport.sent)
      end)
    end

    it("no second prefix for the call that was never published there", function()
      local client, transport = fake.client { NOT_FOUND }
      local _, err = client.security:application_mfa_adoption_status()
      assert.equal("not_found", err.kind)
      assert.equal(1, #transport.sent)
    end)

    it("and reports the first refusal when no prefix is known", function()
      local _, err, transport = requests {
        { status = 404, headers = { ["ms-requestid"] = "first" } }, { status = 404 },
      }
      assert.equal("not_found", err.kind)
      assert.equal("first", err.request_id)
      assert.equal(2, #transport.sent)
    end)

    it("and reports the second prefix when that fails otherwise", function()
      local _, err = requests { NOT_FOUND, { status = 403 } }
      assert.equal("forbidden", err.kind)
    end)

    it("where it was answered before", function()
      local client, transport = fake.client { NOT_FOUND, page "a", page "b", NOT_FOUND }
      client.security:partner_requests()
      client.security:partner_requests()
      assert.equal(URL .. "/pcapi/v1/partnerRequests", transport.sent[3].url)
      local _, err = client.security:partner_requests()
      assert.equal("not_found", err.kind)
      assert.equal(4, #transport.sent)
    end)

    it("where that very call was answered, whatever the others did", function()
      local client, transport = fake.client { NOT_FOUND, page "a", json {}, json {}, page "b" }
      client.security:partner_requests()
      client.security:application_mfa_adoption_status()
      client.security:non_mfa_principals()
      client.security:partner_requests()
      assert.equal(URL .. "/v1/applicationmfaadoptionstatus", transport.sent[3].url)
      assert.equal(URL .. "/v1/nonMfaCompliantPartnerPrincipals", transport.sent[4].url)
      assert.equal(URL .. "/pcapi/v1/partnerRequests", transport.sent[5].url)
    end)

    it("below a pinned prefix alone", function()
      for prefix, path in pairs {
        pcapi = "/pcapi/v1/partnerRequests", [""] = "/v1/partnerRequests",
      } do
        local _, err, transport = requests({ NOT_FOUND }, { prefix = prefix })
        assert.equal("not_found", err.kind)
        assert.equal(1, #transport.sent)
        assert.equal(URL .. path, transport.sent[1].url)
      end
    end)

    it("below the path of base_url", function()
      local _, _, transport = requests({ page "a" }, { base_url = "https://gate.example/x/" })
      assert.equal("https://gate.example/x/v1/partnerRequests", transport.sent[1].url)
    end)
  end)

  describe("follows the next page", function()
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

    it("below the prefix that answered", function()
      local _, _, transport = requests { NOT_FOUND, page("a", { uri = "partnerRequests?p=2" }),
                                         page "b" }
      assert.equal(URL .. "/pcapi/v1/partnerRequests?p=2", transport.sent[3].url)
    end)

    it("with GET whatever the link says, and a body it names is not sent", function()
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

    it("with the token of the link's headers, as it is", function()
      local _, _, transport = requests {
        page("a", { uri = NEXT, headers = { { key = "MS-ContinuationToken", value = "a,b/c==" },
                                            { key = "X-Other", value = "y" } } }), page "b",
      }
      assert.equal("a,b/c==", transport.sent[2].header["ms-continuationtoken"])
      assert.equal("y", transport.sent[2].header["x-other"])
    end)

    it("by a token in the body", function()
      for _, name in ipairs { "continuationToken", "ContinuationToken" } do
        local records, _, transport = requests {
          json { items = { { requestId = "a" } }, [name] = "t,1" }, page "b",
        }
        assert.same({ "a", "b" }, ids(records))
        assert.equal(URL .. "/v1/partnerRequests", transport.sent[2].url)
        assert.equal("t,1", transport.sent[2].header["ms-continuationtoken"])
      end
    end)

    it("by a token in a header of the answer", function()
      local records, _, transport = requests {
        json({ { requestId = "a" } }, { headers = { ["ms-continuationtoken"] = "t1" } }),
        json({ { requestId = "b" } }, { headers = { ["ms-continuationtoken"] = "t2" } }),
        json { { requestId = "c" } },
      }
      assert.same({ "a", "b", "c" }, ids(records))
      assert.equal("t1", transport.sent[2].header["ms-continuationtoken"])
      assert.equal("t2", transport.sent[3].header["ms-continuationtoken"])
    end)

    it("with the query of the first page when only a token names it", function()
      local client, transport = fake.client {
        json({ {} }, { headers = { ["ms-continuationtoken"] = "t" } }), json {},
      }
      client.security:application_mfa_adoption_status { startDate = "2024-02-01" }
      assert.equal(URL .. "/v1/applicationmfaadoptionstatus?startDate=2024-02-01",
        transport.sent[2].url)
    end)

    it("with our token, a new request id and the same correlation id", function()
      local _, _, transport = requests { page("a", { uri = NEXT }), page "b" }
      local first, second = transport.sent[1].header, transport.sent[2].header
      assert.equal("Bearer " .. fake.TOKEN, second.authorization)
      assert.not_equal(first["ms-requestid"], second["ms-requestid"])
      assert.equal(first["ms-correlationid"], second["ms-correlationid"])
    end)

    it("and tries again what fails there", function()
      local records, _, transport = requests { page("a", { uri = NEXT }), { status = 503 },
                                               page "b" }
      assert.same({ "a", "b" }, ids(records))
      assert.equal(transport.sent[2].header["ms-requestid"],
        transport.sent[3].header["ms-requestid"])
    end)

    it("and gives no half list when that page fails", function()
      local records, err = requests { page("a", { uri = NEXT }), { status = 403 } }
      assert.is_nil(records)
      assert.equal("forbidden", err.kind)
    end)

    it("within the one deadline of the call", function()
      local _, err, transport = requests({
        page("a", { uri = NEXT }, { takes = 6 }), { status = 503, takes = 3.9 },
      }, { timeout = 10 })
      assert.equal("server", err.kind)
      assert.equal(2, #transport.sent)
      assert.equal(4, transport.sent[2].timeout)
    end)

    it("no further than the last", function()
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

  describe("does not follow", function()
    for _, uri in ipairs {
      "https://evil.example/v1/x", "http://api.partnercenter.microsoft.com/v1/x",
      "//evil.example/v1/x", URL .. ".evil.example/v1/x", URL .. "@evil.example/",
      "/v1/x#y", "customers?a=b#c", "/v1/x y",
    } do
      it(uri .. ": never sends the token to another host", function()
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
      it(("a link with the header %q"):format(cjson.encode(header)), function()
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
      it("a link whose headers are " .. text, function()
        local records, err, transport = requests { { body =
          '{"items":[],"links":{"next":{"uri":"/v1/x","headers":' .. text .. "}}}" } }
        assert.is_nil(records)
        assert.equal("protocol", err.kind)
        assert.matches("^the link to the next page is unusable: ", err.message)
        assert.equal(1, #transport.sent)
      end)
    end

    it("links of odd shapes", function()
      for _, text in ipairs { '"x"', "5", "[]", '{"next":"x"}', '{"next":5}', '{"next":[null]}' } do
        local records = requests { { body = '{"items":[],"links":' .. text .. "}" } }
        assert.same({}, ids(records))
      end
    end)

    it("a token with a line break", function()
      local _, err, transport = requests { { body =
        '{"items":[],"continuationToken":"a\\r\\nEvil: 1"}' } }
      assert.equal("protocol", err.kind)
      assert.equal(1, #transport.sent)
    end)
  end)

  it("lets no link say who we are or how bytes are framed", function()
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

  describe("ends a loop", function()
    it("of links that come again", function()
      local link = { uri = "/v1/partnerRequests?p=2" }
      local records, err, transport = requests { page("a", link), page("b", link), page("c", link) }
      assert.is_nil(records)
      assert.equal("protocol", err.kind)
      assert.equal("the pages of the answer do not end", err.message)
      assert.equal(2, #transport.sent)
    end)

    it("of two pages that lead to each other", function()
      local _, err, transport = requests {
        page("a", { uri = "/v1/x?p=2" }), page("b", { uri = "/v1/x?p=3" }),
        page("c", { uri = "/v1/x?p=2" }),
      }
      assert.equal("protocol", err.kind)
      assert.equal(3, #transport.sent)
    end)

    it("of one token for ever", function()
      local again = json({}, { headers = { ["ms-continuationtoken"] = "same" } })
      local _, err, transport = requests { again, again, again }
      assert.equal("protocol", err.kind)
      assert.equal(2, #transport.sent)
    end)

    it("but takes one address with ever new tokens for pages", function()
      local answers = {}
      for i = 1, 50 do
        answers[i] = page(i, i < 50 and { uri = "/v1/x", headers = {
          { key = "MS-ContinuationToken", value = "t" .. i } } } or nil)
      end
      local records = requests(answers)
      assert.equal(50, #records)
    end)

    it("of ever new links at last", function()
      local answers = setmetatable({}, { __index = function(_, i)
        return { body = '{"items":[],"continuationToken":"' .. i .. '"}' }
      end })
      local _, err, transport = requests(answers)
      assert.equal("the pages of the answer do not end", err.message)
      assert.equal(10000, #transport.sent)
    end)
  end)

  describe("tells of its list", function()
    local function of(value, changes, call)
      local client = fake.client { json(value, changes) }
      return (assert(client.security[call or "partner_requests"](client.security)))
    end

    it("what the service counts", function()
      assert.equal(7, of({ totalCount = 7, items = { {} } }).total_count)
      assert.equal(7, of({ TotalCount = "7", items = { {} } }).total_count)
    end)

    it("its length where the service does not count", function()
      assert.equal(2, of({ items = { {}, {} } }).total_count)
      assert.equal(2, of({ {}, {} }).total_count)
      assert.equal(1, of({ totalCount = {}, items = { {} } }).total_count)
    end)

    for _, odd in ipairs { "1e308", "-1e308", "1e999", "-5", "1.5", '"1e3"', '"abc"', '"0x10"',
                           '"' .. ("9"):rep(400) .. '"', "true", "null", "[]" } do
      it("its length where the service counts " .. odd:sub(1, 10), function()
        local records = requests { { body = '{"totalCount":' .. odd .. ',"items":[{},{}]}' } }
        assert.equal(2, records.total_count)
        assert.is_false(records.truncated)
      end)
    end

    it("how much of it was no record, on all its pages", function()
      assert.equal(0, of({ {}, {} }).unreadable)
      local records = requests {
        { body = '{"totalCount":5,"items":[null,{"requestId":"a"}],"continuationToken":"t"}' },
        { body = '{"totalCount":5,"items":[5,"x"],"continuationToken":"u"}' },
        { body = '{"totalCount":5,"items":[{"RequestId":"b"}]}' },
      }
      assert.same({ "a", "b" }, ids(records))
      assert.equal(3, records.unreadable)
      assert.equal(5, records.total_count)
      assert.is_false(records.truncated)
    end)

    it("that it is cut, whatever could be read of it", function()
      local records = requests { { body = '{"totalCount":5,"items":[null,{"requestId":"a"}]}' } }
      assert.is_true(records.truncated)
      local client = fake.client { { body = "[{}" .. (",null"):rep(9999) .. "]" } }
      assert.is_true(client.security:partner_requests().truncated)
    end)

    it("that it is complete", function()
      assert.is_false(of({ totalCount = 1, items = { {} } }).truncated)
      assert.is_false(of({ {}, {} }).truncated)
    end)

    it("that it is cut, when the service counts more than it gives", function()
      assert.is_true(of({ totalCount = 2, items = { {} } }).truncated)
      assert.is_true(of({ totalCount = 2, items = { {} } }, nil,
        "application_mfa_adoption_status").truncated)
    end)

    it("that it may be cut, when it meets the service's cap", function()
      local function many(n, call)
        local text = "[" .. ("{},"):rep(n - 1) .. "{}]"
        local client = fake.client { { body = text } }
        return client.security[call](client.security).truncated
      end
      assert.is_false(many(9999, "partner_requests"))
      assert.is_true(many(10000, "partner_requests"))
      assert.is_true(many(10000, "non_mfa_principals"))
      assert.is_false(many(10000, "application_mfa_adoption_status"))
    end)

    it("the ids of its first page", function()
      local records = requests {
        page("a", { uri = "/v1/x" }, { headers = { ["ms-requestid"] = "r1",
                                                   ["ms-correlationid"] = "c1" } }),
        page("b", nil, { headers = { ["ms-requestid"] = "r2" } }),
      }
      assert.equal("r1", records.request_id)
      assert.equal("c1", records.correlation_id)
      assert.equal(2, records.total_count)
    end)

    it("the ids that were sent where the answer has none", function()
      local records, _, transport = requests { page "a" }
      assert.equal(transport.sent[1].header["ms-requestid"], records.request_id)
      assert.equal(transport.sent[1].header["ms-correlationid"], records.correlation_id)
    end)

    it("whether the service finds the token compliant", function()
      assert.is_true(of({}, { headers = { ismfacompliant = "true" } }).is_mfa_compliant)
      assert.is_false(of({ items = {}, isMfaCompliant = false }).is_mfa_compliant)
      assert.is_nil(of({}).is_mfa_compliant)
    end)

    it("the names of its columns", function()
      assert.same({ "upn", "lastNonMfaCompliantLoginDateTime", "objectId", "tenantId" },
        of({}, nil, "non_mfa_principals").columns)
    end)
  end)

  describe("gives one address whichever of its spellings comes, and in whatever order", function()
    local PAD = ('{"requestId":"r","x":"%s"},'):format(("y"):rep(200)):rep(300)
    for text, expected in pairs {
      ['"ipAddress" :"own","sourceIpAddress":"other"'] = "own",
      ['"sourceIpAddress":"other","ipAddress" :"own"'] = "own",
      ['"sourceIpAddress"\n:"other","ipAddress"\t : "own"'] = "own",
      ['"\\u0069pAddress":"own","sourceIpAddress":"other"'] = "own",
      ['"source\\u0049pAddress":"other"'] = "other",
      ['"sourceIpAddress" : "other"'] = "other", ['"SourceIpAddress":"other"'] = "other",
      ['"IpAddress":"pascal"'] = "pascal", ['"ipAddress":"","sourceIpAddress":"other"'] = "other",
      ['"ipAddress":null,"SourceIPAddress":"other"'] = "other",
      ['"IpAddress":"pascal","sourceIpAddress":"other"'] = "other",
      ['"sourceIpAddress":"other","IpAddress":"pascal"'] = "other",
      ['"sourceIpAddress":"","IpAddress":"pascal"'] = "pascal",
      ['"x":{"ipAddress":"nested"},"sourceIpAddress":"other"'] = "other",
    } do
      it("from " .. text, function()
        for _, breathe in ipairs { false, function() end } do
          for _, pad in ipairs { "", PAD } do
            for _, list in ipairs { "[%s{%s}]", '{"items":[%s{%s}]}',
                                    '{"\\u0069tems" :[%s{%s}]}' } do
              local client, transport = fake.client { { body = list:format(pad, text) } }
              transport.breathe = breathe or nil
              local records = assert(client.security:partner_requests())
              assert.equal(expected, records[#records].ipAddress)
            end
          end
        end
      end)
    end
  end)

  describe("refuses what would fill the memory:", function()
    local MEGABYTES = 1024 -- of what collectgarbage counts

    local function refused(body, options, more)
      local client = fake.client({ { body = body }, more }, options)
      collectgarbage()
      local before = collectgarbage "count"
      local records, err = client.security:partner_requests()
      assert.is_true(collectgarbage "count" - before < 4 * MEGABYTES)
      assert.is_nil(records)
      assert.equal("protocol", err.kind)
      assert.equal(200, err.status)
      assert.matches("Raise max_records", err.hint, 1, true)
      return err.message
    end

    local function items(count, item)
      return '{"items":[' .. (item .. ","):rep(count - 1) .. item .. "]}"
    end

    it("5 million records", function()
      local message = refused(items(5e6, "{}"))
      assert.equal("the response has more than 250000 records, the limit max_records", message)
    end)

    it("one record more than 250,000, and not one less", function()
      for _, item in ipairs { "{}", "null", "[]", "5" } do
        refused(items(250001, item))
        refused("[" .. items(250001, item):sub(11, -2))
      end
      local client = fake.client { { body = items(250000, "{}") } }
      assert.equal(250000, #assert(client.security:partner_requests()))
    end)

    for name, body in pairs {
      ["millions of members in one record"] = '[{"a":[' .. ("[],"):rep(4e6) .. "[]]}]",
      ["millions of members in none"] = '{"items":[{}],"x":{"y":{' .. ('"":1,'):rep(4e6)
        .. '"b":2}}}',
      ["brackets alone"] = ("["):rep(5e6),
      ["commas alone"] = "[" .. (","):rep(5e6),
    } do
      it(name, function()
        assert.matches("^the response has more .* 250000 records.*, the limit max_records$",
          refused(body))
      end)
    end

    it("more records than max_records, over all pages", function()
      local function linked(count)
        return items(count, "{}"):sub(1, -2) .. ',"continuationToken":"t"}'
      end
      refused(items(4, "{}"), { max_records = 3 })
      refused(linked(2), { max_records = 3 }, { body = items(2, "{}") })
      refused(linked(2), { max_records = 3 },
        { body = items(1, '{"a":[' .. ("1,"):rep(40) .. "2]}") })
      local client = fake.client({ { body = linked(2) }, { body = items(1, "{}") } },
        { max_records = 3 })
      assert.equal(3, #assert(client.security:partner_requests()))
    end)

    it("but takes texts full of what looks like values", function()
      local name = ("[,{"):rep(1e5)
      local client = fake.client({ { body = '[{"upn":"' .. name .. '"}]' } }, { max_records = 1 })
      assert.equal(name, assert(client.security:partner_requests())[1].upn)
    end)

    it("64 MiB, unless the client has an own ceiling", function()
      local _, _, transport = requests { page "a" }
      assert.equal(64 * 1024 * 1024, transport.sent[1].max_body)
      _, _, transport = requests({ page "a" }, { max_body = 100e6 })
      assert.equal(100e6, transport.sent[1].max_body)
    end)

    it("a later page above max_body, which would be as long the next time", function()
      local client = fake.client { { body = '{"items":[{}],"continuationToken":"t"}' },
                                   { kind = "protocol",
                                     message = "the answer is larger than max_body" } }
      local records, err = client.security:partner_requests()
      assert.is_nil(records)
      assert.same({ 2, "Raise max_body if you expect so much" }, { err.page, err.hint })
    end)

    it("but a failure is told as what it is", function()
      local _, err = requests({ { status = 403, body = items(5e6, "{}") } })
      assert.equal("forbidden", err.kind)
      local body = '{"code":"900328","items":' .. items(40000, "{}"):sub(10)
      _, err = requests({ { status = 403, body = body } })
      assert.is_nil(err.code) -- it was not decoded
    end)
  end)

  describe("ends when the time is over", function()
    -- The clock goes on a second whenever somebody looks.
    local function late(body, seconds, breathe)
      local client, transport = fake.client({ { body = body } }, { timeout = seconds })
      transport.breathe = breathe
      transport.now = function(self)
        self.time = self.time + 1
        return self.time
      end
      local records, err = client.security:partner_requests()
      return records, err, transport
    end

    local MANY = "[" .. ('{"upn":"a","x":[1]},'):rep(150000) .. "{}]" -- 600,000 values, 3 MB
    local PASCAL = "[" .. ('{"UPN":"a"},'):rep(3000) .. "{}]"

    for name, case in pairs {
      ["while it decodes"] = { MANY, 8 },
      ["while it decodes and lets others go on"] = { MANY, 40, function() end },
      ["while it settles records"] = { PASCAL, 15 },
    } do
      it(name, function()
        local records, err, transport = late(case[1], case[2], case[3])
        assert.is_nil(records)
        assert.equal("timeout", err.kind)
        assert.equal("timed out while reading the response", err.message)
        assert.is_string(err.request_id)
        assert.equal(1, #transport.sent)
        assert.equal(case[1]:sub(-4) and select(2, case[1]:gsub("},", "")) + 1,
          #assert(late(case[1], 10000, case[3])))
      end)
    end
  end)

  it("hands out errors of the network with the ids that were sent", function()
    local _, err, transport = requests({ { kind = "tls", message = "bad certificate" } })
    assert.is_true(errors.is(err))
    assert.equal("tls", err.kind)
    assert.equal(transport.sent[1].header["ms-requestid"], err.request_id)
    assert.equal(transport.sent[1].header["ms-correlationid"], err.correlation_id)
  end)
end)
