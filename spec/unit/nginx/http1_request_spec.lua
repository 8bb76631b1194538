local http1_request = require "pcapi.nginx.http1_request"
local lines = require("spec.support.http1").lines
local url = require "pcapi.url"

describe("an HTTP/1.1 request", function()
  local function text_of(address, request)
    request = request or {}
    request.method = request.method or "GET"
    return http1_request.text(request, assert(url.parse(address)), "job/1 pcapi/2")
  end

  it("has the headers Host, User-Agent, Accept and Accept-Encoding", function()
    assert.equal(lines("GET /v1/users?size=1 HTTP/1.1", "Host: a.example",
      "User-Agent: job/1 pcapi/2", "Accept: */*", "Accept-Encoding: gzip, deflate", ""),
      text_of "https://A.example/v1/users?size=1")
  end)

  it("has a port in Host if it is not the default one", function()
    for address, host in pairs {
      ["https://a.example:8443/"] = "a.example:8443", ["https://a.example:443/"] = "a.example",
      ["http://127.0.0.1:80/"] = "127.0.0.1", ["https://[::1]:8443/"] = "[::1]:8443",
    } do
      assert.matches("\r\nHost: " .. host .. "\r\n", text_of(address), 1, true)
    end
  end)

  it("has the path / if the address has none", function()
    assert.matches("^GET / HTTP/1.1\r\n", text_of "https://a.example")
    assert.matches("^GET /%?a=b HTTP/1.1\r\n", text_of "https://a.example?a=b")
  end)

  it("has the headers of the caller in place of its own", function()
    local text = text_of("https://a.example/", {
      headers = { "host: b.example", "USER-AGENT: me", "Accept: application/json",
                  "Accept-Encoding: identity", "X-Thing: \195\188\t1" },
    })
    assert.equal(lines("GET / HTTP/1.1", "host: b.example", "USER-AGENT: me",
      "Accept: application/json", "Accept-Encoding: identity", "X-Thing: \195\188\t1", ""), text)
  end)

  it("has the length of its body in Content-Length", function()
    local text = text_of("https://a.example/", { method = "PUT", body = "a\0\r\n" })
    assert.matches("\r\nContent%-Length: 4\r\n\r\na%z\r\n$", text)
  end)

  it("without a body has Content-Length only if it is a POST", function()
    assert.matches("\r\nContent-Length: 0\r\n", text_of("https://a.example/", { method = "POST" }),
      1, true)
    assert.is_nil(text_of("https://a.example/", { method = "DELETE" }):find "Content")
  end)

  for _, header in ipairs { "X-A: b\r\nEvil: 1", "X-A: b\nEvil: 1", "X-A: b\rc", "X-A: \0",
                            "X-A: \127", "nonsense", "X A: b", ": b", "X-A\r\n: b", " X-A: b" } do
    it(("is refused with the header %q"):format(header), function()
      local text, why = text_of("https://a.example/", { headers = { "X-Good: 1", header } })
      assert.is_nil(text)
      assert.equal("a header holds a line break or a control character", why)
    end)
  end

  for header, body in pairs { ["Content-Length: 3"] = "done", ["content-length: 1"] = "",
                              ["Transfer-Encoding: chunked"] = "0\r\n\r\n" } do
    it(("is refused with the header %q and the body %q"):format(header, body), function()
      local text, why = text_of("https://a.example/", {
        method = "POST", body = body, headers = { header },
      })
      assert.is_nil(text)
      assert.matches(header:find "^Transfer" and "the header Transfer-Encoding"
        or "the header Content-Length", why, 1, true)
    end)
  end

  it("may have a Content-Length that is right", function()
    assert.truthy(text_of("https://a.example/", {
      method = "POST", body = "done", headers = { "Content-Length: 4" },
    }))
  end)
end)
