local ca = require "pcapi.http.ca"
local core = require "pcapi.core"
local folder = require "spec.support.folder"

describe("pcapi.http.ca", function()
  local path, file

  setup(function()
    path = folder.new()
    file = folder.write(path .. "/ca.pem", "x")
  end)

  teardown(folder.remove)

  local function of(environment)
    return ca.of_environment(function(name) return environment[name] end)
  end

  for _, variable in ipairs { "CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE" } do
    it("takes a file or a directory of " .. variable, function()
      assert.same({ "ca_file", file, variable }, { of { [variable] = file } })
      assert.same({ "ca_path", path, variable }, { of { [variable] = path } })
    end)
  end

  it("takes a directory of SSL_CERT_DIR, or a list of which one exists", function()
    assert.same({ "ca_path", path, "SSL_CERT_DIR" }, { of { SSL_CERT_DIR = path } })
    local list = path .. "/none:" .. path
    assert.same({ "ca_path", list, "SSL_CERT_DIR" }, { of { SSL_CERT_DIR = list } })
  end)

  it("returns nothing if no variable is set", function()
    assert.same({}, { of {} })
    assert.same({}, { of { CURL_CA_BUNDLE = "", SSL_CERT_FILE = "", SSL_CERT_DIR = "",
                           REQUESTS_CA_BUNDLE = "" } })
  end)

  it("takes the variables in their order, and skips empty ones", function()
    local all = {}
    for i = #ca.variables, 1, -1 do
      all[ca.variables[i]] = path
      assert.equal(ca.variables[i], (select(3, of(all))))
    end
    all.CURL_CA_BUNDLE = ""
    assert.equal("SSL_CERT_FILE", (select(3, of(all))))
  end)

  it("skips a variable that names the CAs of the system", function()
    local default_file = assert(core.build.ca_file)
    assert.same({}, { of { SSL_CERT_FILE = default_file } })
    assert.same({}, { of { SSL_CERT_DIR = assert(core.build.ca_path) .. "/" } })
    assert.same({ "ca_file", file, "REQUESTS_CA_BUNDLE" }, { of {
      SSL_CERT_FILE = default_file, CURL_CA_BUNDLE = default_file, REQUESTS_CA_BUNDLE = file } })
  end)

  it("returns an error for the first variable whose file does not exist", function()
    for _, variable in ipairs(ca.variables) do
      local name, err = of { [variable] = path .. "/none" }
      assert.is_nil(name)
      assert.equal("config", err.kind)
      assert.equal(variable .. " names " .. path .. "/none: No such file or directory",
        err.message)
      assert.matches(variable, err.hint, 1, true)
    end
    assert.is_nil((of { CURL_CA_BUNDLE = path .. "/none", SSL_CERT_FILE = file }))
    assert.matches("Not a directory", select(2, of { SSL_CERT_DIR = file }).message, 1, true)
  end)

  it("names the mistake in an option: a missing path, or a directory as ca_file", function()
    assert.equal("Correct ca_file: /none.pem cannot be used: No such file or directory",
      ca.hint { ca_file = "/none.pem" })
    assert.equal("Correct ca_path: /none cannot be used: No such file or directory",
      ca.hint { ca_path = "/none" })
    assert.equal(("Correct ca_path: %s cannot be used: Not a directory"):format(file),
      ca.hint { ca_path = file })
    assert.equal(("Correct ca_file: %s is a directory; use ca_path for it"):format(path),
      ca.hint { ca_file = path })
  end)

  it("says that ca_file holds no certificate in PEM form", function()
    assert.equal(("Correct ca_file: %s holds no certificate in PEM form"):format(file),
      ca.hint { ca_file = file })
  end)

  it("has no hint for an option that can be used, or for none", function()
    for _, head in ipairs { "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE" } do
      local pem = folder.write(path .. "/good.pem", "text\n-----BEGIN " .. head .. "-----\n")
      assert.is_nil(ca.hint { ca_file = pem })
    end
    assert.is_nil(ca.hint { ca_path = path })
    assert.is_nil(ca.hint {})
  end)
end)
