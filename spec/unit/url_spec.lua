local url = require "pcapi.url"

local function parse(text)
  return assert(url.parse(text))
end

describe("pcapi.url", function()
  describe("parse", function()
    it("splits an address", function()
      assert.same({ scheme = "https", host = "api.example.com", port = 8443, path = "/v1/x",
                    query = "?a=b", origin = "https://api.example.com:8443" },
        parse "https://api.example.com:8443/v1/x?a=b")
    end)

    for text, origin in pairs {
      ["HTTPS://API.Example.COM"] = "https://api.example.com",
      ["https://api.example.com:443/x"] = "https://api.example.com",
      ["https://api.example.com:/x"] = "https://api.example.com",
      ["http://127.0.0.1:80"] = "http://127.0.0.1",
      ["http://127.0.0.1:443"] = "http://127.0.0.1:443",
      ["https://[::1]:8443/x"] = "https://[::1]:8443",
      ["https://[2001:DB8::1]"] = "https://[2001:db8::1]",
      ["https://xn--mnchen-3ya.example"] = "https://xn--mnchen-3ya.example",
    } do
      it(("gives %s the origin %s"):format(text, origin), function()
        assert.equal(origin, parse(text).origin)
      end)
    end

    it("separates path and query; either may be empty", function()
      assert.equal("", parse("https://a.example").path)
      assert.equal("?x=/y", parse("https://a.example?x=/y").query)
      assert.equal("/", parse("https://a.example/?").path)
    end)

    for text, why in pairs {
      [""] = "not an absolute address", ["/v1"] = "not an absolute address",
      ["//a.example/v1"] = "not an absolute address", ["a.example"] = "not an absolute address",
      ["https:a.example"] = "not an absolute address",
      ["https://a.example/#x"] = "must not hold a fragment",
      ["https://a.example/?a=b#"] = "must not hold a fragment",
      ["https://a.example/" .. ("x"):rep(131072)] = "is longer than 131072 bytes",
      ["ftp://a.example"] = "must begin with https://", ["file:///etc/passwd"] = "https://",
      ["https://user@a.example"] = "user name or password",
      ["https://user:pw@a.example"] = "user name or password",
      ["https://a.example@evil.example/"] = "user name or password",
      ["https://"] = "no valid host", ["https:///path"] = "no valid host",
      ["https://:443"] = "no valid host", ["https://a%41.example"] = "no valid host",
      ["https://[::1"] = "no valid host", ["https://::1/"] = "no valid host",
      ["https://a.example:x/"] = "no valid host", ["https://a.example:0"] = "no valid port",
      ["https://a.example:65536"] = "no valid port",
      ["https://a b.example"] = "printable ASCII", ["https://a.example/\r\nX: y"] = "printable",
      ["https://a.example\\@evil.example"] = "printable ASCII",
      ["https://m\195\188nchen.example"] = "printable ASCII",
      ["https://a.example/\127"] = "printable ASCII", ["https://a.example/<x>"] = "printable",
      ['https://a.example/"'] = "printable ASCII",
    } do
      it(("refuses %q"):format(text:sub(1, 60)), function()
        local address, message = url.parse(text)
        assert.is_nil(address)
        assert.matches(why, message, 1, true)
      end)
    end

    it("refuses a value that is not a string", function()
      assert.is_nil((url.parse(nil)))
      assert.is_nil((url.parse({})))
    end)
  end)

  describe("is_safe", function()
    local LOOPBACK = { "http://localhost", "http://LOCALHOST:8080", "http://127.0.0.1:9",
                       "http://127.1.2.3", "http://[::1]:9" }

    it("allows https to any host", function()
      assert.is_true(url.is_safe(parse "https://api.example.com"))
      assert.is_true(url.is_safe(parse "https://127.0.0.1", true))
    end)

    it("allows http to loopback only, if the option allows it", function()
      for _, text in ipairs(LOOPBACK) do
        assert.is_true(url.is_safe(parse(text), true))
        local ok, why = url.is_safe(parse(text), false)
        assert.is_nil(ok)
        assert.matches("allow_http", why, 1, true)
        ok, why = url.is_safe(parse(text)) -- the message names no option
        assert.is_nil(ok)
        assert.is_nil(why:find("allow_http", 1, true))
      end
    end)

    for _, text in ipairs { "http://api.example.com", "http://127.0.0.1.evil.example",
                            "http://localhost.evil.example", "http://evil.localhost.example",
                            "http://10.0.0.1", "http://[::2]", "http://128.0.0.1" } do
      it("refuses " .. text .. " also if http is allowed", function()
        local ok, why = url.is_safe(parse(text), true)
        assert.is_nil(ok)
        assert.matches("a token would be readable", why, 1, true)
      end)
    end
  end)

  describe("target_problem", function()
    for text, expected in pairs {
      ["/a b"] = { "holds a space (byte 3)", " " },
      ["/a?b= c"] = { "holds a space (byte 6)", " " },
      ["/a#b c"] = { "holds the character # (byte 3)", "#" },
      ["/\r\n"] = { "holds the control character 0x0D (byte 2)", "\r" },
      ["/\0"] = { "holds the control character 0x00 (byte 2)", "\0" },
      ["/\127"] = { "holds the control character 0x7F (byte 2)", "\127" },
      ["/\195\188"] = { "holds the byte 0xC3, which is not ASCII (byte 2)", "\195" },
      ["/\\x"] = { "holds the character \\ (byte 2)", "\\" },
      ['/"'] = { 'holds the character " (byte 2)', '"' },
      ["/" .. ("x"):rep(65536)] = { "is longer than 65536 bytes" },
    } do
      it(("explains what is wrong with %q"):format(text:sub(1, 20)), function()
        assert.same(expected, { url.target_problem(text) })
      end)
    end

    it("returns nil for a valid path and query", function()
      for _, text in ipairs { "", "/", "//a@b:99999/", "/%20", "/a?b=c&d=%23",
                              "/a;b,c'(d)*!$[]{}|^`",
                              ("x"):rep(65536) } do
        assert.is_nil(url.target_problem(text))
      end
    end)
  end)

  it("escapes all but unreserved characters", function()
    assert.equal("AZaz09-._~", url.escape "AZaz09-._~")
    assert.equal("%20%2F%3F%26%3D%25%2B%C3%BC%00", url.escape " /?&=%+\195\188\0")
  end)

  describe("query", function()
    it("is empty for an empty table and for nil", function()
      assert.equal("", url.query(nil))
      assert.equal("", url.query {})
    end)

    it("sorts names and escapes both sides", function()
      assert.equal("?a%20b=c%26d&n=5&t=true", url.query { t = true, n = 5, ["a b"] = "c&d" })
    end)
  end)

  describe("follow", function()
    local BASE = parse "https://api.example.com"
    local BELOW = parse "https://gate.example:8443/partner"

    for _, case in ipairs {
      { "https://api.example.com/v1/x?y=z", BASE, "/v1", "https://api.example.com/v1/x?y=z" },
      { "HTTPS://API.example.com:443/v1/x", BASE, "/v1", "HTTPS://API.example.com:443/v1/x" },
      { "/v1/x?y=z", BASE, "/v1", "https://api.example.com/v1/x?y=z" },
      { "/v2/x", BASE, "/v1", "https://api.example.com/v2/x" },
      { "/x", BASE, "/v1", "https://api.example.com/v1/x" },
      { "x?seekOperation=Next", BASE, "/v1", "https://api.example.com/v1/x?seekOperation=Next" },
      { "/x", BASE, "/pcapi/v1", "https://api.example.com/pcapi/v1/x" },
      { "x", BASE, "/pcapi/v1", "https://api.example.com/pcapi/v1/x" },
      { "/v1/x", BASE, "/pcapi/v1", "https://api.example.com/v1/x" },
      { "/pcapi/v1/x", BASE, "/pcapi/v1", "https://api.example.com/pcapi/v1/x" },
      { "/pcapi/v10/x", BASE, "/pcapi/v1", "https://api.example.com/pcapi/v1/pcapi/v10/x" },
      { "/view/x", BASE, "/v1", "https://api.example.com/v1/view/x" },
      { "/v1/x", BELOW, "/v1", "https://gate.example:8443/partner/v1/x" },
      { "x", BELOW, "/v1", "https://gate.example:8443/partner/v1/x" },
      { "https://gate.example:8443/v1/x", BELOW, "/v1", "https://gate.example:8443/v1/x" },
    } do
      it(("goes from %s to %s below %s"):format(case[1], case[4], case[3]), function()
        assert.equal(case[4], url.follow(case[1], case[2], case[3]))
      end)
    end

    for _, uri in ipairs {
      "https://evil.example/v1/x", "http://api.example.com/v1/x", "https://api.example.com:444/x",
      "https://api.example.com.evil.example/", "https://api.example.com@evil.example/",
      "//evil.example/v1/x", "javascript:alert(1)", "file:///etc/passwd",
      "https:/\\evil.example", "/v1/x\r\nEvil: 1", "/v1/x y", "/\\evil.example", "x\0",
      "https://[::1]/v1", "HTTP://api.example.com/", "/v1/x#y", "x#", "#", "x?a=b#c",
      "https://api.example.com/v1/x#y", "/v1/\195\188", "/v1/<x>", "/" .. ("x"):rep(65536),
    } do
      it(("never sends the token to %q"):format(uri:sub(1, 60)), function()
        local address, why = url.follow(uri, BASE, "/v1")
        assert.is_nil(address)
        assert.is_string(why)
      end)
    end
  end)
end)

describe("pcapi.url.hide_users", function()
  for _, address in ipairs {
    "me:SECRET@proxy.example:3128", "http://me:SECRET@proxy.example:3128",
    "HTTPS://me:SECRET@proxy.example", "socks5h://me:SECRET@proxy.example",
    "//me:SECRET@proxy.example",
    "http://me:SEC@RET@proxy.example", "me:SEC@RET@proxy.example", "me:SECRET%40x@proxy.example",
    "http://me:%53ECRET@proxy.example/", "http://SECRET@proxy.example", ":SECRET@proxy.example",
    "http://me:SEC/RET@proxy.example", "me:SEC//RET@proxy.example",
    "http:/me:SECRET@proxy.example", "http:me:SECRET@proxy.example",
    "http:\\\\me:SECRET@proxy.example",
    "http://me:S?CRET@[::1]:3128",
    "http://me:S#CRET@proxy.example", "http://me:'SECRET@proxy.example",
    'http://me:"SECRET@proxy.example',
    "http://me:SEC://RET@proxy.example", "http://a.b:SECRET@proxy.example",
  } do
    it("hides the secret in " .. address, function()
      for _, said in ipairs {
        url.hide_users(address, true), url.hide_users(address),
        url.hide_users("Unsupported proxy syntax in '" .. address .. "': x"),
        url.hide_users("see (" .. address .. "), and " .. address),
        url.hide_users('{"proxy":"' .. address .. '"}'),
      } do
        assert.is_nil(said:find("CRET", 1, true), said)
        assert.is_nil(said:find("RET", 1, true), said)
        assert.is_nil(said:find("SEC", 1, true), said)
        assert.truthy(said:find("[hidden]@", 1, true), said)
      end
    end)
  end

  it("hides a user name, and a password with blanks, if the text is an address", function()
    assert.equal("[hidden]@proxy.example:1", url.hide_users("SECRET@proxy.example:1", true))
    assert.equal("http://[hidden]@proxy.example:1",
      url.hide_users("http://me:SEC RET@proxy.example:1", true))
    assert.equal("http://[hidden]@proxy.example",
      url.hide_users("http://me:12/34@proxy.example", true))
  end)

  it("hides an invalid port, which may be the password of an address without its @", function()
    for address, shown in pairs {
      ["me:SECRET"] = "me:[hidden]", ["http://me:SECRET"] = "http://me:[hidden]",
      ["me:SECRET;proxy.example:3128"] = "me:[hidden]",
      ["socks5://me:12SECRET/x"] = "socks5://me:[hidden]", ["me: SECRET"] = "me:[hidden]",
    } do
      assert.equal(shown, url.hide_users(address, true))
      local said = url.hide_users("Unsupported proxy syntax in '" .. address .. "': bad")
      assert.is_nil(said:find("SECRET", 1, true), said)
    end
    for _, address in ipairs { "proxy.example:3128", "[::1]:3128", "::1", "fe80::1",
                               "socks5h://[::1]", "https://a.example:443/b:c",
                               "https://a.example/b:c?d:e", "" } do
      assert.equal(address, url.hide_users(address, true))
    end
  end)

  it("hides a password with blanks in a message of libcurl", function()
    assert.equal("Unsupported proxy syntax in 'http://[hidden]@h:1': bad", url.hide_users(
      "Unsupported proxy syntax in 'http://me:SEC ''RET@h:1': bad"))
  end)

  it("takes no longer for a text that is made to take long", function()
    local start = os.clock()
    for _, part in ipairs { "a.", "a://", "://", "@", "proxy a b '", "proxy a b '@", "a:@ ",
                            "'" } do
      url.hide_users(part:rep(8 * 1024) .. "@")
    end
    assert.is_true(os.clock() - start < 2)
  end)

  it("leaves a text without a user name alone", function()
    for _, text in ipairs {
      "", "http://proxy.example:3128", "proxy.example", "signed in as admin@fabrikam.example",
      "https://host.example/v1/users/a@b.example", "https://host.example:443/users?upn=a@b.example",
      "https://[::1]:443/a@b", "Ratio 1:2 (a@b)", "HTTP 407: no",
    } do
      assert.equal(text, url.hide_users(text))
    end
    assert.equal("http://proxy.example:3128", url.hide_users("http://proxy.example:3128", true))
  end)
end)
