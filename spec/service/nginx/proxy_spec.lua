--- Calls inside nginx that go through a proxy, with CONNECT.
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"
local tinyproxy = require "spec.support.tinyproxy"
local workers = require "spec.support.workers"

-- In the configuration of tinyproxy, and in an address.
local PASSWORD, ESCAPED = "SEC-RET", "SEC%2dRE%54"

local function port_of(url)
  return url:match ":(%d+)$"
end

local OTHER = sandbox.env "PCAPI_SANDBOX_OTHER_HOST_URL"

local server

local function start(options)
  options = sandbox.merged({ ports = { port_of(sandbox.url), port_of(OTHER) } }, options)
  server = workers.start()
  return tinyproxy.start(options)
end

after_each(function()
  nginx.stop_all()
  tinyproxy.stop_all()
end)

-- Returns status and body; or nil, kind, the error as a text, and seconds.
local function fetch(proxy, options)
  options = options or {}
  return server:run(([[
    ngx.update_time()
    local began = ngx.now()
    local response, err = pcapi.fetch(%q, { proxy = %q, timeout = 5, connect_timeout = %s })
    if response then
      return response.status, response.body
    end
    ngx.update_time()
    return nil, err.kind, tostring(err), ngx.now() - began
  ]]):format(options.url or sandbox.url .. "/_sandbox/health", proxy,
    options.connect_timeout or 5))
end

-- Asserts that a call fails so, and that no secret is shown; returns the seconds.
local function fails(kind, words, ...)
  local status, is_kind, err, seconds = fetch(...)
  assert.is_nil(status)
  assert.equal(kind, is_kind, err)
  assert.matches(words, err, 1, true)
  for _, secret in ipairs { "SEC", "RET", "me:" } do
    assert.is_nil(err:find(secret, 1, true), err)
    assert.is_nil(server:log():find(secret, 1, true))
  end
  return seconds
end

describe("a proxy inside nginx", function()
  it("is used, and the server behind it is verified", function()
    local proxy = start()
    assert.same({ 200, "ok" }, { fetch("http://" .. proxy.place) })
    assert.equal(1, proxy:connects())
    fails("tls", "could not be verified", "http://" .. proxy.place .. "/", { url = OTHER })
    -- more than once if ngx_lua lost the reason, and another try looked for it
    assert.is_true(proxy:connects() > 1)
  end)

  it("is not used if the option is an empty string", function()
    start()
    assert.equal(200, (fetch ""))
  end)

  it("has idle connections, which only calls with the same password use", function()
    local proxy = start { user = "me", password = PASSWORD }
    local address = ("http://me:%s@%s"):format(ESCAPED, proxy.place)
    for _ = 1, 5 do
      assert.equal(200, (fetch(address)))
    end
    assert.equal(1, proxy:connects())
    fails("config", "refused the connection: 4", ("http://me:WRONG@%s"):format(proxy.place))
    fails("config", "NAME:PASSWORD", ("http://%s"):format(proxy.place))
    assert.equal(200, (fetch(""))) -- without the proxy
    assert.equal(200, (fetch(address)))
  end)

  it("that refuses the port is in the error", function()
    local proxy = start { ports = { "1" } }
    fails("config", "the proxy refused the connection: 403", "http://me:SECRET@" .. proxy.place)
  end)

  it("that refuses name or password is in the error, without these", function()
    local proxy = start { user = "me", password = "other" }
    fails("config", "the proxy refused the connection: 4", "http://me:SECRET@" .. proxy.place)
    fails("config", "the proxy refused the connection: 4", "http://SECRET@" .. proxy.place)
  end)

  it("that does not listen, or is not a proxy, is in the error", function()
    start()
    fails("network", "cannot connect to 127.0.0.1: connection refused",
      "http://me:SECRET@127.0.0.1:1")
    fails("config", "the proxy refused the connection: 4",
      "http://me:SECRET@" .. server.url:match "//(.*)")
  end)

  it("that does not respond ends with connect_timeout", function()
    local proxy = start()
    proxy:signal "STOP"
    local seconds = fails("timeout", "timed out", "http://" .. proxy.place,
      { connect_timeout = 0.5 })
    assert.is_true(seconds > 0.4 and seconds < 5)
  end)

  it("with a name needs a resolver", function()
    start()
    fails("config", "nginx has no resolver, so it cannot look up proxy.example",
      "http://me:SECRET@proxy.example:3128")
  end)

  it("serves many calls of clients at once", function()
    local proxy = start()
    for _, result in ipairs(server:run_all(30, ([[
      local client = pcapi.new { base_url = %q, token = %q, proxy = %q }
      return #assert(client.security:non_mfa_principals())
    ]]):format(sandbox.url, sandbox.token(), "http://" .. proxy.place))) do
      assert.equal(25, result.values[1])
    end
    assert.is_true(proxy:connects() <= 30)
  end)
end)
