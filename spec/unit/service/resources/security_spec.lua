local fake = require "spec.support.fake_transport"
local security = require "pcapi.service.resources.security"

local CALLS = {
  non_mfa_principals = { "nonMfaCompliantPartnerPrincipals",
    { objectId = "o", tenantId = "t" }, "t/o" },
  application_mfa_adoption_status = { "applicationmfaadoptionstatus",
    { loginDate = "2024-02-03", applicationId = "a" }, "2024-02-03/a" },
  partner_requests = { "partnerRequests", { requestId = "r", objectId = "o" }, "r" },
}

describe("the resource security", function()
  it("has the three calls about MFA and no other", function()
    for name in pairs(security) do
      assert.is_table(CALLS[name])
    end
  end)

  for name, case in pairs(CALLS) do
    describe("has the call " .. name .. ", which", function()
      local call = security[name]

      it("takes tokens of users only, and tries no prefix first", function()
        assert.equal(case[1], call.path)
        assert.is_true(call.users_only)
        assert.equal("", call.prefixes[1])
      end)

      it("describes all fields that it names", function()
        local known = {}
        for _, column in ipairs(call.description.columns) do
          known[column] = true
        end
        assert.is_true(known[call.time])
        assert.is_true(call.mfa_compliant == nil or known[call.mfa_compliant])
        for _, fields in ipairs { call.user or {}, call.application or {}, call.identity } do
          for _, field in ipairs(fields) do
            assert.is_true(known[field])
          end
        end
      end)

      it("identifies its records", function()
        local client = fake.client { { body = "[]" } }
        local list = assert(client.security[name](client.security))
        assert.equal(case[3], list:identity_of(case[2]))
      end)
    end)
  end
end)
