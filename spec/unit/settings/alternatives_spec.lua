local folder = require "spec.support.folder"
local resolve = require("spec.support.settings").resolve

describe("settings that exclude one another: the stronger source gives", function()
  teardown(folder.remove)

  for name, case in pairs {
    ["ca_file over ca_path"] = { "ca_path = /p", { PCAPI_CA_FILE = "/f" }, "ca_file", "ca_path" },
    ["ca_path over ca_file"] = { "ca_file = /f", { PCAPI_CA_PATH = "/p" }, "ca_path", "ca_file" },
    ["a secret over its file"] = { "client_secret_file = /f", { PCAPI_CLIENT_SECRET = "s" },
      "client_secret", "client_secret_file" },
    ["a secret over a certificate"] = { "certificate = /c\ncertificate_key = /k\n"
      .. "key_passphrase_file = /p\nassertion_alg = RS256", { PCAPI_CLIENT_SECRET = "s" },
      "client_secret", "certificate", "certificate_key", "key_passphrase_file",
      "assertion_alg" },
    ["a certificate over a secret's file"] = { "client_secret_file = /f",
      { PCAPI_CERTIFICATE = "/c" }, "certificate", "client_secret_file" },
    ["a passphrase over its file"] = { "key_passphrase_file = /f",
      { PCAPI_KEY_PASSPHRASE = "s" }, "key_passphrase", "key_passphrase_file" },
  } do
    it(name, function()
      local settings = assert(resolve(case[1], { env = case[2] }))
      assert.is_string(settings:value(case[3]))
      for i = 4, #case do
        assert.is_nil(settings:value(case[i]))
        assert.is_nil(settings.origins[case[i]])
      end
    end)
  end

  it("a file by a flag over a text in the environment", function()
    for variable, name in pairs { PCAPI_CLIENT_SECRET = "client_secret",
                                  PCAPI_KEY_PASSPHRASE = "key_passphrase" } do
      local settings = assert(resolve(nil, { flags = { [name .. "_file"] = "/f" },
                                             env = { [variable] = "SECRET" } }))
      assert.equal("/f", settings.values[name .. "_file"])
      assert.is_nil(settings:value(name))
    end
    local settings = assert(resolve(nil, { flags = { certificate = "/c" },
                                           env = { PCAPI_CLIENT_SECRET = "SECRET" } }))
    assert.is_nil(settings:value "client_secret")
    settings = assert(resolve(nil, { flags = { client_secret_file = "/s" },
      env = { PCAPI_KEY_PASSPHRASE = "SECRET", PCAPI_CERTIFICATE_KEY = "/k" } }))
    assert.same({ client_secret_file = "/s" }, settings.values)
  end)

  it("those of a profile over those of all profiles and of the sign-in", function()
    local settings = assert(resolve "ca_file = /f\n[default]\nca_path = /p")
    assert.equal("/p", settings.values.ca_path)
    assert.is_nil(settings.values.ca_file)
    settings = assert(resolve "client_secret_file = /new")
    assert(settings:add_stored { certificate = "/old", certificate_key = "/old",
                                 key_passphrase_file = "/old", assertion_alg = "RS256" })
    assert.equal("/new", settings.values.client_secret_file)
    assert.same({ client_secret_file = "/new" }, settings.values)
  end)

  it("both when one source sets both, so that their user reports it", function()
    local settings = assert(resolve "ca_file = /f\nca_path = /p")
    assert.equal("/f", settings.values.ca_file)
    assert.equal("/p", settings.values.ca_path)
  end)

  it("a certificate with its key and passphrase, whatever their sources", function()
    local settings = assert(resolve("certificate = /c\ncertificate_key = /k",
      { env = { PCAPI_KEY_PASSPHRASE = "s" } }))
    assert.equal("/c", settings.values.certificate)
    assert.equal("/k", settings.values.certificate_key)
    assert.equal("s", settings:value "key_passphrase")
  end)
end)

describe("the CA variables of other programs", function()
  teardown(folder.remove)

  local here = "spec/unit/settings/alternatives_spec.lua" -- some file

  local function with(variables, text, stored)
    local settings = assert(resolve(text, { env = variables }))
    assert(settings:add_stored(stored))
    local ok, err = settings:add_cas(function(name) return variables[name] end)
    return ok and settings, err
  end

  it("set ca_file or ca_path by the first of them, with its name as the origin", function()
    local settings = with { REQUESTS_CA_BUNDLE = here }
    assert.equal(here, settings.values.ca_file)
    assert.equal("environment REQUESTS_CA_BUNDLE", settings.origins.ca_file)
    settings = with { SSL_CERT_DIR = "spec", REQUESTS_CA_BUNDLE = here }
    assert.same({ ca_path = "spec" }, settings.values)
    assert.equal("environment SSL_CERT_DIR", settings.origins.ca_path)
  end)

  it("are ignored when a setting names CAs", function()
    assert.same({ ca_path = "d" }, with({ PCAPI_CA_PATH = "d", SSL_CERT_FILE = here }).values)
    assert.same({ ca_file = "/f" }, with({ SSL_CERT_DIR = "spec" }, "ca_file = /f").values)
    assert.same({ ca_file = "/k" },
      with({ SSL_CERT_DIR = "/none" }, nil, { ca_file = "/k" }).values)
  end)

  it("give an error that names the variable whose file is absent", function()
    local settings, err = with { SSL_CERT_FILE = "/none" }
    assert.is_falsy(settings)
    assert.equal("config", err.kind)
    assert.matches("SSL_CERT_FILE names /none", err.message, 1, true)
  end)

  it("are not stored at sign-in", function()
    assert.same({}, with({ SSL_CERT_FILE = here }):to_store "/")
  end)
end)
