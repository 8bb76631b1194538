--- A cached value that cannot be loaded, or does not fit into its dictionary.
local cached = require "spec.support.cached"
local nginx = require "spec.support.nginx"

local GET, loads, returns, takes = cached.GET, cached.loads, cached.returns, cached.takes

after_each(nginx.stop_all)

-- Waits until the value has been loaded without an error.
local function await_success(machine, seconds)
  assert.is_true(nginx.wait_for(function()
    local _, _, is_stale, err = machine:run(GET)
    return is_stale == false and err == nil
  end, seconds))
end

describe("a cached value that cannot be loaded again", function()
  it("is returned with its age and the error, which is logged once", function()
    local machine = cached.start { workers = 2, fresh = 0.3 }
    machine:run(GET)
    returns(machine, 'return nil, require("pcapi.error").new { kind = "server", '
      .. 'message = "the service fails", status = 503, hint = "Wait" }')
    os.execute "sleep 0.3"
    machine:run(GET)
    os.execute "sleep 0.1"
    local value, age, is_stale, err = machine:run(GET)
    assert.equal(1, value)
    assert.is_true(is_stale)
    assert.is_true(age > 0.3)
    assert.equal("server: the service fails (HTTP 503). Wait", err)
    os.execute "sleep 1.1"
    machine:run(GET)
    assert.equal(1, machine:count_in_log "value cannot be loaded: server: the service fails")
    returns(machine, "return ...")
    await_success(machine)
    assert.equal(1, machine:count_in_log "value is loaded again")
  end)

  it("is tried again after the pause that the service demands", function()
    local machine = cached.start { fresh = 0.1, retry = 0.1 }
    machine:run(GET)
    returns(machine, 'return nil, require("pcapi.error").new { kind = "throttled", '
      .. 'message = "too many", retry_after = 30 }')
    for _ = 1, 5 do
      os.execute "sleep 0.2"
      machine:run(GET)
    end
    assert.equal(2, loads(machine))
  end)

  for name, seconds in pairs { ["a year"] = "31536000", infinity = "math.huge", nan = "0/0",
                               ["a negative number"] = "-1", ["a text"] = "'soon'" } do
    it("is tried again within ten minutes if the service demands " .. name, function()
      local machine = cached.start { fresh = 0.1, retry = 0.3 }
      machine:run "require('pcapi.http.limits').LONGEST_PAUSE = 0.6"
      machine:run(GET)
      returns(machine, ('return nil, require("pcapi.error").new { kind = "throttled", '
        .. 'message = "too many", retry_after = %s }'):format(seconds))
      os.execute "sleep 0.2"
      machine:run(GET)
      os.execute "sleep 0.1"
      local value, _, _, err = machine:run(GET)
      assert.same({ 1, "throttled: too many" }, { value, err })
      returns(machine, "return ...")
      await_success(machine, 2)
    end)
  end
end)

describe("a cached value that cannot be loaded", function()
  it("is tried once per pause, however many requests want it", function()
    local machine = cached.start { workers = 4, retry = 2 }
    returns(machine, 'return nil, "no luck"')
    takes(machine, 0.2)
    for _ = 1, 3 do
      for _, result in ipairs(machine:run_all(50, GET)) do
        assert.is_nil(result.values[1])
        assert.matches("no luck", result.values[2], 1, true)
      end
    end
    assert.equal(1, loads(machine))
    os.execute "sleep 2"
    machine:run_all(50, GET)
    assert.equal(2, loads(machine))
  end)

  it("keeps an error whose fields JSON cannot hold", function()
    local machine = cached.start()
    returns(machine, 'return nil, require("pcapi.error").new { kind = "server", message = "no", '
      .. 'status = 0/0, hint = {}, code = print }')
    for _ = 1, 2 do
      assert.equal("server: no", (select(2, machine:run(GET))))
    end
    assert.equal(1, loads(machine))
  end)

  it("because load raises is an error, whose cause is logged", function()
    local machine = cached.start()
    returns(machine, 'error "SPEC"')
    local value, err = machine:run(GET)
    assert.is_nil(value)
    assert.equal("config: the load of value raised an error. See nginx's error log", err)
    assert.equal(1, machine:count_in_log "the load of value raised: ")
  end)

  for name, code in pairs {
    ["a function"] = "return { at = print }", ["NaN"] = "return 0/0", ["null"] = "return ngx.null",
    ["a circle"] = "local t = {} t.t = t return t", ["nothing"] = "return nil",
    ["a sparse array"] = "return { [1] = 1, [1000000] = 2 }",
  } do
    it("because load returns " .. name .. " is an error", function()
      local machine = cached.start()
      returns(machine, code)
      local value, err = machine:run(GET)
      assert.is_nil(value)
      assert.truthy(err:find("the value that load returned cannot be stored as JSON", 1, true)
        or err:find("the load of value returned neither a value nor an error", 1, true), err)
      machine:run(GET)
      assert.equal(1, loads(machine))
    end)
  end

  it("within its timeout is an error", function()
    local machine = cached.start { timeout = 0.5 }
    takes(machine, 2)
    local began = os.clock()
    local value, err = machine:run(GET)
    assert.is_nil(value)
    assert.matches("timeout: value was not loaded within", err, 1, true)
    assert.is_true(os.clock() - began < 1.5)
  end)
end)

describe("a dictionary that is too small for a cached value", function()
  it("is logged once by each worker, and the value is returned", function()
    local machine = cached.start { dict_size = "64k", workers = 2 }
    returns(machine, 'return ("x"):rep(100000)')
    for _ = 1, 3 do
      for _, result in ipairs(machine:run_all(20, "return #assert(value:get())")) do
        assert.equal(100000, result.values[1])
      end
    end
    assert.is_true(loads(machine) <= 2)
    local lines = machine:count_in_log "lua_shared_dict pcapi"
    assert.is_true(lines >= 1 and lines <= 2, machine:log())
  end)

  it("does not cause more tries after a failure", function()
    local machine = cached.start { dict_size = "64k", retry = 5 }
    machine:run [[
      local i = 0
      repeat i = i + 1 until not ngx.shared.pcapi:safe_set("fill " .. i, ("x"):rep(1000))
      repeat i = i + 1 until not ngx.shared.pcapi:safe_set("fill " .. i, "x")
    ]]
    returns(machine, 'return nil, "no luck"')
    machine:run_all(5, GET)
    assert.is_true(loads(machine) <= 1)
  end)
end)
