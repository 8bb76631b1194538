-- Slots for requests: the limit, the rate, and the queue of tasks that wait.
local fake_loop = require "spec.support.fake_loop"

local get, sent, tasks_of = fake_loop.get, fake_loop.sent, fake_loop.tasks_of
local core, concurrent, transport

before_each(function()
  core, concurrent, transport = fake_loop.install()
end)

after_each(fake_loop.restore)

describe("pcapi.concurrent", function()
  it("opens a watched pool with its limits of connections", function()
    concurrent({}, { limit = 7, connections = 5, host_connections = 3 })
    assert.same({ connections = 5, host_connections = 3, idle = 7, watched = true,
                  silence = 20, memory = 64 * 1024 * 1024 },
      core.pools[1].limits)
    concurrent({}, { limit = math.huge, connections = 0.5, host_connections = 1e300 })
    local limits = core.pools[2].limits
    assert.equal(1, limits.connections) -- 0 would mean no limit
    assert.is_true(limits.idle < 2 ^ 31 and limits.host_connections < 2 ^ 31)
  end)

  describe("has in flight", function()
    it("as many requests as its limit, and no more", function()
      for _, limit in ipairs { 1, 3, 50 } do
        core.most = 0
        concurrent(tasks_of(100, function() return get() and get() end), { limit = limit })
        assert.equal(limit, core.most)
      end
    end)

    it("50 requests by default", function()
      concurrent(tasks_of(60, function() return get() end))
      assert.equal(50, core.most)
    end)

    it("one request with a limit below one", function()
      concurrent(tasks_of(3, function() return get() end), { limit = 0.5 })
      assert.equal(1, core.most)
    end)

    it("other requests while a task sleeps", function()
      local results = concurrent({
        function() return transport:sleep(10) and core.time end,
        function() return get() and core.time end,
      }, { limit = 1 })
      assert.is_true(results[2].value < 1001)
      assert.is_true(results[1].value >= 1010)
    end)

    it("as many requests as its limit after requests that could not be sent", function()
      core.respond = function(_, number) return number <= 5 and { fails = "config" } or {} end
      local results = concurrent(tasks_of(12, function() return get() end), { limit = 2 })
      assert.equal(5, results.failed)
      assert.equal("config", results[1].err.kind)
      assert.equal(2, core.most)
    end)

    it("as many requests as its limit after a session that raised", function()
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

    it("sends requests at equal intervals", function()
      local all = moments(21, { rate = 10 })
      for i = 1, 21 do
        assert.near((i - 1) / 10, all[i], 0.021)
      end
    end)

    it("sends no more than that in any second", function()
      local all = moments(100, { rate = 25, limit = 5 })
      for i = 26, 100 do
        assert.is_true(all[i] - all[i - 25] > 0.97)
      end
    end)

    it("does not catch up after a time without requests", function()
      local loop = concurrent.new { rate = 10 }
      loop:run { function() return get() end }
      loop:run { function() return transport:sleep(5) end }
      core.sent = {}
      loop:run(tasks_of(5, function() return get() end))
      assert.near(0.4, core.sent[5].time - core.sent[1].time, 0.021)
    end)

    it("counts every request of a task", function()
      concurrent(tasks_of(3, function() return get() and get() and get() end), { rate = 10 })
      assert.near(0.8, core.sent[9].time - core.sent[1].time, 0.021)
    end)

    it("waits for a response if the limit is reached", function()
      core.respond = function() return { takes = 1 } end
      concurrent(tasks_of(3, function() return get() end), { rate = 100, limit = 1 })
      assert.near(2, core.sent[3].time - core.sent[1].time, 0.001)
    end)
  end)

  describe("gives slots", function()
    it("first come, first served", function()
      core.respond = function() return { takes = 1 } end
      concurrent({
        function() return transport:sleep(0.3) and get "d" end,
        function() return transport:sleep(0.1) and get "b" end,
        function() return transport:sleep(0.2) and get "c" end,
        function() return get "a1" and get "a2" end,
      }, { limit = 1 })
      assert.equal("a1 b c d a2", sent())
    end)

    it("to tasks that wait before tasks that have not begun", function()
      concurrent({
        function() return transport:sleep(0.05) and get "a" end,
        function() return get "b1" and get "b2" end,
        function() return get "c" end,
      }, { limit = 1 })
      assert.equal("b1 a b2 c", sent())
    end)

    it("and subtracts the wait from the timeout of the request", function()
      core.respond = function() return { takes = 4 } end
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

    it("until the timeout of the request, and returns a timeout after that", function()
      core.respond = function() return { takes = 100 } end
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
      assert.equal("x3", sent())
    end)

    it("to a task that tries again after such a timeout", function()
      core.respond = function() return { takes = 5 } end
      local results = concurrent({
        function() return transport:sleep(1) and (get("b", 1) or get("c", 60)) end,
        function() return get "a" end,
      }, { limit = 1 })
      assert.equal(200, results[1].value.status)
      assert.equal("a c", sent())
    end)
  end)
end)
