-- The ids of a response, its verdict about MFA, and the error that a failed one means.
local errors = require "pcapi.error"
local failed = require "spec.support.failed"
local service_response = require "pcapi.service.response"

local challenge, error_of, response = failed.challenge, failed.error, failed.response
local SENT = failed.SENT

describe("the error of a failed response", function()
  it("is an error object", function()
    assert.is_true(errors.is(error_of(500)))
  end)

  for status, kind in pairs {
    [400] = "bad_request", [401] = "unauthorized", [403] = "forbidden", [404] = "not_found",
    [405] = "bad_request", [406] = "bad_request", [408] = "timeout", [409] = "bad_request",
    [412] = "bad_request", [417] = "bad_request", [429] = "throttled", [500] = "server",
    [501] = "server", [502] = "server", [503] = "server", [504] = "server", [507] = "server",
    [301] = "protocol", [302] = "protocol", [304] = "protocol", [307] = "protocol",
  } do
    it("of status " .. status .. " is of kind " .. kind, function()
      local err = error_of(status)
      assert.equal(kind, err.kind)
      assert.equal(status, err.status)
    end)
  end

  it("of a redirect says that it is not followed, whatever the body", function()
    local err = error_of(302, "<title>Moved</title>", { reason = "Found" })
    assert.equal("the service redirects, and pcapi follows no redirect with a token", err.message)
    assert.equal("Check base_url", err.hint)
  end)

  describe("is mfa_required", function()
    for name, err in pairs {
      ["by the code of 2026"] = { 401, '{"code":"900421","description":"x"}' },
      ["by that code as a number"] = { 401, '{"code":900421}' },
      ["by that code in shape B"] = { 401, '{"error":{"code":"900421"}}' },
      ["by the code of 2020, whatever the status"] = { 400, '{"code":"10001"}' },
      ["by the reason phrase of 2019"] = { 401, "", {
        reason = "Unauthorized - MFA required",
        headers = { ["www-authenticate"] = 'Bearer error="invalid_token"' } } },
      ["by its description"] = { 403, '{"code":"1","description":"MFA required."}' },
      ["by a claims challenge"] = { 401, "",
        challenge 'Bearer realm="", error="insufficient_claims", claims="eyJhIjoxfQ=="' },
      ["by a claims challenge of status 403"] = { 403, "",
        challenge "Bearer error=insufficient_claims" },
      ["by claims in the body"] = { 401, '{"error":"interaction_required","claims":"{}"}' },
    } do
      it(name, function()
        assert.equal("mfa_required", error_of(err[1], err[2], err[3]).kind)
      end)
    end

    it("with the hint to sign in again", function()
      assert.matches("Sign in again", error_of(401, '{"code":"900421"}').hint, 1, true)
    end)
  end)

  describe("is not mfa_required", function()
    for name, err in pairs {
      ["when a token is no longer valid"] = { 401, "unauthorized", "",
        challenge 'Bearer error="invalid_token"' },
      ["when a server error mentions MFA"] = { 500, "server", "MFA database down" },
      ["when a bad request has claims"] = { 400, "bad_request", '{"error":"x","claims":"{}"}' },
      ["when another code is longer"] = { 401, "unauthorized", '{"code":"9004211"}' },
    } do
      it(name, function()
        assert.equal(err[2], error_of(err[1], err[3], err[4]).kind)
      end)
    end
  end)

  it("has the decoded claims of a challenge, also in its message", function()
    local err = error_of(401, "",
      challenge 'Bearer realm="", claims="eyJhIjoxfQ==", error="insufficient_claims"')
    assert.equal('{"a":1}', err.claims)
    assert.matches('required claims: {"a":1}', err.message, 1, true)
  end)

  for _, case in ipairs {
    { 401, "900420", "another service" }, { 401, "800001", "No token reached" },
    { 403, "900329", "App+User tokens only" }, { 403, "900308", "Admin agent" },
    { 403, "900309", "Conditional Access" },
  } do
    it(("has %q in its hint for code %s of status %d"):format(case[3], case[2], case[1]), function()
      assert.matches(case[3], error_of(case[1], '{"code":"' .. case[2] .. '"}').hint, 1, true)
    end)
  end

  it("has a hint for status and code together", function()
    assert.equal(error_of(403).hint, error_of(403, '{"code":"900420"}').hint)
    assert.equal(error_of(401).hint, error_of(401, '{"code":"900309"}').hint)
  end)

  it("has no hint for a bad request", function()
    assert.is_nil(error_of(400).hint)
  end)

  it("has retry_after and the ids", function()
    local err = error_of(429, "", { headers = { ["retry-after"] = "57", ["ms-requestid"] = "r",
                                                ["ms-correlationid"] = "c" } })
    assert.equal(57, err.retry_after)
    assert.equal("r", err.request_id)
    assert.equal("c", err.correlation_id)
  end)

  it("has a hint to try again only if that helps", function()
    local asks = { headers = { ["retry-after"] = "57" } }
    for _, status in ipairs { 408, 429, 500, 503 } do
      assert.matches("again in 57 s", error_of(status, "", asks).hint, 1, true)
    end
    for _, status in ipairs { 400, 401, 403, 404 } do
      local err = error_of(status, "", asks)
      assert.equal(error_of(status).hint, err.hint)
      assert.equal(57, err.retry_after)
    end
    assert.matches("pass MFA", error_of(401, '{"code":"900421"}', asks).hint, 1, true)
  end)

  it("has a retry_after of a day at most, whatever the service demands", function()
    local err = error_of(429, "", { headers = { ["retry-after"] = ("4"):rep(400) } })
    assert.equal("Try again in 86400 s, and send fewer requests", err.hint)
  end)

  it("has the ids that were sent if the response has none", function()
    local err = error_of(500)
    assert.equal("sent-r", err.request_id)
    assert.equal("sent-c", err.correlation_id)
  end)

  it("knows whether the service finds the token compliant", function()
    assert.is_false(error_of(403, "", { headers = { ismfacompliant = "false" } })
      .is_mfa_compliant)
  end)

  it("has a harmless message", function()
    local err = error_of(400, '{"code":"1","description":"\\u001b[2J Bearer SECRET"}')
    assert.equal("\\x1b[2J Bearer [token]", err.message)
  end)
end)

describe("the ids of a response", function()
  for name, case in pairs {
    ["of Partner Center"] = { ["ms-requestid"] = "r", ["ms-correlationid"] = "c" },
    ["of the Partner API"] = { ["request-id"] = "r", ["client-request-id"] = "c" },
  } do
    it("are those " .. name, function()
      assert.same({ "r", "c" }, { service_response.facts({ headers = case }, SENT) })
    end)
  end

  it("are those that were sent if it has none", function()
    assert.same({ "sent-r", "sent-c" }, { service_response.facts({ headers = {} }, SENT) })
    assert.same({ "r", "sent-c" },
      { service_response.facts({ headers = { ["ms-requestid"] = "r" } }, SENT) })
  end)
end)

describe("is_mfa_compliant", function()
  local function is_mfa_compliant(of)
    return (select(3, service_response.facts(of, SENT)))
  end

  for _, case in ipairs {
    { true, "true" }, { true, "True" }, { false, "false" }, { false, "FALSE" },
    { nil, "maybe" }, { nil, "" }, { nil, nil },
  } do
    it(("is %s for the header %s"):format(tostring(case[1]), tostring(case[2])), function()
      local headers = { ismfacompliant = case[2] }
      assert.equal(case[1], is_mfa_compliant { headers = headers })
    end)
  end

  it("is read from the body if there is no header", function()
    for body, expected in pairs { ['{"isMfaCompliant":true}'] = true,
                                  ['{"isMfaCompliant":false}'] = false,
                                  ['{"IsMfaCompliant":"True"}'] = true } do
      assert.equal(expected, is_mfa_compliant(response(200, body)))
    end
  end)

  it("is read from the header first", function()
    assert.is_false(is_mfa_compliant(response(200, '{"isMfaCompliant":true}',
      { headers = { ismfacompliant = "false" } })))
  end)

  it("is unknown for a body without the field", function()
    for _, body in ipairs { "{}", "[]", "5", '"true"', "", '{"isMfaCompliant":5}' } do
      assert.is_nil(is_mfa_compliant(response(200, body)))
    end
  end)
end)
