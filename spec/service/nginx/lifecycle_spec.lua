--- Reloads, shutdowns and deaths of a busy nginx, and its memory.
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local machines = require "spec.support.machines"
local nginx = require "spec.support.nginx"
local redis = require "spec.support.redis"
local sandbox = require "spec.support.sandbox"
local tenants = require "spec.support.tenant"
local workers = require "spec.support.workers"

local all_return = workers.all_return

after_each(machines.stop_all)

local CALL = [[
  local users, err = client.security:non_mfa_principals()
  return users and #users or tostring(err)
]]

local CACHED = [[
  users = shared:cached {
    of = client, name = "users", fresh = 60,
    load = function()
      ngx.log(ngx.ERR, "LOADS")
      ngx.sleep(takes or 0)
      return client.security:non_mfa_principals()
    end,
  }
]]

local function number_of(command)
  return tonumber(files.lines_of(command)[1])
end

-- The shared memory of the system that has a name.
local function shared_memory()
  return table.concat(files.lines_of "ls /dev/shm; ipcs -m | awk '{print $2}'", " ")
end

-- Waits until so many calls have reached the service.
local function await_calls(label, count)
  assert.is_true(nginx.wait_for(function()
    local gauge = curl.fetch { url = sandbox.url .. "/_sandbox/gauge?label=" .. label }.body
    return tonumber(gauge:match '"requests":(%d+)') == count
  end))
end

describe("a reload under load", function()
  it("loses no request, no token and no list, and the old workers end", function()
    local tenant = tenants.new "scenario=delay%3D0.05"
    local machine = workers.start { workers = 2, init = tenant:init() .. CACHED }
    machine:run "return #users:get()"
    local running = machine:begin_runs(600, "local listed = #users:get() " .. CALL, 20)
    for _ = 1, 3 do
      os.execute "sleep 0.3"
      machine:signal "HUP"
    end
    all_return(25, running:finish())
    assert.is_true(nginx.wait_for(function()
      return #machine:leaving() == 0 and #machine:workers() == 2
    end))
    assert.equal(1, tenant:refreshes())
    assert.equal(1, machine:count_in_log "LOADS")
    assert.is_true(machine:count_in_log "signal 1 (SIGHUP)" >= 3)
    assert.equal(0, machine:count_in_log "[alert]", machine:log())
  end)

  it("aborts no renewal and no load that old workers have begun", function()
    local tenant = tenants.new "delay=1;times=1"
    local machine = workers.start { init = tenant:init() .. CACHED .. "takes = 0.5" }
    local running = machine:begin_runs(5, "return #users:get()")
    assert.is_true(nginx.wait_for(function() return tenant:refreshes() == 1 end))
    machine:signal "HUP"
    assert.is_true(nginx.wait_for(function() return #machine:leaving() == 1 end))
    all_return(25, machine:run_all(5, "return #users:get()"))
    all_return(25, running:finish())
    assert.equal(1, tenant:refreshes())
    assert.equal(1, machine:count_in_log "LOADS")
  end)
end)

describe("a shutdown", function()
  -- Starts calls that take a second each, and waits until all are under way.
  local function calling(count)
    local label = "label" .. math.random(1e9)
    local before = shared_memory()
    local tenant = tenants.new(("scenario=delay%%3D1%%3Blabel%%3D%s"):format(label))
    local machine = workers.start { workers = 2, init = tenant:init(
      machines.option(redis.start())) .. CACHED }
    local running = machine:begin_runs(count, CALL)
    await_calls(label, count)
    return machine, running, before
  end

  local function is_gone(machine, before)
    assert.is_true(machine:ends(5))
    assert.equal(0, machine:count_in_log "[alert]", machine:log()) -- such as open sockets
    assert.same({}, files.lines_of("pgrep -g " .. machine.pid))
    assert.equal(before, shared_memory())
  end

  it("with QUIT loses no request, and leaves nothing behind", function()
    local machine, running, before = calling(60)
    machine:signal "QUIT"
    all_return(25, running:finish())
    is_gone(machine, before)
  end)

  it("with TERM takes a moment, and leaves nothing behind", function()
    local machine, running, before = calling(60)
    local began = os.time()
    machine:signal "TERM"
    is_gone(machine, before)
    assert.is_true(os.time() - began <= 2)
    pcall(running.finish)
  end)

  it("with QUIT waits for requests that still need a token and a list", function()
    local tenant = tenants.new "delay=0.5"
    local machine = workers.start { init = tenant:init() .. CACHED }
    local running = machine:begin_runs(20, [[
      ngx.log(ngx.ERR, "STARTED")
      ngx.sleep(0.3)
      return #users:get()
    ]])
    assert.is_true(nginx.wait_for(function() return machine:count_in_log "STARTED" == 20 end))
    machine:signal "QUIT" -- now there are no timers
    all_return(25, running:finish())
    assert.is_true(machine:ends(5))
    assert.equal(1, tenant:refreshes())
    assert.equal(1, machine:count_in_log "LOADS")
  end)
end)

describe("a worker that is killed", function()
  for name, with_redis in pairs { ["without Redis"] = false, ["with Redis"] = true } do
    it("while it loads a list delays the others only shortly, " .. name, function()
      local tenant = tenants.new()
      local option = with_redis and machines.option(redis.start())
      local machine = workers.start { workers = 2, init = tenant:init(option) .. CACHED,
                                      http = "lua_shared_dict steer 1m;" }
      machine:run [[ngx.shared.steer:set("takes", 30)]]
      local code = [[
        takes = ngx.shared.steer:get "takes"
        return #users:get()
      ]]
      local running = machine:begin({ "/run" }, { method = "POST", body = code })
      assert.is_true(nginx.wait_for(function() return machine:count_in_log "LOADS" == 1 end))
      machine:run [[ngx.shared.steer:set("takes", 0)]]
      local holder = machine:log():match "#%d+: %*%d+ [^\n]*LOADS" and
        machine:log():match "(%d+)#%d+: %*%d+ [^\n]*LOADS"
      os.execute("kill -KILL " .. holder)
      local result = machine:run_all(1, code)[1]
      assert.equal(25, result.values[1])
      assert.is_true(result.seconds < 3)
      assert.equal(0, running:finish()[1].status)
    end)
  end
end)

describe("a call that needs a timer", function()
  it("succeeds even if nginx has none left", function()
    local tenant = tenants.new()
    local machine = workers.start { init = tenant:init() .. CACHED,
                                    http = "lua_max_running_timers 1;" }
    machine:run [[
      ngx.timer.at(0, function() ngx.sleep(2.5) end)
      ngx.sleep(0.1)
    ]]
    assert.equal(25, (machine:run(CALL)))
    local result = machine:run_all(1, "return #users:get()")[1]
    assert.equal(25, result.values[1])
    assert.is_true(result.seconds < 5)
  end)
end)

describe("a worker", function()
  local function memory_of(pid)
    return tonumber(files.slurp("/proc/" .. pid .. "/status"):match "VmRSS:%s*(%d+) kB") / 1024
  end

  local function descriptors_of(pid)
    return number_of(("ls /proc/%d/fd | wc -l"):format(pid))
  end

  -- The memory of a worker that has only Lua, in MB.
  local function bare()
    local server = nginx.start { http = "lua_shared_dict pcapi 10m;",
      server = "location / { content_by_lua_block { ngx.print(#ngx.var.uri) } }" }
    server:get_all { "/", "/", "/" }
    local megabytes = memory_of(server:workers()[1])
    server:stop()
    return megabytes
  end

  it("takes at most 25 MB, does not grow, has one thread, and closes its descriptors",
    function()
      local tenant = tenants.new()
      local machine = workers.start { init = tenant:init() .. CACHED }
      local worker, before = machine:workers()[1], bare()
      local function load()
        all_return(25, machine:run_all(100, [[
          local users, err
          for i = 1, 10 do
            users, err = client.security:non_mfa_principals()
            shared:set("text", ("x"):rep(i * 100))
            shared:get "text"
          end
          return users and #users or tostring(err)
        ]], 40))
        return memory_of(worker), descriptors_of(worker)
      end
      load()
      local first, opened = load()
      local second = load()
      local third, still_opened = load()
      assert.is_true(third - before <= 25, ("%.1f MB more"):format(third - before))
      assert.is_true(third - first < 3, ("%.1f, %.1f, %.1f MB"):format(first, second, third))
      assert.is_true(still_opened <= opened + 5)
      assert.equal(1, number_of(("ls /proc/%d/task | wc -l"):format(worker)))
    end)
end)
