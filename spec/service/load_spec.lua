-- Many calls at once to the sandbox, with and without faults.
local auth = require "pcapi.auth"
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local errors = require "pcapi.error"
local files = require "spec.support.files"
local pcapi = require "pcapi"
local sandbox = require "spec.support.sandbox"

local RECORDS = 12
local VERSIONS = { "1.1", "2" }
local PATH = "/v1/nonMfaCompliantPartnerPrincipals"
local TOKEN = sandbox.token()
local PID = sandbox.env "PCAPI_SANDBOX_PID"
local BARE = "env -u LD_PRELOAD " -- without the sanitizer of the specs

-- A client of the sandbox, with options of `pcapi.new`.
local function client(settings, options)
  local all = { base_url = sandbox.url, ca_file = sandbox.ca_file, timeout = 20,
                retry = { base = 0.01, cap = 0.05 }, headers = { ["X-Sandbox"] = settings } }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  all.token = not all.auth and TOKEN or nil
  return pcapi.new(all)
end

-- A list of users as one text.
local function text_of(users)
  local lines = {}
  for i, user in ipairs(users) do
    lines[i] = table.concat({ user.objectId, user.tenantId, user.upn,
                              user.lastNonMfaCompliantLoginDateTime }, " ")
  end
  return table.concat(lines, "\n")
end

local function settings_of(seed, more)
  return ("records=%d; seed=%d; %s"):format(RECORDS, seed, more or "")
end

local quiet = {} -- texts by seed

-- The text that a call with this seed returns without other calls.
local function quiet_text(seed)
  if not quiet[seed] then
    quiet[seed] = text_of(assert(client(settings_of(seed)).security:non_mfa_principals()))
  end
  return quiet[seed]
end

-- Tasks with one seed each, so that the response to each is known. `how` is the settings, or a
-- function from a seed to its settings.
local function tasks_of(count, how, options)
  local tasks = {}
  for seed = 1, count do
    local made = client(settings_of(seed, type(how) == "function" and how(seed) or how), options)
    tasks[seed] = function()
      return made.security:non_mfa_principals()
    end
    quiet_text(seed)
  end
  return tasks
end

-- Counts the results with the right value, and those with an error of each kind. Anything else
-- fails.
local function outcomes(results)
  local found = { right = 0 }
  for seed, result in ipairs(results) do
    if result.err == nil then
      assert.equal(quiet_text(seed), text_of(result.value), "task " .. seed)
      found.right = found.right + 1
    else
      assert.is_true(errors.is(result.err), tostring(result.err))
      found[result.err.kind] = (found[result.err.kind] or 0) + 1
    end
  end
  return found
end

-- Returns the same tasks, and a table with the `seconds` of the longest.
local function timed(tasks)
  local longest, all = { seconds = 0 }, {}
  for i, act in ipairs(tasks) do
    all[i] = function(loop)
      local started = core.now()
      local value, err = act(loop)
      longest.seconds = math.max(longest.seconds, core.now() - started)
      return value, err
    end
  end
  return all, longest
end

local function gauge(label)
  return assert(pcapi.fetch(sandbox.url .. "/_sandbox/gauge?label=" .. label,
                            { ca_file = sandbox.ca_file })).json
end

local function repeated(act, count)
  local tasks = {}
  for i = 1, count do
    tasks[i] = act
  end
  return tasks
end

-- A task that requests one record.
local function small(settings, options)
  local made = client("records=1; " .. settings, options)
  return function()
    return made.security:non_mfa_principals()
  end
end

local function seconds_of(body)
  local started = core.now()
  body()
  return core.now() - started
end

local function descriptors()
  return tonumber(curl.shell "sleep 0.05; ls /proc/$PPID/fd | wc -l")
end

describe("many calls at once", function()
  it("return their results in the order of the tasks, not of the responses", function()
    local order = {}
    local tasks = tasks_of(40, function(seed)
      return ("delay=%.2f"):format(seed * 7 % 10 / 50)
    end)
    for seed, act in ipairs(tasks) do
      tasks[seed] = function()
        local value, err = act()
        order[#order + 1] = seed
        return value, err
      end
    end
    assert.same({ right = 40 }, outcomes(pcapi.concurrent(tasks)))
    local sorted = true
    for i = 2, #order do
      sorted = sorted and order[i - 1] < order[i]
    end
    assert.is_false(sorted)
  end)

  for _, version in ipairs(VERSIONS) do
    it("use the whole limit and no more: HTTP/" .. version, function()
      local label = core.uuid()
      local tasks = repeated(small("delay=0.03; label=" .. label, { http_version = version }), 70)
      assert.equal(0, pcapi.concurrent(tasks, { limit = 7 }).failed)
      assert.equal(7, gauge(label).most_at_once)
    end)
  end

  it("keep to the rate", function()
    local label = core.uuid()
    local tasks = repeated(small("label=" .. label), 31)
    assert.equal(0, pcapi.concurrent(tasks, { rate = 40 }).failed)
    local times = gauge(label).times
    assert.equal(31, #times)
    for i = 11, 31 do -- ten in any quarter of a second
      assert.is_true(times[i] - times[i - 10] > 0.25 - 0.06, "too fast")
    end
    assert.is_true(times[31] - times[1] < 0.75 + 2, "too slow")
  end)

  it("count retries in the rate", function()
    local label = core.uuid()
    local act = small("status=503; times=1; label=" .. label)
    local started = core.now()
    assert.equal(0, pcapi.concurrent(repeated(act, 10), { rate = 40 }).failed)
    assert.is_true(core.now() - started > 19 / 40 - 0.02, "too fast") -- less what is caught up
    assert.equal(20, gauge(label).requests)
  end)

  it("use one connection over HTTP/2, also for the next run", function()
    local label = core.uuid()
    local act = small("delay=0.1; label=" .. label)
    local loop = assert(pcapi.concurrent.new { limit = 50 })
    assert.equal(0, loop:run(repeated(act, 50)).failed)
    assert.same({ 1, 50 }, { gauge(label).connections, gauge(label).most_at_once })
    assert.equal(0, loop:run(repeated(act, 50)).failed)
    assert.equal(1, gauge(label).connections)
    loop:close()
  end)

  it("use as many connections as the limit over HTTP/1.1, and no more", function()
    local label = core.uuid()
    local act = small("delay=0.03; label=" .. label, { http_version = "1.1" })
    assert.equal(0, pcapi.concurrent(repeated(act, 60), { limit = 12 }).failed)
    assert.equal(12, gauge(label).connections)
  end)

  it("wait if there are fewer connections than requests", function()
    local label = core.uuid()
    local act = small("delay=0.03; label=" .. label, { http_version = "1.1" })
    local options = { limit = 12, host_connections = 3 }
    assert.equal(0, pcapi.concurrent(repeated(act, 30), options).failed)
    assert.same({ 3, 3 }, { gauge(label).connections, gauge(label).most_at_once })
  end)

  it("leave no descriptor and no session behind after 2,000 calls", function()
    sandbox.leaves_nothing(function()
      local before = descriptors()
      for _, version in ipairs(VERSIONS) do
        local act = small("chance=0.02; cut=headers", { http_version = version })
        local results = pcapi.concurrent(repeated(act, 1000), { limit = 100 })
        assert.equal(1000, #results)
        assert.is_true(results.failed < 10)
      end
      assert.equal(before, descriptors())
    end)
  end)
end)

describe("a call that has to wait", function()
  -- Returns the seconds that 100 good calls took beside the given tasks, and those of all tasks.
  local function seconds_beside(tasks)
    local all, good, last = {}, small "delay=0.01", nil
    local started = core.now()
    for i, act in ipairs(tasks) do
      all[i] = act
    end
    for _ = 1, 100 do
      all[#all + 1] = function()
        local value, err = good()
        last = core.now()
        return value, err
      end
    end
    local results = pcapi.concurrent(all, { limit = 5 })
    assert.equal(0, results.failed)
    return last - started, core.now() - started
  end

  it("because its tenant is throttled does not slow down other calls", function()
    local alone = seconds_beside {}
    local throttled = small "status=429; error=C; retry_after=1; times=1"
    local beside, all = seconds_beside(repeated(throttled, 20))
    assert.is_true(all >= 1)
    assert.is_true(beside < 2 * alone + 0.5, ("%.2f s, %.2f s alone"):format(beside, alone))
  end)

  it("for its pages, or before a retry, does not stop other calls", function()
    local paged = client "records=30; page=5; delay=0.4"
    local beside, all = seconds_beside {
      function()
        local users = assert(paged.security:non_mfa_principals())
        return #users == 30 and users or nil, "pages are missing"
      end,
      small "status=503; retry_after=2; times=1",
    }
    assert.is_true(all >= 2.4)
    assert.is_true(beside < 1.8, ("%.2f s"):format(beside))
  end)
end)

describe("an account that has to renew its token", function()
  local directory

  before_each(function()
    directory = curl.shell("mktemp -d"):match "%S+"
  end)

  after_each(function()
    os.execute("rm -rf " .. directory)
  end)

  local function token_calls(login)
    local log = assert(pcapi.fetch(sandbox.url .. "/_sandbox/log?login=" .. login,
                                   { ca_file = sandbox.ca_file })).json
    return #log
  end

  local function made_by(store, settings, tenant)
    local seed = curl.fetch { url = sandbox.url .. "/_sandbox/refresh_token?client_id=me" }.body
    return client("records=1", { auth = auth.refresh_token {
      tenant = tenant, client_id = "me", login_url = sandbox.url .. "/login/" .. settings,
      refresh_token = seed, store = store,
    } })
  end

  for name, new in pairs {
    memory = function() return auth.memory_store() end,
    file = function() return auth.file_store(directory) end,
  } do
    it("renews it once for 50 tasks: " .. name .. " store", function()
      local tenant = core.uuid()
      local made = made_by(new(), "delay=0.3", tenant)
      local results = pcapi.concurrent(repeated(function()
        return made.security:non_mfa_principals()
      end, 50))
      assert.equal(0, results.failed)
      assert.equal(1, token_calls("delay=0.3/" .. tenant))
    end)

    it("renews it once more if the service refuses it: " .. name .. " store", function()
      local tenant, settings = core.uuid(), "delay=0.1;scenario=revoke_after%3D20"
      local made = made_by(new(), settings, tenant)
      local results = pcapi.concurrent(repeated(function()
        return made.security:non_mfa_principals()
      end, 30), { limit = 30 })
      assert.equal(0, results.failed)
      assert.equal(2, token_calls("delay=0.1%3Bscenario=revoke_after%253D20/" .. tenant))
    end)
  end
end)

describe("with faults of the service,", function()
  local LIMIT = 25

  -- Waits until the old workers have finished their requests after a restart.
  local function await_workers()
    for _ = 1, 100 do
      if #files.lines_of(BARE .. "pgrep -P " .. PID) == 2 then
        return
      end
      core.sleep(0.05)
    end
    error "the old workers of the sandbox do not end"
  end

  -- Runs 100 tasks. Returns their outcomes, and the seconds of the longest task.
  local function endure(how, options, run)
    local tasks, longest = timed(tasks_of(100, how, options))
    local results
    sandbox.leaves_nothing(function()
      results = pcapi.concurrent(tasks, run or { limit = LIMIT })
    end)
    assert.equal(100, #results)
    assert.is_nil(results.stopped)
    return outcomes(results), longest.seconds
  end

  for _, version in ipairs(VERSIONS) do
    local options = { http_version = version }

    it("each call returns the right value or an error, over HTTP/" .. version, function()
      local found = endure("rough", options)
      assert.is_true(found.right >= 95, "right: " .. found.right)
      assert.is_nil(found.timeout)
    end)

    it("no call exceeds a short timeout, over HTTP/" .. version, function()
      local found, longest = endure("mishaps=0.1", { http_version = version, timeout = 0.6 })
      assert.is_true(found.right > 40, "right: " .. found.right)
      assert.is_true((found.timeout or 0) > 0) -- for connections that stall
      assert.is_true(longest < 0.6 + 2, ("%.2f s"):format(longest))
    end)

    it("a connection that is cut disturbs no other, over HTTP/" .. version, function()
      for _, cut in ipairs { "random", "connection" } do
        local found = endure("chance=0.02; cut=" .. cut, options, { limit = 8 })
        assert.is_true(found.right >= 95, "right: " .. found.right)
      end
    end)

    it("each attempt is sent once, over HTTP/" .. version, function()
      local label, attempts = core.uuid(), 0
      local made = client("records=1; times=2; chance=0.3; status=503; label=" .. label, options)
      local results = pcapi.concurrent(repeated(function()
        local response = assert(made:request("GET", PATH))
        attempts = attempts + response.attempts
        return response
      end, 100), { limit = LIMIT })
      assert.equal(0, results.failed)
      assert.equal(attempts, gauge(label).requests)
      assert.is_true(attempts > 100)
    end)

    it("no call is lost if the server is killed or restarted, over HTTP/" .. version, function()
      local found = endure("delay=0.05", options, { limit = LIMIT, progress = function(done)
        if done == 20 then
          os.execute(BARE .. "pkill -KILL -P " .. PID)
        elseif done == 60 then
          os.execute("kill -HUP " .. PID)
        end
      end })
      assert.same({ right = 100 }, found)
      await_workers()
    end)
  end
end)

describe("a run that is stopped", function()
  it("keeps its results so far, and stops the other tasks", function()
    local tasks = tasks_of(60, "delay=0.3")
    local results
    local seconds = seconds_of(function()
      results = pcapi.concurrent(tasks, { limit = 10, progress = function(done, total, loop)
        assert.equal(60, total)
        if done == 20 then
          loop:stop()
        end
      end })
    end)
    local found = outcomes(results)
    assert.equal("stopped", results.stopped)
    assert.is_true(found.right >= 20 and found.right <= 30, "right: " .. found.right)
    assert.equal(60, found.right + found.stopped)
    assert.equal(found.stopped, results.failed)
    assert.is_true(seconds < 1.5)
  end)

  it("ends tasks that sleep, and tasks that wait for a slot", function()
    local loop, added = assert(pcapi.concurrent.new { limit = 10 }), {}
    for i = 1, 25 do
      added[i] = loop:add(small(i <= 5 and "status=429; error=C; retry_after=15" or "delay=15"))
    end
    local started = core.now()
    while core.now() < started + 0.4 do
      assert.equal(25, loop:step(0.05))
    end
    loop:stop()
    loop:run()
    loop:close()
    for _, task in ipairs(added) do
      assert.equal("stopped", task.err.kind)
    end
    assert.is_true(core.now() - started < 5)
  end)

  it("by Ctrl-C ends at once with its results so far", function()
    local script = files.temporary()
    local file = assert(io.open(script, "w"))
    file:write [[
      local pcapi = require "pcapi"
      local sandbox = require "spec.support.sandbox"
      local tasks = {}
      for i = 1, 40 do
        local client = sandbox.client("records=1; delay=" .. (i % 2 == 0 and 30 or 0))
        tasks[i] = function() return client.security:non_mfa_principals() end
      end
      local results = pcapi.concurrent(tasks)
      local right, kinds = 0, {}
      for i = 1, 40 do
        right = right + (results[i].value and 1 or 0)
        kinds[results[i].err and results[i].err.kind or "none"] = true
      end
      print(results.stopped, right, results.failed, kinds.stopped, require "pcapi.core".live())
    ]]
    file:close()
    local seconds = seconds_of(function()
      local ran = sandbox.shell("env --default-signal=INT timeout --foreground -s INT 1 "
        .. sandbox.lua .. " " .. script)
      assert.equal("interrupted\t20\t20\ttrue\t0\n", ran.out, ran.err)
    end)
    os.remove(script)
    assert.is_true(seconds < 5)
  end)
end)

describe("the sandbox of these specs", function()
  it("had no error of its own", function()
    local log = files.slurp((sandbox.ca_file:gsub("[^/]+$", "error.log")))
    assert.is_nil(log:match "lua entry thread aborted[^\n]*")
  end)
end)
