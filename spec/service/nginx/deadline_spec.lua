--- Deadlines of calls inside nginx.
local fetching = require "spec.support.fetching"
local literal = require "spec.support.literal"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"

local server

setup(function()
  server = fetching.start { http = "resolver 127.0.0.1:1;" } -- a port where nothing listens
end)
teardown(nginx.stop_all)

describe("the transport of nginx", function()
  it("takes any timeout", function()
    for _, timeout in ipairs { "2e6", "1e7", "1e12", "math.huge" } do
      local code = "return (fetch(SANDBOX .. '/_sandbox/health', { timeout = %s }))"
      assert.equal(200, (server:run(code:format(timeout))))
    end
  end)

  it("sleeps for a finite, positive time, whatever the number", function()
    assert.same({ true, true, true }, { server:run [[
      local transport = require("pcapi.nginx.transport").new()
      local slept
      local sleep = ngx.sleep
      ngx.sleep = function(seconds) slept = seconds end
      local all = {}
      for i, seconds in ipairs { math.huge, 0/0, -1 } do
        transport:sleep(seconds)
        all[i] = slept > 0 and slept <= 2000000
      end
      ngx.sleep = sleep
      return unpack(all)
    ]] })
  end)

  it("returns an error for an address that is not valid", function()
    local kinds = server:run [[
      local transport, kinds = require("pcapi.nginx.transport").new(), {}
      for i, address in ipairs { "", "/a b", "https://", "https://a b/", "https://a/#b",
                                 "https://a:99999/", "https://u:p@a/", "https://a/\r\n" } do
        local response, err = transport:send { method = "GET", url = address, timeout = 1,
          connect_timeout = 1, max_body = 1000, max_headers = 1000 }
        kinds[i] = response == nil and err.kind
      end
      return kinds
    ]]
    assert.same({ "config", "config", "config", "config", "config", "config", "config", "config" },
      kinds)
  end)
end)

describe("a call inside nginx times out", function()
  -- Sends a text, and then a byte 25 times a second, for five seconds.
  local function dripping(before)
    return fetching.raw(server, "socket:send(" .. literal(before) .. [[)
      for _ = 1, 125 do
        ngx.sleep(0.04)
        if not socket:send "1" then break end
      end]])
  end

  local function times_out(address, options)
    local status, kind
    local seconds = fetching.seconds_of(function()
      status, kind = server:run(("return fetch(%q, %s)"):format(address,
        type(options) == "string" and options or literal(options)))
    end)
    assert.is_nil(status)
    assert.equal("timeout", kind)
    assert.is_true(seconds > 0.45 and seconds < 3, ("%.2f s"):format(seconds))
  end

  for name, before in pairs {
    ["a status line"] = "HTTP/1.1 200 ", ["a header"] = "HTTP/1.1 200 OK\r\nX-A: ",
    ["a body with a length"] = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
    ["a body without a length"] = "HTTP/1.1 200 OK\r\n\r\n",
    ["a chunk"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n",
    ["a chunk's size"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ["a trailer"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: ",
  } do
    it("while " .. name .. " arrives byte by byte", function()
      times_out(dripping(before), { timeout = 0.5 })
    end)
  end

  it("while interim responses arrive without end", function()
    times_out(fetching.raw(server, [[for _ = 1, 125 do
      ngx.sleep(0.04)
      if not socket:send "HTTP/1.1 102 Processing\r\n\r\n" then break end
    end]]), { timeout = 0.5 })
  end)

  it("while the server reads the request slowly", function()
    times_out(fetching.raw(server, [[
      for _ = 1, 50 do
        ngx.sleep(0.1)
        if not socket:receive(1000000) then break end
      end]]), '{ timeout = 0.5, method = "POST", body = ("x"):rep(4e7) }')
  end)

  it("while a name is looked up, whatever resolver_timeout says", function()
    times_out("https://slow.example/", { timeout = 0.5 })
    times_out("https://slow.example/", { timeout = 5, connect_timeout = 0.5 })
  end)

  it("while a server accepts connections and does no TLS", function()
    local silent = nginx.start()
    os.execute("kill -s STOP -- -" .. silent.pid)
    times_out((silent.url:gsub("^http", "https")), { timeout = 5, connect_timeout = 0.5 })
    os.execute("kill -s CONT -- -" .. silent.pid)
    silent:stop()
  end)

  it("over all attempts together", function()
    local seconds = fetching.seconds_of(function()
      assert.equal("timeout", (server:run(([[
        local client = pcapi.new { base_url = SANDBOX, token = TOKEN, timeout = 0.7,
          retry = { base = 0.05 }, headers = { ["X-Sandbox"] = "delay=3" } }
        local _, err = client.security:non_mfa_principals()
        return err.kind
      ]]))))
    end)
    assert.is_true(seconds > 0.6 and seconds < 2.5, ("%.2f s"):format(seconds))
  end)

  it("and does not delay other calls meanwhile", function()
    local slow = server:begin_runs(5, ("return fetch(%q, { timeout = 2 })"):format(
      dripping "HTTP/1.1 200 OK\r\n\r\n"))
    local seconds = fetching.seconds_of(function()
      assert.equal(200, (fetching.fetch(server, sandbox.url .. "/_sandbox/health")))
    end)
    assert.is_true(seconds < 1.5, ("%.2f s"):format(seconds))
    slow.finish()
  end)
end)
