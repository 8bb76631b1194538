-- The facts of a list about its response.
local fake = require "spec.support.fake_transport"
local pages = require "spec.support.pages"

local json, page, ids, requests = pages.json, pages.page, pages.ids, pages.requests

describe("a list of a call knows", function()
  local function of(value, changes, call)
    local client = fake.client { json(value, changes) }
    return (assert(client.security[call or "partner_requests"](client.security)))
  end

  it("how many records the service counts", function()
    assert.equal(7, of({ totalCount = 7, items = { {} } }).total_count)
    assert.equal(7, of({ TotalCount = "7", items = { {} } }).total_count)
  end)

  it("its length if the service does not count", function()
    assert.equal(2, of({ items = { {}, {} } }).total_count)
    assert.equal(2, of({ {}, {} }).total_count)
    assert.equal(1, of({ totalCount = {}, items = { {} } }).total_count)
  end)

  it("its length if the name of its items has an escape", function()
    local records = requests { { body = [[{"\u0069tems":[{"requestId":"a"},{"requestId":"b"}]}]] } }
    assert.same({ "a", "b" }, ids(records))
    assert.equal(2, records.total_count)
  end)

  for _, odd in ipairs { "1e308", "-1e308", "-5", "1.5", '"1e3"', '"abc"', '"0x10"',
                         '"' .. ("9"):rep(400) .. '"', "true", "null", "[]" } do
    it("its length if the service counts " .. odd:sub(1, 10), function()
      local records = requests { { body = '{"totalCount":' .. odd .. ',"items":[{},{}]}' } }
      assert.equal(2, records.total_count)
      assert.is_false(records.truncated)
    end)
  end

  it("how many elements of all its pages were not records", function()
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

  it("that it is truncated, even if some elements were not records", function()
    local records = requests { { body = '{"totalCount":5,"items":[null,{"requestId":"a"}]}' } }
    assert.is_true(records.truncated)
    local client = fake.client { { body = "[{}" .. (",null"):rep(9999) .. "]" } }
    assert.is_true(client.security:partner_requests().truncated)
  end)

  it("that it is complete", function()
    assert.is_false(of({ totalCount = 1, items = { {} } }).truncated)
    assert.is_false(of({ {}, {} }).truncated)
  end)

  it("that it is truncated if the service counts more than it returned", function()
    assert.is_true(of({ totalCount = 2, items = { {} } }).truncated)
    assert.is_true(of({ totalCount = 2, items = { {} } }, nil,
      "application_mfa_adoption_status").truncated)
  end)

  it("that it may be truncated if it meets the service's cap", function()
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

  it("the ids that were sent if the response has none", function()
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
