local current_task = require "pcapi.http.current_task"

-- Stands for a loop; the module only hands it through.
local LOOP, OTHER = {}, {}

describe("pcapi.http.current_task", function()
  it("has no loop outside a task", function()
    assert.is_nil(current_task.loop())
    coroutine.wrap(function() assert.is_nil(current_task.loop()) end)()
  end)

  it("returns the loop of the running task, before and after it waits", function()
    local seen = {}
    local co = coroutine.create(function()
      seen[1] = current_task.loop()
      coroutine.yield()
      seen[2] = current_task.loop()
    end)
    assert.is_true(current_task.resume(LOOP, co))
    assert.is_nil(current_task.loop())
    assert.is_true(current_task.resume(LOOP, co))
    assert.equal(LOOP, seen[1])
    assert.equal(LOOP, seen[2])
  end)

  it("passes values to the task, and returns its first one", function()
    local co = coroutine.create(function(...)
      assert.same({ 1, nil, 3 }, { ... })
      return coroutine.yield("a", nil, "c")
    end)
    assert.same({ true, "a" }, { current_task.resume(LOOP, co, 1, nil, 3) })
    assert.same({ true, "d" }, { current_task.resume(LOOP, co, "d") })
  end)

  it("has no loop after a task has raised an error", function()
    local failure = {}
    local ok, err = current_task.resume(LOOP, coroutine.create(function() error(failure) end))
    assert.is_false(ok)
    assert.equal(failure, err)
    assert.is_nil(current_task.loop())
  end)

  it("has no loop in a coroutine of a task, and the task's own after it", function()
    local inner, after
    current_task.resume(LOOP, coroutine.create(function()
      coroutine.wrap(function() inner = current_task.loop() end)()
      after = current_task.loop()
    end))
    assert.is_nil(inner)
    assert.equal(LOOP, after)
  end)

  it("separates the loops of nested tasks", function()
    local inner, after
    current_task.resume(LOOP, coroutine.create(function()
      current_task.resume(OTHER, coroutine.create(function() inner = current_task.loop() end))
      after = current_task.loop()
    end))
    assert.equal(OTHER, inner)
    assert.equal(LOOP, after)
  end)
end)
