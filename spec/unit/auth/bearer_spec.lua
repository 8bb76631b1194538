local bearer = require "pcapi.auth.bearer"

describe("a token", function()
  it("may hold all that RFC 6750 allows", function()
    for _, token in ipairs { "a", "eyJ0.eyJh-_.x", "AZaz09-._~+/==" } do
      assert.is_true(bearer.is_token(token))
    end
  end)

  for _, token in ipairs { "", "a b", "a\n", "\ta", "a=b", "=", "a,b", '"a"', "\195\188",
                           "a\0" } do
    it(("may not be %q"):format(token), function()
      local ok, why = bearer.is_token(token)
      assert.is_nil(ok)
      assert.is_string(why)
    end)
  end
end)
