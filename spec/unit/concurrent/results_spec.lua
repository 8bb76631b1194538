-- The results of tasks, and their progress.
local current_task = require "pcapi.http.current_task"
local fake_loop = require "spec.support.fake_loop"

local get, tasks_of = fake_loop.get, fake_loop.tasks_of
local core, concurrent

before_each(function()
  core, concurrent = fake_loop.install()
end)

after_each(fake_loop.restore)

describe("pcapi.concurrent", function()
  describe("returns", function()
    it("the value of each task, in the order of the tasks and not of the responses", function()
      core.respond = function(request)
        return { takes = 10 - tonumber(request.url:match "%d+$") }
      end
      local results = concurrent(tasks_of(5, function(i)
        assert(get(tostring(i)))
        return i * 10
      end))
      for i = 1, 5 do
        assert.equal(i * 10, results[i].value)
        assert.is_nil(results[i].err)
        assert.is_true(results[i].done)
      end
      assert.equal(5, #results)
      assert.equal(0, results.failed)
      assert.is_nil(results.stopped)
    end)

    it("to each task the response to its own request", function()
      core.respond = function(request) return { body = request.url:match "[^/]*$" } end
      local results = concurrent(tasks_of(100, function(i) return get(tostring(i)).body end),
        { limit = 7 })
      for i = 1, 100 do
        assert.equal(tostring(i), results[i].value)
      end
    end)

    it("an error that a task returned, and counts it", function()
      core.respond = function() return { kind = "tls" } end
      local results = concurrent { function() return get() end, function() return false, "no" end,
                                   function() return 1 end }
      assert.is_nil(results[1].value)
      assert.equal("tls", results[1].err.kind)
      assert.is_false(results[2].value)
      assert.equal("no", results[2].err)
      assert.equal(1, results[3].value)
      assert.equal(2, results.failed)
    end)

    it("an error that a task raised, unchanged and with its traceback", function()
      local failure = { "mine" }
      local function deep()
        assert(get())
        error(failure)
      end
      local results = concurrent { function() deep() end, function() return "fine" end }
      assert.equal(failure, results[1].err)
      assert.matches("'deep'", results[1].traceback)
      assert.equal("fine", results[2].value)
      assert.equal(1, results.failed)
    end)

    it("an error for a task that raised nil or false", function()
      local results = concurrent { function() error(nil) end, function() error(false) end }
      assert.truthy(results[1].err)
      assert.truthy(results[2].err)
      assert.equal(2, results.failed)
    end)

    it("neither value nor error for a task that returns nothing", function()
      local results = concurrent { function() end, function() return nil end }
      assert.is_nil(results[1].value)
      assert.is_nil(results[1].err)
      assert.equal(0, results.failed)
    end)

    it("an empty array without tasks, at once", function()
      assert.same({ failed = 0 }, concurrent {})
      assert.equal(1000, core.time)
    end)

    it("nil and an error if no descriptor is left", function()
      core.no_pool = "there is no descriptor left"
      local results, err = concurrent({ function() end })
      assert.is_nil(results)
      assert.equal("config", err.kind)
      assert.equal("there is no descriptor left", err.message)
      assert.is_nil((concurrent.new()))
    end)
  end)

  it("calls each task once, with its loop", function()
    local seen = {}
    concurrent(tasks_of(3, function(i, loop)
      seen[i] = (seen[i] or 0) + 1
      assert.equal(current_task.loop(), loop)
      get()
      assert.equal(current_task.loop(), loop)
    end))
    assert.same({ 1, 1, 1 }, seen)
  end)

  it("closes its connections at the end, and after an error", function()
    concurrent { function() return get() end }
    pcall(concurrent, { function() return get() end }, { progress = function() error "x" end })
    assert.equal(2, #core.pools)
    for _, pool in ipairs(core.pools) do
      assert.is_true(pool.closed)
    end
    for _, session in ipairs(core.sessions) do
      assert.is_true(session.closed)
    end
  end)

  describe("progress", function()
    it("reports how many tasks have ended, in any way, and how many there are", function()
      local reported = {}
      local results = concurrent({ function() return get() end, function() error "x" end,
                                   function() return nil, "y" end }, {
        progress = function(done, total) reported[#reported + 1] = done .. "/" .. total end,
      })
      assert.same({ "1/3", "2/3", "3/3" }, reported)
      assert.equal(2, results.failed)
    end)

    it("counts the tasks that were added", function()
      local loop, reported = concurrent.new(), {}
      loop:add(function() end)
      loop:run({
        function() loop:add(function() return get() end) end,
      }, { progress = function(done, total) reported[#reported + 1] = done .. "/" .. total end })
      assert.same({ "1/2", "2/3", "3/3" }, reported)
    end)
  end)

  describe("on_wait", function()
    it("is called about four times a second with the seconds of the run", function()
      core.respond = function() return { takes = 2 } end
      local seen, started = {}, core.now()
      concurrent({ function() return get() end }, { on_wait = function(seconds)
        assert.is_true(math.abs(core.now() - started - seconds) < 0.01)
        seen[#seen + 1] = seconds
      end })
      assert.is_true(#seen >= 6 and #seen <= 8, #seen .. " times")
    end)

    it("is called no more often when many responses come", function()
      core.respond = function(request)
        return { takes = tonumber(request.url:match "%d+$") / 100 }
      end
      local count = 0
      concurrent(tasks_of(100, function(i) return get(tostring(i)) end), { limit = 100,
        on_wait = function() count = count + 1 end })
      assert.is_true(count >= 2 and count <= 4, count .. " times")
    end)

    it("ends the run with its error, and not the tasks of a later one", function()
      core.respond = function() return { takes = 2 } end
      local loop = concurrent.new()
      local ok, err = pcall(loop.run, loop, { function() return get() end },
        { on_wait = function() error("mine", 0) end })
      assert.same({ false, "mine" }, { ok, err })
      assert.equal(0, loop:run({ function() return get() end }).failed)
    end)

    it("cannot move the loop on", function()
      core.respond = function() return { takes = 2 } end
      local loop, message = concurrent.new(), nil
      loop:run({ function() return get() end }, { on_wait = function()
        message = message or select(2, pcall(loop.step, loop))
      end })
      assert.matches("progress can move its own loop on", message)
    end)
  end)

  it("waits for a call in the progress function while other requests are in flight", function()
    local results = concurrent(tasks_of(3, function(i) return get(tostring(i)) end), {
      progress = function(done) assert(get("reported" .. done)) end,
    })
    assert.equal(0, results.failed)
    assert.equal(6, #core.sent)
  end)
end)
