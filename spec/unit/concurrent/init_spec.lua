-- The loop itself, over a core whose clock moves by waiting alone.
local errors = require "pcapi.error"
local fake_core = require "spec.support.fake_core"
local raises = require "spec.support.raises"
local current_task = require "pcapi.http.current_task"

local core, restore, concurrent, transport

local function get(path, timeout)
  return transport:send { method = "GET", url = "https://a.example/" .. (path or ""), headers = {},
                          timeout = timeout or 60, connect_timeout = 15, max_body = 1,
                          max_headers = 1 }
end

-- So many tasks that each do the same, with their number.
local function tasks_of(count, act)
  local tasks = {}
  for i = 1, count do
    tasks[i] = function(loop) return act(i, loop) end
  end
  return tasks
end

-- Paths in the order they were sent.
local function sent()
  local paths = {}
  for i, request in ipairs(core.sent) do
    paths[i] = request.url:match "[^/]*$"
  end
  return paths
end

local function words(text)
  local all = {}
  for word in text:gmatch "%S+" do
    all[#all + 1] = word
  end
  return all
end

-- Raises nothing, and every task is done; gives the number of those that were stopped.
local function stopped_of(results)
  local count = 0
  for _, result in ipairs(results) do
    assert.is_true(result.done)
    count = count + (errors.is(result.err) and result.err.kind == "stopped" and 1 or 0)
  end
  return count
end

describe("pcapi.concurrent", function()
  before_each(function()
    core, restore = fake_core.install()
    concurrent = require "pcapi.concurrent"
    transport = require("pcapi.http.curl").new()
  end)

  after_each(function()
    restore()
    assert.is_nil(current_task.loop())
  end)

  describe("gives", function()
    it("what each task returned, in the order of the tasks, not of the answers", function()
      core.answer = function(request) return { takes = 10 - tonumber(request.url:match "%d+$") } end
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

    it("each task the answer of its own request", function()
      core.answer = function(request) return { body = request.url:match "[^/]*$" } end
      local results = concurrent(tasks_of(100, function(i) return get(tostring(i)).body end),
        { limit = 7 })
      for i = 1, 100 do
        assert.equal(tostring(i), results[i].value)
      end
    end)

    it("an error that a task returned, and counts it", function()
      core.answer = function() return { kind = "tls" } end
      local results = concurrent { function() return get() end, function() return false, "no" end,
                                   function() return 1 end }
      assert.is_nil(results[1].value)
      assert.equal("tls", results[1].err.kind)
      assert.is_false(results[2].value)
      assert.equal("no", results[2].err)
      assert.equal(1, results[3].value)
      assert.equal(2, results.failed)
    end)

    it("an error that a task raised, as it is, with its traceback", function()
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

    it("an error for a task that raised nothing but nil or false", function()
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

    it("an empty list for no tasks, without waiting", function()
      assert.same({ failed = 0 }, concurrent {})
      assert.equal(1000, core.time)
    end)

    it("nil and an error where no descriptor is left", function()
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

  it("closes its connections at the end, also after an error", function()
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

  it("tells the pool how many connections there may be, and to be watched", function()
    concurrent({}, { limit = 7, connections = 5, host_connections = 3 })
    assert.same({ connections = 5, host_connections = 3, kept = 7, watched = true,
                  silence = 20 },
      core.pools[1].limits)
    concurrent({}, { limit = math.huge, connections = 0.5, host_connections = 1e300 })
    local limits = core.pools[2].limits
    assert.equal(1, limits.connections) -- 0 would be no limit
    assert.is_true(limits.kept < 2 ^ 31 and limits.host_connections < 2 ^ 31)
  end)

  describe("has on the wire", function()
    it("no more than its limit at once, and no less where there is work", function()
      for _, limit in ipairs { 1, 3, 50 } do
        core.most = 0
        concurrent(tasks_of(100, function() return get() and get() end), { limit = limit })
        assert.equal(limit, core.most)
      end
    end)

    it("50 where nobody says how many", function()
      concurrent(tasks_of(60, function() return get() end))
      assert.equal(50, core.most)
    end)

    it("one with a limit below one", function()
      concurrent(tasks_of(3, function() return get() end), { limit = 0.5 })
      assert.equal(1, core.most)
    end)

    it("others while a task sleeps", function()
      local results = concurrent({
        function() return transport:sleep(10) and core.time end,
        function() return get() and core.time end,
      }, { limit = 1 })
      assert.is_true(results[2].value < 1001)
      assert.is_true(results[1].value >= 1010)
    end)

    it("its full limit again after exchanges that could not begin", function()
      core.answer = function(_, number) return number <= 5 and { fails = "config" } or {} end
      local results = concurrent(tasks_of(12, function() return get() end), { limit = 2 })
      assert.equal(5, results.failed)
      assert.equal("config", results[1].err.kind)
      assert.equal(2, core.most)
    end)

    it("its full limit again after a session that raised", function()
      local broken = require("pcapi.http.curl").new { ca_file = "a\0b" }
      local results = concurrent({
        function() return broken:send { timeout = 1, connect_timeout = 1 } end,
        function() return get() end,
      }, { limit = 1 })
      assert.matches("zero byte", tostring(results[1].err))
      assert.equal(200, results[2].value.status)
    end)
  end)

  describe("with a rate", function()
    local function moments(count, options)
      concurrent(tasks_of(count, function() return get() end), options)
      local all = {}
      for i, request in ipairs(core.sent) do
        all[i] = request.time - core.sent[1].time
      end
      return all
    end

    it("begins one after the other, so many in a second", function()
      local all = moments(21, { rate = 10 })
      for i = 1, 21 do
        assert.near((i - 1) / 10, all[i], 0.021)
      end
    end)

    it("never has more than that many in any second", function()
      local all = moments(100, { rate = 25, limit = 5 })
      for i = 26, 100 do
        assert.is_true(all[i] - all[i - 25] > 0.97)
      end
    end)

    it("does not make up for a time in which nothing was to be sent", function()
      local loop = concurrent.new { rate = 10 }
      loop:run { function() return get() end }
      loop:run { function() return transport:sleep(5) end }
      core.sent = {}
      loop:run(tasks_of(5, function() return get() end))
      assert.near(0.4, core.sent[5].time - core.sent[1].time, 0.021)
    end)

    it("counts what is sent again or next, too", function()
      concurrent(tasks_of(3, function() return get() and get() and get() end), { rate = 10 })
      assert.near(0.8, core.sent[9].time - core.sent[1].time, 0.021)
    end)

    it("waits for an answer, not for its moment, where the limit is met", function()
      core.answer = function() return { takes = 1 } end
      concurrent(tasks_of(3, function() return get() end), { rate = 100, limit = 1 })
      assert.near(2, core.sent[3].time - core.sent[1].time, 0.001)
    end)
  end)

  describe("takes turns", function()
    it("first come, first served", function()
      core.answer = function() return { takes = 1 } end
      concurrent({
        function() return transport:sleep(0.3) and get "d" end,
        function() return transport:sleep(0.1) and get "b" end,
        function() return transport:sleep(0.2) and get "c" end,
        function() return get "a1" and get "a2" end,
      }, { limit = 1 })
      assert.same(words "a1 b c d a2", sent())
    end)

    it("and serves who waits before who has not begun", function()
      concurrent({
        function() return transport:sleep(0.05) and get "a" end,
        function() return get "b1" and get "b2" end,
        function() return get "c" end,
      }, { limit = 1 })
      assert.same(words "b1 a b2 c", sent())
    end)

    it("and takes the time that it waited off that of the request", function()
      core.answer = function() return { takes = 4 } end
      concurrent({
        function() return transport:sleep(1) and get("b", 30) end,
        function() return transport:sleep(1.25) and get("c", 10) end,
        function() return get("a", 30) end,
      }, { limit = 1 })
      assert.equal(27, core.sent[2].timeout)
      assert.equal(15, core.sent[2].connect_timeout)
      assert.equal(3.25, core.sent[3].timeout)
      assert.equal(3.25, core.sent[3].connect_timeout)
    end)

    it("no longer than the time of the request, and says so", function()
      core.answer = function() return { takes = 100 } end
      local gone = {}
      local results = concurrent(tasks_of(3, function(i)
        if i < 3 then
          transport:sleep(1)
        end
        local response, err = get("x" .. i, i == 3 and 200 or 10 * i)
        gone[i] = core.time
        return response, err
      end), { limit = 1 })
      assert.equal(200, results[3].value.status)
      for i = 1, 2 do
        assert.equal("timeout", results[i].err.kind)
        assert.matches("waiting for a free slot", results[i].err.message)
        assert.near(1001 + 10 * i, gone[i], 0.01)
      end
      assert.same(words "x3", sent())
    end)

    it("and who comes late for its turn may try again", function()
      core.answer = function() return { takes = 5 } end
      local results = concurrent({
        function() return transport:sleep(1) and (get("b", 1) or get("c", 60)) end,
        function() return get "a" end,
      }, { limit = 1 })
      assert.equal(200, results[1].value.status)
      assert.same(words "a c", sent())
    end)
  end)

  it("wakes those who sleep in their order", function()
    local woken = {}
    concurrent(tasks_of(9, function(i)
      transport:sleep(i * 7 % 10)
      woken[#woken + 1] = i * 7 % 10
    end))
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, woken)
    assert.equal(1009, core.time)
  end)

  it("begins tasks while others are on their way, not all before the first is sent", function()
    local begun_at_first_wait
    local begun = 0
    core.during_wait = function() begun_at_first_wait = begun_at_first_wait or begun end
    concurrent(tasks_of(40, function()
      begun = begun + 1
      return get()
    end))
    assert.is_true(begun_at_first_wait < 40)
  end)

  it("decodes only when nothing comes, and some at a time", function()
    -- each answer costs 0.4 ms to decode; all come at once
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

  it("begins no more tasks than it can hold the answers of", function()
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

  it("begins others while many sleep", function()
    local begun, most = 0, 0
    concurrent(tasks_of(100, function()
      begun = begun + 1
      most = math.max(most, begun)
      return transport:sleep(10)
    end), { limit = 1 })
    assert.equal(100, most)
    assert.near(1010, core.time, 0.01)
  end)

  it("lets others go on when a task yields by itself", function()
    local order = {}
    concurrent(tasks_of(3, function(i)
      for _ = 1, 3 do
        order[#order + 1] = i
        coroutine.yield "anything"
      end
    end))
    assert.equal("123123123", table.concat(order))
  end)

  it("lets a coroutine within a task wait by itself, as outside of tasks", function()
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

  describe("stopped", function()
    -- Tasks that each ask twice, of which some are done, some on the wire, some have not
    -- begun when `stop` is called.
    local function run(stop, options)
      core.answer = function(_, number) return { takes = number } end
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

    it("by a task, keeps what is done and gives up the rest", function()
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

    it("by progress", function()
      local told = 0
      local results = concurrent(tasks_of(10, function() return get() end), {
        limit = 2,
        progress = function(done, total, loop)
          told = told + 1
          assert.equal(told, done)
          assert.equal(10, total)
          if done == 4 then
            loop:stop()
          end
        end,
      })
      assert.equal("stopped", results.stopped)
      assert.equal(10, told)
      assert.equal(200, results[1].value.status)
      assert.is_true(stopped_of(results) >= 4)
      assert.is_true(stopped_of(results) <= 6)
      assert.equal("stopped", results[10].err.kind)
    end)

    it("from outside", function()
      core.answer = function() return { takes = 100 } end
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

    it("before it runs, does nothing, and says that it was stopped", function()
      local loop = concurrent.new()
      loop:add(function() return get() end)
      loop:stop()
      local results = loop:run { function() return get() end }
      assert.equal("stopped", results[1].err.kind)
      assert.equal("stopped", results.stopped)
      assert.same({}, core.sent)
    end)

    it("at the first error where that is asked for", function()
      core.answer = function(request)
        return request.url:find "4$" and { kind = "network" } or {}
      end
      local results = concurrent(tasks_of(20, function(i) return get(tostring(i)) end),
        { limit = 2, stop_on_error = true })
      assert.equal("network", results[4].err.kind)
      assert.equal("stopped", results.stopped)
      assert.equal(200, results[3].value.status)
      assert.is_true(stopped_of(results) >= 14)
    end)

    it("at the first error, begins no other task", function()
      local begun = 0
      concurrent(tasks_of(20, function()
        begun = begun + 1
        error "at once"
      end), { stop_on_error = true })
      assert.equal(1, begun)
    end)

    it("keeps an answer that had come, but was not decoded yet", function()
      -- all come at once; the first that is decoded stops the run
      local results = concurrent(tasks_of(5, function(_, loop)
        local response, err = get()
        loop:stop()
        return response, err
      end))
      assert.equal(0, results.failed)
      assert.equal("stopped", results.stopped)
    end)

    it("drops a task that goes on and on", function()
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

    it("lets a task put things in order", function()
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

    it("drops tasks that are added after that", function()
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

    it("says interrupted after Ctrl-C, keeps what is done and raises nothing", function()
      core.answer = function(_, number) return { takes = number } end
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

    it("has loaded before what it needs to say so", function()
      local text = "pcapi.text"
      local kept = package.loaded[text]
      restore()
      package.loaded[text] = nil
      core, restore = fake_core.install()
      concurrent = require "pcapi.concurrent"
      assert.truthy(package.loaded[text])
      package.loaded[text] = kept
    end)

    it("says interrupted after Ctrl-C within a task, as LuaJIT has it", function()
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

  describe("an error of the caller", function()
    it("in progress ends the run, and comes out as it is", function()
      local failure = { "mine" }
      local told, done = 0, 0
      local ok, err = pcall(concurrent, tasks_of(10, function()
        get()
        done = done + 1
      end), { limit = 2, progress = function()
        told = told + 1
        error(failure)
      end })
      assert.is_false(ok)
      assert.equal(failure, err)
      assert.equal(1, told)
      assert.is_true(done < 10)
      assert.equal(0, core.running)
    end)

    it("keeps its own line", function()
      local function fail() error "mine" end
      local ok, err = pcall(concurrent, { function() end }, { progress = fail })
      assert.is_false(ok)
      assert.matches("init_spec.lua:%d+: mine$", err)
    end)

    for name, case in pairs {
      ["no tasks"] = { nil, nil, "pcapi.concurrent takes an array of functions, not a nil" },
      ["tasks that are no array"] = { print, nil, "takes an array of functions, not a function" },
      ["a task that is no function"] = { { print, 5 }, nil, "task 2 must be a function, not a" },
      ["a task at no place"] = { { print, x = print }, nil, 'must be an array; "x" is no place' },
      ["an unknown option"] = { {}, { limits = 5 }, 'did you mean "limit"?' },
      ["an option of a wrong type"] = { {}, { limit = "5" }, 'option "limit" must be' },
      ["a limit of none"] = { {}, { limit = 0 }, 'option "limit" must be a positive number' },
      ["no connections"] = { {}, { connections = 0 }, 'option "connections" must be' },
      ["a rate of none"] = { {}, { rate = 0 }, 'option "rate" must be a positive' },
      ["a rate that is no number"] = { {}, { rate = 0 / 0 }, 'option "rate" must be' },
      ["a rate of a wrong type"] = { {}, { rate = "5/s" }, 'option "rate" must be a positive' },
      ["progress that cannot be called"] = { {}, { progress = true }, 'option "progress" must' },
      ["options that are no table"] = { {}, 5, "takes a table of options, not a number" },
    } do
      it("is at their line: " .. name, function()
        raises(function() concurrent(case[1], case[2]) end, case[3])
        assert.same({}, core.pools)
      end)
    end

    it("is at their line for a loop and its methods, too", function()
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

    it("is at their line for a run within a task, and the task goes on", function()
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

    it("is at their line for a run within a coroutine of a task", function()
      local results = concurrent { function(loop)
        coroutine.wrap(function()
          raises(function() loop:run { print } end, "run: the loop runs already")
        end)()
        return get()
      end }
      assert.equal(200, results[1].value.status)
    end)

    it("is at their line for a run within progress of the same loop", function()
      local told = 0
      local results = concurrent(tasks_of(3, function() return get() end), {
        progress = function(_, _, loop)
          told = told + 1
          raises(function() loop:run {} end, "run: ")
          raises(function() loop:step() end, "step: ")
        end,
      })
      assert.equal(3, told)
      assert.equal(0, results.failed)
    end)
  end)

  it("waits for a call within progress, while the others are on their way", function()
    local results = concurrent(tasks_of(3, function(i) return get(tostring(i)) end), {
      progress = function(done) assert(get("told" .. done)) end,
    })
    assert.equal(0, results.failed)
    assert.equal(6, #core.sent)
  end)

  describe("progress", function()
    it("tells how many are done, in any way, and of how many", function()
      local told = {}
      local results = concurrent({ function() return get() end, function() error "x" end,
                                   function() return nil, "y" end }, {
        progress = function(done, total) told[#told + 1] = done .. "/" .. total end,
      })
      assert.same({ "1/3", "2/3", "3/3" }, told)
      assert.equal(2, results.failed)
    end)

    it("counts tasks that were added, too", function()
      local loop, told = concurrent.new(), {}
      loop:add(function() end)
      loop:run({
        function() loop:add(function() return get() end) end,
      }, { progress = function(done, total) told[#told + 1] = done .. "/" .. total end })
      assert.same({ "1/2", "2/3", "3/3" }, told)
    end)
  end)

  describe("a loop", function()
    it("runs what is added while it runs, and waits for it", function()
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

    it("runs what was added before, without tasks of its own", function()
      local loop = concurrent.new()
      local task = loop:add(function() return get() end)
      assert.is_false(task.done)
      assert.same({ failed = 0 }, loop:run())
      assert.equal(200, task.value.status)
    end)

    it("begins nothing before it moves", function()
      local loop = concurrent.new()
      loop:add(function() return get() end)
      assert.same({}, core.sent)
      loop:step()
      assert.equal(1, #core.sent)
    end)

    it("keeps its connections for the next run", function()
      local loop = concurrent.new { limit = 3 }
      for _ = 1, 3 do
        assert.equal(0, loop:run(tasks_of(9, function() return get() end)).failed)
      end
      assert.equal(1, #core.pools)
      assert.equal(3, #core.sessions)
    end)

    it("runs again after it was stopped", function()
      local loop = concurrent.new { limit = 2 }
      core.answer = function() return { takes = 5 } end
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

    it("runs again after an error in progress", function()
      local loop = concurrent.new { limit = 2 }
      pcall(loop.run, loop, tasks_of(5, function() return get() end),
        { progress = function() error "mine" end })
      local results = loop:run(tasks_of(5, function() return get() end))
      assert.equal(0, results.failed)
      assert.is_nil(results.stopped)
    end)

    it("is not stopped by a stop when there was nothing to do", function()
      local loop = concurrent.new()
      loop:stop()
      local results = loop:run { function() return get() end }
      assert.equal(0, results.failed)
      assert.is_nil(results.stopped)
    end)

    it("does not wait in a step that has no time, and no longer than it has", function()
      core.answer = function() return { takes = 100 } end
      local loop = concurrent.new()
      loop:add(function() return get "" end)
      assert.equal(1, loop:step())
      assert.equal(1000, core.time)
      assert.equal(1, loop:step(0.5))
      assert.equal(1000.5, core.time)
    end)

    it("can move within a task of another", function()
      local inner = concurrent.new()
      local results = concurrent { function()
        local task = inner:add(function() return get "inner" end)
        while inner:step(1) > 0 do end -- luacheck: ignore 542
        return task.value and get "outer"
      end }
      assert.equal(200, results[1].value.status)
      assert.same(words "inner outer", sent())
    end)

    it("says as text how much it has", function()
      local loop = concurrent.new { limit = 5 }
      loop:add(function() return get() end)
      loop:step()
      assert.equal("pcapi.concurrent (1 of at most 5 requests, 1 tasks)", tostring(loop))
    end)
  end)

  describe("for another event loop", function()
    it("has a descriptor that is polled for reading", function()
      local loop = concurrent.new()
      assert.equal(7, loop:pollfd())
      assert.equal("r", loop:events())
    end)

    it("needs no time where nothing is to be done", function()
      assert.is_nil(concurrent.new():timeout())
    end)

    it("wants to move at once where a task has not begun", function()
      local loop = concurrent.new()
      loop:add(function() end)
      assert.equal(0, loop:timeout())
    end)

    it("names the moment when the first sleeper wakes", function()
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

    it("names the moment of the rate, and of a deadline in the queue", function()
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

    it("names the moment that libcurl wants, where that is earlier", function()
      local loop = concurrent.new()
      loop:add(function() return transport:sleep(7) end)
      loop:step()
      core.pool_timeout = 2
      assert.equal(2, loop:timeout())
      core.pool_timeout = 20
      assert.equal(7, loop:timeout())
    end)

    it("wants to move at once after a stop, and while answers wait to be decoded", function()
      local loop = concurrent.new()
      loop:add(function() return get() end)
      loop:step()
      loop:step(1)
      assert.equal(0, loop:timeout())
      loop:stop()
      assert.equal(0, loop:timeout())
    end)
  end)

  it("waits for nothing when it has no task", function()
    local before = core.time
    assert.equal(0, concurrent.new():step(100))
    assert.equal(before, core.time)
  end)

  describe("a loop that is closed", function()
    it("drops what is not done, and gives up what is on the wire", function()
      core.answer = function() return { takes = 100 } end
      local loop = concurrent.new { limit = 1 }
      local on_wire = loop:add(function() return get() end)
      local asleep = loop:add(function() return transport:sleep(1000) end)
      loop:step()
      local pending = loop:add(function() return get() end)
      loop:close()
      for _, task in ipairs { on_wire, asleep, pending } do
        assert.is_true(task.done)
        assert.equal("stopped", task.err.kind)
      end
      assert.equal(0, core.running)
      assert.is_true(core.pools[1].closed)
      assert.equal(1, #core.sent)
    end)

    it("by one of its tasks, or by progress, ends its run as a stop does", function()
      for _, by_progress in ipairs { false, true } do
        core.answer = function(_, number) return { takes = number } end
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

    it("may be closed again, and is not to be used any more", function()
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
end)
