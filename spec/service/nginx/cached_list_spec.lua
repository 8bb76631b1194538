--- Cached lists: of several workers, machines and tenants.
local cached = require "spec.support.cached"
local machines = require "spec.support.machines"
local nginx = require "spec.support.nginx"
local redis = require "spec.support.redis"
local sandbox = require "spec.support.sandbox"
local tenants = require "spec.support.tenant"
local workers = require "spec.support.workers"

local GET, loads, returns, takes = cached.GET, cached.loads, cached.returns, cached.takes
local all_return, slowest = workers.all_return, workers.slowest

after_each(machines.stop_all)

-- The options `redis` of pcapi.shared for a new Redis.
local function new_redis()
  return machines.option(redis.start())
end

describe("a cached list", function()
  local SHOW = [[
    local cjson = require "cjson"
    local function facts(list)
      return cjson.encode { list.total_count, tostring(list.truncated), list.request_id,
        list.correlation_id, tostring(list.is_mfa_compliant), list.columns, #list,
        #list > 0 and list:newest_first()[1].upn or "none", #list:filter { user = "*a*" },
        list:has_field "upn", #list:group_by "upn" }
    end
    local list = assert(value:get())
    return facts(list), require("pcapi.format.json").encode(list)
  ]]
  local LOAD = "return client.security:non_mfa_principals()"

  for name, scenario in pairs { ["with some records"] = "records=25",
                                ["without records"] = "records=0",
                                ["with hostile texts"] = "hostile=1",
                                ["that is truncated"] = "records=10000" } do
    it(name .. " has the same fields and methods in all workers and machines", function()
      local options = { workers = 2, scenario = scenario, shared = new_redis() }
      local one, other = cached.start(options), cached.start(options)
      returns(one, LOAD)
      returns(other, LOAD)
      local first = one:run_all(1, SHOW)[1]
      for _, machine in ipairs { one, other } do
        for _, result in ipairs(machine:run_all(6, SHOW)) do
          assert.equal(first.values[1], result.values[1])
          assert.is_true(first.values[2] == result.values[2])
        end
      end
      assert.same({ 1, 0 }, { loads(one), loads(other) })
    end)
  end

  it("of 10,000 records is read once by a new worker", function()
    local machine = cached.start { scenario = "records=10000" }
    returns(machine, LOAD)
    machine:run "return #assert(value:get())"
    local old = machine:workers()[1]
    machine:signal "HUP"
    assert.is_true(nginx.wait_for(function()
      return #machine:workers() == 1 and machine:workers()[1] ~= old
    end))
    local results = machine:run_all(100, "return #assert(value:get())")
    all_return(10000, results)
    assert.is_true(slowest(results) < 1.5) -- six seconds if each request read it
    assert.equal(1, loads(machine))
  end)
end)

describe("cached lists of two tenants", function()
  -- Makes the clients `one` and `two`; the sandbox has three users in one tenant, and five in the
  -- other.
  local function two_clients()
    local clients = {}
    for name, how in pairs { one = { "11111111-0000-0000-0000-000000000000", 3 },
                             two = { "22222222-0000-0000-0000-000000000000", 5 } } do
      clients[#clients + 1] = ("%s = pcapi.new { base_url = %q, token = %q }"):format(name,
        sandbox.url, sandbox.token { scenario = "records=" .. how[2], tid = how[1] })
    end
    return table.concat(clients, ";")
  end

  local function sharing(clients, more)
    return workers.start { workers = 2, init = ([[
      shared = pcapi.shared { dict = "pcapi", %s }
      %s
      lists = {}
      for name, client in pairs { one = one, two = two } do
        lists[name] = shared:cached {
          of = client, name = "users", fresh = 60,
          load = function(of)
            ngx.shared.pcapi:incr("loads", 1, 0)
            return of.security:non_mfa_principals()
          end,
        }
      end
    ]]):format(more or "", clients) }
  end

  local SIZES = [[
    local one, err = lists.one:get()
    local two = lists.two:get()
    return one and #one or tostring(err), two and #two
  ]]

  -- Asserts that the lists are not mixed up, and returns how many were loaded.
  local function loads_apart(machine)
    for _, result in ipairs(machine:run_all(10, SIZES)) do
      assert.same({ 3, 5 }, result.values)
    end
    return machine:run 'return ngx.shared.pcapi:get "loads" or 0'
  end

  it("are separate in one dictionary", function()
    assert.equal(2, loads_apart(sharing(two_clients())))
  end)

  it("are separate in one Redis, and shared by the machines of each tenant", function()
    local more = new_redis()
    assert.equal(2, loads_apart(sharing(two_clients(), more)))
    assert.equal(0, loads_apart(sharing(two_clients(), more)))
  end)

  it("are separate if they are from two services", function()
    local more = new_redis()
    loads_apart(sharing(two_clients(), more))
    local other = two_clients():gsub("localhost", "127.0.0.1")
    assert.equal(2, (sharing(other, more):run [[
      lists.one:get()
      lists.two:get()
      return ngx.shared.pcapi:get "loads"
    ]]))
  end)

  it("are separate if each tenant signs in, and so are their tokens", function()
    local more = new_redis()
    local one, two = tenants.new "scenario=records%3D3", tenants.new "scenario=records%3D5"
    local function client(tenant)
      return ([[pcapi.new { base_url = %q, auth = pcapi.auth.refresh_token { tenant = %q,
        client_id = "client", store = shared, refresh_token = %q, login_url = %q } }]]):format(
        sandbox.url, tenant.name, tenant.refresh_token, sandbox.url .. "/login/" .. tenant.settings)
    end
    local clients = ("one, two = %s, %s"):format(client(one), client(two))
    for _ = 1, 2 do
      loads_apart(sharing(clients, more))
    end
    assert.same({ 1, 1 }, { one:refreshes(), two:refreshes() })
  end)
end)

describe("two machines with a cached value", function()
  local function two_machines(options)
    local server = redis.start()
    options.shared, options.workers = machines.option(server), 2
    return { cached.start(options), cached.start(options) }, server
  end

  local function loads_of(both)
    return loads(both[1]) + loads(both[2])
  end

  -- Waits until both have loaded the value again.
  local function await_fresh(both, seconds)
    for _, machine in ipairs(both) do
      assert.is_true(nginx.wait_for(function()
        return select(3, machine:run(GET)) == false
      end, seconds))
    end
  end

  it("load it once", function()
    local both = two_machines {}
    takes(both[1], 0.5)
    takes(both[2], 0.5)
    all_return(1, machines.run_on_all(both, 50, GET))
    assert.equal(1, loads_of(both))
  end)

  it("load it again once, and return it as stale meanwhile", function()
    local both = two_machines { fresh = 4 }
    machines.run_on_all(both, 10, GET)
    takes(both[1], 3) -- more than fifty requests take on a busy machine
    takes(both[2], 3)
    os.execute "sleep 4.1"
    local results = machines.run_on_all(both, 50, GET)
    assert.is_true(slowest(results) < 2)
    for _, result in ipairs(results) do
      assert.is_true(result.values[3])
    end
    await_fresh(both, 6)
    assert.equal(2, loads_of(both))
  end)

  it("go on alone if Redis is not available", function()
    local both, server = two_machines { fresh = 0.5 }
    machines.run_on_all(both, 10, GET)
    server:kill()
    os.execute "sleep 0.6"
    machines.run_on_all(both, 10, GET)
    await_fresh(both)
  end)
end)
