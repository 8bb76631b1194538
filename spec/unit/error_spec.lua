local errors = require "pcapi.error"

local function new(fields)
  fields.kind = fields.kind or "server"
  fields.message = fields.message or "it failed"
  return errors.new(fields)
end

describe("pcapi.error", function()
  it("has the fixed set of kinds", function()
    local names = {}
    for name, meaning in pairs(errors.kinds) do
      assert.is_string(meaning)
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({ "bad_request", "config", "consent_required", "forbidden", "invalid_client",
                  "mfa_required", "network", "not_found", "protocol", "server", "sign_in_required",
                  "stopped", "store", "throttled", "timeout", "tls", "unauthorized" }, names)
  end)

  it("refuses a kind that is not in the set", function()
    assert.has_error(function() errors.new { kind = "odd", message = "x" } end)
    assert.has_error(function() errors.new { message = "x" } end)
  end)

  it("keeps its fields", function()
    local fields = { kind = "throttled", message = "slow down", status = 429, retry_after = 57 }
    local err = errors.new(fields)
    assert.equal(fields, err)
    assert.equal(429, err.status)
    assert.equal(57, err.retry_after)
  end)

  it("recognises its own objects only", function()
    assert.is_true(errors.is(new {}))
    for _, other in ipairs { {}, "server: it failed", { kind = "server", message = "x" },
                             setmetatable({}, {}), false } do
      assert.is_false(errors.is(other))
    end
    assert.is_false(errors.is(nil))
  end)

  describe("as text", function()
    it("names the kind and the message", function()
      assert.equal("server: it failed", tostring(new {}))
    end)

    it("adds status, code, request id and the hint", function()
      local err = new { status = 403, code = "900308", request_id = "r-1", hint = "Ask an admin" }
      assert.equal("server: it failed (HTTP 403, code 900308, request id r-1). Ask an admin",
        tostring(err))
    end)

    it("leaves out missing fields", function()
      assert.equal("server: it failed (HTTP 500)", tostring(new { status = 500 }))
      assert.equal("server: it failed (code x)", tostring(new { code = "x" }))
    end)

    it("leaves out the id of a request without a response", function()
      assert.equal("server: it failed", tostring(new { request_id = "r-1" }))
    end)

    it("is short, however long the message is, and shows no half of a token", function()
      local long = new { message = ("eyJ"):rep(1e6) }
      assert.is_true(#long.message < 3000)
      long = new { message = ("x "):rep(1020) .. "eyJ" .. ("S"):rep(100) }
      assert.is_nil(long.message:find("SSS", 1, true))
    end)

    it("escapes the message once", function()
      local err = new { message = "a\27b \\ c" }
      assert.equal("server: " .. err.message, tostring(err))
      assert.matches("\\x1b", err.message, 1, true)
    end)

    it("is harmless if another field than the message came from the service", function()
      local text = tostring(new { status = 500, code = "\27[2J", request_id = "Bearer SECRET" })
      assert.equal("server: it failed (HTTP 500, code \\x1b[2J, request id Bearer [token])", text)
    end)
  end)

  it("has the names of options in its hint, or the words of the program for them", function()
    local function hint(text)
      return errors.new({ kind = "config", message = "m", hint = text }).hint
    end
    assert.equal("Set ca_file or timeout", hint "Set {ca_file} or {timeout}")
    errors.settings = { timeout = "--timeout" }
    local words = hint "Set {ca_file} or {timeout}"
    errors.settings = {}
    assert.equal("Set ca_file or --timeout", words)
    for _, text in ipairs { [[run: x '{"access_token":1}']], "{}", "{ a }", "100%" } do
      assert.equal(text, hint(text))
    end
  end)

  describe("message", function()
    for given, expected in pairs {
      ["a\27[31mb"] = "a\\x1b[31mb",
      ["a\r\nb\tc"] = "a\\r\\nb\\tc",
      ["a\127b\7"] = "a\\x7fb\\x07",
      ["C1 \194\155 31m"] = "C1 \\u{9b} 31m",
      ["raw C1 \155 31m"] = "raw C1 \\x9b 31m",
      ["turned round \226\128\174 here"] = "turned round \\u{202e} here",
      ["M\195\188nchen \194\169 \226\130\172"] = "M\195\188nchen \194\169 \226\130\172",
      ["sent eyJhb_-1.eyJ-x_2.s-i_g!"] = "sent [token]!",
      ["sent eyJhb.eyJx twice eyJhb.eyJx"] = "sent [token] twice [token]",
      ["Authorization: Bearer a.b-c~d+e/f="] = "Authorization: Bearer [token]",
      ["authorization: bearer  SECRET, x"] = "authorization: bearer  [token], x",
      [ [[{"access_token" : "0.AXoA","expires_in":1}]] ] =
        [[{"access_token" : "[hidden]","expires_in":1}]],
      ['it says {\\"refresh_token\\":\\"0.AXoA\\",\\"device_code\\":\\"Q'] =
        'it says {\\"refresh_token\\":\\"[hidden]\\",\\"device_code\\":\\"[hidden]',
      ["grant_type=x&refresh_token=1.AX-_&client_secret=p%20w next"] =
        "grant_type=x&refresh_token=[hidden]&client_secret=[hidden] next",
      ['the refresh_token is "old"'] = 'the refresh_token is "old"',
      ["nothing to hide"] = "nothing to hide",
      ["no proxy at me:SECRET@host:1"] = "no proxy at [hidden]@host:1",
      ["no proxy at HTTP://me:SE@CRET@host:1/"] = "no proxy at HTTP://[hidden]@host:1/",
    } do
      it(("turns %q into %q"):format(given, expected), function()
        assert.equal(expected, new({ message = given }).message)
      end)
    end

    it("is cut at 2 KB, and a code or an id at 128 bytes", function()
      local long = ("\27x"):rep(5e5)
      local err = new { message = long, code = long, request_id = long, correlation_id = long,
                        oauth_error = long, status = 500, hint = "Do this" }
      for _, name in ipairs { "code", "oauth_error", "request_id", "correlation_id" } do
        assert.is_true(#err[name] < 140, name)
        assert.is_nil(err[name]:find("\27", 1, true))
      end
      assert.matches("Do this$", tostring(err))
    end)

    it("escapes a zero byte", function()
      assert.equal("a\\x00b", new({ message = "a\0b" }).message)
    end)
  end)
end)
