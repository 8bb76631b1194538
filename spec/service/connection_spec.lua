--- Servers that misuse a connection of the transport over libcurl, and the requests after that.
local core = require "pcapi.core"
local files = require "spec.support.files"
local pcapi = require "pcapi"
local raw = require "spec.support.raw"
local sandbox = require "spec.support.sandbox"
local tinyproxy = require "spec.support.tinyproxy"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

local server

local function fetch(options)
  options = options or {}
  options.allow_http, options.timeout = true, options.timeout or 5
  return pcapi.fetch(server.http .. "/", options)
end

describe("a connection", function()
  before_each(function() server = raw.start() end)
  after_each(raw.stop_all)

  it("works again after a folded line behind any response", function()
    local folded = "HTTP/1.1 200 OK\r\n x: " .. ("b"):rep(3000) .. "\r\nContent-Length: 0\r\n\r\n"
    for _, before in ipairs {
      "HTTP/1.1 503 Busy\r\nX-One: " .. ("a"):rep(40) .. "\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX-One: a\r\n folded\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 100 Continue\r\nX: " .. ("a"):rep(500) .. "\r\n\r\n" .. OK,
    } do
      for _, ends in ipairs { true, false } do
        server:play { ends and { { before } } or { { before }, { folded } }, { { folded } } }
        fetch()
        for _ = 1, 3 do
          local response, err = fetch()
          assert.is_nil(response)
          assert.truthy(err.kind == "protocol" or err.kind == "network", tostring(err))
        end
      end
    end
    server:play { { { OK } } }
    assert.equal("ok", assert(fetch()).body)
  end)

  it("works again after retries that meet a folded line", function()
    server:play {
      { { "HTTP/1.1 503 Busy\r\nX-One: 1\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n" } },
      { { "HTTP/1.1 200 OK\r\n folded\r\nContent-Length: 0\r\n\r\n" } },
    }
    local client = pcapi.new { token = "a.b.c", base_url = server.https,
                               ca_file = sandbox.ca_file, retry = { base = 0.01 } }
    for _ = 1, 3 do
      local list, err = client.security:non_mfa_principals()
      assert.is_nil(list)
      assert.equal("protocol", err.kind)
    end
  end)

  it("joins the lines of a folded header", function()
    server:play { { { "HTTP/1.1 200 OK\r\nX-A: one\r\n\t two\r\nContent-Length: 2\r\n\r\nok" } } }
    assert.equal("one two", assert(fetch()).headers["x-a"])
  end)

  it("ignores trailers, and takes no header for a status line", function()
    server:play { { { "HTTP/1.1 200 OK\r\nX-A: 1\r\nHTTP/1x: 2\r\n"
      .. "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
      .. "X-T: 1\r\nX-A: 2\r\nHTTP/1.1 500 No: 1\r\n\r\n" } } }
    local response = assert(fetch())
    assert.equal(200, response.status)
    assert.equal("ok", response.body)
    assert.equal("1", response.headers["x-a"])
    assert.equal("2", response.headers["http/1x"])
    assert.is_nil(response.headers["x-t"])
  end)

  for name, headers in pairs {
    ["an invalid transfer coding"] = "Transfer-Encoding: identity\r\nContent-Length: 2",
    ["a compressed transfer"] = "Transfer-Encoding: gzip, chunked",
    ["two lengths"] = "Content-Length: 2\r\nContent-Length: 3",
    ["a length beside chunks"] = "Content-Length: 2\r\nTransfer-Encoding: chunked",
    ["a body that is compressed twice"] = "Content-Encoding: gzip, gzip\r\nContent-Length: 2",
    ["a body that is compressed in two lines"] =
      "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 2",
    ["a coding that was not requested"] = "Content-Encoding: br\r\nContent-Length: 2",
    ["a header without a name"] = ": 1\r\nContent-Length: 2",
    ["a header line without a colon"] = "nonsense\r\nContent-Length: 2",
    ["a header line of 200 KB"] = "X: " .. ("x"):rep(200000) .. "\r\nContent-Length: 2",
    ["a header line of 90 KB"] = "X: " .. ("x"):rep(90000) .. "\r\nContent-Length: 2",
    ["100,000 headers"] = ("X: x\r\n"):rep(100000) .. "Content-Length: 2",
  } do
    it("refuses at once " .. name, function()
      local started = core.now()
      for _ = 1, 2 do
        server:play { { { "HTTP/1.1 200 OK\r\n" .. headers .. "\r\n\r\nok", { silent = true } } } }
        local response, err = fetch()
        assert.is_nil(response)
        assert.equal("protocol", err.kind, tostring(err))
      end
      assert.is_true(core.now() - started < 2)
      server:play { { { OK } } }
      assert.equal("ok", assert(fetch()).body)
    end)
  end

  it("works again in a loop after a header that is too long for libcurl", function()
    server:play { { { "HTTP/1.1 200 OK\r\nX: " .. ("x"):rep(150000) .. "\r\n\r\n" } }, { { OK } } }
    local loop = assert(pcapi.concurrent.new {})
    local function send() return fetch() end
    assert.equal(1, loop:run({ send, send, send }).failed)
    assert.equal(0, loop:run({ send, send }).failed)
    loop:close()
  end)

  for name, ending in pairs { closes = { close = true }, resets = { reset = true } } do
    it("that the server " .. name .. " gets a POST once", function()
      server:play { { { OK }, { ending } }, { { OK }, { OK } } }
      assert(fetch())
      server:play { { { OK }, { ending } }, { { ending } }, { { OK } } }
      local response = assert(fetch())
      assert.equal("ok", response.body)
      local none, err = fetch { method = "POST", body = "a=b" }
      assert.is_nil(none)
      assert.equal("network", err.kind)
      local posts = 0
      for _, request in ipairs(server:seen().requests) do
        posts = posts + (request.line:find "^POST" and 1 or 0)
      end
      assert.equal(1, posts)
    end)
  end

  it("returns a protocol error for a second response that is not HTTP", function()
    server:play { { { OK }, { "SSH-2.0-x\r\n" } } }
    assert(fetch())
    local _, err = fetch()
    assert.equal("protocol", err.kind)
  end)
end)

describe("a proxy that refuses", function()
  local proxy
  local port = sandbox.url:match "%d+$"

  after_each(tinyproxy.stop_all)

  local function send(address)
    local client = pcapi.new { token = "a.b.c", base_url = sandbox.url, ca_file = sandbox.ca_file,
                               proxy = address, no_proxy = "", retry = { base = 0.01 } }
    local list, err = client.security:non_mfa_principals()
    assert.is_nil(list)
    return err
  end

  it("a password gets one request, and is named in the error", function()
    proxy = tinyproxy.start { ports = { port }, user = "kim", password = "right" }
    local err = send("http://kim:wrong@" .. proxy.place)
    assert.equal("config", err.kind)
    assert.truthy(err.message:find("proxy", 1, true))
    assert.is_nil(tostring(err):find("wrong", 1, true))
    assert.equal(1, proxy:connects())
  end)

  it("nothing, as its address is invalid, is named without its password", function()
    for _, address in ipairs { "http://kim:se cret@127.0.0.1:1",
                               "http://kim:secret@127.0.0.1:x" } do
      local err = send(address)
      assert.equal("config", err.kind, tostring(err))
      assert.truthy(err.hint:find("proxy", 1, true))
      assert.is_nil(tostring(err):find("cret", 1, true), tostring(err))
    end
  end)

  it("a host gets one request, and is named in the error", function()
    proxy = tinyproxy.start { ports = { 1 } }
    local err = send("http://" .. proxy.place)
    assert.equal("config", err.kind)
    assert.truthy(err.message:find("proxy", 1, true))
    assert.equal(1, proxy:connects())
  end)
end)

describe("a proxy of another kind", function()
  local proxy

  before_each(function() proxy = raw.start() end)
  after_each(raw.stop_all)

  local function send(address)
    local client = pcapi.new { token = "a.b.c", base_url = sandbox.url, ca_file = sandbox.ca_file,
                               proxy = address, no_proxy = "", retry = { base = 0.01 } }
    local list, err = client.security:non_mfa_principals()
    assert.is_nil(list)
    return err
  end

  local function place(url)
    return "kim:wrong@" .. url:match "//(.*)$"
  end

  for name, case in pairs {
    ["a password"] = { "socks5h", "\5\2\1\1" }, ["any password"] = { "socks5h", "\5\255" },
    ["a host"] = { "socks5h", "\5\0\5\2\0\1\0\0\0\0\0\0" },
    ["a user"] = { "socks4", "\0\93\0\0\0\0\0\0" },
  } do
    it("gets one request if it refuses " .. name .. ", over " .. case[1], function()
      proxy:play { { { early = true, case[2], { silent = true } } } }
      local err = send(case[1] .. "://" .. place(proxy.http))
      assert.equal("config", err.kind, tostring(err))
      assert.truthy(err.message:find("proxy", 1, true))
      assert.is_nil(tostring(err):find("wrong", 1, true))
      assert.equal(1, proxy:seen().connections)
    end)
  end

  for _, status in ipairs { "302 Found", "405 Method Not Allowed", "451 Unavailable" } do
    it("gets one request if its status is " .. status, function()
      proxy:play { { { "HTTP/1.1 " .. status .. "\r\nContent-Length: 0\r\n\r\n" } } }
      assert.equal("config", send("http://" .. place(proxy.http)).kind)
      assert.equal(1, proxy:seen().connections)
    end)
  end

  it("gets the user agent", function()
    proxy:play { { { "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n" } } }
    send("http://" .. place(proxy.http))
    assert.equal("pcapi/" .. pcapi._VERSION, proxy:seen().requests[1].agent)
  end)

  it("gets further requests after a transient failure", function()
    proxy:play { { { "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" } } }
    assert.equal("network", send("http://" .. place(proxy.http)).kind)
    assert.equal(4, proxy:seen().connections)
  end)

  it("is verified with the same CAs if its address is https", function()
    proxy:play { { { "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n" } } }
    local err = send("https://" .. place(proxy.https))
    assert.equal("config", err.kind, tostring(err))
  end)
end)

describe("a lack of file descriptors", function()
  it("is named in the error, not the file of CAs", function()
    local script = [[
      local pcapi = require "pcapi"
      local files = {}
      assert(pcapi.fetch(arg[1] .. "/_sandbox/echo", { ca_file = arg[2] }))
      while true do
        local file = io.open "/dev/null"
        if not file then break end
        files[#files + 1] = file
      end
      for left = 0, 6 do
        local _, err = pcapi.fetch(arg[1] .. "/_sandbox/echo",
          { ca_file = arg[2], http_version = left % 2 == 0 and "1.1" or "2" })
        print(err and err.kind, err and err.message)
        files[#files]:close()
        files[#files] = nil
      end]]
    local name = files.temporary()
    local file = assert(io.open(name, "w"))
    file:write(script)
    file:close()
    local pipe = io.popen(("sh -c 'ulimit -n 60; exec %s %s %s %s' 2>&1"):format(
      os.getenv "LUA" or "lua5.4", name, sandbox.url, sandbox.ca_file))
    local said = pipe:read "*a"
    pipe:close()
    os.remove(name)
    assert.truthy(said:find("config\tno file descriptor is left", 1, true), said)
    assert.is_nil(said:find("certificate", 1, true), said)
    assert.is_nil(said:find("resolve", 1, true), said)
  end)
end)
