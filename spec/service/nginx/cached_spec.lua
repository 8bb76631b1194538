--- A value that is loaded once for all workers, and machines, and given while it is stale.
local nginx = require "spec.support.nginx"
local redis = require "spec.support.redis"
local sandbox = require "spec.support.sandbox"
local tenant_ = require "spec.support.tenant"
local workers = require "spec.support.workers"

after_each(function()
  nginx.stop_all()
  redis.stop_all()
end)

-- What load does is read from the dictionary `steer`: how long it takes, and what it gives, as
-- Lua. How often it ran stands there, too.
local INIT = [[
  value = shared:cached {
    of = "spec", name = "value", fresh = %s, stale = %s, retry = %s, timeout = %s,
    load = function()
      local steer = ngx.shared.steer
      local run = steer:incr("loads", 1, 0)
      ngx.sleep(steer:get "takes" or 0)
      return loadstring(steer:get "gives" or "return ...")(run)
    end,
  }
]]

local function start(options)
  options = options or {}
  return workers.start {
    workers = options.workers, dict_size = options.dict_size, server = options.server,
    http = "lua_shared_dict steer 100k; " .. (options.http or ""),
    init = ('client = pcapi.new { base_url = %q, token = %q }; ')
      :format(sandbox.url, sandbox.token { scenario = options.scenario })
      .. ('shared = pcapi.shared { dict = "pcapi", %s };'):format(options.shared or "")
      .. INIT:format(options.fresh or 60, options.stale or 600, options.retry or 1,
        options.timeout or 10),
  }
end


local function takes(machine, seconds)
  machine:run(('ngx.shared.steer:set("takes", %g)'):format(seconds))
end

local function gives(machine, code)
  machine:run(('ngx.shared.steer:set("gives", %q)'):format(code))
end

local function loads(machine)
  return machine:run 'return ngx.shared.steer:get "loads" or 0'
end

local GET = [[
  local given, state = value:get()
  if given == nil then
    return nil, tostring(state)
  end
  return given, state.age, state.is_stale, state.err and tostring(state.err)
]]

local slowest = workers.slowest

local function all_gave(expected, results)
  for _, result in ipairs(results) do
    assert.equal(expected, result.values[1], result.values[2])
  end
end

describe("a cached value", function()
  it("is loaded once, by whichever worker is asked first, and all get it", function()
    local machine = start { workers = 4 }
    takes(machine, 0.3)
    all_gave(1, machine:run_all(100, GET))
    all_gave(1, machine:run_all(100, GET))
    assert.equal(1, loads(machine))
  end)

  it("that is fresh is given with its age", function()
    local machine = start()
    machine:run(GET)
    os.execute "sleep 0.3"
    local given, age, is_stale, err = machine:run(GET)
    assert.same({ 1, false }, { given, is_stale, err })
    assert.is_true(age >= 0.3 and age < 2)
  end)

  it("that is stale is given at once, while it is loaded anew, once", function()
    local machine = start { workers = 4, fresh = 1 }
    machine:run_all(40, GET)
    takes(machine, 1)
    os.execute "sleep 1.1"
    local stale = machine:run_all(100, GET)
    all_gave(1, stale)
    assert.is_true(slowest(stale) < 0.8)
    for _, result in ipairs(stale) do
      assert.is_true(result.values[3])
    end
    os.execute "sleep 1"
    all_gave(2, machine:run_all(40, GET))
    assert.equal(2, loads(machine))
  end)

  it("that cannot be loaded anew is given with its age, and how that failed", function()
    local machine = start { workers = 2, fresh = 0.3 }
    machine:run(GET)
    gives(machine, 'return nil, require("pcapi.error").new { kind = "server", '
      .. 'message = "the service fails", status = 503, hint = "Wait" }')
    os.execute "sleep 0.3"
    machine:run(GET)
    os.execute "sleep 0.1"
    local given, age, is_stale, err = machine:run(GET)
    assert.equal(1, given)
    assert.is_true(is_stale)
    assert.is_true(age > 0.3)
    assert.equal("server: the service fails (HTTP 503). Wait", err)
    os.execute "sleep 1.1"
    machine:run(GET)
    assert.equal(1, machine:count_in_log "value cannot be loaded: server: the service fails")
    gives(machine, "return ...")
    assert.is_true(nginx.wait_for(function()
      local _, _, is_still_stale, last = machine:run(GET)
      return is_still_stale == false and last == nil
    end))
    assert.equal(1, machine:count_in_log "value is loaded again")
  end)

  for what, options in pairs {
    ['option "of" is missing: the client that load is called with'] =
      '{ name = "other", load = print, fresh = 1 }',
    ['option "of" must be a client'] = '{ of = {}, name = "other", load = print, fresh = 1 }',
    ['option "of" must be table or one line'] =
      '{ of = 5, name = "other", load = print, fresh = 1 }',
    ["the tenant of this client is unknown"] = '{ of = pcapi.new { token = function() end }, '
      .. 'name = "other", load = print, fresh = 1 }',
    ['option "load" is missing'] = '{ of = "spec", name = "other", fresh = 1 }',
    ['did you mean "fresh"'] = '{ of = "spec", name = "other", load = print, frehs = 1 }',
    ['"stale" must be 315360000 seconds at most'] =
      '{ of = "spec", name = "other", load = print, fresh = 10, stale = math.huge }',
    ['"retry" must be 315360000 seconds at most'] =
      '{ of = "spec", name = "other", load = print, fresh = 10, retry = 1e300 }',
    ['cannot be less than "fresh"'] =
      '{ of = "spec", name = "other", load = print, fresh = 10, stale = 5 }',
    ['the name "value" is in use already'] =
      '{ of = "spec", name = "value", load = print, fresh = 1 }',
  } do
    it("is told at the line that makes it: " .. what, function()
      local _, message = start():run("return pcall(function()\nlocal made = shared:cached "
        .. options .. "\nreturn made end)")
      assert.truthy(message:find(":2: cached", 1, true), message)
      assert.truthy(message:find(what, 1, true), message)
    end)
  end

  it("asks for the colon that was forgotten", function()
    local machine = start()
    for _, call in ipairs { "value.get()", 'shared.cached { name = "other" }' } do
      local _, message = machine:run("return pcall(function() local got = " .. call
        .. " return got end)")
      assert.truthy(message:find("call it with a colon", 1, true), message)
    end
  end)

  it("that is older than it may be is not given", function()
    local machine = start { fresh = 0.2, stale = 0.5 }
    machine:run(GET)
    gives(machine, 'return nil, "no more"')
    os.execute "sleep 0.6"
    local given, err = machine:run(GET)
    assert.is_nil(given)
    assert.truthy(err:find("no more", 1, true))
  end)

  it("is not loaded more than once in the pause after a failure, however many ask", function()
    local machine = start { workers = 4, retry = 2 }
    gives(machine, 'return nil, "no luck"')
    takes(machine, 0.2)
    for _ = 1, 3 do
      for _, result in ipairs(machine:run_all(50, GET)) do
        assert.is_nil(result.values[1])
        assert.truthy(result.values[2]:find("no luck", 1, true))
      end
    end
    assert.equal(1, loads(machine))
    os.execute "sleep 2"
    machine:run_all(50, GET)
    assert.equal(2, loads(machine))
  end)

  it("waits as long as the service asks after a failure", function()
    local machine = start { fresh = 0.1, retry = 0.1 }
    machine:run(GET)
    gives(machine, 'return nil, require("pcapi.error").new { kind = "throttled", '
      .. 'message = "too many", retry_after = 30 }')
    for _ = 1, 5 do
      os.execute "sleep 0.2"
      machine:run(GET)
    end
    assert.equal(2, loads(machine))
  end)

  for what, seconds in pairs { ["a year"] = "31536000", infinity = "math.huge", nan = "0/0",
                               ["a negative number"] = "-1", ["a text"] = "'soon'" } do
    it("keeps its error, and is loaded again in ten minutes, if the service asks for " .. what,
      function()
        local machine = start { fresh = 0.1, retry = 0.3 }
        machine:run "require('pcapi.http.limits').LONGEST_PAUSE = 0.6"
        machine:run(GET)
        gives(machine, ('return nil, require("pcapi.error").new { kind = "throttled", '
          .. 'message = "too many", retry_after = %s }'):format(seconds))
        os.execute "sleep 0.2"
        machine:run(GET)
        os.execute "sleep 0.1"
        local given, _, _, err = machine:run(GET)
        assert.same({ 1, "throttled: too many" }, { given, err })
        gives(machine, "return ...")
        assert.is_true(nginx.wait_for(function()
          local _, _, is_still_stale, last = machine:run(GET)
          return is_still_stale == false and last == nil
        end, 2))
      end)
  end

  it("keeps an error that load has made oddly", function()
    local machine = start()
    gives(machine, 'return nil, require("pcapi.error").new { kind = "server", message = "no", '
      .. 'status = 0/0, hint = {}, code = print }')
    local _, err = machine:run(GET)
    assert.equal("server: no", err)
    _, err = machine:run(GET)
    assert.equal("server: no", err)
    assert.equal(1, loads(machine))
  end)

  it("is loaded anew when it says that it was loaded in times to come", function()
    for _, at in ipairs { "9999999999.000", ("9"):rep(400), "ngx.now() + 3600" } do
      local machine = start()
      machine:run(([[shared:set("cached:spec/value", ('{"at":%%s,"value":"FOREIGN"}'):format(%s))]])
        :format(at:find "now" and at or ("%q"):format(at)))
      machine:run 'shared.dict:set_mark("cached at spec/value", "9999999999.000", 60)'
      for _ = 1, 2 do
        assert.equal(1, (machine:run(GET)))
      end
      machine:stop()
    end
  end)

  it("is loaded anew after a clock was set right that was ahead", function()
    local machine = start()
    machine:run [[
      local now = ngx.now
      ngx.now = function() return now() + 1e8 end
      value:get()
      ngx.now = now
    ]]
    local given, age, is_stale = machine:run(GET)
    assert.same({ 2, false }, { given, is_stale })
    assert.is_true(age < 60)
  end)

  it("whose load raises is an error, whose cause is in the log", function()
    local machine = start()
    gives(machine, 'error "SPEC"')
    local given, err = machine:run(GET)
    assert.is_nil(given)
    assert.equal("config: the load of value raised an error. See nginx's error log", err)
    assert.equal(1, machine:count_in_log "the load of value raised: ")
  end)

  for what, code in pairs {
    ["a function"] = "return { at = print }", ["NaN"] = "return 0/0", ["null"] = "return ngx.null",
    ["a circle"] = "local t = {} t.t = t return t", ["nothing"] = "return nil",
    ["a sparse array"] = "return { [1] = 1, [1000000] = 2 }",
  } do
    it("that is " .. what .. " is an error", function()
      local machine = start()
      gives(machine, code)
      local given, err = machine:run(GET)
      assert.is_nil(given)
      assert.truthy(err:find("the value that load returned cannot be stored as JSON", 1, true)
        or err:find("the load of value returned neither a value nor an error", 1, true), err)
      machine:run(GET)
      assert.equal(1, loads(machine))
    end)
  end

  it("may be false, a text, or a table with any keys; all workers get the same", function()
    local machine = start { workers = 2, fresh = 0.1 }
    for code, shown in pairs { ["return false"] = "false", ['return ""'] = '""',
                               ["return { a = 1, [2] = true }"] = '{"2":true,"a":1}' } do
      gives(machine, code)
      os.execute "sleep 0.2"
      machine:run(GET)
      os.execute "sleep 0.1"
      local show = 'return require("pcapi.format.json").compact((value:get()))'
      for _, result in ipairs(machine:run_all(20, show)) do
        assert.equal(shown, result.values[1])
      end
    end
  end)

  it("that takes longer than its timeout is an error in time", function()
    local machine = start { timeout = 0.5 }
    takes(machine, 2)
    local began = os.clock()
    local given, err = machine:run(GET)
    assert.is_nil(given)
    assert.truthy(err:find("timeout: value was not loaded within", 1, true), err)
    assert.is_true(os.clock() - began < 1.5)
  end)

  it("goes on loading when who asked for it has gone", function()
    local machine = start { http = "lua_check_client_abort on;" }
    takes(machine, 0.5)
    local running = machine.server:begin({ "/run" }, { body = GET, timeout = 0.2 })
    assert.equal(0, running:finish()[1].status)
    local given = machine:run(GET)
    assert.equal(1, given)
    assert.equal(1, loads(machine))
  end)

  it("can be asked for where nobody can wait, once it is there, and is loaded anew", function()
    local machine = start { fresh = 0.5, server = [[
      location = /log {
        return 204;
        log_by_lua_block {
          local given, state = value:get()
          ngx.log(ngx.ERR, "LOG ", tostring(given), " ", given == nil and tostring(state) or "")
        }
      }
    ]] }
    machine:get "/log"
    assert.equal(1, machine:count_in_log("LOG nil config: value is not loaded yet, and pcapi "
      .. "cannot wait for it in the nginx phase log"))
    machine:run(GET)
    machine:get "/log"
    assert.equal(1, machine:count_in_log "LOG 1")
    os.execute "sleep 0.6"
    machine:get "/log"
    assert.is_true(nginx.wait_for(function() return loads(machine) == 2 end))
    machine:get "/log"
    assert.same({ 2, 1 }, { machine:count_in_log "LOG 1", machine:count_in_log "LOG 2" })
  end)

  it("can be asked for in init_by_lua, also when it is stale after a reload", function()
    local machine = workers.start {
      init = [[
        value = pcapi.shared({ dict = "pcapi" }):cached {
          of = "spec", name = "value", fresh = 0.1, load = function() return "loaded" end,
        }
        in_init = tostring((value:get()))
      ]],
    }
    assert.equal("nil", (machine:run "return in_init"))
    assert.equal("loaded", (machine:run "return (value:get())"))
    os.execute "sleep 0.2"
    local old = machine:workers()[1]
    machine:signal "HUP"
    assert.is_true(nginx.wait_for(function()
      local now = machine:workers()[1]
      return now and now ~= old
    end), machine:log())
    assert.equal("loaded", (machine:run "return in_init"))
  end)
end)

describe("a dictionary that is too small for a cached value", function()
  it("is told of once by each worker; the value is given all the same", function()
    local machine = start { dict_size = "64k", workers = 2 }
    gives(machine, 'return ("x"):rep(100000)')
    for _ = 1, 3 do
      for _, result in ipairs(machine:run_all(20, "return #assert(value:get())")) do
        assert.equal(100000, result.values[1])
      end
    end
    assert.is_true(loads(machine) <= 2)
    local lines = machine:count_in_log "lua_shared_dict pcapi"
    assert.is_true(lines >= 1 and lines <= 2, machine:log())
  end)

  it("does not have it loaded again and again when that fails", function()
    local machine = start { dict_size = "64k", retry = 5 }
    machine:run [[
      local i = 0
      repeat i = i + 1 until not ngx.shared.pcapi:safe_set("fill " .. i, ("x"):rep(1000))
      repeat i = i + 1 until not ngx.shared.pcapi:safe_set("fill " .. i, "x")
    ]]
    gives(machine, 'return nil, "no luck"')
    machine:run_all(5, GET)
    assert.is_true(loads(machine) <= 1)
  end)
end)

describe("a cached list", function()
  local SHOWN = [[
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

  for name, scenario in pairs { ["a common one"] = "records=25", ["an empty one"] = "records=0",
                                ["one of hostile texts"] = "hostile=1",
                                ["one that was cut off"] = "records=10000" } do
    it("keeps what it has and can, in all workers and on other machines: " .. name, function()
      local server = redis.start()
      local options = {
        workers = 2, scenario = scenario,
        shared = ('redis = { port = %d }'):format(server.port),
      }
      local one, other = start(options), start(options)
      gives(one, LOAD)
      gives(other, LOAD)
      local first = one:run_all(1, SHOWN)[1]
      for _, machine in ipairs { one, other } do
        for _, result in ipairs(machine:run_all(6, SHOWN)) do
          assert.equal(first.values[1], result.values[1])
          assert.is_true(first.values[2] == result.values[2])
        end
      end
      assert.same({ 1, 0 }, { loads(one), loads(other) })
    end)
  end

  it("of 10,000 records is read once by a new worker, not by each request", function()
    local machine = start { scenario = "records=10000" }
    gives(machine, LOAD)
    machine:run "return #assert(value:get())"
    local old = machine:workers()[1]
    machine:signal "HUP"
    assert.is_true(nginx.wait_for(function()
      return #machine:workers() == 1 and machine:workers()[1] ~= old
    end))
    local results = machine:run_all(100, "return #assert(value:get())")
    all_gave(10000, results)
    assert.is_true(slowest(results) < 1.5) -- six seconds, were each to read it
    assert.equal(1, loads(machine))
  end)
end)

describe("cached lists of two tenants", function()
  -- Each machine asks as both; the sandbox lists three users to one and five to the other.
  local function both(options)
    local clients = {}
    for name, how in pairs { one = { "11111111-0000-0000-0000-000000000000", 3 },
                             two = { "22222222-0000-0000-0000-000000000000", 5 } } do
      clients[#clients + 1] = ("%s = pcapi.new { base_url = %q, token = %q, %s }"):format(name,
        sandbox.url, sandbox.token { scenario = "records=" .. how[2], tid = how[1] }, options or "")
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

  local function are_apart(machine)
    for _, result in ipairs(machine:run_all(10, SIZES)) do
      assert.same({ 3, 5 }, result.values)
    end
    return machine:run 'return ngx.shared.pcapi:get "loads" or 0'
  end

  it("are apart in one dictionary", function()
    assert.equal(2, are_apart(sharing(both())))
  end)

  it("are apart in one Redis, and shared by the machines of a tenant", function()
    local more = ("redis = { port = %d }"):format(redis.start().port)
    assert.equal(2, are_apart(sharing(both(), more)))
    assert.equal(0, are_apart(sharing(both(), more)))
  end)

  it("are apart when they come from two services", function()
    local more = ("redis = { port = %d }"):format(redis.start().port)
    are_apart(sharing(both(), more))
    local other = both():gsub("localhost", "127.0.0.1")
    assert.equal(2, (sharing(other, more):run [[
      lists.one:get()
      lists.two:get()
      return ngx.shared.pcapi:get "loads"
    ]]))
  end)

  it("that sign in for themselves are apart, and so are their tokens", function()
    local more = ("redis = { port = %d }"):format(redis.start().port)
    local one, two = tenant_.new "scenario=records%3D3", tenant_.new "scenario=records%3D5"
    local function client(tenant)
      return ([[pcapi.new { base_url = %q, auth = pcapi.auth.refresh_token { tenant = %q,
        client_id = "client", store = shared, refresh_token = %q, login_url = %q } }]]):format(
        sandbox.url, tenant.name, tenant.refresh_token, sandbox.url .. "/login/" .. tenant.settings)
    end
    local clients = ("one, two = %s, %s"):format(client(one), client(two))
    for _ = 1, 2 do
      are_apart(sharing(clients, more))
    end
    assert.same({ 1, 1 }, { one:refreshes(), two:refreshes() })
  end)
end)

describe("machines with a cached value", function()
  local function machines(options)
    local server = redis.start()
    options.shared, options.workers = ('redis = { port = %d }'):format(server.port), 2
    return start(options), start(options), server
  end

  local function on_both(one, other, count, code)
    local running = { one:begin_runs(count, code), other:begin_runs(count, code) }
    return running[1]:finish(), running[2]:finish()
  end

  it("load it once", function()
    local one, other = machines {}
    takes(one, 0.5)
    takes(other, 0.5)
    local first, second = on_both(one, other, 50, GET)
    all_gave(1, first)
    all_gave(1, second)
    assert.equal(1, loads(one) + loads(other))
  end)

  it("load it anew once, and give it as stale meanwhile", function()
    local one, other = machines { fresh = 4 }
    on_both(one, other, 10, GET)
    takes(one, 3) -- more than fifty requests take, however busy the machine
    takes(other, 3)
    os.execute "sleep 4.1"
    for _, results in ipairs { on_both(one, other, 50, GET) } do
      assert.is_true(slowest(results) < 2)
      for _, result in ipairs(results) do
        assert.is_true(result.values[3])
      end
    end
    for _, machine in ipairs { one, other } do
      assert.is_true(nginx.wait_for(function()
        return select(3, machine:run(GET)) == false
      end, 6))
    end
    assert.equal(2, loads(one) + loads(other))
  end)

  it("go on by themselves when Redis is away", function()
    local one, other, server = machines { fresh = 0.5 }
    on_both(one, other, 10, GET)
    server:kill()
    os.execute "sleep 0.6"
    on_both(one, other, 10, GET)
    for _, machine in ipairs { one, other } do
      assert.is_true(nginx.wait_for(function()
        return select(3, machine:run(GET)) == false
      end))
    end
  end)
end)
