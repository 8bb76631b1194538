local answer = require "pcapi.service.response"
local json_body = require "pcapi.http.json_body"
local errors = require "pcapi.error"

local NOW = 1706944089 -- 2024-02-03T07:08:09Z
local BOM = "\239\187\191"
local SENT = { request_id = "sent-r", correlation_id = "sent-c" }

local function response(status, body, changes)
  local made = { status = status, reason = "", headers = {}, body = body or "" }
  for name, value in pairs(changes or {}) do
    made[name] = value
  end
  json_body.decode(made)
  return made
end

local function error_of(...)
  return answer.error(response(...), SENT, NOW)
end

local function challenge(text)
  return { headers = { ["www-authenticate"] = text } }
end

describe("pcapi.service.response", function()
  describe("error", function()
    it("is an error object", function()
      assert.is_true(errors.is(error_of(500)))
    end)

    describe("reads shape", function()
      it("A: code, description, data and source", function()
        local err = error_of(400, [[{"code":"3000","description":"The property is invalid.",
          "data":["Field1",{"x":1}],"source":"PartnerFD"}]])
        assert.equal("bad_request", err.kind)
        assert.equal(400, err.status)
        assert.equal("3000", err.code)
        assert.equal("The property is invalid.", err.message)
        assert.equal("PartnerFD", err.source)
        assert.same({ "Field1", { x = 1 } }, err.data)
      end)

      it("A in PascalCase, with a code that is a number", function()
        local err = error_of(400, '{"Code":800002,"Description":"Invalid input.","Source":"S"}')
        assert.equal("800002", err.code)
        assert.equal("Invalid input.", err.message)
        assert.equal("S", err.source)
      end)

      it("A with a code alone or a description alone", function()
        assert.equal("2000", error_of(400, '{"code":"2000"}').code)
        assert.equal("Why", error_of(400, '{"description":"Why"}').message)
      end)

      it("B: an error object with target and inner errors", function()
        local err = error_of(400, [[{"error":{"code":"invalidRequest","message":"Bad size",
          "target":"size","innerError":{"code":"deeper"}}}]])
        assert.equal("invalidRequest", err.code)
        assert.equal("Bad size", err.message)
        assert.equal("size", err.target)
        assert.same({ code = "deeper" }, err.inner)
      end)

      it("B in either spelling of innererror, and in PascalCase", function()
        assert.same({ code = "x" }, error_of(400, '{"error":{"innererror":{"code":"x"}}}').inner)
        local err = error_of(400, '{"Error":{"Code":"c","Message":"m"}}')
        assert.equal("c", err.code)
        assert.equal("m", err.message)
      end)

      it("C: a status code and a message", function()
        local err = error_of(429, '{"statusCode":429,"message":"Try again in 57 seconds."}')
        assert.equal("throttled", err.kind)
        assert.equal("Try again in 57 seconds.", err.message)
        assert.is_nil(err.code)
      end)

      it("C with a message alone, or a status code alone", function()
        assert.equal("Why", error_of(401, '{"message":"Why"}').message)
        assert.equal("the service answered with status 401",
          error_of(401, '{"statusCode":401}').message)
      end)

      it("D: no body, only a status line", function()
        assert.equal("Service Unavailable",
          error_of(503, "", { reason = "Service Unavailable" }).message)
        assert.equal("the service answered with status 503", error_of(503, "").message)
      end)

      it("E: the token endpoint", function()
        local err = error_of(400, [[{"error":"invalid_grant","error_description":"AADSTS50076: x",
          "error_codes":[50076],"claims":"{\"access_token\":{}}","timestamp":"2024-02-03"}]])
        assert.equal("bad_request", err.kind)
        assert.equal("invalid_grant", err.code)
        assert.equal('AADSTS50076: x; these claims are asked for: {"access_token":{}}', err.message)
        assert.same({ 50076 }, err.error_codes)
        assert.equal('{"access_token":{}}', err.claims)
      end)

      it("F: the title of a page", function()
        local err = error_of(502, [[<html><head><title lang="en">
          Bad   Gateway </title></head><body>much</body></html>]])
        assert.equal("server", err.kind)
        assert.equal("Bad Gateway", err.message)
      end)

      it("F: the words of a page without a title, and of plain text", function()
        assert.equal("No such host", error_of(502, "<h1>No</h1>\r\n<p>such host</p>").message)
        assert.equal("upstream timed out", error_of(504, " upstream timed out\n").message)
      end)

      it("F cut to a length that a terminal bears, at a whole character", function()
        assert.equal(("x"):rep(200) .. "…", error_of(502, ("x"):rep(3000)).message)
        assert.equal(("x"):rep(199) .. "…", error_of(502, ("x"):rep(199) .. "üüü").message)
      end)

      it("F in a script without ASCII, and keeps its words", function()
        local message = error_of(502, ("<title>" .. ("障"):rep(100) .. "</title>")).message
        assert.equal(("障"):rep(66) .. "…", message)
      end)

      it("A behind a byte order mark", function()
        assert.equal("3000", error_of(400, BOM .. '{"code":"3000"}').code)
      end)

      it("none, in JSON that has nothing to say", function()
        for _, body in ipairs { "{}", "[]", '{"odd":1}', '[{"code":"1"}]', '{"error":null}' } do
          local err = error_of(500, body)
          assert.equal("the service answered with status 500", err.message)
          assert.is_nil(err.code)
        end
      end)

      it("none, in members of unexpected types", function()
        for _, body in ipairs {
          '{"code":{},"description":[]}', '{"error":{"code":[],"message":{}}}', '{"error":5}',
          '{"message":true}', '{"error":[]}', '{"error":{"innerError":"x","target":[1]}}', "5",
          "true", '"text"', "null",
        } do
          local err = error_of(500, body)
          assert.is_string(err.message)
          assert.equal("server", err.kind)
        end
      end)

      it("F for JSON that is cut off", function()
        local err = error_of(500, '{"code":"30', challenge "x")
        assert.equal('{"code":"30', err.message)
      end)
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
      assert.equal("the service redirects, which is not followed with a token", err.message)
      assert.equal("Check base_url", err.hint)
    end)

    describe("is about MFA", function()
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

      it("and then asks for a new sign-in, not for a new token", function()
        assert.matches("Sign in again", error_of(401, '{"code":"900421"}').hint, 1, true)
      end)
    end)

    describe("is not about MFA", function()
      for name, err in pairs {
        ["when a token is no longer valid"] = { 401, "unauthorized", "",
          challenge 'Bearer error="invalid_token"' },
        ["when another service fails over those words"] = { 500, "server", "MFA database down" },
        ["when a bad request names claims"] = { 400, "bad_request", '{"error":"x","claims":"{}"}' },
        ["when another code is longer"] = { 401, "unauthorized", '{"code":"9004211"}' },
      } do
        it(name, function()
          assert.equal(err[2], error_of(err[1], err[3], err[4]).kind)
        end)
      end
    end)

    it("decodes the claims of a challenge, and says what is asked for", function()
      local err = error_of(401, "",
        challenge 'Bearer realm="", claims="eyJhIjoxfQ==", error="insufficient_claims"')
      assert.equal('{"a":1}', err.claims)
      assert.matches('claims are asked for: {"a":1}', err.message, 1, true)
    end)

    for _, case in ipairs {
      { 401, "900420", "another service" }, { 401, "800001", "No token reached" },
      { 403, "900329", "App+User tokens only" }, { 403, "900308", "Admin agent" },
      { 403, "900309", "Conditional Access" },
    } do
      it(("hints at %q for code %s of status %d"):format(case[3], case[2], case[1]), function()
        assert.matches(case[3], error_of(case[1], '{"code":"' .. case[2] .. '"}').hint, 1, true)
      end)
    end

    it("keys its hints on status and code together", function()
      assert.equal(error_of(403).hint, error_of(403, '{"code":"900420"}').hint)
      assert.equal(error_of(401).hint, error_of(401, '{"code":"900309"}').hint)
    end)

    it("has no hint for what only the caller can know", function()
      assert.is_nil(error_of(400).hint)
    end)

    it("carries Retry-After and the ids", function()
      local err = error_of(429, "", { headers = { ["retry-after"] = "57", ["ms-requestid"] = "r",
                                                  ["ms-correlationid"] = "c" } })
      assert.equal(57, err.retry_after)
      assert.equal("r", err.request_id)
      assert.equal("c", err.correlation_id)
    end)

    it("says when to try again only where that helps", function()
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

    it("asks to wait a day at most, whatever the service asks for", function()
      local err = error_of(429, "", { headers = { ["retry-after"] = ("4"):rep(400) } })
      assert.equal("Try again in 86400 s, and send fewer requests", err.hint)
    end)

    it("falls back to the ids that were sent", function()
      local err = error_of(500)
      assert.equal("sent-r", err.request_id)
      assert.equal("sent-c", err.correlation_id)
    end)

    it("says whether the service finds the token compliant", function()
      assert.is_false(error_of(403, "", { headers = { ismfacompliant = "false" } })
        .is_mfa_compliant)
    end)

    it("makes what the service says harmless", function()
      local err = error_of(400, '{"code":"1","description":"\\u001b[2J Bearer SECRET"}')
      assert.equal("\\x1b[2J Bearer [token]", err.message)
    end)
  end)

  describe("ids", function()
    for name, case in pairs {
      ["of Partner Center"] = { ["ms-requestid"] = "r", ["ms-correlationid"] = "c" },
      ["of the Partner API"] = { ["request-id"] = "r", ["client-request-id"] = "c" },
    } do
      it("are those " .. name, function()
        assert.same({ "r", "c" }, { answer.ids(case, SENT) })
      end)
    end

    it("are those that were sent where the answer has none", function()
      assert.same({ "sent-r", "sent-c" }, { answer.ids({}, SENT) })
      assert.same({ "r", "sent-c" }, { answer.ids({ ["ms-requestid"] = "r" }, SENT) })
    end)
  end)

  describe("is_mfa_compliant", function()
    for _, case in ipairs {
      { true, "true" }, { true, "True" }, { false, "false" }, { false, "FALSE" },
      { nil, "maybe" }, { nil, "" }, { nil, nil },
    } do
      it(("is %s for the header %s"):format(tostring(case[1]), tostring(case[2])), function()
        assert.equal(case[1], (answer.is_mfa_compliant { headers = { ismfacompliant = case[2] } }))
      end)
    end

    it("is read from the body where there is no header", function()
      for body, expected in pairs { ['{"isMfaCompliant":true}'] = true,
                                    ['{"isMfaCompliant":false}'] = false,
                                    ['{"IsMfaCompliant":"True"}'] = true } do
        assert.equal(expected, answer.is_mfa_compliant(response(200, body)))
      end
    end)

    it("believes the header more than the body", function()
      assert.is_false(answer.is_mfa_compliant(response(200, '{"isMfaCompliant":true}',
        { headers = { ismfacompliant = "false" } })))
    end)

    it("is unknown for a body without the field", function()
      for _, body in ipairs { "{}", "[]", "5", '"true"', "", '{"isMfaCompliant":5}' } do
        assert.is_nil((answer.is_mfa_compliant(response(200, body))))
      end
    end)
  end)
end)
