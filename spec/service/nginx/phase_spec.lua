--- In which phases of nginx a call waits, and its error in the others.
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local free_port = require "spec.support.free_port"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"
local workers = require "spec.support.workers"

-- Its Lua has `log_calls`, which logs the results of a call of the client and of a fetch.
local INIT = ([[
  local address, token = %q, %q
  client = pcapi.new { base_url = address, token = token, retry = { attempts = 2, base = 0.01 } }
  function call()
    local users, err = client.security:non_mfa_principals()
    return users and #users .. " users" or tostring(err)
  end
  function get()
    local response, err = pcapi.fetch(address .. "/_sandbox/health")
    return response and response.status .. " fetched" or tostring(err)
  end
  function log_calls()
    ngx.log(ngx.WARN, "CALL ", call(), "\nFETCH ", get(), "\nEND")
  end
]]):format(sandbox.url, sandbox.token())

after_each(nginx.stop_all)

local function start(options)
  options = sandbox.merged(options)
  options.init = INIT .. (options.init or "")
  return workers.start(options)
end

-- Waits until log_calls has logged both results, and returns them.
local function logged(server)
  local call, get
  nginx.wait_for(function()
    call, get = server:log():match "CALL (.-)\nFETCH (.-)\nEND"
    return call
  end, 5)
  return call, get
end

local function certificate()
  local folder = sandbox.env("PCAPI_SANDBOX_CA"):match "^(.*)/"
  return ("ssl_certificate %s/localhost.pem; ssl_certificate_key %s/leaf.key;"):format(folder,
    folder)
end

describe("a call inside nginx waits", function()
  for phase, code in pairs {
    rewrite = "location /it { rewrite_by_lua_block { log_calls() } content_by_lua_block { } }",
    access = "location /it { access_by_lua_block { log_calls() } content_by_lua_block { } }",
    content = "location /it { content_by_lua_block { log_calls() } }",
    timer = "location /it { content_by_lua_block { ngx.timer.at(0, log_calls) } }",
    ["a timer of log"] = [[location /it {
      log_by_lua_block { ngx.timer.at(0, log_calls) }
      return 200;
    }]],
    ["a light thread"] = [[location /it { content_by_lua_block {
      ngx.thread.wait(ngx.thread.spawn(log_calls))
    } }]],
    ["a subrequest"] = [[
      location /it { content_by_lua_block { ngx.location.capture "/inner" } }
      location /inner { content_by_lua_block { log_calls() } }]],
    ["a coroutine"] = [[location /it { content_by_lua_block { coroutine.wrap(log_calls)() } }]],
    ["a protected call"] = [[location /it { content_by_lua_block { assert(pcall(log_calls)) } }]],
  } do
    it("in " .. phase, function()
      local server = start { server = code }
      assert.equal(200, server:get "/it".status)
      assert.same({ "25 users", "200 fetched" }, { logged(server) })
    end)
  end

  it("in ssl_certificate", function()
    local port = free_port()
    local server = start { http = ([[server {
      listen 127.0.0.1:%s ssl;
      %s
      ssl_certificate_by_lua_block { log_calls() }
      location / { return 200; }
    }]]):format(port, certificate()) }
    assert.equal(200, curl.fetch { url = "https://localhost:" .. port .. "/" }.status)
    assert.same({ "25 users", "200 fetched" }, { logged(server) })
  end)
end)

describe("a call inside nginx fails, with an error that names the phase,", function()
  local function fails(server, phase, hint)
    local call, get = logged(server)
    local expected = "config: pcapi cannot wait in the nginx phase " .. phase .. "."
    for _, text in ipairs { call or "", get or "" } do
      assert.equal(expected, text:sub(1, #expected))
      assert.truthy(text:find(hint, 1, true), text)
    end
  end

  local TIMER = "ngx.timer.at(0"

  for phase, code in pairs {
    set = "location /it { set_by_lua_block $x { log_calls() return 1 } return 200 $x; }",
    header_filter = "location /it { header_filter_by_lua_block { log_calls() } return 200 x; }",
    body_filter = "location /it { body_filter_by_lua_block { log_calls() } return 200 x; }",
    log = "location /it { log_by_lua_block { log_calls() } return 200 x; }",
  } do
    it("in " .. phase, function()
      local server = start { server = code }
      assert.equal(200, server:get "/it".status)
      fails(server, phase, TIMER)
    end)
  end

  it("in balancer", function()
    local server = start {
      http = [[upstream other {
        server 0.0.0.1;
        balancer_by_lua_block { log_calls() }
      }]],
      server = "location /it { proxy_pass http://other; }",
    }
    server:get "/it"
    fails(server, "balancer", TIMER)
  end)

  it("in ssl_client_hello", function()
    local port = free_port()
    local server = start { http = ([[server {
      listen 127.0.0.1:%s ssl;
      %s
      ssl_client_hello_by_lua_block { log_calls() }
      location / { return 200; }
    }]]):format(port, certificate()) }
    assert.equal(200, curl.fetch { url = "https://localhost:" .. port .. "/" }.status)
    fails(server, "ssl_client_hello", TIMER)
  end)

  it("in init", function()
    fails(start { init = "log_calls()" }, "init", "block_in_init")
  end)

  it("in init_worker", function()
    fails(start { http = "init_worker_by_lua_block { log_calls() }" }, "init_worker", TIMER)
  end)

  it("in exit_worker", function()
    local server = start { http = "exit_worker_by_lua_block { log_calls() }" }
    server:signal "QUIT"
    fails(server, "exit_worker", "Make the call earlier")
  end)

  it("even if an account needs a token first", function()
    local server = start {
      init = ([[
        other = pcapi.new { base_url = %q, auth = pcapi.auth.refresh_token {
          tenant = "a.example", client_id = "me", refresh_token = "SECRET", login_url = %q,
          store = pcapi.auth.memory_store() } }
      ]]):format(sandbox.url, sandbox.url .. "/login/-"),
      server = [[location /it { log_by_lua_block {
        ngx.log(ngx.WARN, "CALL ", tostring(select(2, other.security:non_mfa_principals())),
          "\nFETCH ", get(), "\nEND")
      } return 200; }]],
    }
    server:get "/it"
    assert.truthy(logged(server):find("^config: .*pcapi cannot wait in the nginx phase log"))
  end)
end)

describe("block_in_init", function()
  -- Over plain HTTP, as the system does not know the CA of the sandbox.
  local function blocking(init)
    return ([[
      local blocking = pcapi.new { base_url = %q, token = %q, allow_http = true,
        block_in_init = true, retry = { base = 0.01 },
        headers = { ["X-Sandbox"] = "status=503; times=1" } }
      %s
    ]]):format(sandbox.http_url, sandbox.token(), init)
  end

  local USERS = blocking [[
    users, err = blocking.security:non_mfa_principals()
    later = function() return blocking.security:non_mfa_principals() end
  ]]

  it("lets calls in init_by_lua block, retries included", function()
    local server = start { init = USERS }
    assert.equal(25, server:run "return users and #users or tostring(err)")
  end)

  it("does not let calls of the same client in a worker block", function()
    local server = start { init = USERS }
    local began = core.now()
    for _, result in ipairs(server:run_all(20, [[
      ngx.sleep(0.2)
      return #assert(later())
    ]])) do
      assert.equal(25, result.values[1])
    end
    assert.is_true(core.now() - began < 2)
  end)

  it("leaves no socket and no thread to the workers", function()
    local function count(server, what)
      local counts = {}
      for i, pid in ipairs(server:workers()) do
        counts[i] = #files.lines_of(what:format(pid))
      end
      return counts
    end
    local without, with = start { workers = 2 }, start { workers = 2, init = USERS }
    assert.equal(25, with:run "return #users")
    for _, what in ipairs { "ls -l /proc/%d/fd | grep socket:", "ls -l /proc/%d/fd | grep event",
                            "ls /proc/%d/fd", "ls /proc/%d/task" } do
      assert.same(count(without, what), count(with, what))
    end
  end)

  it("uses the CAs of the system", function()
    local server = start { init = ([[
      local blocking = pcapi.new { base_url = %q, token = "a", block_in_init = true }
      _, err = blocking.security:non_mfa_principals()
    ]]):format(sandbox.url) }
    assert.equal("tls", server:run "return err.kind")
  end)

  it("must be a boolean", function()
    local server = start()
    local message = server:run [[return select(2, pcall(function()
      pcapi.new { token = "a", block_in_init = "yes" }
    end))]]
    assert.truthy(message:find '^%[string "spec"%]:2: pcapi.new: .*block_in_init', message)
  end)
end)

describe("a call of the module pcapi inside a worker", function()
  it("blocks, and logs the right module once", function()
    local server = start()
    for _ = 1, 3 do
      assert.equal(200, server:run(('return require("pcapi").fetch(%q, { ca_file = %q }).status')
        :format(sandbox.url .. "/_sandbox/health", sandbox.ca_file)))
    end
    assert.equal(1, server:count_in_log "this call blocks the nginx worker")
  end)
end)
