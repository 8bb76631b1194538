--- pcapi.concurrent and pcapi.each_tenant inside nginx.
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"
local workers = require "spec.support.workers"

describe("tasks inside nginx", function()
  local server

  setup(function()
    server = workers.start {
      init = ("address, token = %q, %q"):format(sandbox.url, sandbox.token()),
    }
  end)

  teardown(function()
    nginx.stop_all()
  end)

  -- Runs twelve tasks that sleep.
  local function run_sleepers(options)
    return server:run(([[
      local core = require "pcapi.core"
      local tasks, at_once, most = {}, 0, 0
      for i = 1, 12 do
        tasks[i] = function()
          at_once = at_once + 1
          most = math.max(most, at_once)
          ngx.sleep(0.1)
          at_once = at_once - 1
          return i
        end
      end
      local started = core.now()
      local results = pcapi.concurrent(tasks, %s)
      local values = {}
      for i, result in ipairs(results) do
        values[i] = result.value
      end
      return table.concat(values, " "), most, core.now() - started, results.failed
    ]]):format(options))
  end

  it("wait at the same time, and return their values in order", function()
    local values, most, seconds, failed = run_sleepers "nil"
    assert.same({ "1 2 3 4 5 6 7 8 9 10 11 12", 12, 0 }, { values, most, failed })
    assert.is_true(seconds < 1, seconds .. " s; 1.2 s one by one")
  end)

  it("are no more at once than the limit", function()
    local values, most = run_sleepers "{ limit = 3 }"
    assert.same({ "1 2 3 4 5 6 7 8 9 10 11 12", 3 }, { values, most })
  end)

  it("that fail or raise do not stop the others", function()
    assert.same({ 1, "no luck", 3, 2 }, { server:run [[
      local results = pcapi.concurrent {
        function() return 1 end,
        function() return nil, "no luck" end,
        function() error { message = "raised" } end,
        function() return 3 end,
      }
      assert(results[3].err.message == "raised")
      return results[1].value, results[2].err, results[4].value, results.failed
    ]] })
  end)

  it("run for each tenant", function()
    assert.same({ "a 25", "b unauthorized", 1 }, { server:run [[
      local function client(token)
        return pcapi.new { base_url = address, token = token, retry = { attempts = 1 } }
      end
      local results = pcapi.each_tenant({
        { name = "a", client = client(token) }, { name = "b", client = client "wrong" },
      }, function(its)
        return its.security:non_mfa_principals()
      end)
      return results[1].name .. " " .. #results[1].value,
        results[2].name .. " " .. results[2].err.kind, results.failed
    ]] })
  end)

  it("raise at the caller's line if the arguments are not valid", function()
    for call, words in pairs {
      ["pcapi.concurrent { 1 }"] = "task 1 must be a function",
      ["pcapi.concurrent({}, { rate = 5 })"] = "has no option \"rate\"",
      ["pcapi.each_tenant({ 1 }, print)"] = "tenant 1 must be the name of a profile",
      ["pcapi.each_tenant(print)"] = "takes an array of tenants and a function",
    } do
      local ok, message = server:run(("return pcall(function()\nlocal got = %s\nreturn got end)")
        :format(call))
      assert.is_false(ok)
      assert.matches(":2: ", message, 1, true)
      assert.matches(words, message, 1, true)
    end
  end)
end)
