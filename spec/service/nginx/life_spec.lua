--- Reloads, ends and deaths of an nginx that is at work; what it costs; and set-ups that are
-- wrong.
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folders = require "spec.support.folder"
local nginx = require "spec.support.nginx"
local raised_by = require "spec.support.raised_by"
local redis = require "spec.support.redis"
local sandbox = require "spec.support.sandbox"
local tenant_ = require "spec.support.tenant"
local workers = require "spec.support.workers"

after_each(function()
  nginx.stop_all()
  redis.stop_all()
  folders.remove()
end)

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

local function all_gave(expected, results)
  for _, result in ipairs(results) do
    assert.equal(expected, result.values[1])
  end
end

local function number_of(command)
  return tonumber(files.lines_of(command)[1])
end

-- What shared memory the system has that has a name.
local function shared_memory()
  return table.concat(files.lines_of "ls /dev/shm; ipcs -m | awk '{print $2}'", " ")
end

-- Until all of them wait in the service.
local function await_calls(label, count)
  assert.is_true(nginx.wait_for(function()
    local gauge = curl.fetch { url = sandbox.url .. "/_sandbox/gauge?label=" .. label }.body
    return tonumber(gauge:match '"requests":(%d+)') == count
  end))
end

describe("a reload under load", function()
  it("loses no request, no token and no list, and old workers end", function()
    local tenant = tenant_.new "scenario=delay%3D0.05"
    local machine = workers.start { workers = 2, init = tenant:init() .. CACHED }
    machine:run "return #users:get()"
    local running = machine:begin_runs(600, "local listed = #users:get() " .. CALL, 20)
    for _ = 1, 3 do
      os.execute "sleep 0.3"
      machine:signal "HUP"
    end
    all_gave(25, running:finish())
    assert.is_true(nginx.wait_for(function()
      return #machine:leaving() == 0 and #machine:workers() == 2
    end))
    assert.equal(1, tenant:refreshes())
    assert.equal(1, machine:count_in_log "LOADS")
    assert.is_true(machine:count_in_log "signal 1 (SIGHUP)" >= 3)
    assert.equal(0, machine:count_in_log "[alert]", machine:log())
  end)

  it("ends no renewal and no load that the old workers have begun", function()
    local tenant = tenant_.new "delay=1;times=1"
    local machine = workers.start { init = tenant:init() .. CACHED .. "takes = 0.5" }
    local running = machine:begin_runs(5, "return #users:get()")
    assert.is_true(nginx.wait_for(function() return tenant:refreshes() == 1 end))
    machine:signal "HUP"
    assert.is_true(nginx.wait_for(function() return #machine:leaving() == 1 end))
    all_gave(25, machine:run_all(5, "return #users:get()"))
    all_gave(25, running:finish())
    assert.equal(1, tenant:refreshes())
    assert.equal(1, machine:count_in_log "LOADS")
  end)
end)

describe("an end", function()
  -- Calls of which each takes a second, when all have begun.
  local function calling(count)
    local label = "label" .. math.random(1e9)
    local before = shared_memory()
    local tenant = tenant_.new(("scenario=delay%%3D1%%3Blabel%%3D%s"):format(label))
    local machine = workers.start { workers = 2, init = tenant:init(("redis = { port = %d }")
      :format(redis.start().port)) .. CACHED }
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

  it("by QUIT loses no request, and leaves nothing behind", function()
    local machine, running, before = calling(60)
    machine:signal "QUIT"
    all_gave(25, running:finish())
    is_gone(machine, before)
  end)

  it("by TERM is a matter of a moment, and leaves nothing behind", function()
    local machine, running, before = calling(60)
    local began = os.time()
    machine:signal "TERM"
    is_gone(machine, before)
    assert.is_true(os.time() - began <= 2)
    pcall(running.finish)
  end)

  it("by QUIT waits for who still needs a token and a list", function()
    local tenant = tenant_.new "delay=0.5"
    local machine = workers.start { init = tenant:init() .. CACHED }
    local running = machine:begin_runs(20, [[
      ngx.log(ngx.ERR, "ASKED")
      ngx.sleep(0.3)
      return #users:get()
    ]])
    assert.is_true(nginx.wait_for(function() return machine:count_in_log "ASKED" == 20 end))
    machine:signal "QUIT" -- from here on there are no timers
    all_gave(25, running:finish())
    assert.is_true(machine:ends(5))
    assert.equal(1, tenant:refreshes())
    assert.equal(1, machine:count_in_log "LOADS")
  end)
end)

describe("a worker that is killed", function()
  for what, with_redis in pairs { ["alone"] = false, ["with Redis"] = true } do
    it("while it loads a list holds up the others for less than a second, " .. what, function()
      local tenant = tenant_.new()
      local option = with_redis and ("redis = { port = %d }"):format(redis.start().port)
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
      assert.is_true(result.seconds < 1)
      assert.equal(0, running:finish()[1].status)
    end)
  end
end)

describe("what waits for somebody else", function()
  it("goes on though nginx has no timer left", function()
    local tenant = tenant_.new()
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

  -- MB of a worker with Lua, and no more.
  local function bare()
    local server = nginx.start { http = "lua_shared_dict pcapi 10m;",
      server = "location / { content_by_lua_block { ngx.print(#ngx.var.uri) } }" }
    server:get_all { "/", "/", "/" }
    local megabytes = memory_of(server:workers()[1])
    server:stop()
    return megabytes
  end

  it("takes at most 25 MB, and no more with each call; has one thread, closes what it opens",
    function()
      local tenant = tenant_.new()
      local machine = workers.start { init = tenant:init() .. CACHED }
      local worker, before = machine:workers()[1], bare()
      local function load()
        all_gave(25, machine:run_all(100, [[
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

describe("a set-up", function()
  it("without the dictionary does not start, and names the directive", function()
    local said = raised_by(nginx.start, { http = [[init_by_lua_block {
      require("pcapi.nginx").shared { dict = "missing" }
    }]] })
    assert.truthy(said:find('pcapi.shared: there is no shared dictionary "missing"; add to '
      .. "http { } of nginx.conf: lua_shared_dict missing 10m;", 1, true), said)
  end)

  it("whose dictionary has no room for a token gives an error, and one line", function()
    local tenant = tenant_.new()
    local machine = workers.start { dict_size = "64k", init = tenant:init() }
    machine:run [[
      local i = 0
      repeat i = i + 1 until not ngx.shared.pcapi:safe_set("fill " .. i, ("x"):rep(500))
      repeat i = i + 1 until not ngx.shared.pcapi:safe_set("fill " .. i, "x")
    ]]
    for _ = 1, 3 do
      assert.truthy(machine:run(CALL):find("store: the shared dictionary pcapi is full", 1, true))
    end
    assert.equal(1, machine:count_in_log "lua_shared_dict pcapi")
    assert.equal(0, tenant:refreshes())
  end)

  -- only root can start workers that are somebody else
  local it_as_root = files.lines_of "id -u"[1] == "0" and it or pending
  local NAMES_USER = 'run as the user set by "user" in nginx.conf'

  for what, mode in pairs { ["folder"] = "700 FOLDER", ["file"] = "600 FOLDER/spec.json" } do
    it_as_root("whose workers may not read the " .. what
      .. " of tokens gives an error that names the directive", function()
        local tenant, folder = tenant_.new(), folders.new()
        folders.write(folder .. "/spec.json", "{}")
        os.execute("chmod 755 " .. folder .. "; chmod 644 " .. folder .. "/spec.json; chmod "
          .. mode:gsub("FOLDER", folder))
        local machine = workers.start { user = "www-data", init = tenant:init(nil,
          ("store = pcapi.auth.file_store %q,"):format(folder)) }
        local said = machine:run(CALL)
        machine:run(CALL)
        assert.truthy(said:find("^store: "), said)
        assert.truthy(said:find(NAMES_USER, 1, true), said)
        assert.equal(1, machine:count_in_log(NAMES_USER))
        assert.equal(0, tenant:refreshes())
      end)
  end

  local PROFILE = [[
    local made, err = pcapi.new { profile = "default" }
    return made and "made" or tostring(err)
  ]]

  it_as_root("whose workers may not read the configuration file does the same", function()
    local home = folders.new()
    os.execute(("mkdir -p %s/.config/pcapi; touch %s/.config/pcapi/config"):format(home, home))
    local machine = workers.start { user = "www-data", env = { "HOME=" .. home } }
    local said = machine:run(PROFILE)
    assert.truthy(said:find("^config: .*Permission denied"), said)
    assert.truthy(said:find(NAMES_USER, 1, true), said)
    assert.equal(1, machine:count_in_log(NAMES_USER))
  end)

  it("whose workers do not see HOME gives an error that names the directive", function()
    local machine = workers.start()
    local said = machine:run(PROFILE)
    assert.truthy(said:find("there is no HOME", 1, true), said)
    assert.truthy(said:find("env HOME=", 1, true), said)
    assert.equal(1, machine:count_in_log "env HOME=")
  end)
end)
