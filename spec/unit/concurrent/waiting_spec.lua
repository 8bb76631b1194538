-- Waits within callbacks of C, where a task cannot wait, and breaks in long work.
local fake_core = require "spec.support.fake_core"

describe("a wait within a callback of C", function()
  local core, restore, concurrent, transport

  before_each(function()
    core, restore = fake_core.install()
    concurrent = require "pcapi.concurrent"
    transport = require("pcapi.http.curl").new()
  end)

  after_each(function()
    restore()
  end)

  local function get(path)
    return transport:send { method = "GET", url = "https://a.example/" .. path, headers = {},
                            timeout = 60, connect_timeout = 15, max_body = 1, max_headers = 1 }
  end

  -- Calls a function within a comparison of table.sort.
  local function compare_by(act)
    table.sort({ 2, 1 }, function(a, b)
      act()
      return a < b
    end)
  end

  local WAITS = {
    ["for a response"] = function() return get "lost" end,
    ["for a time"] = function(loop) return loop:sleep(1) end,
  }

  for name, act in pairs(WAITS) do
    it("raises, and other tasks go on: " .. name, function()
      local results = concurrent {
        function(loop)
          compare_by(function() return act(loop) end)
        end,
        function(loop)
          loop:sleep(5)
          return get "other"
        end,
      }
      assert.truthy(results[1].err:find "cannot wait" or results[1].err:find "attempt to yield")
      assert.equal(200, results[2].value.status)
      assert.equal(1, #core.sent)
    end)

    it("does not wake its task later: " .. name, function()
      core.respond = function() return { takes = 5 } end
      local results = concurrent {
        function(loop)
          local ok = pcall(compare_by, function() return act(loop) end)
          return not ok and get "next"
        end,
      }
      assert.equal(200, results[1].value.status)
      assert.equal(1, #core.sent)
    end)
  end
end)

describe("long work in a task", function()
  local restore, concurrent, transport

  before_each(function()
    restore = select(2, fake_core.install())
    concurrent = require "pcapi.concurrent"
    transport = require("pcapi.http.curl").new()
  end)

  after_each(function() restore() end)

  it("lets other tasks run where it breathes, and ends", function()
    local order = {}
    local function work(name)
      return function()
        for i = 1, 3 do
          order[#order + 1] = name .. i
          transport:breathe()
        end
        return name
      end
    end
    local results = concurrent { work "a", work "b" }
    assert.equal("a b", results[1].value .. " " .. results[2].value)
    assert.equal("a1 b1 a2 b2 a3 b3", table.concat(order, " "))
  end)

  it("goes on to its end if the run is stopped", function()
    local results = concurrent {
      function(loop)
        transport:breathe()
        loop:stop()
        for _ = 1, 200 do
          transport:breathe()
        end
        return "done"
      end,
    }
    assert.equal("done", results[1].value)
  end)

  it("may breathe outside a task, to no effect", function()
    assert.is_nil(transport:breathe())
  end)
end)
