--- No error of the token endpoint shows a secret of the form or of the response.
local fake = require "spec.support.fake_transport"
local grant = require "pcapi.auth.grant"
local holds = require "spec.support.holds"
local sign_in = require "spec.support.sign_in"
local url = require "pcapi.url"

-- The error of a request with this form.
local function fails(responses, form)
  local tokens, err = grant.request(sign_in.context(fake.new(responses)), {
    endpoint = { token_url = "https://login.example/t/oauth2/v2.0/token" }, client_id = "me",
    uses_clock = false, authenticate = function() return true end,
  }, sign_in.merged({ grant_type = "refresh_token", refresh_token = "SECRETold" }, form))
  assert.is_nil(tokens)
  return err
end

describe("a request to the token endpoint hides in every error", function()
  local FIELDS = { "client_secret", "client_assertion", "refresh_token", "code", "code_verifier",
                   "device_code" }
  local SECRET = "SECRET~a+b/c=d é&\"<"

  -- The forms in which a server may echo it.
  local FORMS = {
    ["as it is"] = function(secret) return secret end,
    ["percent-encoded"] = url.escape,
    ["percent-encoded in lower case"] = function(secret)
      return (url.escape(secret):gsub("%%%x%x", string.lower))
    end,
    ["as in HTML"] = function(secret)
      return (secret:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub('"', "&quot;"))
    end,
    ["form-encoded"] = function(secret)
      return (url.escape(secret):gsub("%%20", "+"))
    end,
  }

  local function echoes(said)
    local quoted = require("cjson").encode(said)
    return {
      ["the description of an error"] = sign_in.refusal("invalid_grant", nil,
        { error_description = "bad: " .. said }),
      ["the description of an error, its slashes not escaped"] = sign_in.json(
        '{"error":"invalid_grant","error_description":' .. quoted:gsub("\\/", "/") .. "}",
        { status = 400 }),
      ["the description of an error, all but letters escaped"] = sign_in.json(
        '{"error":"invalid_grant","error_description":"' .. said:gsub("[^%w\128-\255]",
          function(c) return ("\\u%04x"):format(c:byte()) end) .. '"}', { status = 400 }),
      ["the name of an error"] = sign_in.refusal(said),
      ["the claims of an error"] = sign_in.refusal("invalid_grant", 50076, { claims = said }),
      ["the ids of an error"] = sign_in.refusal("invalid_grant", nil,
        { trace_id = said, correlation_id = said }),
      ["an error of another shape"] = sign_in.json({ error = { code = said, message = said,
        target = said, innerError = { [said] = { said } } } }, { status = 400 }),
      ["an error of the service"] = sign_in.json({ code = said, description = said,
        data = { said, { said } }, source = said }, { status = 400 }),
      ["a page"] = { status = 400, body = "<html><title>" .. said .. "</title></html>" },
      ["plain text"] = { status = 403, body = said },
      ["the reason phrase"] = { status = 400, reason = said },
      ["a header"] = { status = 401, headers = { ["www-authenticate"] = 'Bearer claims="'
        .. said .. '"', ["x-ms-request-id"] = said, ["client-request-id"] = said } },
      ["the type of a response that is not JSON"] = { headers = { ["content-type"] = said } },
      ["the body of a response that is not JSON"] = { body = said },
    }
  end

  for how, spell in pairs(FORMS) do
    for where, response in pairs(echoes(spell(SECRET))) do
      it(("a secret that came back %s in %s"):format(how, where), function()
        for _, field in ipairs(FIELDS) do
          local err = fails({ response }, { [field] = SECRET })
          assert.is_false(holds(err, "SECRET"), field .. ": " .. tostring(err))
        end
      end)
    end
  end

  it("the first half of a secret that is cut off", function()
    for length = 150, 230 do
      local err = fails({ { status = 400, body = ("x"):rep(length) .. SECRET } },
        { client_secret = SECRET })
      assert.is_false(holds(err, "SECR"))
    end
  end)

  it("nothing for a secret so short that it is part of other words", function()
    local err = fails({ sign_in.refusal("invalid_grant", 50076) }, { code = "AA" })
    assert.equal("AADSTS50076", err.code)
    assert.equal("sign-in: AADSTS50076: It is refused.", err.message)
  end)

  it("a secret of the response", function()
    for _, response in ipairs { sign_in.tokens { access_token = false },
                              sign_in.json '{"refresh_token":"SECRETnew"' } do
      assert.is_false(holds(fails { response }, "SECRET"))
    end
  end)
end)
