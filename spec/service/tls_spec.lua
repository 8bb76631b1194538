--- Servers that cannot be verified, over libcurl: the cause, the dates, the names and the cure.
local certificates = require "spec.support.certificates"
local clock = require "spec.support.clock"
local folder = require "spec.support.folder"
local nginx = require "spec.support.nginx"
local pcapi = require "pcapi"
local raw = require "spec.support.raw"
local sandbox = require "spec.support.sandbox"

local DAY = 86400
local TIME = "%d%d%d%d%-%d%d%-%d%d %d%d:%d%d UTC"
local TODAY = os.date("!%Y-%m-%d"):gsub("%-", "%%-")

-- The error of a request, of kind tls.
local function refused(url, options)
  local response, err = pcapi.fetch(url, options or { ca_file = sandbox.ca_file })
  assert.is_nil(response)
  assert.equal("tls", err.kind, tostring(err))
  return err
end

local function url_of(name)
  return sandbox.env("PCAPI_SANDBOX_" .. name .. "_URL")
end

local function is_near(expected, seconds)
  assert.is_true(math.abs(expected - seconds) < 3600, seconds)
end

describe("a certificate that is refused", function()
  setup(nginx.stop_all)
  after_each(function()
    nginx.stop_all()
    folder.remove()
  end)

  it("from an unknown CA is an error with the CA, the host and the file that was used", function()
    local err = refused(url_of "UNTRUSTED")
    assert.equal("the certificate of localhost was issued by a CA that is not trusted here: "
      .. "pcapi sandbox stranger", err.message)
    assert.equal(("Add that CA to %s, which ca_file names. If a proxy decrypts TLS, that CA is "
      .. "the proxy's"):format(sandbox.ca_file), err.hint)
    assert.same({ "pcapi sandbox stranger", "pcapi sandbox untrusted", "localhost, 127.0.0.1" },
      { err.certificate.issuer, err.certificate.subject, err.certificate.hosts })
    is_near(os.time() + 2 * DAY, err.certificate.not_after)
  end)

  it("with the CAs of the system, or of a directory, names those", function()
    assert.matches("^Set ca_file to a PEM file with that CA; .*/certs is used now",
      refused(url_of "UNTRUSTED", {}).hint)
    assert.matches("openssl rehash " .. sandbox.ca_path,
      refused(url_of "UNTRUSTED", { ca_path = sandbox.ca_path }).hint, 1, true)
  end)

  it("is accepted after the cure in the hint", function()
    local stranger = sandbox.ca_file:gsub("ca%.pem$", "stranger.pem")
    local both = folder.new() .. "/both.pem"
    os.execute(("cat %s %s >%s"):format(sandbox.ca_file, stranger, both))
    assert.equal(200, assert(pcapi.fetch(url_of "UNTRUSTED" .. "/_sandbox/echo",
      { ca_file = both })).status)
  end)

  it("of another host is an error with its names", function()
    local err = refused(url_of "OTHER_HOST")
    assert.equal("the certificate of localhost is for other.example, not for localhost",
      err.message)
    assert.matches("^Check the address", err.hint)
    assert.equal("other.example", err.certificate.hosts)
  end)

  it("that has expired is an error with its date and that of this machine", function()
    local err = refused(url_of "EXPIRED")
    assert.matches("^the certificate of localhost was valid until " .. TIME
      .. ", and the clock of this machine says " .. TODAY .. " %d%d:%d%d UTC$", err.message)
    assert.matches("the server needs a new certificate", err.hint, 1, true)
    is_near(os.time() - DAY, err.certificate.not_after)
  end)

  it("that is not yet valid is an error with both dates", function()
    local server, url, root = certificates.valid_tomorrow()
    nginx.start { http = server }
    local err = refused(url, { ca_file = root })
    assert.matches("^the certificate of localhost is valid from " .. TIME
      .. ", but the clock of this machine says " .. TODAY, err.message)
    assert.matches("^Set the clock", err.hint)
    is_near(os.time() + DAY, err.certificate.not_before)
  end)

  it("and is self-signed is an error that says so", function()
    local server, url, root = certificates.self_signed()
    nginx.start { http = server }
    assert.equal("the certificate of localhost is self-signed: Router, Fabrikam",
      refused(url, { ca_file = root }).message)
  end)

  it("as a CA between has expired is an error that names that CA", function()
    local server, url, root = certificates.expired_ca()
    nginx.start { http = server }
    assert.matches("^the certificate of the CA old, for localhost, was valid until " .. TIME,
      refused(url, { ca_file = root }).message)
  end)

  it("cannot move the cursor, nor fill the screen", function()
    local server, url, root = certificates.hostile()
    nginx.start { http = server }
    local text = tostring(refused(url, { ca_file = root }))
    assert.is_nil(text:find "%c", text)
    assert.is_nil(text:find("\226\128\174", 1, true))
    assert.truthy(text:find("issued by a CA that is not trusted here: CA", 1, true), text)
    assert.is_true(#text < 1000)
  end)

  it("of a proxy is an error that names the proxy", function()
    local proxy = raw.start()
    local err = refused(sandbox.url, { proxy = proxy.https, no_proxy = "" })
    raw.stop_all()
    assert.matches("^the certificate of the proxy was issued by a CA", err.message)
    assert.is_true(err.certificate.is_of_proxy)
  end)

  it("does not stay with the next request", function()
    local client = pcapi.new { token = "a.b.c", base_url = url_of "EXPIRED",
                               ca_file = sandbox.ca_file, retry = { attempts = 1 } }
    local _, err = client:request("GET", "/_sandbox/health")
    assert.truthy(err.certificate)
    _, err = pcapi.fetch(url_of "CLOSED", { ca_file = sandbox.ca_file })
    assert.equal("network", err.kind)
    assert.is_nil(err.certificate)
    assert.equal(200, assert(pcapi.fetch(sandbox.url .. "/_sandbox/health",
      { ca_file = sandbox.ca_file })).status)
  end)

  it("is that of each of many requests at once", function()
    local loop = assert(pcapi.concurrent.new { limit = 40 })
    local expected = { UNTRUSTED = "pcapi sandbox untrusted", EXPIRED = "pcapi sandbox expired",
                       OTHER_HOST = "pcapi sandbox other-host" }
    local tasks, names = {}, { "UNTRUSTED", "EXPIRED", "OTHER_HOST", "" }
    local subjects, wanted = {}, {}
    for i = 1, 80 do
      local name = names[i % #names + 1]
      wanted[i] = expected[name] or "none"
      tasks[i] = function()
        local _, err = pcapi.fetch(name == "" and sandbox.url .. "/_sandbox/health"
          or url_of(name), { ca_file = sandbox.ca_file })
        subjects[i] = err and err.certificate.subject or "none"
      end
    end
    loop:run(tasks)
    loop:close()
    assert.same(wanted, subjects)
  end)
end)

describe("a server without TLS that pcapi accepts", function()
  it("is an error that says so, with the host", function()
    local err = refused((sandbox.http_url:gsub("^http:", "https:")))
    assert.matches("^127%.0%.0%.1 does not speak TLS: ", err.message)
    assert.matches("the port", err.hint, 1, true)
    err = refused(url_of "TLS11")
    assert.matches("^localhost does not speak TLS 1%.2 or later: ", err.message)
    assert.equal("The server must offer TLS 1.2 or later", err.hint)
  end)
end)

describe("CAs that cannot be used", function()
  after_each(folder.remove)

  for name, case in pairs {
    ["a missing file"] = { { ca_file = "/none.pem" }, "/none.pem: No such file", "ca_file" },
    ["a directory as a file"] = { { ca_file = "/tmp" }, "/tmp is a directory", "ca_path" },
    ["a file of something else"] = { { ca_file = "/etc/passwd" },
      "/etc/passwd holds no CA certificate in PEM form", "ca_file" },
    ["a missing directory"] = { { ca_path = "/none" }, "/none: No such file", "ca_path" },
  } do
    it("are named: " .. name, function()
      local _, err = pcapi.fetch(sandbox.url, case[1])
      assert.matches(case[2], err.message, 1, true)
      assert.matches(case[3], err.hint, 1, true)
    end)
  end

  it("are those of a system without the package ca-certificates", function()
    local probe = sandbox.shell "unshare -rm mount -t tmpfs none /etc/ssl/certs && echo yes"
    if probe.out ~= "yes\n" then
      return pending "no mount is allowed here"
    end
    local result = sandbox.shell(([[unshare -rm sh -c 'mount -t tmpfs none /etc/ssl/certs &&
      exec env -u PCAPI_CA_FILE PCAPI_BASE_URL=%s %s bin/pcapi non-mfa']]):format(sandbox.url,
      sandbox.lua))
    assert.equal(1, result.status, result.err)
    assert.matches("this machine has no CA certificates in /etc/ssl/certs", result.err, 1, true)
    assert.matches("Install the package ca-certificates, or set --ca-file (PCAPI_CA_FILE)",
      result.err, 1, true)
  end)
end)

describe("the command", function()
  it("names its flag and its variable for the CAs", function()
    local result = sandbox.pcapi({ "non-mfa" }, { PCAPI_CA_FILE = false,
                                                  PCAPI_TOKEN = sandbox.token() })
    assert.equal(6, result.status)
    assert.matches("Set --ca-file (PCAPI_CA_FILE) to a PEM file with that CA", result.err, 1, true)
    result = sandbox.pcapi({ "--ca-file", "/none.pem", "non-mfa" })
    assert.equal(1, result.status)
    assert.matches("/none.pem: No such file or directory. Correct --ca-file (PCAPI_CA_FILE)",
      result.err, 1, true)
  end)

  for time, expected in pairs {
    ["2019-01-01 10:00:00"] = "is valid from " .. TIME
      .. ", but the clock of this machine says 2019%-01%-01 10:00 UTC%. Set the clock",
    ["2051-01-01 10:00:00"] = "was valid until " .. TIME
      .. ", and the clock of this machine says 2051%-01%-01 10:00 UTC%. Set the clock",
  } do
    it("names the wrong time of this machine: " .. time, function()
      local result = sandbox.pcapi({ "non-mfa" }, clock.at(time))
      assert.equal(6, result.status, result.err)
      assert.matches(expected, result.err)
    end)
  end
end)
