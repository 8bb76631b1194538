--- Slots of a worker: how many requests it sends at once.
local core = require "pcapi.core"
local fetching = require "spec.support.fetching"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"
local workers = require "spec.support.workers"

local all_return, seconds_of = workers.all_return, fetching.seconds_of

local server

after_each(nginx.stop_all)

-- Its Lua has `call`, which takes settings of the sandbox, and returns the number of users or the
-- error.
local function start(init, options)
  server = workers.start(sandbox.merged({ init = ([[
    local address, token = %q, %q
    function call(settings, options)
      options = options or {}
      local client = pcapi.new { base_url = address, token = token, retry = { attempts = 1 },
        timeout = options.timeout, connect_timeout = options.connect_timeout,
        headers = { ["X-Sandbox"] = settings or false } }
      local users, err = client.security:non_mfa_principals()
      return users and #users or tostring(err)
    end
    %s
  ]]):format(sandbox.url, sandbox.token(), init or "") }, options))
end

-- Sends a request that is aborted after so many seconds.
local function begin_aborted(code, seconds)
  return server:begin({ "/run" }, { body = code, timeout = seconds })
end

describe("requests of a worker", function()
  it("are no more at once than pcapi.limit says", function()
    local label = core.uuid()
    start "pcapi.limit(7)"
    all_return(2, server:run_all(50, ("return call 'records=2; delay=0.03; label=%s'")
      :format(label)))
    local gauge = fetching.gauge(label)
    assert.same({ 50, 7 }, { gauge.requests, gauge.most_at_once })
  end)

  it("are 64 at once by default, in each worker", function()
    local label = core.uuid()
    start(nil, { workers = 2 })
    local results = server:run_all(200, ("return call 'records=2; delay=0.3; label=%s'")
      :format(label))
    all_return(2, results)
    local most = fetching.gauge(label).most_at_once
    assert.is_true(most > 64 and most <= 128, most .. " at once")
  end)

  for count, seconds in pairs { [150] = 3, [500] = 6 } do
    it("all succeed if there are " .. count .. " at once", function()
      start()
      assert.is_true(seconds_of(function()
        all_return(2, server:run_all(count, "return call 'records=2; delay=0.1'"))
      end) < seconds)
    end)
  end

  it("are sent in order of arrival, even after a long wait", function()
    start "pcapi.limit(1)"
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8 }, server:run [[
      local order, threads = {}, {}
      for i = 1, 8 do
        threads[i] = ngx.thread.spawn(function()
          call "records=1; delay=0.2"
          order[#order + 1] = i
        end)
      end
      for i = 1, 8 do
        ngx.thread.wait(threads[i])
      end
      return order
    ]])
  end)

  it("time out while they wait for a slot", function()
    start "pcapi.limit(2)"
    local slow = server:begin_runs(2, "return call 'records=2; delay=1.5'")
    os.execute "sleep 0.3"
    local err
    local seconds = seconds_of(function()
      err = server:run "return call(nil, { timeout = 0.4 })"
    end)
    assert.is_true(seconds > 0.3 and seconds < 1.3, ("%.2f s"):format(seconds))
    assert.matches("^timeout: timed out while waiting for a free slot: .* sending 2 requests", err)
    assert.matches("pcapi.limit", err, 1, true)
    all_return(2, slow.finish())
    assert.equal(25, server:run "return call()") -- the one that timed out takes no slot
  end)

  it("free their slots however they end", function()
    start "pcapi.limit(1)"
    for _, settings in ipairs { "cut=headers", "cut=body", "status=500", "body=huge",
                                "bigheaders=100000", "delay=5" } do
      server:run(("return call(%q, { timeout = 0.3 })"):format(settings))
      server:run [[return tostring(select(2, pcapi.fetch "https://nowhere.invalid/"))]]
      server:run [[return tostring(select(2, pcapi.fetch "https://127.0.0.1:1/"))]]
    end
    assert.is_true(seconds_of(function()
      assert.equal(25, server:run "return call(nil, { timeout = 0.4 })")
    end) < 0.4)
  end)
end)

describe("a request that is aborted", function()
  local ABORTS = { http = "lua_check_client_abort on; resolver 127.0.0.1:1;" }

  local function is_served_soon(code, seconds)
    local result
    local took = seconds_of(function()
      result = server:run(code or "return call 'records=2'")
    end)
    assert.equal(2, result)
    assert.is_true(took < (seconds or 1.5), ("%.2f s"):format(took))
  end

  it("frees its slot while it waits for the response", function()
    start("pcapi.limit(1)", ABORTS)
    begin_aborted("return call 'delay=30'", 0.3):finish()
    is_served_soon()
  end)

  it("frees its slot while a name is looked up", function()
    start("pcapi.limit(1)", ABORTS)
    begin_aborted("return pcapi.fetch('https://slow.example/', { connect_timeout = 1 })", 0.3)
      :finish()
    is_served_soon(nil, 2)
  end)

  it("leaves the queue", function()
    start("pcapi.limit(1)", ABORTS)
    local slow = server:begin_runs(1, "return call 'records=2; delay=1'")
    os.execute "sleep 0.2"
    local aborted = {}
    for i = 1, 20 do
      aborted[i] = begin_aborted("return call 'records=2'", 0.3)
    end
    is_served_soon()
    for _, one in ipairs(aborted) do
      one:finish()
    end
    all_return(2, slow.finish())
    is_served_soon()
  end)

  it("frees its slot even if 100 are aborted at once", function()
    start("pcapi.limit(5)", ABORTS)
    local paths = {}
    for i = 1, 100 do
      paths[i] = "/run"
    end
    server:begin(paths, { body = "return call 'records=2; delay=0.5'", timeout = 0.7 }):finish()
    local label = core.uuid()
    all_return(2, server:run_all(20, ("return call 'records=2; delay=0.1; label=%s'")
      :format(label)))
    assert.equal(5, fetching.gauge(label).most_at_once)
  end)

  it("does not affect requests that go on", function()
    local label = core.uuid()
    start("pcapi.limit(3)", ABORTS)
    local slow = server:begin_runs(3, ("return call 'records=2; delay=2; label=%s'"):format(label))
    os.execute "sleep 0.2"
    all_return(2, server:run_all(3, ("return call 'records=2; label=%s'"):format(label)))
    all_return(2, slow.finish())
    assert.equal(3, fetching.gauge(label).most_at_once)
  end)
end)

describe("a thread that is killed", function()
  it("frees its slot", function()
    start "pcapi.limit(1)"
    assert.equal(2, server:run [[
      local thread = ngx.thread.spawn(call, "delay=30")
      ngx.sleep(0.2)
      ngx.thread.kill(thread)
      return call("records=2", { timeout = 2 })
    ]])
  end)
end)

describe("pcapi.limit", function()
  it("raises at the caller's line unless it gets a whole number from 1 on", function()
    start()
    for _, limit in ipairs { "0", "-1", "1.5", '"5"', "nil", "0/0", "math.huge" } do
      local message = server:run(([[return select(2, pcall(function()
        pcapi.limit(%s)
      end))]]):format(limit))
      assert.matches('^%[string "spec"%]:2: pcapi.limit takes a whole number', message)
    end
  end)
end)
