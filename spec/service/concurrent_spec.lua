-- Faults that were found in runs of many calls at once.
local core = require "pcapi.core"
local pcapi = require "pcapi"
local sandbox = require "spec.support.sandbox"

local function small(settings)
  local made = sandbox.client("records=1; " .. (settings or ""))
  return function()
    return made.security:non_mfa_principals()
  end
end

describe("a response over HTTP/1.1", function()
  it("is an error if it ends within its head", function()
    local kinds = {}
    for _ = 1, 60 do
      local response, err = pcapi.fetch(sandbox.url .. "/v1/nonMfaCompliantPartnerPrincipals", {
        ca_file = sandbox.ca_file, http_version = "1.1", headers = {
          Accept = "application/json", Authorization = "Bearer " .. sandbox.token(),
          ["X-Sandbox"] = "records=0; cut=connection" } })
      kinds[response and "response" or err.kind] = true
    end
    assert.same({ network = true }, kinds)
  end)
end)

describe("a run of tasks", function()
  it("ends with its last task", function()
    local started = core.now()
    pcapi.concurrent { function() return 1 end }
    assert.is_true(core.now() - started < 1)
  end)

  it("has a value or a stopped error for each task if it is interrupted at any instruction",
     function()
    local main = coroutine.running() -- nil if a hook is for all threads
    local function hook(...)
      if main then
        debug.sethook(main, ...)
      else
        debug.sethook(...)
      end
    end
    for after = 1, 900, 7 do
      local tasks = {}
      for i = 1, 6 do
        tasks[i] = small()
      end
      tasks[3] = function()
        local value, err = small()()
        hook(function()
          hook()
          error "interrupted!"
        end, "", after)
        return value, err
      end
      local ok, results = pcall(function()
        local all = pcapi.concurrent(tasks, { limit = 2 })
        hook()
        return all
      end)
      hook()
      -- after the run, the caller has to catch it
      assert.is_true(ok or results:find "interrupted!" ~= nil, tostring(results))
      for _, task in ipairs(ok and results or {}) do
        assert.is_true(task.done)
        assert.is_true((task.value ~= nil) ~= (task.err ~= nil))
        assert.equal(task.err and "stopped" or nil, task.err and task.err.kind, tostring(task.err))
      end
    end
  end)
end)

describe("a loop that is closed", function()
  it("drops its tasks", function()
    local loop = assert(pcapi.concurrent.new {})
    local task = loop:add(small "delay=5")
    loop:step(0.1)
    loop:step(0.1)
    loop:close()
    assert.is_true(task.done)
    assert.equal("stopped", task.err.kind)
  end)
end)

describe("a response over HTTP/2 with a large head", function()
  it("is correct or an error, among other responses", function()
    local tasks = {}
    for i = 1, 20 do
      tasks[i] = small(i % 4 == 0 and "bigheaders=70000" or nil)
    end
    for i, task in ipairs(pcapi.concurrent(tasks)) do
      assert.equal(i % 4 == 0 and "protocol" or nil, task.err and task.err.kind)
    end
  end)
end)
