--- Many tasks at once within nginx: in light threads of ngx_lua, whose waits let the worker
-- go on anyway. What `pcapi.concurrent` is elsewhere.
-- @module pcapi.nginx.threads
local loop = require("pcapi.concurrent.loop").check_tasks
local check = require "pcapi.check"
local defaults = require "pcapi.defaults"

local M = {}

local OPTIONS = { limit = "count" }

-- As a task of `pcapi.concurrent` ends: nil or false and an error, or what it raised.
local function outcome(ok, value, err)
  if not ok then
    return { done = true, err = value or "the task raised " .. tostring(value) }
  end
  return { done = true, value = value, err = not value and err or nil }
end

--- Runs tasks, in the order in which they stand.
-- @tparam table tasks array of functions
-- @tparam[opt] table options `limit`: tasks at once, 50
-- @tparam string what the name of the function, for messages
-- @tparam number level as for `error`
-- @treturn table results in the order of the tasks, each with `value` or `err`; and `failed`,
-- how many have an `err`
function M.run(tasks, options, what, level)
  options = check.options(options, OPTIONS, what, level + 1)
  loop(tasks, what, level + 1)
  local results, begun, threads = { failed = 0 }, 0, {}
  local function work()
    while begun < #tasks do
      begun = begun + 1
      local i = begun
      results[i] = outcome(pcall(tasks[i]))
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
