--- Runs many tasks at once in one Lua state. A task is a function. While a call of pcapi in one
-- task waits (for a response, a retry, a token or the next page), other tasks run. Outside a task
-- the same call blocks.
--
--     local results = pcapi.concurrent(tasks, { limit = 50 })
--
-- Tasks run in a loop. Make your own loop to use its connections for several runs, to add tasks
-- while others run, or to run it inside another event loop.
--
--     local loop = assert(pcapi.concurrent.new { limit = 50 })
--     local task = loop:add(function() return client.security:partner_requests() end)
--     while loop:step(1) > 0 do end
--     print(task.value, task.err)
-- @module pcapi.concurrent
local check = require "pcapi.check"
local check_tasks = require("pcapi.concurrent.loop").check_tasks
local new_loop = require("pcapi.concurrent.loop").new

-- The end of an interrupted run needs this module for its messages. It is loaded here because
-- LuaJIT never loads a module again if Ctrl-C interrupts its loading.
require "pcapi.text"

local M = {}

local NEW = { limit = "count", rate = "count", memory = "bytes", connections = "count",
              host_connections = "count" }

--- Makes a loop. It sends nothing before its first step.
-- @tparam[opt] table options
-- @tparam[opt=50] number options.limit requests in flight at once; sleeping tasks, and responses
-- that wait for decoding, do not count
-- @tparam[opt] number options.rate requests per second, over all tasks
-- @tparam[opt=64 MiB] number options.memory bytes for the bodies of responses that no task has read
-- yet. While there is no room, no request is sent, and responses over HTTP/1.1 pause; but one
-- response always goes on, however large it is. Responses over HTTP/2 cannot pause. Tasks read
-- large responses one at a time
-- @tparam[opt] number options.connections connections at once; HTTP/1.1 needs a connection for each
-- request, HTTP/2 needs one for 100 requests
-- @tparam[opt] number options.host_connections connections at once to each host
-- @treturn[1] pcapi.concurrent.loop
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config: no descriptor is left
function M.new(options)
  return new_loop(check.options(options, NEW, "pcapi.concurrent.new"))
end

local ALL = { stop_on_error = "boolean", progress = "function", on_wait = "function" }
for name, types in pairs(NEW) do
  ALL[name] = types
end

-- Runs tasks in a new loop and closes it, for `pcapi.concurrent` and `pcapi.each_tenant`. `what` is
-- the name of the function for messages.
-- @local
function M.run(tasks, options, what, level)
  options = check.options(options, ALL, what, level + 1)
  check_tasks(tasks, what, level + 1)
  local loop, err = new_loop(options)
  if not loop then
    return nil, err
  end
  local ok, results = pcall(loop.run, loop, tasks, {
    stop_on_error = options.stop_on_error, progress = options.progress, on_wait = options.on_wait,
  })
  loop:close()
  if not ok then
    error(results, 0)
  end
  return results
end

--- Runs tasks in a new loop.
-- @function pcapi.concurrent
-- @tparam table tasks array of functions
-- @tparam[opt] table options as for @{new} and `loop:run`
-- @treturn[1] table as `loop:run`
-- @treturn[2] nil
-- @treturn[2] pcapi.error as @{new}
return setmetatable(M, {
  __call = function(_, tasks, options)
    local results, err = M.run(tasks, options, "pcapi.concurrent", 2)
    return results, err
  end,
})
