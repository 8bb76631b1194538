--- What machines share in Redis: nginxes with a dictionary each are machines.
local contract = require "spec.support.store_contract"
local nginx = require "spec.support.nginx"
local raw = require "spec.support.raw"
local redis = require "spec.support.redis"
local tenant_ = require "spec.support.tenant"
local workers = require "spec.support.workers"

local CALL = [[
  local users, err = client.security:non_mfa_principals()
  return users and #users or tostring(err)
]]

local function stop_all()
  nginx.stop_all()
  redis.stop_all()
end

-- The option `redis` of pcapi.shared.
local function option(server, more)
  return ('redis = { host = %q, port = %d, %s %s }'):format(server.host, server.port,
    server.password and ("password = %q, "):format(server.password) or "", more or "")
end

local function machines(count, options)
  local all = {}
  for i = 1, count do
    all[i] = workers.start(options)
  end
  return all
end

-- The code on all machines at once, so many times on each.
local function run_on_all(all, count, code)
  local running, results = {}, {}
  for i, machine in ipairs(all) do
    running[i] = machine:begin_runs(count, code)
  end
  for _, run in ipairs(running) do
    for _, result in ipairs(run:finish()) do
      results[#results + 1] = result
    end
  end
  return results
end

local function all_gave(expected, results)
  for _, result in ipairs(results) do
    assert.equal(expected, result.values[1])
  end
end

local slowest = workers.slowest

-- Where nothing is told of Redis but what one has to know.
local function sharing(server, more)
  return { workers = 2, init = ("shared = pcapi.shared { dict = 'pcapi', %s }"):format(
    option(server, more)) }
end

describe("the store of machines", function()
  local machine

  lazy_setup(function()
    local server = redis.start()
    machine = workers.start { init = ([[
      contract = require "spec.support.store_contract"
      new_store = function()
        ngx.shared.pcapi:flush_all()
        return pcapi.shared { dict = "pcapi", %s }
      end
    ]]):format(option(server, 'prefix = "*[" .. require("pcapi.core").uuid() .. "]:"')) }
  end)

  lazy_teardown(stop_all)

  for name in pairs(contract) do
    it(name, function()
      machine:run(("contract[%q](new_store)"):format(name))
    end)
  end
end)

describe("connections to Redis that a firewall has forgotten", function()
  after_each(function()
    stop_all()
    raw.stop_all()
  end)

  it("are given up together: one command is lost, and the next look finds Redis", function()
    local server = redis.start()
    local relay = raw.start { relay = "127.0.0.1:" .. server.port }
    local machine = workers.start { init = ([[shared = pcapi.shared { dict = "pcapi",
      redis = { port = %s, timeout = 0.3 } }]]):format(relay.relay:match "%d+$") }
    machine:run [[
      local threads = {}
      for i = 1, 8 do
        threads[i] = ngx.thread.spawn(shared.redis.set, shared.redis, "name " .. i, "text")
      end
      for i = 1, 8 do
        assert(select(2, ngx.thread.wait(threads[i])))
      end
    ]]
    assert.equal(8, relay:seen().relayed)
    relay:mute()
    assert.is_nil((machine:run 'return shared.redis:get "name 1"'))
    assert.is_true(nginx.wait_for(function()
      return (machine:run 'return shared.redis:get "name 1"') == "text"
    end, 2.5))
  end)
end)

describe("a text that one machine keeps", function()
  local one, other

  lazy_setup(function()
    local server = redis.start()
    one, other = workers.start(sharing(server)), workers.start(sharing(server))
  end)

  lazy_teardown(stop_all)

  it("is read by the others, also an empty one", function()
    one:run 'shared:set("a", "text"); shared:set("empty", "")'
    assert.equal("text", (other:run 'return shared:get "a"'))
    assert.equal("", (other:run 'return shared:get "empty"'))
  end)

  it("is read anew after a second, when it has changed or was taken away", function()
    one:run 'shared:set("b", "first"); shared:set("c", "first")'
    other:run 'shared:get "b"; shared:get "c"'
    one:run 'shared:set("b", "second"); shared:set("c", nil)'
    os.execute "sleep 1.1"
    assert.equal("second", (other:run 'return shared:get "b"'))
    assert.is_nil((other:run 'return shared:get "c"'))
  end)

  it("is at once what they last set it to", function()
    one:run 'shared:set("d", "first")'
    other:run 'shared:set("d", "second")'
    assert.equal("second", (other:run 'return shared:get "d"'))
  end)

  it("lives as long with the others", function()
    one:run 'shared:set("brief", "text", 1.5)'
    assert.equal("text", (other:run 'return shared:get "brief"'))
    os.execute "sleep 1.6"
    assert.is_nil((one:run 'return shared:get "brief"'))
    assert.is_nil((other:run 'return shared:get "brief"'))
  end)

  it("reaches them also when it is set where nobody can wait", function()
    local server = redis.start()
    local options = sharing(server)
    options.server = [[location = /log {
      return 204;
      log_by_lua_block { shared:set("from log", "text") }
    }]]
    local writer, reader = workers.start(options), workers.start(sharing(server))
    writer:get "/log"
    assert.is_true(nginx.wait_for(function()
      return reader:run 'return shared:get "from log"' == "text"
    end, 2))
  end)
end)

describe("a lock", function()
  after_each(stop_all)

  for what, with_redis in pairs { ["in the dictionary"] = false, ["in Redis as well"] = true } do
    it("that nobody lets go is free when its time is over, " .. what, function()
      local machine = workers.start(with_redis and sharing(redis.start())
        or { init = 'shared = pcapi.shared { dict = "pcapi" }' })
      assert.is_true((machine:run 'return shared:lock("a", 0.5) ~= nil'))
      assert.is_false((machine:run 'return shared:lock("a", 0.5) ~= nil'))
      os.execute "sleep 0.6"
      assert.is_true((machine:run 'return shared:lock("a", 0.5) ~= nil'))
    end)
  end

  it("that one machine has is not free on another before it is let go", function()
    local server = redis.start()
    local one, other = workers.start(sharing(server)), workers.start(sharing(server))
    local holding = one:begin_runs(1, [[
      local unlock = assert(shared:lock("a", 60))
      ngx.sleep(1)
      unlock()
    ]])
    assert.is_true(nginx.wait_for(function()
      return server:ask("EXISTS", "pcapi:lock:a") == "1"
    end))
    assert.is_false((other:run 'return shared:lock("a", 60) ~= nil'))
    holding:finish()
    assert.is_true((other:run 'return shared:lock("a", 60) ~= nil'))
  end)
end)

describe("machines that need a token", function()
  after_each(stop_all)

  it("at once make one call for it", function()
    local tenant = tenant_.new "delay=0.3"
    local all = machines(2, { workers = 2, init = tenant:init(option(redis.start())) })
    all_gave(25, run_on_all(all, 50, CALL))
    assert.equal(1, tenant:refreshes())
  end)

  it("near its end make one more call", function()
    local tenant = tenant_.new "delay=0.3;life=8"
    local all = machines(2, { workers = 2, init = tenant:init(option(redis.start())) })
    all_gave(25, run_on_all(all, 20, CALL))
    os.execute "sleep 4.1"
    all_gave(25, run_on_all(all, 20, CALL))
    assert.equal(2, tenant:refreshes())
  end)

  it("after it was refused make one more call", function()
    local tenant = tenant_.new "delay=0.3;scenario=revoke_after%3D20"
    local all = machines(2, { workers = 2, init = tenant:init(option(redis.start())) })
    all_gave(25, run_on_all(all, 20, CALL))
    assert.equal(2, tenant:refreshes())
  end)

  it("have one that outlives them", function()
    local tenant, server = tenant_.new(), redis.start()
    for _ = 1, 2 do
      local machine = workers.start { init = tenant:init(option(server)) }
      assert.equal(25, (machine:run(CALL)))
      machine:stop()
    end
    assert.equal(1, tenant:refreshes())
  end)

  it("lose no refresh token, though each is good once", function()
    local tenant = tenant_.new "rotate=once;delay=0.02"
    local all = machines(2, { workers = 2, init = tenant:init(option(redis.start())) .. [[
      context = function()
        return require("pcapi.auth.context").new {
          transport = assert(require("pcapi.nginx.transport").new()), timeout = 20,
        }
      end
    ]] })
    all_gave(true, run_on_all(all, 10, [[
      local token
      for _ = 1, 4 do -- refuses what it is given
        token = assert(account:token(token, context()))
      end
      return token ~= nil
    ]]))
    assert.is_true(tenant:refreshes() >= 4)
  end)

  it("wait no longer than the lease for one that dies while it renews", function()
    local server, tenant = redis.start(), tenant_.new "delay=2;times=1"
    local all = machines(2, { init = tenant:init(option(server)) .. "shared.lease = 3" })
    local running = all[1]:begin({ "/run" }, { method = "POST", body = CALL })
    assert.is_true(nginx.wait_for(function() return tenant:refreshes() == 1 end))
    os.execute("kill -KILL -" .. all[1].pid)
    assert.equal(0, running:finish()[1].status)
    local result = all[2]:run_all(1, CALL)[1]
    assert.equal(25, result.values[1])
    assert.is_true(result.seconds < 4)
  end)

  it("wait for one that takes its time, longer than a lease", function()
    local server, tenant = redis.start(), tenant_.new "delay=3;times=1"
    local all = machines(2, { init = tenant:init(option(server)) .. "shared.lease = 1" })
    all_gave(25, run_on_all(all, 3, CALL))
    assert.equal(1, tenant:refreshes())
  end)
end)

describe("a Redis that is away", function()
  after_each(stop_all)

  local AWAY = "is not available"

  it("from the start on keeps nobody from working, and is told of once by a worker", function()
    local server, tenant = redis.start(), tenant_.new "delay=0.1"
    server:kill()
    local machine = workers.start { workers = 2, init = tenant:init(option(server)) }
    for _ = 1, 3 do
      all_gave(25, machine:run_all(20, CALL))
    end
    assert.equal(1, tenant:refreshes())
    local lines = machine:count_in_log(AWAY)
    assert.is_true(lines >= 1 and lines <= 2, machine:log())
    assert.truthy(machine:log():find("Redis at 127.0.0.1:" .. server.port, 1, true))
  end)

  it("in the middle keeps nobody from working", function()
    local server, tenant = redis.start(), tenant_.new "delay=0.2;life=4"
    local machine = workers.start { workers = 2, init = tenant:init(option(server)) }
    all_gave(25, machine:run_all(10, CALL))
    os.execute "sleep 2.1"
    local running = machine:begin_runs(20, CALL)
    os.execute "sleep 0.1"
    server:kill()
    all_gave(25, running:finish())
    os.execute "sleep 2.1"
    all_gave(25, machine:run_all(20, CALL))
    assert.equal(3, tenant:refreshes())
    assert.is_true(machine:count_in_log(AWAY) <= 2, machine:log())
  end)

  it("gets what was written meanwhile when it is back, and says that it is", function()
    local server = redis.start()
    local one = workers.start(sharing(server))
    one:run 'shared:set("kept before", "text"); shared:set("gone", "text")'
    server:kill()
    one:run 'shared:set("new", "text", 60); shared:set("gone", nil)'
    assert.equal("text", (one:run 'return shared:get "new"'))
    server:start()
    assert.is_true(nginx.wait_for(function()
      return one:count_in_log "Redis at 127.0.0.1:" == 2
    end))
    assert.equal(1, one:count_in_log "is available again")
    local other = workers.start(sharing(server))
    assert.is_true(nginx.wait_for(function()
      return other:run 'return shared:get "new"' == "text"
    end))
    assert.equal("text", (other:run 'return shared:get "kept before"'))
    assert.is_nil((other:run 'return shared:get "gone"'))
    local life = tonumber(server:ask("PTTL", "pcapi:text:new"))
    assert.is_true(life > 40000 and life <= 60000, tostring(life))
  end)

  it("since it hangs holds up who finds out, and nobody else", function()
    local server, tenant = redis.start(), tenant_.new()
    local machine = workers.start { workers = 2, init = tenant:init(option(server)) }
    all_gave(25, machine:run_all(20, CALL))
    machine:run 'shared:set("text", "old")'
    server:hang()
    os.execute "sleep 1.1"
    local first = machine:run_all(20, 'return shared:get "text"')
    all_gave("old", first)
    assert.is_true(slowest(first) < 2)
    -- what the other worker still has to find out
    machine:run_all(20, 'shared:set("text", "new")')
    local later = machine:run_all(20, 'return shared:get "text"')
    all_gave("new", later)
    assert.is_true(slowest(later) < 0.5)
    assert.is_true(machine:count_in_log(AWAY) <= 2, machine:log())
    server:go_on()
    assert.is_true(nginx.wait_for(function()
      return server:ask("GET", "pcapi:text:text") == "=new"
    end, 12))
  end)

  it("for a moment, as it started again, is not noticed", function()
    local server = redis.start()
    local machine = workers.start(sharing(server))
    machine:run_all(10, 'shared:set("text", "old")')
    server:kill()
    server:start()
    machine:run_all(10, 'shared:set("text", "new")')
    assert.equal("=new", server:ask("GET", "pcapi:text:text"))
    assert.equal(0, machine:count_in_log(AWAY), machine:log())
  end)

  it("since it takes nothing is told of once, not again and again", function()
    local server = redis.start { more = "maxmemory 1\nmaxmemory-policy noeviction" }
    local machine = workers.start(sharing(server))
    for _ = 1, 8 do
      machine:run 'shared:set("text", "text")'
      os.execute "sleep 0.5"
    end
    local lines = machine:count_in_log(AWAY)
    assert.is_true(lines >= 1 and lines <= 2, machine:log())
    assert.equal(0, machine:count_in_log "is available again")
  end)
end)

describe("a set-up of Redis", function()
  after_each(stop_all)

  -- What the log says of a text that is set.
  local function line_of(server, more)
    local machine = workers.start(sharing(server, more))
    machine:run 'assert(shared:set("text", "text"))'
    return machine:log():match "pcapi: (Redis at [^\n]*)" or ""
  end

  for name, case in pairs {
    ["without its password"] = { "", "NOAUTH" },
    ["with a wrong password"] = { 'password = "WRONG-SECRET"', "its password: WRONGPASS" },
    ["with a wrong user"] = { 'username = "who", password = "WRONG-SECRET"',
                              "its password: WRONGPASS" },
    ["with a database that is not there"] = { 'password = "SECRET", database = 99',
                                              "its database 99: ERR DB index is out of range" },
    ["without TLS"] = { 'password = "SECRET", tls = true, server_name = "localhost"', "TLS: " },
  } do
    it(name .. " is told of, without secrets", function()
      local server = redis.start { password = "SECRET" }
      server.password = nil
      local line = line_of(server, case[1])
      assert.truthy(line:find(case[2], 1, true), line)
      assert.is_nil(line:find("SECRET", 1, true))
    end)
  end

  it("that renames its commands is told of, without what was sent", function()
    local server = redis.start { more = "rename-command SET TAKEN" }
    local machine = workers.start(sharing(server))
    machine:run 'assert(shared:set("text", "SECRET"))'
    assert.truthy(machine:log():find("unknown command", 1, true))
    assert.is_nil(machine:log():find("SECRET", 1, true))
  end)

  it("with TLS, a user and another database serves", function()
    local server = redis.start { tls = true, more = "user someone on >pass ~pcapi:* +@all" }
    local machine = workers.start(sharing(server,
      'tls = true, username = "someone", password = "pass", database = 3'))
    machine:run 'assert(shared:set("text", "text"))'
    assert.equal("", (machine:log():match "pcapi: [^\n]*" or ""))
    assert.equal("3", server:ask("INFO", "keyspace"):match "db(%d+):keys=1")
  end)

  it("with TLS at an address is told its name", function()
    local server = redis.start { tls = true }
    server.host = "127.0.0.1"
    local machine = workers.start(sharing(server, 'tls = true, server_name = "localhost"'))
    machine:run 'assert(shared:set("text", "text"))'
    assert.equal("=text", server:ask("GET", "pcapi:text:text"))
    server.host = "127.0.0.1"
    local line = line_of(server, 'tls = true, server_name = "other.example"')
    assert.truthy(line:find("TLS: ", 1, true), line) -- ngx_lua says now this, now that
    local ok, said = pcall(workers.start, sharing(server, "tls = true"))
    assert.is_false(ok)
    assert.truthy(said:find('pcapi.shared: redis: with "tls", set "server_name"', 1, true))
  end)

  it("that no Redis can have is told at once", function()
    local machine = workers.start()
    for what, values in pairs {
      ['"host" must be a name or an address, without a port'] = { 'host = "redis:6379"',
        'host = "[::1]:6379"', 'host = "redis://redis"', 'host = " "', 'host = "[::1"',
        'host = "a/b"', 'host = "a@b"' },
      ['"port" must be a whole number'] = { "port = 99999", "port = 1.5", "port = math.huge" },
      ['"database" must be a whole number'] = { "database = -1", "database = 1.5",
        "database = 0/0", "database = math.huge" },
      ['"timeout" must be 3600 seconds at most'] = { "timeout = 1e9", "timeout = math.huge" },
    } do
      for _, value in ipairs(values) do
        local code = 'return pcall(pcapi.shared, { dict = "pcapi", redis = { %s } })'
        local _, said = machine:run(code:format(value))
        assert.matches("pcapi.shared: redis: option " .. what, said, 1, true)
      end
    end
  end)

  it("may be an address of IPv6, with brackets or without", function()
    local server = redis.start { more = "bind 127.0.0.1 ::1" }
    for i, host in ipairs { "::1", "[::1]" } do
      local machine = workers.start { init = ([[shared = pcapi.shared { dict = "pcapi",
        redis = { host = %q, port = %d } }]]):format(host, server.port) }
      machine:run(("shared:set('name', 'text %d')"):format(i))
      assert.equal("=text " .. i, server:ask("GET", "pcapi:text:name"))
    end
  end)

  it("whose CA nginx does not know names the directive", function()
    local server = redis.start { tls = true }
    local options = sharing(server, "tls = true")
    options.trusted = false
    for _ = 1, 5 do -- what ngx_lua says of it differs from time to time
      local machine = workers.start(options)
      machine:run 'assert(shared:set("text", "text"))'
      local line = machine:log():match "pcapi: Redis at [^\n]*"
      assert.truthy(line:find("TLS: [^\n]*lua_ssl_trusted_certificate"), machine:log())
    end
  end)

  it("without the library raises, and names the package", function()
    local machine = workers.start()
    local ok, said = pcall(machine.run, machine, [[
      package.preload["resty.redis"] = function() error "not here" end
      package.preload["nginx.redis"] = package.preload["resty.redis"]
      pcapi.shared { dict = "pcapi", redis = {} }
    ]])
    assert.is_false(ok)
    assert.truthy(said:find("spec\"]:3: pcapi.shared: ", 1, true), said)
    assert.truthy(said:find("lua-nginx-redis", 1, true), said)
  end)

  it("with a mistake raises at the caller's line", function()
    local machine = workers.start()
    local ok, said = pcall(machine.run, machine, [[

      pcapi.shared { dict = "pcapi", redis = { hots = "a" } }
    ]])
    assert.is_false(ok)
    assert.truthy(said:find('spec"]:2: pcapi.shared: redis has no option "hots"; did you mean '
      .. '"host"?', 1, true), said)
  end)

  it("shows its password to nobody who dumps what is shared", function()
    local server = redis.start { password = "SECRET" }
    local machine = workers.start(sharing(server))
    machine:run 'shared:set("text", "text")'
    assert.is_false((machine:run 'return require("spec.support.holds")(shared, "SECRET")'))
  end)
end)
