--- Many tasks in one Lua state. A task is a function, written straight down; wherever a
-- call of pcapi inside it waits (for an answer, before it tries again, for its token, for
-- the next page) the other tasks go on. Outside of tasks the same calls block.
--
--     local results = pcapi.concurrent(tasks, { limit = 50 })
--
-- A loop is what runs them, and may be used by itself: to keep its connections for the
-- next run, to add tasks while others run, or inside another event loop.
--
--     local loop = assert(pcapi.concurrent.new { limit = 50 })
--     local task = loop:add(function() return client.security:partner_requests() end)
--     while loop:step(1) > 0 do end
--     print(task.value, task.err)
--
-- What a step does first is to move the network on and to send what can be sent; answers
-- are decoded while others are on their way.
-- @module pcapi.concurrent
local loops = require "pcapi.concurrent.loop"
local check = require "pcapi.check"

-- For messages, and here at once: LuaJIT never loads a module again whose loading Ctrl-C has
-- interrupted, and the end of an interrupted run needs this one.
require "pcapi.text"

local M = {}

local NEW = { limit = "count", rate = "count", connections = "count", host_connections = "count" }

--- Makes a loop. Nothing is sent yet.
-- @tparam[opt] table options
-- @tparam[opt=50] number options.limit exchanges at once; answers that wait to be decoded
-- are not counted, nor are tasks that sleep
-- @tparam[opt] number options.rate requests per second at most, over all tasks
-- @tparam[opt] number options.connections connections at once; HTTP/1.1 needs one for
-- every exchange, HTTP/2 one for a hundred
-- @tparam[opt] number options.host_connections the same, for each host
-- @treturn[1] pcapi.concurrent
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config: no descriptor is left
function M.new(options)
  return loops.new(check.options(options, NEW, "pcapi.concurrent.new"))
end

local ALL = { stop_on_error = "boolean", progress = "function" }
for name, types in pairs(NEW) do
  ALL[name] = types
end

-- Makes a loop, runs the tasks and closes it; for `pcapi.concurrent` and
-- `pcapi.each_tenant`, whose name is given for messages.
function M.run(tasks, options, what, level)
  options = check.options(options, ALL, what, level + 1)
  loops.check_tasks(tasks, what, level + 1)
  local loop, err = loops.new(options)
  if not loop then
    return nil, err
  end
  local ok, results = pcall(loop.run, loop, tasks, {
    stop_on_error = options.stop_on_error, progress = options.progress,
  })
  loop:close()
  if not ok then
    error(results, 0)
  end
  return results
end

--- Runs tasks in a loop of their own.
-- @function __call
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
