--- Runs many tasks at once in light threads of ngx_lua; `pcapi.concurrent` for nginx.
-- @module pcapi.nginx.threads
local check = require "pcapi.check"
local check_tasks = require("pcapi.concurrent.loop").check_tasks
local defaults = require "pcapi.defaults"

local M = {}

local OPTIONS = { limit = "count" }

-- The result of a task, as in `pcapi.concurrent`: from what it returned or raised.
local function result_of(ok, value, err)
  if not ok then
    return { done = true, err = value or "the task raised " .. tostring(value) }
  end
  return { done = true, value = value, err = not value and err or nil }
end

--- Runs tasks; they start in the order of the array.
-- @tparam table tasks array of functions
-- @tparam[opt] table options `limit`: tasks that run at once, 50
-- @tparam string caller name of the public function, for messages
-- @tparam number level as for `error`
-- @treturn table results in the order of the tasks, each with `value` or `err`; and `failed`,
-- the number of results with an `err`
function M.run(tasks, options, caller, level)
  options = check.options(options, OPTIONS, caller, level + 1)
  check_tasks(tasks, caller, level + 1)
  local results, started, threads = { failed = 0 }, 0, {}
  local function work()
    while started < #tasks do
      started = started + 1
      local i = started
      results[i] = result_of(pcall(tasks[i]))
      results.failed = results.failed + (results[i].err ~= nil and 1 or 0)
    end
  end
  for i = 1, math.min(options.limit or defaults.concurrency, #tasks) do
    threads[i] = ngx.thread.spawn(work)
  end
  for _, thread in ipairs(threads) do
    ngx.thread.wait(thread)
  end
  return results
end

return M
