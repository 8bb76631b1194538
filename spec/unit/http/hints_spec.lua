local hints = require "pcapi.http.hints"

local word = hints.new {
  tls_settings = "SETTINGS", ca = "{advice}", proxy = "PROXY", without_proxy = "OTHER WAY",
  address = "Use a name",
}

local function hint_for(kind, cause)
  local _, hint = word { kind = kind, cause = cause, message = "it broke" }
  return hint
end

-- The message for a certificate that was refused.
local function message_for(cause, certificate)
  local seen = { subject = "Server", issuer = "Corp CA", hosts = "a.example, b.example",
                 not_before = 1706944089, not_after = 1709449689, is_ca = false,
                 is_of_proxy = false }
  for name, value in pairs(certificate or {}) do
    seen[name] = value
  end
  return (word { kind = "tls", cause = cause, message = "refused", host = "c.example",
                 certificate = seen })
end

local NOW = os.date("!%Y-%m-%d"):gsub("%-", "%%-") .. " %d%d:%d%d UTC"

describe("pcapi.http.hints", function()
  it("has a hint for each kind of error of a transport", function()
    assert.equal("Check the connection, the name of the host and the proxy settings",
      hint_for "network")
    assert.equal("Check the address and SETTINGS. If a proxy decrypts TLS, add its CA there",
      hint_for "tls")
    assert.equal("Run it again for the missing results", hint_for "stopped")
    for _, kind in ipairs { "protocol", "config", "timeout" } do
      assert.is_nil(hint_for(kind))
    end
    assert.equal("Check this", select(2, hints.new { config = "Check this" } { kind = "config" }))
  end)

  it("prefers the hint for the cause", function()
    assert.equal("Use a name", hint_for("tls", "address"))
    assert.equal("Close files or connections, or raise ulimit -n",
      hint_for("config", "descriptors"))
    assert.equal("Check the network, the firewall and the proxy settings",
      hint_for("timeout", "connect"))
    assert.equal("The server must offer TLS 1.2 or later", hint_for("tls", "tls_version"))
    assert.matches("the clock of this machine if it is wrong", hint_for("tls", "expired"))
    assert.matches("^Set the clock of this machine", hint_for("tls", "not_yet_valid"))
  end)

  it("passes on the advice for an unknown CA, and explains a proxy that decrypts TLS", function()
    local _, hint = word { kind = "tls", cause = "ca", advice = "Add it to {ca_file}" }
    assert.equal("Add it to {ca_file}. If a proxy decrypts TLS, that CA is the proxy's", hint)
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

  describe("words the message", function()
    it("with the dates of a certificate and of this machine's clock", function()
      assert.matches("^the certificate of c%.example is valid from 2024%-02%-03 07:08 UTC, but the "
        .. "clock of this machine says " .. NOW .. "$", message_for "not_yet_valid")
      assert.matches("^the certificate of c%.example was valid until 2024%-03%-03 07:08 UTC, and "
        .. "the clock of this machine says " .. NOW .. "$", message_for "expired")
    end)

    it("with the clock alone if the certificate is unknown", function()
      for _, cause in ipairs { "expired", "not_yet_valid" } do
        local message = word { kind = "tls", cause = cause, message = "refused", host = "a" }
        assert.matches("^refused; the clock of this machine says " .. NOW .. "$", message)
      end
    end)

    it("with the CA that is unknown here", function()
      assert.equal("the certificate of c.example was issued by a CA that is not trusted here: "
        .. "Corp CA", message_for "ca")
      assert.equal("the certificate of c.example is self-signed: Corp CA",
        message_for("ca", { subject = "Corp CA" }))
      assert.equal("the certificate of c.example was issued by a CA that is not trusted here: "
        .. "Corp CA", message_for("ca", { subject = "Corp CA", is_ca = true }))
    end)

    it("with the hosts that the certificate is for", function()
      assert.equal("the certificate of c.example is for a.example, b.example, not for c.example",
        message_for "host")
    end)

    it("with the CA whose certificate has expired", function()
      assert.matches("^the certificate of the CA Old CA, for c%.example, was valid until",
        message_for("expired", { subject = "Old CA", is_ca = true }))
    end)

    it("with the proxy if that was refused", function()
      assert.matches("^the certificate of the proxy was valid until",
        message_for("expired", { is_of_proxy = true }))
      assert.equal("the certificate of the proxy is for a.example, b.example, not for its address",
        message_for("host", { is_of_proxy = true }))
    end)

    it("with what OpenSSL says about another protocol", function()
      for cause, what in pairs { no_tls = "TLS", tls_version = "TLS 1.2 or later" } do
        assert.equal("a.example does not speak " .. what .. ": wrong version", (word {
          kind = "tls", cause = cause, message = "wrong version", host = "a.example" }))
      end
    end)

    it("as the transport does if nothing else is known", function()
      assert.equal("refused", message_for "another")
      assert.equal("refused", (word { kind = "tls", cause = "ca", message = "refused" }))
    end)
  end)
end)
