--- A Redis that is not available, and the options of `pcapi.shared` for one.
local machines = require "spec.support.machines"
local nginx = require "spec.support.nginx"
local raw = require "spec.support.raw"
local redis = require "spec.support.redis"
local tenants = require "spec.support.tenant"
local workers = require "spec.support.workers"

local all_return, slowest, sharing = workers.all_return, workers.slowest, machines.sharing

after_each(machines.stop_all)

local CALL = [[
  local users, err = client.security:non_mfa_principals()
  return users and #users or tostring(err)
]]

local AWAY = "is not available"

describe("connections to Redis that a firewall has forgotten", function()
  after_each(raw.stop_all)

  it("are discarded together: one command fails, and the next check finds Redis", function()
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

describe("without Redis", function()
  it("from the start, calls work, and each worker logs it once", function()
    local server, tenant = redis.start(), tenants.new "delay=0.1"
    server:kill()
    local machine = workers.start { workers = 2, init = tenant:init(machines.option(server)) }
    for _ = 1, 3 do
      all_return(25, machine:run_all(20, CALL))
    end
    assert.equal(1, tenant:refreshes())
    local lines = machine:count_in_log(AWAY)
    assert.is_true(lines >= 1 and lines <= 2, machine:log())
    assert.matches("Redis at 127.0.0.1:" .. server.port, machine:log(), 1, true)
  end)

  it("after a while, calls work, and each worker logs it once", function()
    local server, tenant = redis.start(), tenants.new "delay=0.2;life=4"
    local machine = workers.start { workers = 2, init = tenant:init(machines.option(server)) }
    all_return(25, machine:run_all(10, CALL))
    os.execute "sleep 2.1"
    local running = machine:begin_runs(20, CALL)
    os.execute "sleep 0.1"
    server:kill()
    all_return(25, running:finish())
    os.execute "sleep 2.1"
    all_return(25, machine:run_all(20, CALL))
    assert.equal(3, tenant:refreshes())
    assert.is_true(machine:count_in_log(AWAY) <= 2, machine:log())
  end)

  it("a machine stores texts, which it writes to Redis once it is back", function()
    local server = redis.start()
    local one = workers.start(sharing(server))
    one:run 'shared:set("stored before", "text"); shared:set("deleted", "text")'
    server:kill()
    one:run 'shared:set("new", "text", 60); shared:set("deleted", nil)'
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
    assert.equal("text", (other:run 'return shared:get "stored before"'))
    assert.is_nil((other:run 'return shared:get "deleted"'))
    local life = tonumber(server:command("PTTL", "pcapi:text:new"))
    assert.is_true(life > 40000 and life <= 60000, tostring(life))
  end)
end)

describe("a Redis", function()
  it("that hangs delays only the requests that notice it", function()
    local server, tenant = redis.start(), tenants.new()
    local machine = workers.start { workers = 2, init = tenant:init(machines.option(server)) }
    all_return(25, machine:run_all(20, CALL))
    machine:run 'shared:set("text", "old")'
    server:hang()
    os.execute "sleep 1.1"
    local first = machine:run_all(20, 'return shared:get "text"')
    all_return("old", first)
    assert.is_true(slowest(first) < 2)
    machine:run_all(20, 'shared:set("text", "new")') -- the other worker notices it, too
    local later = machine:run_all(20, 'return shared:get "text"')
    all_return("new", later)
    assert.is_true(slowest(later) < 0.5)
    assert.is_true(machine:count_in_log(AWAY) <= 2, machine:log())
    server:go_on()
    assert.is_true(nginx.wait_for(function()
      return server:command("GET", "pcapi:text:text") == "=new"
    end, 12))
  end)

  it("that restarts is not logged", function()
    local server = redis.start()
    local machine = workers.start(sharing(server))
    machine:run_all(10, 'shared:set("text", "old")')
    server:kill()
    server:start()
    machine:run_all(10, 'shared:set("text", "new")')
    assert.equal("=new", server:command("GET", "pcapi:text:text"))
    assert.equal(0, machine:count_in_log(AWAY), machine:log())
  end)

  it("that is full is logged once by each worker", function()
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

  it("that knows no command SET is logged, without the arguments", function()
    local server = redis.start { more = "rename-command SET TAKEN" }
    local machine = workers.start(sharing(server))
    machine:run 'assert(shared:set("text", "SECRET"))'
    assert.matches("unknown command", machine:log(), 1, true)
    assert.is_nil(machine:log():find("SECRET", 1, true))
  end)
end)

describe("the options for Redis", function()
  -- The line that is logged when a text is stored; "" if there is none.
  local function logged(server, more)
    local machine = workers.start(sharing(server, more))
    machine:run 'assert(shared:set("text", "text"))'
    return machine:log():match "pcapi: (Redis at [^\n]*)" or ""
  end

  for name, case in pairs {
    ["without a password"] = { "", "NOAUTH" },
    ["with a wrong password"] = { 'password = "WRONG-SECRET"', "its password: WRONGPASS" },
    ["with a wrong user"] = { 'username = "who", password = "WRONG-SECRET"',
                              "its password: WRONGPASS" },
    ["with an unknown database"] = { 'password = "SECRET", database = 99',
                                     "its database 99: ERR DB index is out of range" },
    ["with TLS that it does not speak"] = { 'password = "SECRET", tls = true, '
      .. 'server_name = "localhost"', "TLS: " },
  } do
    it(name .. " are logged, without secrets", function()
      local server = redis.start { password = "SECRET" }
      server.password = nil
      local line = logged(server, case[1])
      assert.matches(case[2], line, 1, true)
      assert.is_nil(line:find("SECRET", 1, true))
    end)
  end

  it("may have TLS, a user and a database", function()
    local server = redis.start { tls = true, more = "user someone on >pass ~pcapi:* +@all" }
    local machine = workers.start(sharing(server,
      'tls = true, username = "someone", password = "pass", database = 3'))
    machine:run 'assert(shared:set("text", "text"))'
    assert.equal("", (machine:log():match "pcapi: [^\n]*" or ""))
    assert.equal("3", server:command("INFO", "keyspace"):match "db(%d+):keys=1")
  end)

  it("with TLS and an address need server_name", function()
    local server = redis.start { tls = true }
    server.host = "127.0.0.1"
    local machine = workers.start(sharing(server, 'tls = true, server_name = "localhost"'))
    machine:run 'assert(shared:set("text", "text"))'
    assert.equal("=text", server:command("GET", "pcapi:text:text"))
    assert.matches("TLS: ", logged(server, 'tls = true, server_name = "other.example"'), 1, true)
    local ok, message = pcall(workers.start, sharing(server, "tls = true"))
    assert.is_false(ok)
    assert.matches('pcapi.shared: redis: with "tls", set "server_name"', message, 1, true)
  end)

  it("with TLS of an unknown CA are logged, with the directive to set", function()
    local server = redis.start { tls = true }
    local options = sharing(server, "tls = true")
    options.trusted = false
    for _ = 1, 5 do -- ngx_lua reports it differently from time to time
      local machine = workers.start(options)
      machine:run 'assert(shared:set("text", "text"))'
      local line = machine:log():match "pcapi: Redis at [^\n]*"
      assert.matches("TLS: [^\n]*lua_ssl_trusted_certificate", line)
    end
  end)

  it("may have an IPv6 address, with brackets or without", function()
    local server = redis.start { more = "bind 127.0.0.1 ::1" }
    for i, host in ipairs { "::1", "[::1]" } do
      local machine = workers.start { init = ([[shared = pcapi.shared { dict = "pcapi",
        redis = { host = %q, port = %d } }]]):format(host, server.port) }
      machine:run(("shared:set('name', 'text %d')"):format(i))
      assert.equal("=text " .. i, server:command("GET", "pcapi:text:name"))
    end
  end)

  it("raise if a value is not valid", function()
    local machine = workers.start()
    for words, values in pairs {
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
        local _, message = machine:run(code:format(value))
        assert.matches("pcapi.shared: redis: option " .. words, message, 1, true)
      end
    end
  end)

  -- The message that code raises.
  local function raised_by(code)
    local machine = workers.start()
    local ok, message = pcall(machine.run, machine, code)
    assert.is_false(ok)
    return message
  end

  it("raise without a library for Redis, and name the package", function()
    local message = raised_by [[
      package.preload["resty.redis"] = function() error "not here" end
      package.preload["nginx.redis"] = package.preload["resty.redis"]
      pcapi.shared { dict = "pcapi", redis = {} }
    ]]
    assert.matches("spec\"]:3: pcapi.shared: ", message, 1, true)
    assert.matches("lua-nginx-redis", message, 1, true)
  end)

  it("raise at the caller's line if one is unknown", function()
    local message = raised_by [[

      pcapi.shared { dict = "pcapi", redis = { hots = "a" } }
    ]]
    assert.matches('spec"]:2: pcapi.shared: redis has no option "hots"; did you mean "host"?',
      message, 1, true)
  end)

  it("do not show the password in a dump of the store", function()
    local server = redis.start { password = "SECRET" }
    local machine = workers.start(sharing(server))
    machine:run 'shared:set("text", "text")'
    assert.is_false((machine:run 'return require("spec.support.holds")(shared, "SECRET")'))
  end)
end)
