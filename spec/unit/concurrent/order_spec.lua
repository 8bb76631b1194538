-- The order in which tasks begin, wait and run.
local current_task = require "pcapi.http.current_task"
local fake_loop = require "spec.support.fake_loop"

local get, tasks_of = fake_loop.get, fake_loop.tasks_of
local core, concurrent, transport

before_each(function()
  core, concurrent, transport = fake_loop.install()
end)

after_each(fake_loop.restore)

describe("a loop", function()
  it("wakes sleeping tasks in the order of their times", function()
    local woken = {}
    concurrent(tasks_of(9, function(i)
      transport:sleep(i * 7 % 10)
      woken[#woken + 1] = i * 7 % 10
    end))
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, woken)
    assert.equal(1009, core.time)
  end)

  it("begins some tasks, and then sends requests before it begins more", function()
    local begun_at_first_wait
    local begun = 0
    core.during_wait = function() begun_at_first_wait = begun_at_first_wait or begun end
    concurrent(tasks_of(40, function()
      begun = begun + 1
      return get()
    end))
    assert.is_true(begun_at_first_wait < 40)
  end)

  it("decodes only while no other response arrives, and a few at a time", function()
    -- each response takes 0.4 ms to decode; all come at once
    local decoded_between, decoded = {}, 0
    core.during_wait = function()
      decoded_between[#decoded_between + 1], decoded = decoded, 0
    end
    concurrent(tasks_of(8, function()
      get()
      core.time, decoded = core.time + 0.0004, decoded + 1
    end))
    for _, count in ipairs(decoded_between) do
      assert.is_true(count <= 2)
    end
  end)

  it("begins no new tasks while too many responses wait for decoding", function()
    local begun, done, most = 0, 0, 0
    concurrent(tasks_of(100, function()
      begun = begun + 1
      most = math.max(most, begun - done)
      get()
      core.time = core.time + 0.01 -- slow to decode
      done = done + 1
    end), { limit = 10 })
    assert.is_true(most >= 10 and most <= 20)
  end)

  it("begins other tasks while many sleep", function()
    local begun, most = 0, 0
    concurrent(tasks_of(100, function()
      begun = begun + 1
      most = math.max(most, begun)
      return transport:sleep(10)
    end), { limit = 1 })
    assert.equal(100, most)
    assert.near(1010, core.time, 0.01)
  end)

  it("lets other tasks run when a task yields a value of its own", function()
    local order = {}
    concurrent(tasks_of(3, function(i)
      for _ = 1, 3 do
        order[#order + 1] = i
        coroutine.yield "anything"
      end
    end))
    assert.equal("123123123", table.concat(order))
  end)

  it("blocks for a call in a coroutine that a task has made", function()
    local loop_inside, response = {}
    local results = concurrent({
      function()
        coroutine.wrap(function()
          loop_inside = current_task.loop()
          response = get "inner"
        end)()
        return get "outer"
      end,
    })
    assert.is_nil(loop_inside)
    assert.equal(200, response.status)
    assert.equal(200, results[1].value.status)
    assert.equal(2, #core.pools) -- the loop's, and the transport's own
  end)

  it("does not wait without tasks", function()
    local before = core.time
    assert.equal(0, concurrent.new():step(100))
    assert.equal(before, core.time)
  end)
end)
