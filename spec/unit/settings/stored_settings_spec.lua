local folder = require "spec.support.folder"
local holds = require "spec.support.holds"
local resolve = require("spec.support.settings").resolve

describe("what is stored with a sign-in", function()
  teardown(folder.remove)

  it("has the account, and the values of flags, which later commands lack", function()
    local flags = { tenant = "t", client_id = "c", cloud = "china", client_secret_file = "/s",
                    certificate = "/c", certificate_key = "/k", key_passphrase_file = "/p",
                    login_url = "https://l.example", base_url = "https://b.example",
                    ca_file = "/f", ca_path = "/d" }
    assert.same(flags, assert(resolve(nil, { flags = flags })):to_store "/work")
  end)

  it("has only the account of the settings in the file and the environment", function()
    local settings = assert(resolve("tenant = t\nclient_secret_file = /s\nca_file = /f",
      { env = { PCAPI_CLIENT_ID = "c", PCAPI_BASE_URL = "https://b.example" } }))
    assert.same({ tenant = "t", client_id = "c" }, settings:to_store "/work")
  end)

  it("is stored again by the next sign-in", function()
    local settings = assert(resolve())
    assert(settings:add_stored { tenant = "t", client_id = "c", certificate = "/c" })
    assert.same({ tenant = "t", client_id = "c", certificate = "/c" }, settings:to_store "/work")
  end)

  it("has no secret, and nothing that concerns a single call", function()
    local settings = assert(resolve(nil, {
      flags = { timeout = 5, store = "/x", proxy = "http://p.example" },
      env = { PCAPI_CLIENT_SECRET = "SECRET", PCAPI_TOKEN = "SECRET",
              PCAPI_REFRESH_TOKEN = "SECRET", PCAPI_KEY_PASSPHRASE = "SECRET" } }))
    assert.same({}, settings:to_store "/work")
  end)

  it("has no default, which a later version may change", function()
    local settings = assert(resolve())
    assert(settings:add_defaults())
    assert.same({}, settings:to_store "/work")
  end)

  it("has absolute paths, so that cron finds the files from any folder", function()
    for _, name in ipairs { "certificate", "certificate_key", "key_passphrase_file",
                            "client_secret_file", "ca_file", "ca_path" } do
      for given, stored in pairs { ["x.pem"] = "/work/x.pem", ["../x"] = "/work/../x",
                                   ["/etc/x"] = "/etc/x" } do
        local settings = assert(resolve(nil, { flags = { [name] = given } }))
        assert.equal(stored, settings:to_store("/work")[name])
      end
    end
  end)

  it("has a PEM text unchanged, and a path when the working directory is unknown", function()
    local pem = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
    local settings = assert(resolve(nil, { flags = { certificate = pem } }))
    assert.equal(pem, settings:to_store("/work").certificate)
    settings = assert(resolve(nil, { flags = { certificate = "x" } }))
    assert.equal("x", settings:to_store().certificate)
  end)

  it("has no private key that was given as a text", function()
    local settings = assert(resolve(nil, { flags = {
      certificate = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
        .. "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n",
      certificate_key = "-----BEGIN RSA PRIVATE KEY-----\nSECRET\n" } }))
    assert.is_false(holds(settings:to_store "/work", "SECRET"))
  end)

  describe("is added to the settings", function()
    it("unless it is no text or a setting that is never stored", function()
      local settings = assert(resolve())
      assert(settings:add_stored { tenant = "t", client_secret = "SECRET", token = "SECRET",
                                   ca_file = "/f", client_id = 5, odd = "x", store = "/x" })
      assert.same({ tenant = "t", ca_file = "/f" }, settings.values)
      assert.same({ tenant = "sign-in", ca_file = "sign-in" }, settings.origins)
      assert.is_true((assert(resolve()):add_stored(nil)))
    end)

    it("unless they name another tenant, application or cloud", function()
      for name, value in pairs { tenant = "t2", client_id = "c2", cloud = "us_government" } do
        local settings = assert(resolve(name .. " = " .. value))
        assert(settings:add_stored { tenant = "t", client_id = "c", cloud = "china",
                                     certificate = "/c" })
        assert.same({ [name] = value }, settings.values)
      end
      local settings = assert(resolve "tenant = t\nclient_id = c")
      assert(settings:add_stored { tenant = "t", client_id = "c", certificate = "/c" })
      assert.equal("/c", settings.values.certificate)
    end)

    it("without its credential when they have another one", function()
      for line, value in pairs { ["certificate = /new"] = "certificate",
                                 ["client_secret_file = /new"] = "client_secret_file" } do
        local settings = assert(resolve(line))
        assert(settings:add_stored { certificate = "/old", certificate_key = "/old",
                                     key_passphrase_file = "/old", client_secret_file = "/old" })
        assert.same({ [value] = "/new" }, settings.values)
      end
    end)

    it("with an error when a value is impossible", function()
      local ok, err = assert(resolve()):add_stored { cloud = "mars" }
      assert.is_nil(ok)
      assert.equal("config", err.kind)
      assert.matches("(sign-in)", err.message, 1, true)
    end)
  end)
end)
