--- Tokens that workers share in a dictionary, and machines in Redis.
local folders = require "spec.support.folder"
local machines = require "spec.support.machines"
local nginx = require "spec.support.nginx"
local redis = require "spec.support.redis"
local tenants = require "spec.support.tenant"
local workers = require "spec.support.workers"

local all_return = workers.all_return

teardown(folders.remove)
after_each(machines.stop_all)

local CALL = [[
  local users, err = client.security:non_mfa_principals()
  return users and #users or tostring(err)
]]

-- Makes `context` for `account:token`.
local CONTEXT = [[
  context = function()
    return require("pcapi.auth.context").new {
      transport = assert(require("pcapi.nginx.transport").new()), timeout = 20,
    }
  end
]]

-- Has the token renewed so many times: it refuses each token that it gets.
local function renew(times)
  return ([[
    local token
    for _ = 1, %d do
      token = assert(account:token(token, context()))
    end
    return token ~= nil
  ]]):format(times)
end

describe("several workers", function()
  -- Asserts that all runs return 25, and that more than one worker ran them.
  local function all_list(results)
    all_return(25, results)
    local pids, count = {}, 0
    for _, result in ipairs(results) do
      count = count + (pids[result.pid] and 0 or 1)
      pids[result.pid] = true
    end
    assert.is_true(count > 1)
  end

  it("get a token with one call", function()
    local tenant = tenants.new "delay=0.3"
    local server = workers.start { workers = 4, spread = true, init = tenant:init() }
    all_list(server:run_all(100, CALL))
    assert.equal(1, tenant:refreshes())
  end)

  it("renew a token that is about to expire with one call", function()
    local tenant = tenants.new "delay=0.3;life=8"
    local server = workers.start { workers = 4, spread = true, init = tenant:init() }
    all_list(server:run_all(100, CALL))
    os.execute "sleep 4.1"
    all_list(server:run_all(100, CALL))
    assert.equal(2, tenant:refreshes())
  end)

  it("renew a token that the service has refused with one call", function()
    local tenant = tenants.new "delay=0.3;scenario=revoke_after%3D20"
    local server = workers.start { workers = 4, spread = true, init = tenant:init() }
    all_list(server:run_all(40, CALL))
    assert.equal(2, tenant:refreshes())
  end)

  it("wait only shortly for one that is killed while it renews a token", function()
    local tenant = tenants.new "delay=1;times=1"
    local machine = workers.start { workers = 2, init = tenant:init() }
    local running = machine:begin({ "/run" }, { method = "POST", body = CALL })
    assert.is_true(nginx.wait_for(function() return tenant:refreshes() == 1 end))
    local holder = machine:run "return ngx.shared.pcapi:get('lock spec')":match "^%d+"
    os.execute("kill -KILL " .. holder)
    assert.equal(0, running:finish()[1].status)
    local result = machine:run_all(1, CALL)[1]
    assert.equal(25, result.values[1])
    assert.is_true(result.seconds < 3)
  end)
end)

describe("several machines", function()
  -- Starts two machines that sign in to a tenant.
  local function two(tenant, server, more)
    return machines.start(2, { workers = 2,
                               init = tenant:init(machines.option(server or redis.start()))
                                 .. (more or "") })
  end

  it("get a token with one call", function()
    local tenant = tenants.new "delay=0.3"
    all_return(25, machines.run_on_all(two(tenant), 50, CALL))
    assert.equal(1, tenant:refreshes())
  end)

  it("renew a token that is about to expire with one call", function()
    local tenant = tenants.new "delay=0.3;life=8"
    local both = two(tenant)
    all_return(25, machines.run_on_all(both, 20, CALL))
    os.execute "sleep 4.1"
    all_return(25, machines.run_on_all(both, 20, CALL))
    assert.equal(2, tenant:refreshes())
  end)

  it("renew a token that the service has refused with one call", function()
    local tenant = tenants.new "delay=0.3;scenario=revoke_after%3D20"
    all_return(25, machines.run_on_all(two(tenant), 20, CALL))
    assert.equal(2, tenant:refreshes())
  end)

  it("keep their token over restarts", function()
    local tenant, server = tenants.new(), redis.start()
    for _ = 1, 2 do
      local machine = workers.start { init = tenant:init(machines.option(server)) }
      assert.equal(25, (machine:run(CALL)))
      machine:stop()
    end
    assert.equal(1, tenant:refreshes())
  end)

  it("lose no refresh token if each one is valid once", function()
    local tenant = tenants.new "rotate=once;delay=0.02"
    all_return(true, machines.run_on_all(two(tenant, nil, CONTEXT), 10, renew(4)))
    assert.is_true(tenant:refreshes() >= 4)
  end)

  it("wait no longer than the lease for one that dies while it renews a token", function()
    local server, tenant = redis.start(), tenants.new "delay=2;times=1"
    local both = machines.start(2, { init = tenant:init(machines.option(server))
      .. "shared.lease = 3" })
    local running = both[1]:begin({ "/run" }, { method = "POST", body = CALL })
    assert.is_true(nginx.wait_for(function() return tenant:refreshes() == 1 end))
    os.execute("kill -KILL -" .. both[1].pid)
    assert.equal(0, running:finish()[1].status)
    local result = both[2]:run_all(1, CALL)[1]
    assert.equal(25, result.values[1])
    assert.is_true(result.seconds < 4)
  end)

  it("wait longer than the lease for one that is renewing a token", function()
    local server, tenant = redis.start(), tenants.new "delay=3;times=1"
    local both = machines.start(2, { init = tenant:init(machines.option(server))
      .. "shared.lease = 1" })
    all_return(25, machines.run_on_all(both, 3, CALL))
    assert.equal(1, tenant:refreshes())
  end)
end)

describe("a browser that disconnects while a token is renewed for it", function()
  for name, store in pairs {
    ["a dictionary"] = "", ["memory"] = "store = pcapi.auth.memory_store(),",
    ["files"] = "store = pcapi.auth.file_store(os.getenv 'SPEC_FOLDER'),",
  } do
    it("delays no other request, and loses no token: store in " .. name, function()
      local tenant = tenants.new "delay=1"
      local folder = folders.new()
      local machine = workers.start { init = tenant:init(nil, store),
                                      http = "lua_check_client_abort on;",
                                      env = { "SPEC_FOLDER=" .. folder } }
      local aborted = machine:begin({ "/run" }, { method = "POST", body = CALL, timeout = 0.3 })
      assert.equal(0, aborted:finish()[1].status)
      local results = machine:run_all(10, CALL)
      all_return(25, results)
      assert.is_true(workers.slowest(results) < 2)
      assert.equal(1, tenant:refreshes())
    end)
  end

  it("again and again, loses no refresh token", function()
    local tenant = tenants.new "rotate=once;delay=0.05"
    local machine = workers.start { workers = 4, spread = true, init = tenant:init() .. CONTEXT,
                                    http = "lua_check_client_abort on;" }
    local running = machine:begin_runs(20, renew(10))
    for i = 1, 8 do
      machine:begin({ "/run", "/run" }, { method = "POST", body = renew(10),
                                          timeout = 0.02 * i }):finish()
    end
    all_return(true, running:finish())
    assert.is_true(tenant:refreshes() > 8)
    assert.is_true((machine:run(renew(10))))
  end)
end)
