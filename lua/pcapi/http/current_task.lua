--- Knows the loop of the running task, so that a transport can let other tasks run while a call
-- waits.
-- @module pcapi.http.current_task
local M = {}

local loop, thread

--- Returns the loop of the running task. A coroutine that a task has made is not a task: it yields
-- to the code that resumed it, which does not know what to wait for.
-- @treturn ?pcapi.concurrent.loop nil outside a task
function M.loop()
  return thread and coroutine.running() == thread and loop or nil
end

--- Runs a task of a loop until it waits or ends.
-- @tparam pcapi.concurrent.loop its_loop
-- @tparam thread co
-- @param ... passed to the task
-- @treturn boolean as coroutine.resume
-- @return the first value that the task yields, returns or raises
function M.resume(its_loop, co, ...)
  local outer_loop, outer_thread = loop, thread
  loop, thread = its_loop, co
  local ok, what = coroutine.resume(co, ...)
  loop, thread = outer_loop, outer_thread
  return ok, what
end

return M
