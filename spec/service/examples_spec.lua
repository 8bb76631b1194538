--- The programs in examples/, run as they stand there, and what they rest on: a loop of
-- pcapi that another loop drives.
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local homes = require "spec.support.home"
local pcapi = require "pcapi"
local sandbox = require "spec.support.sandbox"

local function has(module)
  return sandbox.shell(("%s -e 'require \"%s\"'"):format(sandbox.lua, module)).status == 0
end

-- A spec that needs a module of Debian's, which serves all Luas there.
local function it_with(module, name, body)
  if has(module) then
    it(name, body)
  else
    pending(("%s: lua-%s is not there for %s"):format(name, module, sandbox.lua))
  end
end

local function seconds_of(body)
  local started = core.now()
  body()
  return core.now() - started
end

for _, name in ipairs { "luv", "cqueues" } do
  describe("examples/" .. name .. ".lua", function()
    -- The days that it lists, and how often its ticker ticked.
    local function run(scenario)
      local result = sandbox.shell(("PCAPI_TOKEN=%s %s examples/%s.lua"):format(
        sandbox.token { scenario = scenario }, sandbox.lua, name))
      assert.same({ 0, "" }, { result.status, result.err })
      local days = {}
      for day, said in result.out:gmatch "(%d+%-%d+%-%d+)\t([^\n]+)" do
        assert.is_nil(days[day])
        days[day] = said
      end
      return days, tonumber(result.out:match "ticked (%d+) times")
    end

    local function count(days, pattern)
      local found = 0
      for _, said in pairs(days) do
        found = found + (said:find(pattern) and 1 or 0)
      end
      return found
    end

    it_with(name, "requests 20 days at once, while its ticker ticks", function()
      local days, ticks
      local seconds = seconds_of(function()
        days, ticks = run "delay=0.3"
      end)
      assert.equal(20, count(days, "^%d+ of %d+ requests with MFA$"))
      assert.is_true(count(days, "^[1-9]") >= 6) -- the sandbox knows a week
      assert.is_true(seconds < 4, ("%.2f s; 6 s one by one"):format(seconds))
      assert.is_true(ticks >= 10, ticks .. " ticks")
    end)

    it_with(name, "ticks on while calls sleep before they try again", function()
      local days, ticks
      local seconds = seconds_of(function()
        days, ticks = run "throttled"
      end)
      assert.equal(20, count(days, "^%d+ of %d+ requests with MFA$"))
      assert.is_true(seconds >= 2 and seconds < 8)
      assert.is_true(ticks >= 20, ticks .. " ticks")
    end)

    it_with(name, "says what went wrong with a day", function()
      local days = run "forbidden"
      assert.equal(20, count(days, "^forbidden: "))
    end)
  end)
end

describe("examples/tenants.lua", function()
  local home

  local function run(command)
    return sandbox.shell(("export HOME=%s; unset XDG_STATE_HOME XDG_CONFIG_HOME PCAPI_TOKEN; %s")
      :format(home, command))
  end

  local function example(names)
    return run(sandbox.lua .. " examples/tenants.lua " .. (names or ""))
  end

  setup(function()
    home = curl.shell("mktemp -d"):match "%S+"
    for _, name in ipairs { "contoso", "fabrikam" } do
      local result = run(("%s bin/pcapi --profile %s login --tenant %s.example --client-id %s")
        :format(sandbox.lua, name, name, homes.CLIENT))
      assert.equal(0, result.status, result.err)
    end
  end)

  teardown(function()
    os.execute("rm -rf " .. home)
  end)

  it("writes a line for each profile, and its progress to standard error", function()
    local result = example()
    assert.same({ 0, "contoso\t25 users without MFA\nfabrikam\t25 users without MFA\n" },
      { result.status, (result.out:gsub("\t%d+", "\t25")) })
    assert.equal("\r1 of 2 tenants\r2 of 2 tenants\n", result.err)
  end)

  it("names a tenant that failed and ends with status 3", function()
    local result = example "nobody contoso"
    assert.equal(3, result.status)
    assert.truthy(result.out:find "^contoso\t%d+ users without MFA\n$")
    assert.truthy(result.err:find "\nnobody: sign_in_required: ")
  end)

  it("writes its results so far after Ctrl-C, and ends with status 130", function()
    local result = run(("%s bin/pcapi --profile slow login --tenant a.example --client-id %s"
      .. " --login-url $PCAPI_SANDBOX_URL/login/scenario=delay%%3D20"):format(sandbox.lua,
        homes.CLIENT))
    assert.equal(0, result.status, result.err)
    result = run(("env --default-signal=INT timeout --preserve-status --foreground -s INT 2 %s"
      .. " examples/tenants.lua slow contoso"):format(sandbox.lua))
    assert.equal(130, result.status)
    assert.truthy(result.out:find "^contoso\t%d+ users without MFA\n$")
    assert.truthy(result.err:find "\nslow: stopped: ")
  end)

  it("ends with status 1 when all failed", function()
    local result = example "nobody nothing"
    assert.same({ 1, "" }, { result.status, result.out })
  end)
end)

-- Drives a loop by its descriptor and its timeout alone, and returns when all is done.
local DRIVERS = {
  luv = function(loop)
    local uv = require "luv"
    local poll, timer = uv.new_poll(loop:pollfd()), uv.new_timer()
    local function step()
      if loop:step(0) == 0 then
        poll:close()
        timer:close()
        return
      end
      local seconds = loop:timeout()
      if seconds then
        timer:start(math.ceil(seconds * 1000), 0, step)
      else
        timer:stop()
      end
    end
    poll:start("r", step)
    step()
    uv.run()
  end,
  cqueues = function(loop)
    local cqueues = require "cqueues"
    local main = cqueues.new()
    main:wrap(function()
      while loop:step(0) > 0 do
        cqueues.poll(loop)
      end
      cqueues.cancel(loop:pollfd())
    end)
    assert(main:loop())
  end,
}

describe("examples/history.lua", function()
  local home

  before_each(function()
    home = curl.shell("mktemp -d"):match "%S+"
  end)

  after_each(function()
    os.execute("rm -rf " .. home)
  end)

  local function run(scenario)
    return sandbox.shell(("PCAPI_TOKEN=%s %s examples/history.lua %s/history.sqlite"):format(
      sandbox.token { scenario = scenario }, sandbox.lua, home))
  end

  it("prints the number of users first, and then what changed", function()
    local result = run "records=3"
    assert.same({ 0, "3 users without MFA\n", "" }, { result.status, result.out, result.err })
    result = run "records=3"
    assert.same({ 0, "", "" }, { result.status, result.out, result.err })
    result = run "records=4"
    assert.same({ 0, "" }, { result.status, result.err })
    assert.truthy(result.out:find "^new\t[^\t]+\t[^\n]+\n$", result.out)
  end)

  it("ends with status 1 if the service failed, and forgets nobody", function()
    assert.equal(0, run("records=3").status)
    local result = run "status=403"
    assert.equal(1, result.status)
    assert.truthy(result.err:find "^forbidden: ", result.err)
    assert.equal("", run("records=3").out)
  end)
end)

describe("a loop that another loop drives", function()
  local loop

  after_each(function()
    loop:close()
  end)

  local function listing(settings, options)
    local client = sandbox.client(settings, options)
    return function()
      return client.security:non_mfa_principals()
    end
  end

  for name, drive in pairs(DRIVERS) do
    for _, version in ipairs { "1.1", "2" } do
      it_with(name, ("by %s runs all tasks on time, over HTTP/%s"):format(name, version),
        function()
          loop = assert(pcapi.concurrent.new { limit = 20, rate = 400 })
          local act = listing("records=30; page=10; status=503; chance=0.1; times=1",
            { http_version = version })
          local tasks = {}
          for i = 1, 100 do
            tasks[i] = loop:add(act)
          end
          local seconds = seconds_of(function()
            drive(loop)
          end)
          for _, task in ipairs(tasks) do
            assert.equal(30, #assert(task.value, task.err))
          end
          assert.is_true(seconds < 6, ("%.2f s"):format(seconds))
        end)
    end
  end

  it("has no timeout if there is nothing to do", function()
    loop = assert(pcapi.concurrent.new())
    assert.equal(0, loop:step(0))
    assert.is_nil(loop:timeout())
    assert.equal("r", loop:events())
  end)

  it("is due at once when a task is added", function()
    loop = assert(pcapi.concurrent.new())
    loop:add(function() end)
    assert.equal(0, loop:timeout())
  end)

  it("is due at once when it was stopped", function()
    loop = assert(pcapi.concurrent.new())
    local task = loop:add(listing "delay=15")
    loop:step(0.1)
    assert.is_true(loop:timeout() > 0)
    loop:stop()
    assert.equal(0, loop:timeout())
    assert.equal(0, loop:step(0))
    assert.equal("stopped", task.err.kind)
  end)

  it("is due when the rate allows the next request, however late the caller checks", function()
    loop = assert(pcapi.concurrent.new { rate = 5 })
    loop:add(listing "records=20; page=10")
    local patience = core.now() + 5
    repeat
      loop:step(0)
      local seconds = loop:timeout()
      core.sleep(seconds and math.min(seconds, 0.01) or 0.01)
      assert.is_true(core.now() < patience)
    until loop.scheduler.slots.count == 1
    core.sleep(0.3)
    assert.equal(0, loop:timeout())
    loop:stop()
    loop:step(0)
  end)

  -- libcurl may see the end of a stream without an event. With poll() the descriptor reports
  -- nothing, so the loop is due soon
  it("is due within a second while a request is in flight", function()
    local shortest = core.build.events == "poll" and 0.002 or 0.5
    loop = assert(pcapi.concurrent.new())
    loop:add(listing "delay=15")
    local patience = core.now() + 5
    while core.now() < patience and (loop:timeout() or 0) < shortest do
      loop:step(0.05)
    end
    assert.is_true(loop:timeout() >= shortest and loop:timeout() <= 1)
    loop:stop()
    loop:step(0)
  end)
end)

describe("a loop that is closed", function()
  it("says so at the caller's line", function()
    local loop = assert(pcapi.concurrent.new())
    loop:close()
    loop:close()
    for _, name in ipairs { "add", "step", "run", "pollfd", "timeout" } do
      local ok, message = pcall(function()
        local result = loop[name](loop, name == "add" and print or nil)
        return result
      end)
      assert.is_false(ok)
      assert.truthy(message:find("examples_spec.lua:%d+: the loop is closed; make another"))
    end
  end)
end)

describe("the folder examples/", function()
  it("holds no program that no spec runs", function()
    -- the transport is run by spec/service/nginx/docs_spec.lua
    assert.same({
      "examples/cqueues.lua", "examples/history.lua", "examples/luv.lua",
      "examples/resty_http.lua", "examples/tenants.lua",
    }, files.lines_of "ls examples/*.lua")
  end)
end)
