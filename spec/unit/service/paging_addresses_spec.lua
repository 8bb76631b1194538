-- Where a call is sent, and what is tried after a 404.
local fake = require "spec.support.fake_transport"
local pages = require "spec.support.pages"

local json, page, ids, requests = pages.json, pages.page, pages.ids, pages.requests

local URL = "https://api.partnercenter.microsoft.com"
local NOT_FOUND = { status = 404, body = '{"code":"1000","description":"Not found."}' }

describe("a call", function()
  for call, path in pairs {
    non_mfa_principals = "/v1/nonMfaCompliantPartnerPrincipals",
    application_mfa_adoption_status = "/v1/applicationmfaadoptionstatus",
    partner_requests = "/v1/partnerRequests",
  } do
    it("sends GET to " .. path, function()
      local client, transport = fake.client { json {} }
      client.security[call](client.security)
      assert.equal("GET", transport.sent[1].method)
      assert.equal(URL .. path, transport.sent[1].url)
      assert.is_nil(transport.sent[1].body)
    end)
  end

  it("tries /pcapi/v1 only after a 404, with a request id of its own", function()
    local records, _, transport = requests { NOT_FOUND, page "a" }
    assert.same({ "a" }, ids(records))
    local first, second = transport.sent[1], transport.sent[2]
    assert.equal(URL .. "/v1/partnerRequests", first.url)
    assert.equal(URL .. "/pcapi/v1/partnerRequests", second.url)
    assert.not_equal(first.header["ms-requestid"], second.header["ms-requestid"])
    assert.equal(first.header["ms-correlationid"], second.header["ms-correlationid"])
  end)

  for _, status in ipairs { 400, 401, 403 } do
    it("tries no second prefix after a " .. status, function()
      local _, err, transport = requests { { status = status } }
      assert.equal(status, err.status)
      assert.equal(1, #transport.sent)
    end)
  end

  it("tries no prefix where it was never published", function()
    local client, transport = fake.client { NOT_FOUND }
    local _, err = client.security:application_mfa_adoption_status()
    assert.equal("not_found", err.kind)
    assert.equal(1, #transport.sent)
  end)

  it("returns the first 404 if both prefixes fail with one", function()
    local _, err, transport = requests {
      { status = 404, headers = { ["ms-requestid"] = "first" } }, { status = 404 },
    }
    assert.equal("not_found", err.kind)
    assert.equal("first", err.request_id)
    assert.equal(2, #transport.sent)
  end)

  it("returns the error of the second prefix if that is no 404", function()
    local _, err = requests { NOT_FOUND, { status = 403 } }
    assert.equal("forbidden", err.kind)
  end)

  it("goes to the prefix that worked before", function()
    local client, transport = fake.client { NOT_FOUND, page "a", page "b", NOT_FOUND }
    client.security:partner_requests()
    client.security:partner_requests()
    assert.equal(URL .. "/pcapi/v1/partnerRequests", transport.sent[3].url)
    local _, err = client.security:partner_requests()
    assert.equal("not_found", err.kind)
    assert.equal(4, #transport.sent)
  end)

  it("goes to the prefix that worked for this call, not another one", function()
    local client, transport = fake.client { NOT_FOUND, page "a", json {}, json {}, page "b" }
    client.security:partner_requests()
    client.security:application_mfa_adoption_status()
    client.security:non_mfa_principals()
    client.security:partner_requests()
    assert.equal(URL .. "/v1/applicationmfaadoptionstatus", transport.sent[3].url)
    assert.equal(URL .. "/v1/nonMfaCompliantPartnerPrincipals", transport.sent[4].url)
    assert.equal(URL .. "/pcapi/v1/partnerRequests", transport.sent[5].url)
  end)

  it("goes to the prefix of the client only, if it has one", function()
    for prefix, path in pairs {
      pcapi = "/pcapi/v1/partnerRequests", [""] = "/v1/partnerRequests",
    } do
      local _, err, transport = requests({ NOT_FOUND }, { prefix = prefix })
      assert.equal("not_found", err.kind)
      assert.equal(1, #transport.sent)
      assert.equal(URL .. path, transport.sent[1].url)
    end
  end)

  it("goes below the path of base_url", function()
    local _, _, transport = requests({ page "a" }, { base_url = "https://gate.example/x/" })
    assert.equal("https://gate.example/x/v1/partnerRequests", transport.sent[1].url)
  end)
end)
