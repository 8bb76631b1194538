--- Texts and locks that workers share in a dictionary, and machines in Redis.
local contract = require "spec.support.store_contract"
local machines = require "spec.support.machines"
local nginx = require "spec.support.nginx"
local raised_by = require "spec.support.raised_by"
local redis = require "spec.support.redis"
local tenants = require "spec.support.tenant"
local workers = require "spec.support.workers"

for where, options_of in pairs {
  ["a dictionary"] = function() return "" end,
  ["a dictionary and Redis"] = function()
    return machines.option(redis.start(), 'prefix = "*[" .. require("pcapi.core").uuid() .. "]:"')
  end,
} do
  describe("a store in " .. where, function()
    local machine

    lazy_setup(function()
      machine = workers.start { init = ([[
        contract = require "spec.support.store_contract"
        new_store = function()
          ngx.shared.pcapi:flush_all()
          return pcapi.shared { dict = "pcapi", %s }
        end
      ]]):format(options_of()) }
    end)

    lazy_teardown(machines.stop_all)

    for name in pairs(contract) do
      it(name, function()
        machine:run(("contract[%q](new_store)"):format(name))
      end)
    end
  end)
end

describe("a text that one machine stores", function()
  local one, other

  lazy_setup(function()
    local server = redis.start()
    one = workers.start(machines.sharing(server))
    other = workers.start(machines.sharing(server))
  end)

  lazy_teardown(machines.stop_all)

  it("is read by the others, even an empty one", function()
    one:run 'shared:set("a", "text"); shared:set("empty", "")'
    assert.equal("text", (other:run 'return shared:get "a"'))
    assert.equal("", (other:run 'return shared:get "empty"'))
  end)

  it("is read again after a second, if it was changed or deleted", function()
    one:run 'shared:set("b", "first"); shared:set("c", "first")'
    other:run 'shared:get "b"; shared:get "c"'
    one:run 'shared:set("b", "second"); shared:set("c", nil)'
    os.execute "sleep 1.1"
    assert.equal("second", (other:run 'return shared:get "b"'))
    assert.is_nil((other:run 'return shared:get "c"'))
  end)

  it("is replaced at once on a machine that stores another one", function()
    one:run 'shared:set("d", "first")'
    other:run 'shared:set("d", "second")'
    assert.equal("second", (other:run 'return shared:get "d"'))
  end)

  it("has the same lifetime on the others", function()
    one:run 'shared:set("brief", "text", 1.5)'
    assert.equal("text", (other:run 'return shared:get "brief"'))
    os.execute "sleep 1.6"
    assert.is_nil((one:run 'return shared:get "brief"'))
    assert.is_nil((other:run 'return shared:get "brief"'))
  end)

  it("reaches the others even if it is stored in a phase that cannot wait", function()
    local server = redis.start()
    local options = machines.sharing(server)
    options.server = [[location = /log {
      return 204;
      log_by_lua_block { shared:set("from log", "text") }
    }]]
    local writer, reader = workers.start(options), workers.start(machines.sharing(server))
    writer:get "/log"
    assert.is_true(nginx.wait_for(function()
      return reader:run 'return shared:get "from log"' == "text"
    end, 2))
  end)
end)

describe("a lock", function()
  after_each(machines.stop_all)

  for where, with_redis in pairs { ["in a dictionary"] = false, ["in Redis, too"] = true } do
    it("that is never freed expires, " .. where, function()
      local machine = workers.start(with_redis and machines.sharing(redis.start())
        or { init = 'shared = pcapi.shared { dict = "pcapi" }' })
      assert.is_true((machine:run 'return shared:lock("a", 0.5) ~= nil'))
      assert.is_false((machine:run 'return shared:lock("a", 0.5) ~= nil'))
      os.execute "sleep 0.6"
      assert.is_true((machine:run 'return shared:lock("a", 0.5) ~= nil'))
    end)
  end

  it("that one machine holds is not free on another one until it is freed", function()
    local server = redis.start()
    local one = workers.start(machines.sharing(server))
    local other = workers.start(machines.sharing(server))
    local holding = one:begin_runs(1, [[
      local unlock = assert(shared:lock("a", 60))
      ngx.sleep(1)
      unlock()
    ]])
    assert.is_true(nginx.wait_for(function()
      return server:command("EXISTS", "pcapi:lock:a") == "1"
    end))
    assert.is_false((other:run 'return shared:lock("a", 60) ~= nil'))
    holding:finish()
    assert.is_true((other:run 'return shared:lock("a", 60) ~= nil'))
  end)
end)

describe("a dictionary", function()
  after_each(nginx.stop_all)

  it("that nginx.conf does not declare is an error at the start that names the directive",
    function()
      local message = raised_by(nginx.start, { http = [[init_by_lua_block {
        require("pcapi.nginx").shared { dict = "missing" }
      }]] })
      assert.matches('pcapi.shared: there is no shared dictionary "missing"; add to '
        .. "http { } of nginx.conf: lua_shared_dict missing 10m;", message, 1, true)
    end)

  it("that is full is an error before a refresh token is used, and logged once", function()
    local tenant = tenants.new()
    local machine = workers.start { dict_size = "64k", init = tenant:init() }
    machine:run [[
      local i = 0
      repeat i = i + 1 until not ngx.shared.pcapi:safe_set("fill " .. i, ("x"):rep(500))
      repeat i = i + 1 until not ngx.shared.pcapi:safe_set("fill " .. i, "x")
    ]]
    for _ = 1, 3 do
      local _, err = machine:run "return client.security:non_mfa_principals()"
      assert.matches("store: the shared dictionary pcapi is full", err, 1, true)
    end
    assert.equal(1, machine:count_in_log "lua_shared_dict pcapi")
    assert.equal(0, tenant:refreshes())
  end)
end)
