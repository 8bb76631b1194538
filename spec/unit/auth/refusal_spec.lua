local errors = require "pcapi.error"
local refusal = require "pcapi.auth.refusal"

-- Classifies the response of a token endpoint: name, AADSTS numbers in its list and text.
local function classify(name, ...)
  local words = {}
  for _, number in ipairs { ... } do
    words[#words + 1] = ("AADSTS%d: It is refused."):format(number)
  end
  return refusal.classify { code = name, error_codes = { ... }, message = table.concat(words, " ") }
end

-- For each class: the name of the error, its numbers, the kind, and words of the next step.
local CLASSES = {
  { "invalid_grant", "50072 50074 50076 50078 50079 50158 53004 500121", "mfa_required",
    "Sign in again with MFA" },
  { "invalid_grant", "50058 50089 50173 50132 50133 54005 70000 70008 700082 700084 70043 501481 "
    .. "700003 700020 90120 50192 90086", "sign_in_required", "Sign in again" },
  { "invalid_grant", "50055 50056 50064 50126 50144", "sign_in_required", "password" },
  { "invalid_grant", "50057 500571", "forbidden", "the account's administrator to enable it" },
  { "invalid_grant", "50053", "forbidden", "the account's administrator to unblock it" },
  { "invalid_grant", "53011 530034 80012 500208", "forbidden", "ask the account's administrator" },
  { "invalid_grant", "50034 500341 50020 50014 51004 90072 16000 16003", "forbidden",
    "check tenant" },
  { "invalid_grant", "53000 53001 53002 530032 50131 50097 50155 53010 500021 500213 135011",
    "forbidden", "Conditional Access" },
  { "invalid_grant", "53003 530033 530035 530036", "forbidden", "pcapi login --browser" },
  { "invalid_grant", "50105", "forbidden", "Assign the user" },
  { "invalid_grant", "65001 90008 9002341", "consent_required", "Consent is missing" },
  { "access_denied", "90094 90095", "consent_required", "Consent is missing" },
  { "access_denied", "65004", "consent_required", "accept" },
  { "invalid_client", "65005 650056 50146 501461", "consent_required", "registration" },
  { "invalid_resource", "500011 50001 650054", "consent_required", "registration" },
  { "invalid_client", "650052", "consent_required", "subscription" },
  { "invalid_resource", "500014", "consent_required", "subscription" },
  { "unauthorized_client", "650057", "consent_required", "registration" },
  { "unauthorized_client", "90099", "consent_required", "Consent is missing" },
  { "unauthorized_client", "700016 700011 700038 7000229", "consent_required",
    "check client_id and tenant" },
  { "unauthorized_client", "70001 7000112 1000031", "consent_required", "enable it" },
  { "invalid_request", "50011 500112 500113 70004 900971", "consent_required", "redirect URI" },
  { "invalid_request", "9002325 9002326 9002327", "consent_required",
    'move it to "Mobile and desktop applications"' },
  { "invalid_client", "70002", "invalid_client", "Check the client secret or certificate" },
  { "invalid_client", "7000215", "invalid_client", "its value, not its id" },
  { "invalid_client", "700027 50012 50013 50027 700030 700021 900384 7000213 7000214",
    "invalid_client", "Check the certificate" },
  { "invalid_client", "700024 500133", "invalid_client", "clock and date" },
  { "invalid_client", "7000222", "invalid_client", "has expired: create a new one" },
  { "invalid_client", "7000218 7000216", "invalid_client", "set client_secret or certificate" },
  { "invalid_client", "700025", "invalid_client", "public" },
  { "invalid_request", "90002 90038 50059 9001023 900023 50128 90019 50049 90051 90124 90126 "
    .. "90130 50194 5000224 9002332 9002346", "config", "check tenant and cloud" },
  { "invalid_client", "900382 900432", "config", "check tenant and cloud" },
  { "invalid_grant", "700005", "config", "check tenant and cloud" },
  { "access_denied", "650053", "bad_request", "scope" },
  { "invalid_scope", "70011 28002 28003 700022 700023", "bad_request", "scope" },
  { "invalid_request", "901002 900144 90014 50147 90004 90023 90100 900561", "bad_request",
    "oauth_version" },
  { "invalid_request", "9002313", "bad_request", "Check refresh_token" },
  { "temporarily_unavailable", "50033 50087 90006 90012 90024 90033 90090 70012 501621", "server",
    "Try again later" },
  { "server_error", "50000 90036 90092", "server", "Try again later" },
  { "invalid_grant", "40008 40010 80001 80007", "server", "tenant's administrator" },
  { "invalid_grant", "50196 50088 90055", "throttled", "wait" },
  { "expired_token", "70019", "sign_in_required", "not entered in time" },
  { "bad_verification_code", "70018", "sign_in_required", "Sign in again" },
}

describe("an error of the sign-in service", function()
  for _, class in ipairs(CLASSES) do
    for number in class[2]:gmatch "%d+" do
      it(("with AADSTS%s is of kind %s"):format(number, class[3]), function()
        local kind, hint, code = classify(class[1], number)
        assert.equal(class[3], kind)
        assert.matches(class[4], hint, 1, true)
        assert.equal("AADSTS" .. number, code)
      end)
    end
  end

  it("is classified by its number if the name is unknown", function()
    for _, class in ipairs(CLASSES) do
      for number in class[2]:gmatch "%d+" do
        assert.equal(class[3], (classify("teapot", number)), number)
      end
    end
  end)

  for name, kind in pairs {
    invalid_grant = "sign_in_required", interaction_required = "sign_in_required",
    login_required = "sign_in_required", authorization_declined = "sign_in_required",
    access_denied = "sign_in_required", expired_token = "sign_in_required",
    bad_verification_code = "sign_in_required", consent_required = "consent_required",
    unauthorized_client = "consent_required", invalid_resource = "consent_required",
    invalid_client = "invalid_client", invalid_request = "bad_request",
    invalid_scope = "bad_request", unsupported_grant_type = "bad_request",
    unsupported_response_type = "bad_request", temporarily_unavailable = "server",
    server_error = "server",
  } do
    it(("is classified by the name %s alone, as other servers send it"):format(name), function()
      local found, hint, code = classify(name)
      assert.equal(kind, found)
      assert.matches("^%u", hint)
      assert.is_nil(code)
    end)
  end

  it("has different hints for a declined and a late sign-in", function()
    assert.matches("declined", select(2, classify "authorization_declined"), 1, true)
    assert.matches("declined", select(2, classify "access_denied"), 1, true)
    assert.matches("in time", select(2, classify "expired_token"), 1, true)
  end)

  it("is classified by its name if the number is unknown, and keeps the number", function()
    local kind, _, code = classify("invalid_grant", 50999)
    assert.equal("sign_in_required", kind)
    assert.equal("AADSTS50999", code)
  end)

  it("is classified by its number under a new name", function()
    assert.equal("mfa_required", (classify("mfa_needed", 50076)))
  end)

  it("is not classified by an unknown name with an unknown number or no number", function()
    assert.is_nil((classify "teapot"))
    assert.is_nil((classify("teapot", 50999)))
    assert.is_nil((refusal.classify { message = "no" }))
    assert.is_nil((refusal.classify {}))
  end)

  it("can be retried later if the name says so, whatever the number", function()
    assert.equal("server", (classify("temporarily_unavailable", 70000)))
    assert.equal("server", (classify("server_error", 50076)))
  end)

  describe("with several numbers", function()
    it("is classified by the first known one", function()
      local kind, _, code = classify("invalid_grant", 50999, 50076, 70000)
      assert.equal("mfa_required", kind)
      assert.equal("AADSTS50076", code)
    end)

    -- "AADSTS70002: Error validating credentials. AADSTS70008: The provided access grant
    -- is expired or revoked." says nothing of the application's credentials.
    it("is not classified by 70002 before another number", function()
      local kind, _, code = classify("invalid_grant", 70002, 70008)
      assert.equal("sign_in_required", kind)
      assert.equal("AADSTS70008", code)
      kind, _, code = classify("invalid_client", 70002, 7000222)
      assert.equal("invalid_client", kind)
      assert.equal("AADSTS7000222", code)
    end)

    it("is classified by its name rather than by 70002 with an unknown number", function()
      assert.equal("sign_in_required", (classify("invalid_grant", 70002, 50999)))
      assert.equal("sign_in_required", (classify("invalid_grant", 70002)))
    end)
  end)

  it("may have its number in the text only", function()
    local kind, _, code = refusal.classify { code = "invalid_grant",
                                             message = "AADSTS50076: Due to a change …" }
    assert.equal("mfa_required", kind)
    assert.equal("AADSTS50076", code)
  end)

  it("may have its number in the list only, also as a string", function()
    assert.equal("mfa_required", (refusal.classify { error_codes = { 50076 } }))
    assert.equal("mfa_required", (refusal.classify { error_codes = { "50076" } }))
  end)

  it("loses the ids at the end of its description", function()
    assert.equal("AADSTS50076: No.", refusal.shorten "AADSTS50076: No.\r\nTrace ID: 1\r\nx")
    assert.equal("AADSTS50076: No.", refusal.shorten "AADSTS50076: No. Trace ID: 1 Corr")
    assert.equal("no", refusal.shorten "no")
  end)

  it("is not classified by a part of its number", function()
    assert.is_nil((classify("teapot", 500760)))
    assert.is_nil((refusal.classify { code = "teapot", message = "AADSTS5007" }))
  end)

  it("is classified by its name if the list is invalid", function()
    for _, codes in ipairs { "50076", { "x" }, { {} }, { true }, 5 } do
      local kind, _, code = refusal.classify { code = "invalid_grant", error_codes = codes }
      assert.equal("sign_in_required", kind)
      assert.is_nil(code)
    end
  end)
end)

describe("the class of an error", function()
  local function err(fields)
    fields.kind, fields.message = "forbidden", "x"
    return errors.new(fields)
  end

  it("is that of its number, else that of its name", function()
    assert.equal("consent", refusal.class_of(err { oauth_error = "invalid_grant",
                                                   code = "AADSTS65001" }))
    assert.equal("sign_in", refusal.class_of(err { oauth_error = "invalid_grant",
                                                   code = "AADSTS999" }))
    assert.equal("declined", refusal.class_of(err { oauth_error = "access_denied" }))
    assert.is_nil(refusal.class_of(err { oauth_error = "teapot" }))
  end)

  it("is none for an error of the service", function()
    assert.is_nil(refusal.class_of(err { code = "AADSTS65001", status = 403 }))
    assert.is_nil(refusal.class_of(err {}))
  end)

  it("in a browser has no hint to use a browser", function()
    local blocked = refusal.in_browser(err { oauth_error = "invalid_grant", code = "AADSTS53003",
                                             hint = "pcapi login --browser" })
    assert.matches("ask its administrator", blocked.hint, 1, true)
    local other = refusal.in_browser(err { oauth_error = "x", hint = "y" })
    assert.equal("y", other.hint)
  end)
end)
