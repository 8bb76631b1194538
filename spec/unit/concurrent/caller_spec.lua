-- Errors of the calling code.
local fake_loop = require "spec.support.fake_loop"
local raises = require "spec.support.raises"

local get, tasks_of = fake_loop.get, fake_loop.tasks_of
local core, concurrent

before_each(function()
  core, concurrent = fake_loop.install()
end)

after_each(fake_loop.restore)

describe("an error of the calling code", function()
  it("in its progress function ends the run, and is raised unchanged", function()
    local failure = { "mine" }
    local reported, done = 0, 0
    local ok, err = pcall(concurrent, tasks_of(10, function()
      get()
      done = done + 1
    end), { limit = 2, progress = function()
      reported = reported + 1
      error(failure)
    end })
    assert.is_false(ok)
    assert.equal(failure, err)
    assert.equal(1, reported)
    assert.is_true(done < 10)
    assert.equal(0, core.running)
  end)

  it("in its progress function keeps its position", function()
    local function fail() error "mine" end
    local ok, err = pcall(concurrent, { function() end }, { progress = fail })
    assert.is_false(ok)
    assert.matches("caller_spec.lua:%d+: mine$", err)
  end)

  for name, case in pairs {
    ["no array"] = { nil, nil, "pcapi.concurrent takes an array of functions, not a nil" },
    ["a function"] = { print, nil, "takes an array of functions, not a function" },
    ["a task that is not a function"] = { { print, 5 }, nil, "task 2 must be a function, not a" },
    ["a task with a name"] = { { print, x = print }, nil,
      'must be an array, without the key "x"' },
    ["an unknown option"] = { {}, { limits = 5 }, 'did you mean "limit"?' },
    ["an option with the wrong type"] = { {}, { limit = "5" }, 'option "limit" must be' },
    ["a limit of 0"] = { {}, { limit = 0 }, 'option "limit" must be a positive number' },
    ["0 connections"] = { {}, { connections = 0 }, 'option "connections" must be' },
    ["a memory of 0 bytes"] = { {}, { memory = 0 }, 'option "memory" must be a positive' },
    ["a rate of 0"] = { {}, { rate = 0 }, 'option "rate" must be a positive' },
    ["a rate that is not a number"] = { {}, { rate = 0 / 0 }, 'option "rate" must be' },
    ["a rate with the wrong type"] = { {}, { rate = "5/s" }, 'option "rate" must be a positive' },
    ["progress that is not a function"] = { {}, { progress = true }, 'option "progress" must' },
    ["on_wait that is not a function"] = { {}, { on_wait = 1 }, 'option "on_wait" must' },
    ["options that are not a table"] = { {}, 5, "takes a table of options, not a number" },
  } do
    it("is raised at its line: " .. name, function()
      raises(function() concurrent(case[1], case[2]) end, case[3])
      assert.same({}, core.pools)
    end)
  end

  it("is raised at its line by the methods of a loop", function()
    raises(function() concurrent.new { rate = -1 } end, "pcapi.concurrent.new: option \"rate\"")
    raises(function() concurrent.new { progress = print } end, 'has no option "progress"')
    local loop = concurrent.new()
    raises(function() loop:add() end, "a task must be a function, not a nil")
    raises(function() loop:run { 5 } end, "run: task 1 must be a function, not a number")
    raises(function() loop:run({}, { limit = 5 }) end, 'run has no option "limit"')
    raises(function() loop.run { print } end, "call it with a colon")
    for _, seconds in ipairs { -1, 0 / 0, "2", {} } do
      raises(function() loop:step(seconds) end, "step: the seconds must be a number, 0 or more")
    end
    assert.equal(0, loop:step())
  end)

  it("is raised at its line for a run within a task, and the task goes on", function()
    local ours = concurrent.new()
    local results = concurrent { function(loop)
      raises(function() concurrent {} end, "a task cannot run others")
      raises(function() loop:run {} end, "run: ")
      raises(function() ours:run {} end, "a task cannot run others")
      raises(function() loop:step() end, "can move its own loop on")
      return get()
    end }
    assert.equal(200, results[1].value.status)
  end)

  it("is raised at its line for a run within a coroutine of a task", function()
    local results = concurrent { function(loop)
      coroutine.wrap(function()
        raises(function() loop:run { print } end, "run: the loop runs already")
      end)()
      return get()
    end }
    assert.equal(200, results[1].value.status)
  end)

  it("is raised at its line for a run within the progress function of the loop", function()
    local reported = 0
    local results = concurrent(tasks_of(3, function() return get() end), {
      progress = function(_, _, loop)
        reported = reported + 1
        raises(function() loop:run {} end, "run: ")
        raises(function() loop:step() end, "step: ")
      end,
    })
    assert.equal(3, reported)
    assert.equal(0, results.failed)
  end)
end)
