local fake_socket = require "spec.support.fake_socket"
local proxy = require "pcapi.nginx.proxy"

describe("the address of a proxy", function()
  it("has an origin", function()
    local address = proxy.parse "http://proxy.example:3128"
    assert.same({ "http://proxy.example:3128", "proxy.example", 3128 },
      { address.origin, address.host, tonumber(address.port) })
    assert.is_nil(address.authorization)
  end)

  for user, text in pairs {
    ["Aladdin:open%20sesame"] = "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    ["me:a+b%3A%2f%40"] = "bWU6YStiOi9A",
    ["me:"] = "bWU6", me = "bWU6", ["%FF%fe:%c3%bc"] = "//46w7w=", ["%fb%ef:1"] = "++86MQ==",
  } do
    it("gives the header for the name and password " .. user, function()
      local address = assert(proxy.parse("http://" .. user .. "@proxy.example:3128"))
      assert.equal("Basic " .. text, address.authorization)
      assert.equal("http://proxy.example:3128", address.origin)
    end)
  end

  for _, text in ipairs { "https://proxy.example", "socks5://proxy.example", "http://me:SECRET@",
                          "http://me:SEC/RET@proxy.example" } do
    it("is refused, and not shown: " .. text, function()
      local address, why = proxy.parse(text)
      assert.is_nil(address)
      assert.matches('^option "proxy" ', why)
      assert.is_nil(why:find "SEC")
    end)
  end
end)

describe("a tunnel through a proxy", function()
  -- A connection that records what is sent.
  local function connection(response)
    local socket = fake_socket.new(response)
    function socket:send(text)
      self.sent = text
      return true
    end
    return socket
  end

  it("is requested with CONNECT", function()
    local socket = connection "HTTP/1.1 200 OK\r\n\r\n"
    assert.equal(200, proxy.connect(socket, "a.example:443").status)
    assert.equal("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", socket.sent)
  end)

  it("is requested with name and password", function()
    local socket = connection "HTTP/1.1 200 OK\r\n\r\n"
    proxy.connect(socket, "a.example:443", "Basic bWU6")
    assert.matches("\r\nProxy%-Authorization: Basic bWU6\r\n\r\n$", socket.sent)
  end)

  it("fails if the request cannot be sent", function()
    local socket = connection ""
    function socket.send()
      return nil, "timeout", "timed out"
    end
    assert.same({ n = 3, nil, "timeout", "timed out" },
      { n = 3, proxy.connect(socket, "a.example:443") })
  end)
end)
