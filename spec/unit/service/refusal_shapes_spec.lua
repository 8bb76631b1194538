-- The errors of refusals with unusual, long or harmful texts, and of other services.
local cjson = require "cjson"
local error_of = require("spec.support.failed").error

local PROBLEM = "application/problem+json"

local function problem(status, fields)
  return error_of(status, cjson.encode(fields), { headers = { ["content-type"] = PROBLEM } })
end

describe("a refusal", function()
  describe("in problem details (RFC 9457)", function()
    it("has the kind of problem and the details", function()
      local err = problem(422, { type = "https://service.example/limits", title = "Too many items",
                                 detail = "The order holds 900 items.", status = 400,
                                 instance = "/orders/7", errors = { items = { "too many" } } })
      assert.equal("bad_request", err.kind)
      assert.equal(422, err.status)
      assert.equal("Too many items: The order holds 900 items.", err.message)
      assert.equal("https://service.example/limits", err.problem)
      assert.same({ items = { "too many" } }, err.data)
    end)

    it("has what there is of them, whatever the content type", function()
      assert.equal("Not yours", problem(403, { title = "Not yours" }).message)
      assert.equal("Ask for less", problem(400, { detail = "Ask for less" }).message)
      assert.equal("No. It is closed", problem(403, { title = "No",
                                                      detail = "No. It is closed" }).message)
      assert.equal("A: b", error_of(400, '{"Title":"A","Detail":"b","traceId":"x"}').message)
    end)

    it("has the code that some services add", function()
      local err = problem(403, { code = "900308", title = "Forbidden", detail = "No role." })
      assert.equal("900308", err.code)
      assert.equal("Forbidden: No role.", err.message)
      assert.matches("Admin agent", err.hint, 1, true)
    end)

    it("can be about MFA, as in any other shape", function()
      assert.equal("mfa_required", problem(403, { title = "Forbidden",
                                                  detail = "MFA is required." }).kind)
      assert.equal("mfa_required", problem(401, { title = "MFA required" }).kind)
      assert.equal("forbidden", problem(403, { title = "Forbidden",
                                               detail = "noMFA@x.example has no role" }).kind)
    end)

    it("ignores members of other types", function()
      for _, body in ipairs { '{"title":5e400}', '{"title":{},"detail":[]}', '{"detail":true}',
                              '{"title":"","detail":null,"type":7}' } do
        local err = error_of(500, body, { headers = { ["content-type"] = PROBLEM } })
        assert.equal("server", err.kind)
        assert.is_string(err.message)
      end
    end)
  end)

  describe("that names MFA", function()
    for name, case in pairs {
      ["in the name of a user"] = { 403, "User backup-MFA@contoso.example may not do this" },
      ["in the name of a group"] = { 403, "Members of MFA-excluded may not do this" },
      ["in a display name"] = { 403, "The user 'Kim (no MFA)' may not do this" },
      ["in an address"] = { 401, "See https://contoso.example/mfa/required" },
    } do
      it(name .. " is not about MFA", function()
        local kind = case[1] == 403 and "forbidden" or "unauthorized"
        assert.equal(kind, error_of(case[1], cjson.encode { code = "2000", description = case[2] })
          .kind)
        assert.equal(kind, error_of(case[1], "", { reason = case[2] }).kind)
      end)
    end

    it("in its challenge is about MFA if the words are", function()
      local function challenged(said)
        return error_of(401, "", { headers = { ["www-authenticate"] =
          'Bearer error="invalid_token", error_description="' .. said .. '"' } }).kind
      end
      assert.equal("mfa_required", challenged "The token was issued without MFA")
      assert.equal("unauthorized", challenged "The token of noMFA@contoso.example has expired")
    end)

    it("as its code is about MFA", function()
      assert.equal("mfa_required",
        error_of(403, '{"error":{"code":"Unauthorized_MissingMFA","message":"x"}}').kind)
      assert.equal("mfa_required", error_of(403, '{"error":"mfa_required"}').kind)
      assert.equal("forbidden", error_of(403, '{"error":"mfa_required_group"}').kind)
    end)
  end)

  describe("with a code", function()
    for text, code in pairs { ["1e308"] = "1e+308", ["900421.5"] = "900421.5", ["-7"] = "-7",
                              ["3000"] = "3000" } do
      it("that is the number " .. text .. " has the code " .. code, function()
        assert.equal(code, error_of(400, '{"code":' .. text .. "}").code)
      end)
    end

    it("of another type has none", function()
      for _, text in ipairs { "true", "false", "null", "{}", "[1]", '""' } do
        assert.is_nil(error_of(400, '{"code":' .. text .. ',"description":"x"}').code)
        assert.is_nil(error_of(400, '{"error":{"code":' .. text .. ',"message":"x"}}').code)
      end
    end)

    it("that is long or moves a cursor has a short, harmless one", function()
      local err = error_of(400, cjson.encode { code = "\27[2J\r\n" .. ("9"):rep(1e6) })
      assert.matches("^\\x1b%[2J\\r\\n99", err.code)
      assert.is_true(#err.code < 140)
      err = error_of(400, cjson.encode { error = "\226\128\174" .. ("x"):rep(1e5) })
      assert.matches("^\\u{202e}x", err.code)
      assert.is_true(#err.code < 140)
    end)
  end)

  it("of a megabyte is an error of one line that has its hint", function()
    for _, body in ipairs {
      cjson.encode { error = "invalid_grant", error_description = ("long "):rep(2e5) },
      cjson.encode { code = "3000", description = ("\27"):rep(1e6) },
      cjson.encode { error = { code = "x", message = ("ü"):rep(5e5) } },
      cjson.encode { title = ("t"):rep(5e5), detail = ("d"):rep(5e5) },
      cjson.encode { message = ("障"):rep(3e5) },
    } do
      local err = error_of(503, body)
      assert.is_true(#err.message < 2100)
      assert.is_true(#tostring(err) < 4200)
      assert.matches("Try again later", tostring(err), 1, true)
      assert.is_nil(tostring(err):find "[%z\1-\31\127]")
      assert.is_nil(tostring(err):find "\\x[c-f]") -- half a character
    end
  end)

  it("shows no part of a proxy's password when it is cut", function()
    local err = error_of(502, cjson.encode { message = ("x"):rep(980) .. " http://me:SECRETpassword"
      .. ("w"):rep(100) .. "@proxy.example" })
    assert.is_nil(tostring(err):find("SECRET", 1, true))
  end)

  it("has short, harmless ids", function()
    local err = error_of(500, "", { headers = { ["ms-requestid"] = "\27[2J" .. ("r"):rep(60000) } })
    assert.matches("^\\x1b%[2Jrrr", err.request_id)
    assert.is_true(#err.request_id < 140)
  end)

  describe("with claims", function()
    it("that are not a JSON object has no claims", function()
      for _, claims in ipairs { "5", "true", "{}", '["{}"]', '"p1=v1"', '""', '"{\\u001b[2J}"',
                                '"{' .. ("x"):rep(10000) .. '}"' } do
        local err = error_of(401, '{"error":"interaction_required","claims":' .. claims .. "}")
        assert.is_nil(err.claims)
        assert.equal("unauthorized", err.kind)
      end
    end)

    it("after a long description still shows them", function()
      local err = error_of(401, cjson.encode { error = "interaction_required",
        error_description = ("long "):rep(2000), claims = '{"access_token":{}}' })
      assert.equal('{"access_token":{}}', err.claims)
      assert.matches('required claims: {"access_token":{}}', err.message, 1, true)
    end)
  end)
end)
