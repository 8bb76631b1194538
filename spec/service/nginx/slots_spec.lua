--- How many exchanges a worker of nginx has in flight, and what becomes of those beyond.
local core = require "pcapi.core"
local nginx = require "spec.support.nginx"
local pcapi = require "pcapi"
local sandbox = require "spec.support.sandbox"
local workers = require "spec.support.workers"

local server

after_each(nginx.stop_all)

-- `call` takes settings of the sandbox, and tells how many users came, or the error.
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

local function gauge(label)
  return assert(pcapi.fetch(sandbox.url .. "/_sandbox/gauge?label=" .. label,
                            sandbox.fetch_options())).json
end

local function all_gave(expected, results)
  for _, result in ipairs(results) do
    assert.equal(expected, result.values[1])
  end
end

local function seconds_of(act)
  local started = core.now()
  act()
  return core.now() - started
end

-- Begins a request whose client goes away after so many seconds.
local function begin_aborted(code, seconds)
  return server:begin({ "/run" }, { body = code, timeout = seconds })
end

describe("exchanges of a worker", function()
  it("are as many as the limit at once, and the rest wait", function()
    local label = core.uuid()
    start "pcapi.limit(7)"
    all_gave(2, server:run_all(50, ("return call 'records=2; delay=0.03; label=%s'"):format(label)))
    local seen = gauge(label)
    assert.same({ 50, 7 }, { seen.requests, seen.most_at_once })
  end)

  it("are 64 at once when nothing is said, each worker for itself", function()
    local label = core.uuid()
    start(nil, { workers = 2 })
    local results = server:run_all(200, ("return call 'records=2; delay=0.3; label=%s'")
      :format(label))
    all_gave(2, results)
    local most = gauge(label).most_at_once
    assert.is_true(most > 64 and most <= 128, most .. " at once")
  end)

  for count, seconds in pairs { [150] = 3, [500] = 6 } do
    it("are all served, " .. count .. " that come at once", function()
      start()
      assert.is_true(seconds_of(function()
        all_gave(2, server:run_all(count, "return call 'records=2; delay=0.1'"))
      end) < seconds)
    end)
  end

  it("have their turn in the order in which they came, also after a long wait", function()
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

  it("wait no longer than their deadline", function()
    start "pcapi.limit(2)"
    local slow = server:begin_runs(2, "return call 'records=2; delay=1.5'")
    os.execute "sleep 0.3"
    local said
    local seconds = seconds_of(function()
      said = server:run "return call(nil, { timeout = 0.4 })"
    end)
    assert.is_true(seconds > 0.3 and seconds < 1, ("%.2f s"):format(seconds))
    assert.truthy(said:find "^timeout: timed out while waiting for a free slot: ", said)
    assert.truthy(said:find(" 2 requests", 1, true), said)
    assert.truthy(said:find("pcapi.limit", 1, true), said)
    all_gave(2, slow.finish())
    assert.equal(25, server:run "return call()") -- who gave up takes no place
  end)

  it("give their place back however they end", function()
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

describe("a request that its client gives up", function()
  local ABORTS = { http = "lua_check_client_abort on; resolver 127.0.0.1:1;" }

  local function is_served_soon(code, seconds)
    local said
    local took = seconds_of(function()
      said = server:run(code or "return call 'records=2'")
    end)
    assert.equal(2, said)
    assert.is_true(took < (seconds or 1.5), ("%.2f s"):format(took))
  end

  it("gives back its place while it waits for the answer", function()
    start("pcapi.limit(1)", ABORTS)
    begin_aborted("return call 'delay=30'", 0.3):finish()
    is_served_soon()
  end)

  it("gives back its place while a name is looked up", function()
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
    all_gave(2, slow.finish())
    is_served_soon()
  end)

  it("takes no place with it, 100 times at once", function()
    start("pcapi.limit(5)", ABORTS)
    local paths = {}
    for i = 1, 100 do
      paths[i] = "/run"
    end
    server:begin(paths, { body = "return call 'records=2; delay=0.5'", timeout = 0.7 }):finish()
    local label = core.uuid()
    all_gave(2, server:run_all(20, ("return call 'records=2; delay=0.1; label=%s'"):format(label)))
    assert.equal(5, gauge(label).most_at_once)
  end)

  it("leaves those alone that are not given up", function()
    local label = core.uuid()
    start("pcapi.limit(3)", ABORTS)
    local slow = server:begin_runs(3, ("return call 'records=2; delay=2; label=%s'"):format(label))
    os.execute "sleep 0.2"
    all_gave(2, server:run_all(3, ("return call 'records=2; label=%s'"):format(label)))
    all_gave(2, slow.finish())
    assert.equal(3, gauge(label).most_at_once)
  end)
end)

describe("a task that is killed", function()
  it("gives back its place", function()
    start "pcapi.limit(1)"
    assert.equal(2, server:run [[
      local thread = ngx.thread.spawn(call, "delay=30")
      ngx.sleep(0.2)
      ngx.thread.kill(thread)
      return call("records=2", { timeout = 2 })
    ]])
  end)
end)

describe("the limit", function()
  it("is a whole number from 1 on, or the caller's mistake", function()
    start()
    for _, limit in ipairs { "0", "-1", "1.5", '"5"', "nil", "0/0", "math.huge" } do
      local said = server:run(([[return select(2, pcall(function()
        pcapi.limit(%s)
      end))]]):format(limit))
      assert.truthy(said:find('^%[string "spec"%]:2: pcapi.limit takes a whole number'), said)
    end
  end)
end)
