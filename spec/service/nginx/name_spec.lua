--- Names of servers that nginx's resolver looks up.
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local dns = require "spec.support.dns"
local free_port = require "spec.support.free_port"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"
local workers = require "spec.support.workers"

-- The sandbox has a certificate for this name, at this port of 127.0.0.1.
local NAME = "other.example"
local PORT = sandbox.env "PCAPI_SANDBOX_OTHER_HOST_URL":match "%d+$"
local URL = ("https://%s:%s/_sandbox/echo"):format(NAME, PORT)

local server

after_each(function()
  nginx.stop_all()
  dns.stop_all()
end)

local function start(names, options)
  options = sandbox.merged(options)
  options.http = ("resolver %s valid=1s; %s"):format(dns.start(names), options.http or "")
  server = workers.start(options)
end

local function fetch(url, options)
  return server:run(([[
    local response, err = pcapi.fetch(%q, %s)
    if response then
      return response.status, response.json.connection
    end
    return nil, err.kind, tostring(err)
  ]]):format(url, options or "{}"))
end

describe("the name of a server", function()
  it("is looked up, and its certificate verified", function()
    start({ [NAME] = "127.0.0.1", ["else.example"] = "127.0.0.1" },
      { server = "lua_socket_log_errors on;" })
    assert.equal(200, (fetch(URL)))
    local _, kind, err = fetch((URL:gsub("other", "else")))
    assert.equal("tls", kind)
    local reason = assert(err:match "^tls: else%.example could not be verified: ([^.]*)", err)
    -- ngx_lua may lose the reason on a busy machine, see pcapi.nginx.cosocket
    assert.truthy(reason:find "^certificate host mismatch"
      or reason == "its certificate was refused, see nginx's error log", err)
    assert.matches('certificate does not match host "else.example"', server:log(), 1, true)
  end)

  it("that is unknown or has no address is in the error", function()
    start { ["none.example"] = "" }
    for _, name in ipairs { "unknown.example", "none.example" } do
      local _, kind, err = fetch("https://" .. name .. "/")
      assert.equal("network", kind)
      assert.matches("cannot connect to " .. name, err, 1, true)
      assert.matches("could not be resolved", err, 1, true)
    end
  end)

  it("is reached over IPv4 if there is no IPv6", function()
    start { [NAME] = "127.0.0.1,ff02::1" } -- the second one is always unreachable
    for _ = 1, 20 do
      assert.equal(200, (fetch(URL, "{ method = 'POST' }")))
    end
  end)

  it("is reached if a server listens at one of its addresses", function()
    start { [NAME] = "127.0.0.1,::1,127.0.0.2" } -- only at the first one
    for _ = 1, 10 do
      assert.equal(200, (server:run(([[
        local client = pcapi.new { base_url = %q, token = "a", retry = { base = 0.01 },
          headers = { Connection = "close" } }
        local response, err = client:request("GET", "/_sandbox/echo")
        return response and response.status or tostring(err)
      ]]):format(URL:match "^https://[^/]*"))))
    end
  end)

  it("fails soon if no server listens at any of its addresses", function()
    start { [NAME] = "127.0.0.2,::1,127.0.0.3" }
    local began = core.now()
    local _, kind, err = fetch(URL)
    assert.equal("network", kind)
    assert.matches("connection refused", err, 1, true)
    assert.is_true(core.now() - began < 3)
  end)

  it("is not looked up for an idle connection", function()
    start { [NAME] = "127.0.0.1" }
    local _, connection = fetch(URL)
    dns.stop_all()
    os.execute "sleep 1.5" -- nginx forgets the address
    assert.same({ 200, connection }, { fetch(URL) })
  end)

  it("that is resolved late does no harm to a worker whose request has ended", function()
    start({ [NAME] = "127.0.0.1;0.6", ["never.example"] = ";0.6" },
      { http = "lua_check_client_abort on;" })
    for _, url in ipairs { URL, "https://never.example/" } do
      for _, result in ipairs(server:run_all(30, ([[
        local _, err = pcapi.fetch(%q, { connect_timeout = 0.2 })
        return err.kind
      ]]):format(url))) do
        assert.equal("timeout", result.values[1])
      end
    end
    server:begin({ "/run", "/run", "/run" }, { body = ("return pcapi.fetch(%q)"):format(URL),
      timeout = 0.2 }):finish() -- aborted
    local pid = server:workers()[1]
    os.execute "sleep 0.7"
    assert.equal(200, (fetch(URL)))
    assert.equal(pid, server:workers()[1], server:log())
  end)

  it("is looked up in ssl_certificate_by_lua and in timers, too", function()
    local port = free_port()
    local folder = sandbox.env("PCAPI_SANDBOX_CA"):match "^(.*)/"
    start({ [NAME] = "127.0.0.1;0.1" }, {
      init = ([[function log_status()
        local response, err = pcapi.fetch(%q)
        ngx.shared.pcapi:rpush("results", response and response.status or tostring(err))
      end]]):format(URL),
      http = ([[server {
        listen 127.0.0.1:%s ssl;
        ssl_certificate %s/localhost.pem;
        ssl_certificate_key %s/leaf.key;
        ssl_certificate_by_lua_block { log_status() }
        location / { content_by_lua_block { ngx.timer.at(0, log_status) } }
      }]]):format(port, folder, folder),
    })
    assert.equal(200, curl.fetch { url = "https://localhost:" .. port .. "/" }.status)
    assert(nginx.wait_for(function()
      return server:run "return ngx.shared.pcapi:llen 'results'" == 2
    end, 5))
    assert.same({ 200, 200 }, { server:run [[
      return ngx.shared.pcapi:lpop "results", (ngx.shared.pcapi:lpop "results")
    ]] })
  end)
end)
