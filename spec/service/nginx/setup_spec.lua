--- Errors that name the directive or the option to change, and other transports.
local certificates = require "spec.support.certificates"
local curl = require "spec.support.curl"
local folder = require "spec.support.folder"
local free_port = require "spec.support.free_port"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"
local workers = require "spec.support.workers"

local CALL = ([[
  client = client or pcapi.new { base_url = %q, token = "SECRET", retry = { base = 0.01 } }
  local _, err = client:request("GET", "/_sandbox/health")
  return err and err.kind, tostring(err)
]]):format(sandbox.url)

local function clean_up()
  nginx.stop_all()
  folder.remove()
end

-- The lines of pcapi in the error log.
local function logged(server)
  local lines = {}
  for line in server:log():gmatch "[^\n]+" do
    lines[#lines + 1] = line:match "%[error%].*(pcapi: .*)"
  end
  return lines
end

-- Asserts that each of many calls fails with an error that has these words, and that one line with
-- them is logged.
local function fails(server, kind, ...)
  for _ = 1, 3 do
    for _, result in ipairs(server:run_all(5, CALL)) do
      assert.equal(kind, result.values[1], result.values[2])
      for _, word in ipairs { ... } do
        assert.truthy(result.values[2]:find(word, 1, true), result.values[2])
      end
    end
  end
  local lines = logged(server)
  assert.equal(1, #lines, table.concat(lines, "\n"))
  for _, word in ipairs { ... } do
    assert.matches(word, lines[1], 1, true)
  end
  assert.is_nil(server:log():find("SECRET", 1, true))
end

describe("a call inside nginx", function()
  after_each(clean_up)

  it("without a resolver is an error that names the directive, logged once", function()
    local server = workers.start { init = [[
      client = pcapi.new { base_url = "https://api.example.com", token = "SECRET" }
    ]] }
    fails(server, "config", "nginx has no resolver", "api.example.com",
      'Set "resolver"')
  end)

  it("whose resolver does not respond is an error that says so, logged once", function()
    fails(workers.start {
      http = "resolver 127.0.0.1:1;", -- a port where nothing listens
      init = [[client = pcapi.new { base_url = "https://api.example.com", token = "SECRET",
        connect_timeout = 0.3, retry = { attempts = 1 } }]],
    }, "timeout", "nginx's resolver does not respond", "api.example.com", 'Set "resolver"')
  end)

  it("without a resolver reaches localhost and addresses", function()
    local server = workers.start()
    assert.equal(200, server:run(("return pcapi.fetch(%q, { allow_http = true }).status")
      :format(sandbox.http_url .. "/_sandbox/health")))
    assert.equal(200, server:run(("return pcapi.fetch(%q).status")
      :format(sandbox.url .. "/_sandbox/health")))
  end)

  it("without CAs is an error that names both directives, logged once", function()
    fails(workers.start { trusted = false }, "tls", "localhost could not be verified",
      "lua_ssl_trusted_certificate", "lua_ssl_verify_depth")
  end)

  it("with other CAs is an error that names both directives, logged once", function()
    local stranger = sandbox.env("PCAPI_SANDBOX_CA"):gsub("ca%.pem$", "stranger.pem")
    fails(workers.start { trusted = stranger }, "tls", "localhost could not be verified",
      "lua_ssl_trusted_certificate", "lua_ssl_verify_depth")
  end)

  it("with a chain that is too long is an error that names both directives, logged once", function()
    local other, url, root = certificates.long_chain(3)
    local init = ("client = pcapi.new { base_url = %q, token = 'SECRET' }"):format(url)
    local server = workers.start { http = other, trusted = root, init = init,
                                   server = "lua_ssl_verify_depth 2;" }
    fails(server, "tls", "localhost could not be verified", "lua_ssl_trusted_certificate",
      "lua_ssl_verify_depth")
    server:stop()
    server = workers.start { http = other, trusted = root, server = "lua_ssl_verify_depth 3;" }
    assert.equal(200, server:run(("return pcapi.fetch(%q).status"):format(url)))
  end)

  -- The error, as a text, for a server whose certificate is wrong. ngx_lua may lose the reason on a
  -- busy machine, see pcapi.nginx.cosocket.
  local function error_for(url, options)
    local server = workers.start(options)
    local kind, err = server:run(([[
      local err
      for _ = 1, 30 do
        _, err = pcapi.fetch(%q)
        if not err.message:find("its certificate was refused", 1, true) then break end
        ngx.sleep(0.05)
      end
      return err.kind, tostring(err)]]):format(url))
    server:stop()
    assert.equal("tls", kind)
    return err
  end

  local TODAY = os.date "!%Y-%m-%d"

  it("to a server whose certificate has expired is an error with the time here", function()
    local err = error_for(sandbox.env "PCAPI_SANDBOX_EXPIRED_URL")
    assert.matches("certificate has expired; the clock of this machine says " .. TODAY, err, 1,
      true)
    assert.matches("the server needs a new certificate", err, 1, true)
    assert.is_nil(err:find("lua_ssl_trusted", 1, true))
  end)

  it("to a server whose certificate is not yet valid is an error with the time here", function()
    local other, url, root = certificates.valid_tomorrow()
    local err = error_for(url, { http = other, trusted = root })
    assert.matches("certificate is not yet valid; the clock of this machine says " .. TODAY, err,
      1, true)
    assert.is_nil(err:find("lua_ssl_trusted", 1, true))
  end)

  it("to a server whose certificate has another name is an error that says so", function()
    local err = error_for(sandbox.env "PCAPI_SANDBOX_OTHER_HOST_URL")
    assert.matches("localhost could not be verified: certificate host mismatch. Check the address",
      err, 1, true)
  end)

  it("to a server with an unknown CA is an error that names the directive", function()
    local err = error_for(sandbox.env "PCAPI_SANDBOX_UNTRUSTED_URL")
    assert.matches("lua_ssl_trusted_certificate", err, 1, true)
    assert.is_nil(err:find("clock", 1, true))
  end)

  it("to a server of TLS 1.3 is an error that names the directive", function()
    local path = sandbox.env("PCAPI_SANDBOX_CA"):match "^(.*)/"
    local port = free_port()
    local url = ("https://localhost:%s/"):format(port)
    local server = workers.start {
      http = ([[server {
        listen 127.0.0.1:%s ssl;
        ssl_protocols TLSv1.3;
        ssl_certificate %s/localhost.pem;
        ssl_certificate_key %s/leaf.key;
        location / { return 200; }
      }]]):format(port, path, path),
      server = ([[location /good {
        lua_ssl_protocols TLSv1.2 TLSv1.3;
        content_by_lua_block { ngx.print(assert(pcapi.fetch %q).status) }
      }]]):format(url),
    }
    local kind, err = server:run(([[
      local _, err = pcapi.fetch %q
      return err.kind, tostring(err)
    ]]):format(url))
    assert.equal("tls", kind)
    assert.matches("lua_ssl_protocols", err, 1, true)
    assert.equal("200", server:get "/good".body)
  end)

  it("to an IP address is an error whose hint is to use a name", function()
    local server = workers.start()
    local kind, err = server:run(([[
      local _, err = pcapi.fetch(%q)
      return err.kind, tostring(err)
    ]]):format((sandbox.url:gsub("localhost", "127.0.0.1"))))
    assert.equal("tls", kind)
    assert.truthy(err:find("Use the name of the server", 1, true), err)
  end)

  it("succeeds after nginx.conf was corrected", function()
    local server = workers.start { trusted = false }
    assert.equal("tls", (server:run(CALL)))
    local conf = server.server.dir .. "/nginx.conf"
    curl.shell(("sed -i 's#lua_ssl_verify_depth 3;#& lua_ssl_trusted_certificate %s;#' %s")
      :format(sandbox.env "PCAPI_SANDBOX_CA", conf))
    local before = server:workers()[1]
    server:signal "HUP"
    assert(nginx.wait_for(function()
      local now = server:workers()
      return #now == 1 and now[1] ~= before and #server:leaving() == 0
    end))
    assert.is_nil((server:run(CALL)))
  end)
end)

describe("a server on loopback", function()
  after_each(clean_up)

  -- A server that only IPv6 reaches.
  local function on_ipv6(tls)
    local dir = sandbox.env("PCAPI_SANDBOX_CA"):match "^(.*)/"
    local port = free_port()
    return ([[server {
      listen [::1]:%s %s;
      ssl_certificate %s/localhost.pem;
      ssl_certificate_key %s/leaf.key;
      location / { return 200 $http_host; }
    }]]):format(port, tls and "ssl" or "", dir, dir), port
  end

  it("may have an IPv6 address", function()
    local http, port = on_ipv6()
    local server = workers.start { http = http }
    assert.equal("[::1]:" .. port, server:run(
      ("return assert(pcapi.fetch('http://[::1]:%s/', { allow_http = true })).body"):format(port)))
  end)

  it("is found as localhost even if it has IPv6 only", function()
    local http, port = on_ipv6(true)
    local server = workers.start { http = http }
    assert.equal("localhost:" .. port, server:run(
      ("return assert(pcapi.fetch 'https://localhost:%s/').body"):format(port)))
  end)
end)

describe("an option that nginx does not support", function()
  local server
  setup(function() server = workers.start() end)
  teardown(nginx.stop_all)

  for option, cure in pairs {
    ['ca_file = "/ca.pem"'] = "lua_ssl_trusted_certificate",
    ['ca_path = "/certs"'] = "lua_ssl_trusted_certificate",
    ['no_proxy = "localhost"'] = "without proxy",
    ["on_wait = function() end"] = "on_wait",
    ['http_version = "2"'] = "HTTP/1.1 only",
    ['proxy = "https://proxy.example:3128"'] = "http://",
    ['proxy = "socks5://proxy.example:1080"'] = "https://",
    ['proxy = "http://me:SECRET@"'] = "proxy",
    ['proxy = "http://me:SEC/RET@proxy.example"'] = "proxy",
  } do
    it("raises at the caller's line, with a hint: " .. option, function()
      for _, call in ipairs { 'pcapi.new { token = "a", %s }',
                              'pcapi.fetch("https://a.example/", { %s })' } do
        local message = server:run(("return select(2, pcall(function()\n%s\nend))")
          :format(call:format(option)))
        assert.truthy(message:find '^%[string "spec"%]:2: pcapi%.%a+: ', message)
        assert.truthy(message:find(cure, 1, true), message)
        assert.is_nil(message:find "SEC")
      end
    end)
  end

  it("raises at the caller's line if it is unknown", function()
    local message = server:run [[return select(2, pcall(function()
      pcapi.new { tokn = "a" }
    end))]]
    assert.matches('^%[string "spec"%]:2: .*did you mean "token"', message)
  end)
end)

describe("a profile with a setting that nginx does not support", function()
  after_each(clean_up)

  it("is an error that names the directive", function()
    local home = folder.new()
    local environment = { XDG_CONFIG_HOME = home, XDG_STATE_HOME = folder.new(),
                          PCAPI_LOGIN_URL = sandbox.url .. "/login/-" }
    os.execute("mkdir " .. home .. "/pcapi")
    local login = sandbox.pcapi({ "login", "--tenant", "a.example", "--client-id",
                                  "00000000-0000-0000-0000-000000000000" }, environment)
    assert.equal(0, login.status, login.err)
    folder.write(home .. "/pcapi/config", "ca_file = /etc/ssl/proxy-ca.pem\n")
    local names = {}
    for name, value in pairs(environment) do
      names[#names + 1] = name .. "=" .. value
    end
    local server = workers.start { env = names }
    local kind, message = server:run [[
      local client, err = pcapi.new { profile = "default" }
      return err.kind, err.message
    ]]
    assert.equal("config", kind)
    assert.truthy(message:find("lua_ssl_trusted_certificate", 1, true), message)
  end)
end)

describe("another transport", function()
  after_each(clean_up)

  it("replaces that of nginx", function()
    local server = workers.start()
    assert.same({ 200, "GET https://a.example/x", true, 0.25 }, { server:run [[
      local slept
      local transport = {
        send = function(_, request)
          if not slept then
            return nil, require("pcapi.error").new { kind = "network", message = "away" }
          end
          return { status = 200, reason = "", version = 1.1, headers = {},
                   body = request.method .. " " .. request.url }
        end,
        sleep = function(_, seconds) slept = seconds return true end,
        now = function() return 1 end,
        close = function() end,
      }
      local client = pcapi.new { token = "a", base_url = "https://a.example",
        transport = transport, random = function() return 0 end }
      local response = assert(client:request("GET", "/x"))
      return response.status, response.body, pcapi.fetch("https://a.example/", {
        transport = function() return transport end }) ~= nil, slept
    ]] })
  end)
end)

describe("a trace", function()
  after_each(clean_up)

  it("has every request inside nginx, without secrets", function()
    local server = workers.start()
    local trace = table.concat(server:run(([[
      local lines = {}
      local client = pcapi.new { base_url = %q, token = %q, retry = { base = 0.6 },
        trace = function(line) lines[#lines + 1] = line end,
        headers = { ["X-Sandbox"] = "status=503; times=1" } }
      assert(client.security:non_mfa_principals())
      pcapi.fetch("https://localhost:1/", { trace = nil })
      local _, err = pcapi.new { base_url = "https://localhost:1", token = "a",
        trace = function(line) lines[#lines + 1] = line end,
        retry = { attempts = 1 } }:request("GET", "/")
      return lines
    ]]):format(sandbox.url, sandbox.token())), "\n")
    assert.truthy(trace:find "%* 1 GET https://localhost:%d+/v1/nonMfa")
    assert.truthy(trace:find "> Authorization: %[hidden%]")
    assert.truthy(trace:find "< HTTP/1.1 503")
    assert.truthy(trace:find "%* waits 0%.%d+ s")
    assert.truthy(trace:find "< HTTP/1.1 200 OK")
    assert.truthy(trace:find "connected %d+%.%d+ s, TLS %d+%.%d+ s, first byte %d+%.%d+ s, end ")
    assert.truthy(trace:find "! network: cannot connect to localhost: connection refused.*; end ")
    assert.is_nil(trace:find(sandbox.token():sub(1, 20), 1, true))
  end)
end)
