-- A loop that the user has made: several runs, single steps, another event loop, and closing.
local fake_loop = require "spec.support.fake_loop"
local raises = require "spec.support.raises"

local get, sent = fake_loop.get, fake_loop.sent
local stopped_of, tasks_of = fake_loop.stopped_of, fake_loop.tasks_of
local core, concurrent, transport

before_each(function()
  core, concurrent, transport = fake_loop.install()
end)

after_each(fake_loop.restore)

describe("a loop", function()
  it("runs tasks that are added while it runs, and waits for them", function()
    local loop = concurrent.new()
    local added
    local results = loop:run { function()
      added = loop:add(function() return get() end)
      return "first"
    end }
    assert.equal("first", results[1].value)
    assert.equal(1, #results)
    assert.is_true(added.done)
    assert.equal(200, added.value.status)
  end)

  it("runs tasks that were added before, without further tasks", function()
    local loop = concurrent.new()
    local task = loop:add(function() return get() end)
    assert.is_false(task.done)
    assert.same({ failed = 0 }, loop:run())
    assert.equal(200, task.value.status)
  end)

  it("begins no task before its first step", function()
    local loop = concurrent.new()
    loop:add(function() return get() end)
    assert.same({}, core.sent)
    loop:step()
    assert.equal(1, #core.sent)
  end)

  it("uses its connections again in the next run", function()
    local loop = concurrent.new { limit = 3 }
    for _ = 1, 3 do
      assert.equal(0, loop:run(tasks_of(9, function() return get() end)).failed)
    end
    assert.equal(1, #core.pools)
    assert.equal(3, #core.sessions)
  end)

  it("runs again after it was stopped", function()
    local loop = concurrent.new { limit = 2 }
    core.respond = function() return { takes = 5 } end
    local results = loop:run(tasks_of(20, function(i)
      if i == 3 then
        loop:stop()
      end
      return get()
    end))
    assert.equal("stopped", results.stopped)
    results = loop:run(tasks_of(20, function() return get() end))
    assert.equal(0, results.failed)
    assert.is_nil(results.stopped)
    assert.equal(2, core.most)
    assert.equal("pcapi.concurrent (0 of at most 2 requests, 0 tasks)", tostring(loop))
  end)

  it("runs again after an error in the progress function", function()
    local loop = concurrent.new { limit = 2 }
    pcall(loop.run, loop, tasks_of(5, function() return get() end),
      { progress = function() error "mine" end })
    local results = loop:run(tasks_of(5, function() return get() end))
    assert.equal(0, results.failed)
    assert.is_nil(results.stopped)
  end)

  it("is not stopped by a stop without tasks", function()
    local loop = concurrent.new()
    loop:stop()
    local results = loop:run { function() return get() end }
    assert.equal(0, results.failed)
    assert.is_nil(results.stopped)
  end)

  it("waits no longer in a step than the given time", function()
    core.respond = function() return { takes = 100 } end
    local loop = concurrent.new()
    loop:add(function() return get "" end)
    assert.equal(1, loop:step())
    assert.equal(1000, core.time)
    assert.equal(1, loop:step(0.5))
    assert.equal(1000.5, core.time)
  end)

  it("can make steps within a task of another loop", function()
    local inner = concurrent.new()
    local results = concurrent { function()
      local task = inner:add(function() return get "inner" end)
      while inner:step(1) > 0 do end -- luacheck: ignore 542
      return task.value and get "outer"
    end }
    assert.equal(200, results[1].value.status)
    assert.equal("inner outer", sent())
  end)

  it("shows its number of requests and tasks as text", function()
    local loop = concurrent.new { limit = 5 }
    loop:add(function() return get() end)
    loop:step()
    assert.equal("pcapi.concurrent (1 of at most 5 requests, 1 tasks)", tostring(loop))
  end)
end)

describe("a loop within another event loop", function()
  it("has a descriptor to be polled for reading", function()
    local loop = concurrent.new()
    assert.equal(7, loop:pollfd())
    assert.equal("r", loop:events())
  end)

  it("has no timeout without tasks", function()
    assert.is_nil(concurrent.new():timeout())
  end)

  it("wants a step at once if a task has not begun", function()
    local loop = concurrent.new()
    loop:add(function() end)
    assert.equal(0, loop:timeout())
  end)

  it("wants a step when the first sleeping task wakes", function()
    local loop = concurrent.new()
    loop:add(function() return transport:sleep(7) end)
    loop:add(function() return transport:sleep(3) end)
    loop:step()
    assert.equal(3, loop:timeout())
    core.time = core.time + 1
    assert.equal(2, loop:timeout())
    core.time = core.time + 10
    assert.equal(0, loop:timeout())
  end)

  it("wants a step when the rate allows a request, and at a deadline in the queue", function()
    local loop = concurrent.new { rate = 0.1 }
    loop:add(function() return transport:sleep(1) and get("", 4) end)
    loop:run { function() return get() end }
    assert.near(1005, core.time, 0.01)
    loop:add(function() return get() end)
    assert.near(1010 - core.time, loop:timeout(), 0.03)
    loop = concurrent.new { rate = 0.1 }
    loop:add(function() return transport:sleep(1) and get("", 4) end)
    loop:add(function() return get() end)
    for _ = 1, 6 do
      loop:step(1)
    end
    assert.near(core.time + loop:timeout(), core.sent[2].time + 5, 0.01)
  end)

  it("wants a step when libcurl does, if that is earlier", function()
    local loop = concurrent.new()
    loop:add(function() return transport:sleep(7) end)
    loop:step()
    core.pool_timeout = 2
    assert.equal(2, loop:timeout())
    core.pool_timeout = 20
    assert.equal(7, loop:timeout())
  end)

  it("wants a step at once after a stop, and while responses wait for decoding", function()
    local loop = concurrent.new()
    loop:add(function() return get() end)
    loop:step()
    loop:step(1)
    assert.equal(0, loop:timeout())
    loop:stop()
    assert.equal(0, loop:timeout())
  end)
end)

describe("a loop that is closed", function()
  it("drops its tasks, and cancels the requests in flight", function()
    core.respond = function() return { takes = 100 } end
    local loop = concurrent.new { limit = 1 }
    local in_flight = loop:add(function() return get() end)
    local asleep = loop:add(function() return transport:sleep(1000) end)
    loop:step()
    local pending = loop:add(function() return get() end)
    loop:close()
    for _, task in ipairs { in_flight, asleep, pending } do
      assert.is_true(task.done)
      assert.equal("stopped", task.err.kind)
    end
    assert.equal(0, core.running)
    assert.is_true(core.pools[1].closed)
    assert.equal(1, #core.sent)
  end)

  it("by one of its tasks, or by the progress function, ends its run like a stop", function()
    for _, by_progress in ipairs { false, true } do
      core.respond = function(_, number) return { takes = number } end
      local loop = concurrent.new { limit = 2 }
      local results = loop:run(tasks_of(10, function(i)
        local response, err = get()
        if i == 2 and not by_progress then
          loop:close()
        end
        return response, err
      end), { progress = by_progress and function() loop:close() end or nil })
      assert.equal("stopped", results.stopped)
      assert.is_true(stopped_of(results) >= 7)
      for _, session in ipairs(core.sessions) do
        assert.is_true(session.closed)
      end
    end
  end)

  it("can be closed again, but not used any more", function()
    local loop = concurrent.new()
    loop:run { function() return get() end }
    loop:close()
    loop:close()
    for _, method in ipairs { "add", "step", "run", "pollfd", "timeout" } do
      raises(function() loop[method](loop, method == "add" and print or nil) end,
        "the loop is closed; make another")
    end
    assert.equal(1, #core.pools)
  end)
end)
