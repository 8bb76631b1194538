--- Which loop runs the code that asks: whoever waits asks here whether others can go on
-- meanwhile.
-- @module pcapi.http.current_task
local M = {}

local loop, thread

--- The loop of the task that runs. A coroutine that a task made for itself is none: it
-- gives way to its maker, who does not know what to wait for.
-- @treturn ?pcapi.concurrent nil outside a task
function M.loop()
  return thread and coroutine.running() == thread and loop or nil
end

--- Runs a task of a loop until it waits or ends.
-- @tparam pcapi.concurrent its
-- @tparam thread co
-- @treturn boolean as coroutine.resume
-- @return what it yields, or raised
function M.resume(its, co, ...)
  local outer_loop, outer_thread = loop, thread
  loop, thread = its, co
  local ok, what = coroutine.resume(co, ...)
  loop, thread = outer_loop, outer_thread
  return ok, what
end

return M
