local pcapi = require "pcapi"
local sandbox = require "spec.support.sandbox"

local GUID = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

describe("the users without MFA", function()
  local function users(settings, options)
    return sandbox.client(settings).security:non_mfa_principals(options)
  end

  it("come as a plain list of records", function()
    local list = assert(users "records=25")
    assert.equal(25, #list)
    assert.equal(25, list.total_count)
    assert.is_false(list.truncated)
    for _, user in ipairs(list) do
      assert.truthy(user.upn:find "@")
      assert.truthy(user.objectId:find(GUID))
      assert.truthy(user.tenantId:find(GUID))
      assert.truthy(pcapi.time.parse(user.lastNonMfaCompliantLoginDateTime))
      assert.is_nil(user.lastNonMfaCompliantRequestDateTime)
    end
  end)

  it("have the ids of the call, and whether the token has MFA", function()
    local list = assert(users "records=1")
    assert.truthy(list.request_id:find(GUID))
    assert.truthy(list.correlation_id:find(GUID))
    assert.is_true(list.is_mfa_compliant)
    assert.is_false(assert(users "compliant=false").is_mfa_compliant)
    assert.is_nil(assert(users "compliant=none").is_mfa_compliant)
    assert.is_true(assert(users "compliant=body").is_mfa_compliant)
  end)

  for _, settings in ipairs { "shape=array", "shape=collection", "shape=object", "shape=odata",
                              "bom=0", "pretty=1", "casing=pascal", "spelling=login",
                              "spelling=request", "type=text/plain", "encoding=none" } do
    it("are the same from a response with " .. settings, function()
      local list = assert(users("records=3; " .. settings))
      assert.equal(settings == "shape=object" and 1 or 3, #list)
      assert.truthy(list[1].upn and list[1].lastNonMfaCompliantLoginDateTime)
    end)
  end

  it("have unknown fields and no nulls", function()
    local list = assert(users "records=3; extra=1; nulls=1")
    local known = {}
    for _, column in ipairs(list.columns) do
      known[column] = true
    end
    local extra = 0
    for _, user in ipairs(list) do
      for name, value in pairs(user) do
        extra = extra + (known[name] and 0 or 1)
        assert.not_equal(pcapi.null, value)
      end
    end
    assert.is_true(extra > 0)
  end)

  it("can be an empty list", function()
    for _, shape in ipairs { "collection", "array" } do
      local list = assert(users("records=0; shape=" .. shape))
      assert.same({ 0, 0 }, { #list, list.total_count })
    end
  end)

  it("are truncated at the service's cap", function()
    assert.is_true(assert(users "records=10000").truncated)
    assert.is_false(assert(users "records=9999").truncated)
  end)

  it("are the same by the core's reader and by lua-cjson, also those of 9 MiB", function()
    for _, settings in ipairs { "records=200", "records=45000; encoding=none",
                                "records=3000; casing=pascal" } do
      local ours = assert(users(settings))
      local theirs = assert(sandbox.client(settings, { json = "cjson" }).security
        :non_mfa_principals())
      assert.equal(#theirs, #ours)
      for i, user in ipairs(theirs) do
        assert.same({ user.objectId, user.upn, user.tenantId },
          { ours[i].objectId, ours[i].upn, ours[i].tenantId })
        assert.is_string(ours[i].lastNonMfaCompliantLoginDateTime)
      end
    end
  end)

  it("can be filtered by time and user", function()
    local all = assert(users "records=25")
    local recent = assert(users("records=25", { since = "24h" }))
    assert.is_true(#recent > 0 and #recent < #all)
    local one = assert(users("records=25", { user = all[3].upn:upper() }))
    assert.equal(all[3].objectId, one[1].objectId)
    assert.equal(25, one.total_count)
  end)

  it("are collected from all pages, in every form of link", function()
    for _, links in ipairs { "relative", "v1", "bare", "absolute" } do
      local list = assert(users("records=25; page=10; carrier=link; links=" .. links))
      assert.equal(25, #list, links)
    end
    for _, carrier in ipairs { "body", "header" } do
      assert.equal(25, #assert(users("records=25; page=10; links=none; carrier=" .. carrier)))
    end
    for _, links in ipairs { "relative", "v1", "bare", "absolute" } do
      local list = assert(users("shape=odata; records=25; page=10; links=" .. links))
      assert.same({ 25, 25, false }, { #list, list.total_count, list.truncated }, links)
    end
  end)

  it("are never read from another host, which would see the token", function()
    for _, links in ipairs { "foreign", "http" } do
      local list, err = users("records=25; page=10; links=" .. links)
      assert.is_nil(list)
      assert.equal("protocol", err.kind)
      assert.truthy(tostring(err):find "another host")
      local _, refused = users("shape=odata; records=25; page=10; links=" .. links)
      assert.truthy(tostring(refused):find "another host")
    end
  end)

  it("are an error if the pages link in a loop", function()
    local list, err = users "records=25; page=10; links=loop"
    assert.is_nil(list)
    assert.equal("protocol", err.kind)
  end)

  it("are read from the first published path after a 404, which is remembered", function()
    local client = sandbox.client "serve=pcapi; records=2"
    local list = assert(client.security:non_mfa_principals())
    assert.equal(2, #list)
    assert.equal(2, #sandbox.received(list.correlation_id))
    list = assert(client.security:non_mfa_principals())
    assert.equal(1, #sandbox.received(list.correlation_id))
    assert.truthy(sandbox.received(list.correlation_id)[1].uri:find("^/pcapi/v1/"))
  end)

  it("are read from one path only if the client has a prefix", function()
    local list, err = sandbox.client("serve=pcapi", { prefix = "" }).security:non_mfa_principals()
    assert.is_nil(list)
    assert.equal("not_found", err.kind)
    assert.equal(1, #sandbox.received(err.correlation_id))
  end)
end)

describe("the other calls", function()
  it("return adoption per day and application with whole numbers", function()
    local rows = assert(sandbox.client().security:application_mfa_adoption_status())
    assert.is_true(#rows > 0)
    for _, row in ipairs(rows) do
      assert.truthy(row.loginDate:find "^%d%d%d%d%-%d%d%-%d%d$")
      assert.truthy(tostring(row.totalRequestCount):find "^%d+$")
      assert.is_true(row.mfaCompliantRequestCount <= row.totalRequestCount)
    end
  end)

  it("send the days to the service", function()
    local client = sandbox.client()
    local all = assert(client.security:application_mfa_adoption_status())
    local day = all[1].loginDate
    local rows = assert(client.security:application_mfa_adoption_status {
      startDate = day, endDate = day,
    })
    assert.is_true(#rows > 0 and #rows < #all)
    assert.truthy(sandbox.received(rows.correlation_id)[1].uri
      :find("?endDate=" .. day .. "&startDate=" .. day, 1, true))
  end)

  it("return requests with one name for the address and booleans", function()
    for _, ip in ipairs { "ipAddress", "sourceIpAddress" } do
      for _, scalars in ipairs { "", "; scalars=strings" } do
        local rows = assert(sandbox.client("ip=" .. ip .. scalars).security:partner_requests())
        assert.is_true(#rows > 0)
        assert.truthy(rows[1].ipAddress)
        assert.equal("boolean", type(rows[1].mfaCompliant))
      end
    end
  end)

  it("can be filtered to requests without MFA", function()
    local rows = assert(sandbox.client().security:partner_requests { mfa_compliant = false })
    assert.is_true(#rows > 0 and #rows < rows.total_count)
  end)
end)

describe("a request", function()
  it("is as the service documents it", function()
    local list = assert(sandbox.client().security:non_mfa_principals())
    local sent = sandbox.received(list.correlation_id)[1]
    assert.equal("GET", sent.method)
    assert.equal("/v1/nonMfaCompliantPartnerPrincipals", sent.uri)
    assert.equal("application/json", sent.headers.accept)
    assert.equal("true", sent.headers.validatemfa)
    assert.truthy(sent.headers["ms-requestid"]:find(GUID))
    assert.truthy(sent.headers["ms-correlationid"]:find(GUID))
    assert.is_nil(sent.headers["ms-contract-version"])
  end)

  it("can have more headers and fewer", function()
    local client = sandbox.client(nil, { validate_mfa = false, partner_api_headers = true,
                                         headers = { ["X-Locale"] = "de-DE" } })
    local list = assert(client.security:non_mfa_principals())
    local headers = sandbox.received(list.correlation_id)[1].headers
    assert.is_nil(headers.validatemfa)
    assert.equal("de-DE", headers["x-locale"])
    assert.equal(headers["ms-requestid"], headers["client-request-id"])
  end)
end)

describe("a call that fails for a moment", function()
  it("is repeated with the same request id", function()
    for _, status in ipairs { 408, 429, 500, 502, 503, 504 } do
      local list = assert(sandbox.client("times=2; status=" .. status .. "; retry_after=0")
        .security:non_mfa_principals())
      local sent = sandbox.received(list.correlation_id)
      assert.equal(3, #sent, status)
      assert.equal(sent[1].headers["ms-requestid"], sent[3].headers["ms-requestid"])
    end
  end)

  it("is repeated after its connection was cut", function()
    assert(sandbox.client "times=1; cut=headers".security:non_mfa_principals())
    assert(sandbox.client "times=1; cut=body".security:non_mfa_principals())
  end)

  it("waits as long as the service demands", function()
    local core = require "pcapi.core"
    local started = core.now()
    assert(sandbox.client "times=1; status=429; retry_after=1".security:non_mfa_principals())
    assert.is_true(core.now() - started >= 1)
  end)

  it("gives up at once if the wait is longer than the timeout, and returns it", function()
    local list, err = sandbox.client("status=429; retry_after=57").security:non_mfa_principals()
    assert.is_nil(list)
    assert.equal("throttled", err.kind)
    assert.equal(57, err.retry_after)
  end)

  it("gives up when the attempts are used up", function()
    local list, err = sandbox.client "status=503".security:non_mfa_principals()
    assert.is_nil(list)
    assert.equal("server", err.kind)
    assert.equal(4, #sandbox.received(err.correlation_id))
  end)
end)

describe("a refusal", function()
  local function refused(settings, options)
    local list, err = sandbox.client(settings, options).security:non_mfa_principals()
    assert.is_nil(list)
    return err, sandbox.received(err.correlation_id)
  end

  for _, form in ipairs { "900421", "10001", "reason", "claims401", "claims403", "html" } do
    it("for lack of MFA in the form " .. form .. " is recognised and never repeated", function()
      local err, sent = refused("mfa=" .. form, { http_version = "1.1" })
      assert.equal("mfa_required", err.kind, tostring(err))
      assert.truthy(err.hint:find "Sign in again")
      assert.equal(1, #sent)
    end)
  end

  it("of a token without MFA is the service's own", function()
    local err = refused(nil, { token = sandbox.token { amr = { "pwd" } } })
    assert.same({ "mfa_required", "900421" }, { err.kind, err.code })
  end)

  it("of an application's token needs no request: a user must sign in", function()
    local client = sandbox.client(nil, { token = sandbox.token { scp = false, roles = { "x" } } })
    local id = "0c3a1f6e-0000-4000-8000-00000000a990"
    local list, err = client.security:non_mfa_principals { correlation_id = id }
    assert.is_nil(list)
    assert.same({ "forbidden", nil }, { err.kind, err.status })
    assert.truthy(err.message:find("application", 1, true))
    assert.truthy(err.hint:find("Sign in as a user", 1, true))
    assert.equal(0, #sandbox.received(id))
  end)

  it("of an application's token by another request is the service's own", function()
    local client = sandbox.client(nil, { token = sandbox.token { scp = false, roles = { "x" } } })
    local response, err = client:request("GET", "/v1/customers")
    assert.is_nil(response)
    assert.same({ "forbidden", "900329" }, { err.kind, err.code })
    assert.truthy(err.hint:find "user")
  end)

  it("of a token for another service names the right audience", function()
    local err = refused(nil, { token = sandbox.token { aud = "https://graph.windows.net" } })
    assert.same({ "unauthorized", "900420" }, { err.kind, err.code })
    assert.truthy(err.hint:find("api.partnercenter.microsoft.com", 1, true))
  end)

  it("of an expired token calls the token function once for another", function()
    local given = {}
    local client = sandbox.client(nil, {
      token = function(turned_down)
        given[#given + 1] = turned_down or "first"
        return sandbox.token(turned_down and {} or { exp = 1 })
      end,
    })
    local list = assert(client.security:non_mfa_principals())
    assert.equal(2, #given)
    assert.equal(2, #sandbox.received(list.correlation_id))
  end)

  it("is read in each of the documented shapes", function()
    for _, shape in ipairs { "A", "B", "C", "E", "F" } do
      local err = refused("status=403; text=sorry; error=" .. shape)
      assert.equal(shape == "E" and "mfa_required" or "forbidden", err.kind)
      assert.truthy(tostring(err):find("sorry", 1, true), shape .. ": " .. tostring(err))
    end
    assert.equal("forbidden", refused("status=403; error=D").kind)
  end)

  it("is a protocol error for a response that is not a list", function()
    for _, settings in ipairs { "shape=wrapped-wrong", "body=empty", "body=html", "body=text",
                                "body=garbage", "body=deep", "bom=utf16", "body=truncated" } do
      local err = refused(settings)
      assert.equal("protocol", err.kind, settings)
      assert.truthy(err.hint, settings)
    end
  end)

  it("never shows the token", function()
    local secret = sandbox.token { amr = { "pwd" } }
    local err = refused(nil, { token = secret })
    for _, value in pairs(err) do
      assert.is_nil(tostring(value):find(secret, 1, true))
    end
    assert.is_nil(tostring(err):find(secret, 1, true))
  end)
end)

describe("any other request to the service", function()
  it("is sent with the client's token and ids", function()
    local client = sandbox.client()
    local response = assert(client:request("GET", "/v1/customers", { query = { size = 1 } }))
    assert.equal(200, response.status)
    assert.equal("table", type(response.json))
    assert.truthy(sandbox.received(response.correlation_id)[1].uri:find("?size=1", 1, true))
  end)

  it("sends a table as JSON", function()
    local response = assert(sandbox.client():request("POST", "/v1/customers",
      { body = { name = "Contoso" } }))
    assert.equal(201, response.status)
    assert.equal("Contoso", response.json.name)
  end)

  it("fails with the same error object", function()
    local response, err = sandbox.client():request("GET", "/v1/nowhere")
    assert.is_nil(response)
    assert.equal("not_found", err.kind)
  end)
end)
