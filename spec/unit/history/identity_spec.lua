local identity = require "pcapi.history.identity"

local GUID = "5F0B3C1E-0000-4000-8000-0000000000AA"

describe("the key of a tenant", function()
  it("is its GUID in lower case", function()
    assert.equal(GUID:lower(), identity.tenant(GUID))
  end)

  it("is no domain, which can move to another tenant", function()
    local key, problem = identity.tenant "fabrikam.onmicrosoft.com"
    assert.is_nil(key)
    assert.truthy(problem:find "GUID")
    assert.is_nil((identity.tenant(nil)))
  end)
end)

describe("the key of a user", function()
  it("is the objectId in lower case, whatever the upn and the tenantId", function()
    assert.equal(GUID:lower(), identity.person { objectId = GUID, upn = "a", tenantId = "b" })
  end)

  it("is the upn in lower case if there is no objectId", function()
    local key = identity.person { objectId = "", upn = "Kim@Fabrikam.example" }
    assert.equal("upn:kim@fabrikam.example", key)
    assert.is_true(identity.is_upn(key))
    assert.equal(key, identity.of_upn "KIM@fabrikam.example")
    assert.is_false(identity.is_upn(GUID))
  end)

  it("is missing if there is neither", function()
    assert.is_nil(identity.person { upn = "" })
    assert.is_nil(identity.person {})
  end)
end)

describe("the key of an application", function()
  it("is its id in lower case, or empty", function()
    assert.equal(GUID:lower(), identity.application { applicationId = GUID })
    assert.equal("", identity.application {})
  end)
end)

describe("the key of a request", function()
  it("is the 16 bytes of its requestId", function()
    assert.equal("\95\11\60\30\0\0\64\0\128\0\0\0\0\0\0\170",
      identity.request { requestId = GUID })
    assert.equal(identity.request { requestId = GUID },
      identity.request { requestId = GUID:lower() })
  end)

  it("tells the requestId, if it is a GUID", function()
    assert.equal(GUID:lower(), identity.request_id(identity.request { requestId = GUID }))
    assert.is_nil(identity.request_id(identity.request { requestId = "7" }))
  end)

  it("is a hash of a requestId that is no GUID", function()
    local key = identity.request { requestId = "7" }
    assert.equal(32, #key)
    assert.equal(key, identity.request { requestId = "7", upn = "x" })
    assert.not_equal(key, identity.request { requestId = "8" })
  end)

  it("is a hash of its fields if there is no requestId", function()
    local one = { requestDateTime = "2026-11-28T06:00:00.1", objectId = "a",
                  applicationId = "c", operationName = "d", ipAddress = "e" }
    local key, keys = identity.request(one), {}
    assert.equal(32, #key)
    assert.equal(key, identity.request(one))
    for field, value in pairs(one) do
      one[field] = nil
      keys[#keys + 1] = identity.request(one)
      one[field] = value .. "\0001:x"
      keys[#keys + 1] = identity.request(one)
      one[field] = value
    end
    local seen = { [key] = true }
    for _, other in ipairs(keys) do
      assert.is_nil(seen[other])
      seen[other] = true
    end
  end)

  it("does not change with the upn of a user who has an objectId", function()
    assert.equal(identity.request { objectId = "a", upn = "b" },
      identity.request { objectId = "a", upn = "c" })
    assert.not_equal(identity.request { upn = "b" }, identity.request { upn = "c" })
  end)
end)
