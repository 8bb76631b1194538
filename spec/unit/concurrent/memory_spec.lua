-- The memory of a loop: whether a request is sent, and how many large responses are read at once.
local fake_loop = require "spec.support.fake_loop"

local get, tasks_of = fake_loop.get, fake_loop.tasks_of
local core, concurrent, transport

local LARGE = ("x"):rep(20000)

before_each(function()
  core, concurrent, transport = fake_loop.install()
end)

after_each(fake_loop.restore)

-- Reads a response in steps, as a long text is read. Returns how many read at once at most.
local function reading(steps)
  local at_once, most = 0, 0
  return function(loop)
    at_once = at_once + 1
    most = math.max(most, at_once)
    for _ = 1, steps do
      core.time = core.time + 0.001
      loop:breathe()
    end
    at_once = at_once - 1
  end, function() return most end
end

describe("a loop with memory", function()
  it("passes its bytes to the pool", function()
    concurrent({}, { memory = 5e6 })
    assert.equal(5e6, core.pools[1].limits.memory)
  end)

  it("without room sends one request at a time", function()
    core.is_full = true
    local results = concurrent(tasks_of(20, function() return get() and get() end))
    assert.equal(0, results.failed)
    assert.equal(1, core.most)
  end)

  it("sends more requests once there is room", function()
    core.is_full = true
    core.during_wait = function() core.is_full = core.time < 1001 end
    concurrent(tasks_of(100, function() return get() end))
    assert.equal(50, core.most)
  end)

  it("does not send a request that waits longer than its timeout for room", function()
    core.is_full = true
    core.respond = function() return { takes = 30 } end
    local results = concurrent(tasks_of(3, function(i)
      transport:sleep(i)
      return get("", i == 1 and 60 or 10)
    end))
    assert.equal(1, #core.sent)
    assert.equal(2, results.failed)
    assert.matches("waiting for a free slot", results[3].err.message)
  end)

  it("reads responses before it looks at the network again if there is no room", function()
    local waits, waits_while_full = 0, 0
    core.respond = function() return { body = LARGE } end
    core.during_wait = function()
      waits = waits + 1
      waits_while_full = waits_while_full + (core.is_full and 1 or 0)
    end
    local read = reading(20)
    concurrent(tasks_of(5, function(_, loop)
      get()
      core.is_full = true -- until all are read
      read(loop)
      core.is_full = core.running > 0
    end))
    assert.is_true(waits > 0 and waits_while_full < 8, waits_while_full .. " waits")
  end)
end)

describe("large responses", function()
  it("are read one at a time", function()
    core.respond = function() return { body = LARGE } end
    local read, most = reading(5)
    local results = concurrent(tasks_of(30, function(_, loop)
      get()
      read(loop)
      return true
    end))
    assert.equal(0, results.failed)
    assert.equal(1, most())
  end)

  it("let small ones be read meanwhile", function()
    core.respond = function(_, number) return { body = number == 1 and LARGE or "small" } end
    local ended = {}
    concurrent(tasks_of(4, function(i, loop)
      get()
      for _ = 1, i == 1 and 50 or 2 do
        loop:breathe()
      end
      ended[#ended + 1] = i
    end))
    assert.same({ 2, 3, 4, 1 }, ended)
  end)

  it("are read by others while the task of one waits for something else", function()
    core.respond = function(request)
      return { body = LARGE, takes = request.url:find "slow" and 5 or 0.1 }
    end
    local ended = {}
    concurrent(tasks_of(3, function(i)
      get()
      if i == 1 then
        get "slow"
      end
      ended[#ended + 1] = i
    end))
    assert.same({ 2, 3, 1 }, ended)
  end)

  it("are read by others after five seconds, if a task does not end its reading", function()
    core.respond = function() return { body = LARGE } end
    local is_over = false
    local results = concurrent {
      function(loop)
        get()
        while not is_over do
          core.time = core.time + 0.001
          loop:breathe()
        end
        return core.time
      end,
      function()
        get()
        is_over = true
        return core.time
      end,
    }
    assert.near(1005.1, results[2].value, 0.1)
    assert.equal(0, results.failed)
  end)

  it("are not lost if the run is stopped", function()
    core.respond = function() return { body = LARGE } end
    local loop = concurrent.new()
    local results = loop:run(tasks_of(5, function(i)
      local response, err = get()
      if i == 1 then
        core.time = core.time + 0.01 -- long enough for the loop to look at the network
        loop:stop()
      end
      return response, err
    end))
    assert.equal("stopped", results.stopped)
    for _, result in ipairs(results) do
      assert.equal(LARGE, result.value.body)
    end
  end)
end)
