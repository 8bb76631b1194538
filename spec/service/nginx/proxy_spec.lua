--- Calls of nginx that go through a proxy, by CONNECT.
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"
local tinyproxy = require "spec.support.tinyproxy"
local workers = require "spec.support.workers"

-- As tinyproxy has it, and as an address may.
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

-- Status and body of the answer; or nil, kind, the error as a text, and seconds.
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

local function fails(kind, words, ...)
  local status, is_kind, said, seconds = fetch(...)
  assert.is_nil(status)
  assert.equal(kind, is_kind, said)
  assert.truthy(said:find(words, 1, true), said)
  for _, secret in ipairs { "SEC", "RET", "me:" } do
    assert.is_nil(said:find(secret, 1, true), said)
    assert.is_nil(server:log():find(secret, 1, true))
  end
  return seconds
end

describe("a proxy within nginx", function()
  it("is gone through, and the server behind it is verified", function()
    local proxy = start()
    assert.same({ 200, "ok" }, { fetch("http://" .. proxy.place) })
    assert.equal(1, proxy:connects())
    fails("tls", "could not be verified", "http://" .. proxy.place .. "/", { url = OTHER })
    -- more than once, where ngx_lua lost the reason and another try was to find it
    assert.is_true(proxy:connects() > 1)
  end)

  it("is not gone through where it is an empty text", function()
    start()
    assert.equal(200, (fetch ""))
  end)

  it("keeps connections through it, for those who ask it alike", function()
    local proxy = start { user = "me", password = PASSWORD }
    local address = ("http://me:%s@%s"):format(ESCAPED, proxy.place)
    for _ = 1, 5 do
      assert.equal(200, (fetch(address)))
    end
    assert.equal(1, proxy:connects())
    fails("config", "refused the connection: 4", ("http://me:WRONG@%s"):format(proxy.place))
    fails("config", "NAME:PASSWORD", ("http://%s"):format(proxy.place))
    assert.equal(200, (fetch(""))) -- nor does another way take one of these
    assert.equal(200, (fetch(address)))
  end)

  it("says when it refused the connection", function()
    local proxy = start { ports = { "1" } }
    fails("config", "the proxy refused the connection: 403", "http://me:SECRET@" .. proxy.place)
  end)

  it("says when it refuses a name, or a password, and shows neither", function()
    local proxy = start { user = "me", password = "other" }
    fails("config", "the proxy refused the connection: 4", "http://me:SECRET@" .. proxy.place)
    fails("config", "the proxy refused the connection: 4", "http://SECRET@" .. proxy.place)
  end)

  it("says when it is not there, or is none", function()
    start()
    fails("network", "cannot connect to 127.0.0.1: connection refused",
      "http://me:SECRET@127.0.0.1:1")
    fails("config", "the proxy refused the connection: 4",
      "http://me:SECRET@" .. server.url:match "//(.*)")
  end)

  it("ends with the time for connecting when it does not answer", function()
    local proxy = start()
    proxy:signal "STOP"
    local seconds = fails("timeout", "timed out", "http://" .. proxy.place,
      { connect_timeout = 0.5 })
    assert.is_true(seconds > 0.4 and seconds < 1.5)
  end)

  it("may need a name that nobody looks up without a resolver", function()
    start()
    fails("config", "nginx has no resolver, so it cannot look up proxy.example",
      "http://me:SECRET@proxy.example:3128")
  end)

  it("serves many calls at once, and a whole client", function()
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
