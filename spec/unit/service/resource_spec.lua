local fake = require "spec.support.fake_transport"
local raises = require "spec.support.raises"

local LOG = [[{"totalCount":3,"items":[
  {"requestId":"1","upn":"kim@fabrikam.example","mfaCompliant":true,"applicationId":"a-1",
   "requestDateTime":"2024-02-03T07:00:00.12"},
  {"requestId":"2","upn":"Kim@fabrikam.example","mfaCompliant":false,"applicationId":"a-2",
   "requestDateTime":"2024-02-03T06:00:00"},
  {"requestId":"3","upn":"svc@fabrikam.example","mfaCompliant":false,"applicationId":"a-1",
   "requestDateTime":"2024-02-01T00:00:00"}]}]]

local function requests(options)
  local client, transport = fake.client { { body = LOG } }
  local records = assert(client.security:partner_requests(options))
  local ids = {}
  for i, record in ipairs(records) do
    ids[i] = record.requestId
  end
  return ids, records, transport
end

describe("a call of a resource", function()
  it("without options returns all records", function()
    assert.same({ "1", "2", "3" }, (requests()))
    assert.same({ "1", "2", "3" }, (requests {}))
  end)

  for name, case in pairs {
    ["since a duration"] = { { since = "24h" }, { "1", "2" } },
    ["since a time"] = { { since = "2024-02-03T06:30:00Z" }, { "1" } },
    ["since a number"] = { { since = fake.NOW - 600 }, { "1" } },
    ["of a user"] = { { user = "kim@*" }, { "1", "2" } },
    ["of an application"] = { { application = "a-1" }, { "1", "3" } },
    ["without MFA"] = { { mfa_compliant = false }, { "2", "3" } },
    ["with MFA"] = { { mfa_compliant = true }, { "1" } },
    ["that meet several criteria"] = { { user = "kim*", mfa_compliant = false }, { "2" } },
    ["that do not exist"] = { { user = "lee" }, {} },
  } do
    it("returns the records " .. name, function()
      assert.same(case[2], (requests(case[1])))
    end)
  end

  it("returns a filtered list with the facts of the whole response", function()
    local _, records = requests { user = "svc*" }
    assert.equal(3, records.total_count)
    assert.is_false(records.truncated)
    assert.is_string(records.request_id)
    assert.equal(1, #records:newest_first())
  end)

  it("sends no criteria to the service", function()
    local _, _, transport = requests { user = "kim*", since = "24h" }
    assert.equal("https://api.partnercenter.microsoft.com/v1/partnerRequests",
      transport.sent[1].url)
  end)

  it("passes on timeout and correlation id", function()
    local _, records, transport = requests { timeout = 7, correlation_id = "c-1" }
    assert.equal(7, transport.sent[1].timeout)
    assert.equal("c-1", transport.sent[1].header["ms-correlationid"])
    assert.equal("c-1", records.correlation_id)
  end)

  it("sends the days that it declares", function()
    local client, transport = fake.client { { body = "[]" } }
    client.security:application_mfa_adoption_status {
      startDate = "2024-02-01", endDate = "2024-02-29",
    }
    assert.equal("https://api.partnercenter.microsoft.com/v1/applicationmfaadoptionstatus"
      .. "?endDate=2024-02-29&startDate=2024-02-01", transport.sent[1].url)
  end)

  it("returns the error of the service", function()
    local client = fake.client { { status = 403 } }
    local records, err = client.security:partner_requests { user = "kim" }
    assert.is_nil(records)
    assert.equal("forbidden", err.kind)
  end)

  describe("raises at the caller's line, and sends nothing, for", function()
    for name, case in pairs {
      ["an unknown option"] = { "partner_requests", { sinec = "24h" },
        'partner_requests has no option "sinec"; did you mean "since"?' },
      ["an option of a wrong type"] = { "partner_requests", { user = 5 },
        'partner_requests: option "user" must be string, not 5' },
      ["options that are not a table"] = { "partner_requests", "24h", "takes a table of options" },
      ["a wrong time"] = { "partner_requests", { since = "soon" },
        "partner_requests: since: 'soon' is not a time" },
      ["an application of principals"] = { "non_mfa_principals", { application = "*" },
        "non_mfa_principals: these records have no application" },
      ["a user of the adoption status"] = { "application_mfa_adoption_status", { user = "*" },
        "these records have no user" },
      ["mfa_compliant of principals"] = { "non_mfa_principals", { mfa_compliant = true },
        "these records have no field for mfa_compliant" },
      ["a query that the call does not take"] = { "partner_requests", { startDate = "2024-02-01" },
        'has no option "startDate"' },
      ["a day of a wrong form"] = { "application_mfa_adoption_status", { startDate = "1 Feb" },
        'option "startDate" must be a day such as 2024-02-03, not "1 Feb"' },
      ["a day that does not exist"] = { "application_mfa_adoption_status",
        { endDate = "2023-02-29" }, 'option "endDate" must be a day' },
      ["a time for a day"] = { "application_mfa_adoption_status",
        { endDate = "2024-02-03T07:08:09Z" }, 'option "endDate" must be a day' },
      ["a correlation id with a line break"] = { "partner_requests", { correlation_id = "a\nb" },
        'option "correlation_id" must be one line of text' },
    } do
      it(name, function()
        local client, transport = fake.client {}
        raises(function() client.security[case[1]](client.security, case[2]) end, case[3])
        assert.equal(0, #transport.sent)
      end)
    end

    it("a missing colon", function()
      local client = fake.client {}
      raises(function() client.security.partner_requests { since = "24h" } end,
        "call it with a colon: client.security:partner_requests{…}")
    end)

    it("days in the wrong order", function()
      local client = fake.client {}
      raises(function()
        client.security:application_mfa_adoption_status { startDate = "2024-02-03",
                                                          endDate = "2024-02-02" }
      end, "startDate 2024-02-03 is after endDate 2024-02-02")
    end)

    it("a call that does not exist", function()
      local client = fake.client {}
      raises(function() client.security:non_mfa_principal() end,
        'security has no call "non_mfa_principal"; did you mean "non_mfa_principals"?')
      raises(function() client.security:zzzzzzzzzzzzzzzz() end,
        "; there are: application_mfa_adoption_status, non_mfa_principals, partner_requests")
      raises(function() client.security[5]() end, 'security has no call "5"')
    end)
  end)
end)
