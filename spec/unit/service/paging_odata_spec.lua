-- Collections and links in the form of OData, as Microsoft Graph sends them.
local core = require "pcapi.core"
local fake = require "spec.support.fake_transport"
local collection = require "pcapi.service.collection"
local pages = require "spec.support.pages"
local record = require "pcapi.service.record"
local security = require "pcapi.service.resources.security"

local ids, page, requests = pages.ids, pages.page, pages.requests

local URL = "https://api.partnercenter.microsoft.com"
local CONTEXT = '"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#x"'

local function odata(members)
  return { body = "{" .. CONTEXT .. "," .. members .. "}" }
end

local function records_of(text, changes)
  local call = setmetatable(changes or {}, { __index = security.partner_requests })
  return collection.records({ json = core.decode(text), body = text }, call)
end

describe("a collection of OData", function()
  it("is read from value", function()
    local list = assert((requests { odata '"value":[{"requestId":"a"},{"requestId":"b"}]' }))
    assert.same({ "a", "b" }, ids(list))
    assert.equal(2, list.total_count)
    assert.is_false(list.truncated)
  end)

  it("can be empty", function()
    assert.same({}, ids(assert((requests { odata '"value":[]' }))))
    assert.same({}, ids(assert((requests { odata '"@odata.count":0,"value":null' }))))
  end)

  it("may have other annotations", function()
    local list = assert((requests { odata
      '"@odata.count":3,"@microsoft.graph.tips":"x","value@odata.type":"y","value":[{}]' }))
    assert.equal(3, list.total_count)
    assert.is_true(list.truncated)
  end)

  it("does not hide items", function()
    assert.same({ { requestId = "a" } },
      (records_of('{' .. CONTEXT .. ',"items":[{"requestId":"a"}],"value":[{"requestId":"b"}]}')))
  end)

  it("of values that are not objects is an error", function()
    local list, err = requests { odata '"value":["a","b"]' }
    assert.is_nil(list)
    assert.equal("protocol", err.kind)
  end)
end)

describe("an object with a field named value", function()
  for name, text in pairs {
    ["and no annotation"] = '{"value":[{"requestId":"a"}]}',
    ["and another member"] = '{"value":[{"requestId":"a"}],"status":"ok"}',
    ["an annotation and another member"] = '{' .. CONTEXT .. ',"value":[{}],"status":"ok"}',
    ["that is an object"] = '{' .. CONTEXT .. ',"value":{"requestId":"a"}}',
    ["that is a text"] = '{' .. CONTEXT .. ',"value":"a"}',
    ["that is null"] = '{' .. CONTEXT .. ',"value":null}',
    ["and an annotation of another kind"] = '{"@type":"x","value":[{"requestId":"a"}]}',
  } do
    it(name .. " is no collection", function()
      assert.is_nil((records_of(text)))
      local list, err = requests { { body = text } }
      assert.is_nil(list)
      assert.matches("neither a list of records nor a record", err.message, 1, true)
    end)
  end

  it("is a lone record if it has a described field", function()
    for _, value in ipairs { "[1,2]", "[]", "[{}]", '"x"', "5" } do
      local text = '{' .. CONTEXT .. ',"requestId":"a","value":' .. value .. "}"
      local records = assert((records_of(text)))
      assert.equal(1, #records)
      assert.equal("a", records[1].requestId)
      assert.same(core.decode(value), records[1].value)
    end
  end)

  it("is a lone record if value is described and is not an array", function()
    local records = assert((records_of('{' .. CONTEXT .. ',"value":"x"}',
      { description = record.describe { { "value", "string" } } })))
    assert.equal("x", records[1].value)
  end)

  it("is a collection if the call declares that value holds its items", function()
    local DECLARED = { items = "value" }
    assert.same({ { requestId = "a" } },
      (records_of('{"value":[{"requestId":"a"}],"status":"ok"}', DECLARED)))
    assert.same({}, (records_of('{"value":[],"status":"ok"}', DECLARED)))
    assert.same({ { requestId = "b" } }, (records_of('{"items":[{"requestId":"b"}]}', DECLARED)))
    assert.same({ { requestId = "c", value = "x" } },
      (records_of('{"requestId":"c","value":"x"}', { items = "value" })))
    assert.is_nil((records_of('{"value":5}', { items = "value" })))
  end)

  it("can have its items in any declared member", function()
    assert.same({ { requestId = "a" } },
      (records_of('{"widgets":[{"requestId":"a"}],"value":[1]}', { items = "widgets" })))
  end)
end)

describe("@odata.nextLink", function()
  local function linked(link)
    return odata('"value":[{"requestId":"a"}],"@odata.nextLink":' .. link)
  end

  for _, case in ipairs {
    { URL .. "/v1/partnerRequests?$skiptoken=x", "/v1/partnerRequests?$skiptoken=x" },
    { "/v1/partnerRequests?$skip=1", "/v1/partnerRequests?$skip=1" },
    { "partnerRequests?$skip=1", "/v1/partnerRequests?$skip=1" },
  } do
    it("is followed to " .. case[1], function()
      local list, _, transport = requests { linked('"' .. case[1] .. '"'),
                                            odata '"value":[{"requestId":"b"}]' }
      assert.same({ "a", "b" }, ids(list))
      assert.equal(URL .. case[2], transport.sent[2].url)
      assert.equal("Bearer " .. fake.TOKEN, transport.sent[2].header.authorization)
      assert.equal(#transport.sent[1].headers, #transport.sent[2].headers)
    end)
  end

  for _, uri in ipairs { "https://evil.example/v1/x", "http://api.partnercenter.microsoft.com/v1/x",
                         "//evil.example/v1/x", URL .. "@evil.example/", URL .. ".evil.example/x",
                         "/v1/x#y", "/v1/x y", "/v1/x\\r\\nEvil: 1" } do
    it("is not followed to " .. uri, function()
      local list, err, transport = requests { linked('"' .. uri .. '"') }
      assert.is_nil(list)
      assert.equal("protocol", err.kind)
      assert.matches("^the link to the next page ", err.message)
      assert.equal(1, #transport.sent)
    end)
  end

  it("of another type is ignored", function()
    for _, link in ipairs { "5", "null", '""', "{}", "[1]", "true" } do
      local list, _, transport = requests { linked(link) }
      assert.same({ "a" }, ids(list))
      assert.equal(1, #transport.sent)
    end
  end)

  it("counts after links.next and a continuation token", function()
    local first = page("a", { uri = "/v1/x?p=2" })
    first.body = first.body:gsub("}$", ',"@odata.nextLink":"/v1/wrong"}')
    local list, _, transport = requests { first, page "b" }
    assert.same({ "a", "b" }, ids(list))
    assert.equal(URL .. "/v1/x?p=2", transport.sent[2].url)
    _, _, transport = requests {
      odata '"items":[{}],"continuationToken":"t","@odata.nextLink":"/v1/wrong"', page "b" }
    assert.equal("t", transport.sent[2].header["ms-continuationtoken"])
  end)

  it("that repeats ends with an error", function()
    local again = linked '"/v1/x?p=2"'
    local list, err, transport = requests { again, again, again }
    assert.is_nil(list)
    assert.equal("the pages of the list do not end", err.message)
    assert.equal(2, #transport.sent)
  end)

  it("of a collection with other members is followed as well", function()
    local list = requests {
      { body = '{"items":[{"requestId":"a"}],"@odata.nextLink":"/v1/x"}' }, page "b" }
    assert.same({ "a", "b" }, ids(list))
  end)
end)

describe("a resource of Microsoft Graph", function()
  local GRAPH, ALERTS = "https://graph.microsoft.com", "pcapi.service.resources.alerts"

  teardown(function()
    package.preload[ALERTS], package.loaded[ALERTS] = nil, nil
  end)

  it("is a data file like any other", function()
    package.preload[ALERTS] = function()
      return { list = {
        path = "security/partner/securityAlerts", version = "beta", identity = { "id" },
        description = record.describe { { "id", "string" }, { "severity", "string" } },
      } }
    end
    local function alerts(id, link)
      return { body = '{"@odata.context":"' .. GRAPH .. '/beta/$metadata#x","value":[{"id":"' .. id
        .. '","severity":"high"}]' .. (link and ',"@odata.nextLink":"' .. link .. '"' or "")
        .. "}" }
    end
    local next_page = GRAPH .. "/beta/security/partner/securityAlerts?$skiptoken=x"
    local client, transport = fake.client({ alerts("a", next_page), alerts "b" },
      { base_url = GRAPH })
    local list = assert(client.alerts:list())
    assert.equal(GRAPH .. "/beta/security/partner/securityAlerts", transport.sent[1].url)
    assert.equal(next_page, transport.sent[2].url)
    assert.same({ "a", "b" }, { list:identity_of(list[1]), (list:identity_of(list[2])) })
  end)
end)
