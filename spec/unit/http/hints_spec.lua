local hints = require "pcapi.http.hints"

local hint_for = hints.new {
  tls_settings = "SETTINGS", ca = "Set CA", proxy = "PROXY", without_proxy = "OTHER WAY",
  address = "Use a name",
}

describe("pcapi.http.hints", function()
  it("has a hint for each kind of error of a transport", function()
    assert.equal("Raise timeout, or try again later", hint_for "timeout")
    assert.equal("Check the connection, the name of the host and the proxy settings",
      hint_for "network")
    assert.equal("Check the address and SETTINGS. If a proxy decrypts TLS, add its CA there",
      hint_for "tls")
    assert.equal("Run it again for the missing results", hint_for "stopped")
    assert.is_nil(hint_for "protocol")
    assert.is_nil(hint_for "config")
    assert.equal("Check this", hints.new { config = "Check this" } "config")
  end)

  it("prefers the hint for the cause", function()
    assert.equal("Check the address: the certificate is for another host", hint_for("tls", "host"))
    assert.equal("Use a name", hint_for("tls", "address"))
    assert.equal("Close files or connections, or raise ulimit -n",
      hint_for("config", "descriptors"))
  end)

  it("names the setting for an unknown CA, and the CA of a proxy", function()
    assert.equal("Set CA. If a proxy decrypts TLS, add its CA there", hint_for("tls", "ca"))
  end)

  it("shows the time of this machine if a certificate has expired or is not valid yet", function()
    local today = os.date "!%Y-%m-%d"
    assert.matches("^The clock of this machine says " .. today:gsub("-", "%%-")
      .. " %d%d:%d%d UTC: set it if that is wrong$", hint_for("tls", "not_yet_valid"))
    assert.matches("if it is right, the server needs a new certificate$",
      hint_for("tls", "expired"))
  end)

  it("names the settings of the proxy that has refused", function()
    assert.equal("Check the user name and password in PROXY: write NAME:PASSWORD and an @ before "
      .. "the host",
      hint_for("config", "proxy_login"))
    assert.equal("Allow this host and port in the proxy, or OTHER WAY",
      hint_for("config", "proxy_rule"))
  end)

  it("falls back to the hint for the kind if the cause is unknown", function()
    assert.equal(hint_for "tls", hint_for("tls", "another"))
  end)
end)
