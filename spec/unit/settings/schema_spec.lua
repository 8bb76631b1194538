local schema = require "pcapi.settings.schema"

describe("the schema of the settings", function()
  it("says which settings are secret", function()
    local secret = {}
    for _, setting in ipairs(schema.settings) do
      secret[#secret + 1] = setting.secret and setting.name
      assert.is_false(not not (setting.secret and setting.stored), setting.name)
    end
    table.sort(secret)
    assert.same({ "client_secret", "key_passphrase", "refresh_token", "token" }, secret)
  end)

  it("treats the text of a private key as a secret, whatever the setting", function()
    local certificate = schema.by_name.certificate
    assert.is_true(schema.is_secret(certificate, "-----BEGIN PRIVATE KEY-----\n"))
    assert.is_false(schema.is_secret(certificate, "/etc/c.pem"))
  end)

  it("says what an account takes, and what a client takes", function()
    local taken = {}
    for _, option_of in ipairs { "account", "client" } do
      for _, name in ipairs(schema.names(option_of)) do
        assert.is_nil(taken[name])
        taken[name] = option_of
      end
    end
    assert.equal("account", taken.tenant)
    assert.equal("account", taken.client_secret)
    assert.equal("client", taken.proxy)
    assert.is_nil(taken.store)
  end)

  it("accepts as a name what is harmless in paths, in hints and on terminals", function()
    for _, name in ipairs { "a", "Kim.x_y-z@fabrikam", ("a"):rep(64) } do
      assert.is_true(schema.is_name(name))
    end
    for _, name in ipairs { "", "a b", "a;b", "../a", "a\27", "\195\188", ("a"):rep(65) } do
      assert.is_false(schema.is_name(name))
    end
  end)
end)
