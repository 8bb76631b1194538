-- Runs that are stopped: by a task, by progress, from outside, or by Ctrl-C.
local fake_loop = require "spec.support.fake_loop"

local get, stopped_of, tasks_of = fake_loop.get, fake_loop.stopped_of, fake_loop.tasks_of
local core, concurrent, transport

before_each(function()
  core, concurrent, transport = fake_loop.install()
end)

after_each(fake_loop.restore)

describe("a run that is stopped", function()
  -- Runs tasks with two requests each. When `stop` is called, some have ended, some have a request
  -- in flight, and some have not begun.
  local function run(stop, options)
    core.respond = function(_, number) return { takes = number } end
    local all = options or {}
    all.limit = all.limit or 3
    return concurrent(tasks_of(10, function(i, loop)
      local response, err = get(i .. "a")
      if not response then
        return nil, err
      end
      stop(i, loop)
      response, err = get(i .. "b")
      return response, err
    end), all)
  end

  it("by a task keeps the results so far and cancels the rest", function()
    local results = run(function(i, loop)
      if i == 3 then
        loop:stop()
      end
    end)
    assert.equal("stopped", results.stopped)
    assert.equal(10, stopped_of(results))
    assert.equal(10, results.failed)
    assert.equal(0, core.running)
    assert.matches("run of tasks was stopped", tostring(results[10].err))
    assert.truthy(results[1].err.hint)
  end)

  it("by progress keeps the results so far", function()
    local reported = 0
    local results = concurrent(tasks_of(10, function() return get() end), {
      limit = 2,
      progress = function(done, total, loop)
        reported = reported + 1
        assert.equal(reported, done)
        assert.equal(10, total)
        if done == 4 then
          loop:stop()
        end
      end,
    })
    assert.equal("stopped", results.stopped)
    assert.equal(10, reported)
    assert.equal(200, results[1].value.status)
    assert.is_true(stopped_of(results) >= 4)
    assert.is_true(stopped_of(results) <= 6)
    assert.equal("stopped", results[10].err.kind)
  end)

  it("from outside ends its tasks in the next steps", function()
    core.respond = function() return { takes = 100 } end
    local loop = concurrent.new { limit = 2 }
    local task = loop:add(function() return get() end)
    loop:step(1)
    assert.is_false(task.done)
    loop:stop()
    for _ = 1, 3 do
      loop:step(1)
    end
    assert.equal("stopped", task.err.kind)
    assert.equal(0, core.running)
    assert.equal(0, loop:step(0))
  end)

  it("before it begins sends nothing", function()
    local loop = concurrent.new()
    loop:add(function() return get() end)
    loop:stop()
    local results = loop:run { function() return get() end }
    assert.equal("stopped", results[1].err.kind)
    assert.equal("stopped", results.stopped)
    assert.same({}, core.sent)
  end)

  it("at the first error with stop_on_error", function()
    core.respond = function(request)
      return request.url:find "4$" and { kind = "network" } or {}
    end
    local results = concurrent(tasks_of(20, function(i) return get(tostring(i)) end),
      { limit = 2, stop_on_error = true })
    assert.equal("network", results[4].err.kind)
    assert.equal("stopped", results.stopped)
    assert.equal(200, results[3].value.status)
    assert.is_true(stopped_of(results) >= 14)
  end)

  it("at the first error begins no other task", function()
    local begun = 0
    concurrent(tasks_of(20, function()
      begun = begun + 1
      error "at once"
    end), { stop_on_error = true })
    assert.equal(1, begun)
  end)

  it("keeps a response that had come but was not decoded", function()
    -- all responses come at once; the first to be decoded stops the run
    local results = concurrent(tasks_of(5, function(_, loop)
      local response, err = get()
      loop:stop()
      return response, err
    end))
    assert.equal(0, results.failed)
    assert.equal("stopped", results.stopped)
  end)

  it("drops a task that makes calls again and again", function()
    local refused = 0
    local results = concurrent { function(loop)
      loop:stop()
      while true do
        local response, err = get()
        if not response and err.kind == "stopped" then
          refused = refused + 1
        end
      end
    end }
    assert.equal("stopped", results[1].err.kind)
    assert.is_true(refused >= 99 and refused <= 101)
    assert.same({}, core.sent)
  end)

  it("drops a task that sleeps again and again, and one that only yields", function()
    local results = concurrent {
      function()
        while true do
          transport:sleep(1)
        end
      end,
      function()
        for _ = 1, 1e4 do
          core.time = core.time + 0.001
          coroutine.yield()
        end
      end,
      function(loop)
        transport:sleep(5)
        loop:stop()
      end,
    }
    assert.equal("stopped", results[1].err.kind)
    assert.equal("stopped", results[2].err.kind)
  end)

  it("lets a task clean up", function()
    local ordered
    local results = concurrent { function(loop)
      loop:add(function() loop:stop() end)
      local response, err = get()
      transport:sleep(1)
      ordered = true
      return response, err
    end }
    assert.is_true(ordered)
    assert.equal("stopped", results[1].err.kind)
  end)

  it("drops tasks that are added later", function()
    local late
    local loop = concurrent.new()
    loop:run { function()
      loop:stop()
      get()
      late = loop:add(function() error "must not begin" end)
    end }
    assert.is_true(late.done)
    assert.equal("stopped", late.err.kind)
  end)

  it("by Ctrl-C says so, keeps the results so far and raises nothing", function()
    core.respond = function(_, number) return { takes = number } end
    core.during_wait = function()
      if core.time > 1002 then
        core.during_wait = nil
        error("interrupted!", 0)
      end
    end
    local results = concurrent(tasks_of(10, function() return get() end), { limit = 3 })
    assert.equal("interrupted", results.stopped)
    assert.equal(200, results[1].value.status)
    assert.equal("stopped", results[10].err.kind)
    assert.equal(0, core.running)
    assert.equal(10, stopped_of(results) + 10 - results.failed)
  end)

  it("by Ctrl-C needs no module that is not loaded", function()
    local text = "pcapi.text"
    local loaded = package.loaded[text]
    fake_loop.restore()
    package.loaded[text] = nil
    core, concurrent, transport = fake_loop.install()
    assert.truthy(package.loaded[text])
    package.loaded[text] = loaded
  end)

  it("by Ctrl-C within a task says so, with the message of LuaJIT", function()
    local results = concurrent(tasks_of(5, function(i)
      get()
      if i == 2 then
        error "interrupted!"
      end
      return get()
    end), { limit = 1 })
    assert.equal("interrupted", results.stopped)
    assert.equal("stopped", results[2].err.kind)
    assert.equal("stopped", results[5].err.kind)
  end)
end)
