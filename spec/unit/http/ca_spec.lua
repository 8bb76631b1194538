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

  -- What is wrong with the option, and the hint.
  local function explained(options, were_usable)
    return { ca.explain(options, were_usable) }
  end

  it("names what is wrong with an option: a missing path, or a directory as ca_file", function()
    assert.same({ "the CA certificates cannot be read: /none.pem: No such file or directory",
                  "Correct {ca_file}" }, explained { ca_file = "/none.pem" })
    assert.same({ "the CA certificates cannot be read: /none: No such file or directory",
                  "Correct {ca_path}" }, explained { ca_path = "/none" })
    assert.same({ ("the CA certificates cannot be read: %s: Not a directory"):format(file),
                  "Correct {ca_path}" }, explained { ca_path = file })
    assert.same({ ("the CA certificates cannot be read: %s is a directory"):format(path),
                  "Set {ca_path} in place of {ca_file}" }, explained { ca_file = path })
  end)

  it("says that ca_file holds no certificate in PEM form", function()
    assert.same({ file .. " holds no CA certificate in PEM form", "Correct {ca_file}" },
      explained { ca_file = file })
  end)

  it("names the variable that the path comes from", function()
    local getenv = os.getenv
    os.getenv = function(name) -- luacheck: ignore 122
      return name == "SSL_CERT_FILE" and file or nil
    end
    local words = explained { ca_file = file }
    os.getenv = getenv -- luacheck: ignore 122
    assert.equal("Correct SSL_CERT_FILE", words[2])
  end)

  it("says how to trust another CA, with what is trusted now", function()
    for _, head in ipairs { "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE" } do
      local pem = folder.write(path .. "/good.pem", "text\n-----BEGIN " .. head .. "-----\n")
      assert.same({ nil, ("Add that CA to %s, which {ca_file} names"):format(pem) },
        explained({ ca_file = pem }, true))
    end
    assert.same({ nil, ("Add that CA to %s, which {ca_path} names, and run: openssl rehash %s")
      :format(path, path) }, explained({ ca_path = path }, true))
    assert.same({ nil, "Set {ca_file} to a PEM file with that CA; " .. core.build.ca_path
      .. " is used now" }, explained({}, true))
  end)

  it("says how to install the CAs of the system", function()
    assert.same({ "this machine has no CA certificates in " .. core.build.ca_file,
                  "Install the package ca-certificates, or set {ca_file} or {ca_path}" },
      explained({}, false))
  end)
end)
