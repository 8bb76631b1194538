--- Runs a function to its end, even if the request that waits for it is aborted: nginx ends
-- the Lua code of a request when its client disconnects.
--
-- nginx reuses the coroutine of an aborted request for another one, and OpenResty's LuaJIT
-- leaves its open upvalues as they are (`lua_resetthread`). A closure that was made in a frame
-- of the aborted request then reads and writes local variables of the other request. So a
-- function that may outlive a request must be made by a function that has returned, which
-- closes its upvalues.
-- @module pcapi.nginx.detached
local semaphore = require "ngx.semaphore"

local M = {}

local START = 1 -- seconds; a timer that has not started by then will not start

local function pack(...)
  return { n = select("#", ...), ... }
end

-- The function of the timer; `state` is shared with the request.
local function work_of(act, state)
  return function()
    state.has_started = true
    if not state.runs_here then
      state.result = pack(pcall(act))
      state.done:post(1)
    end
  end
end

--- Runs a function in a timer, and waits for it. Runs it here if no timer is available, as
-- in a worker that shuts down.
-- @tparam function act its upvalues must be closed, see above
-- @return what act returns; if it raises, the same error is raised here
function M.run(act)
  local state = { done = semaphore.new(0) }
  if ngx.get_phase() == "timer" or not ngx.timer.at(0, work_of(act, state)) then
    return act()
  end
  while not state.done:wait(START) and not state.runs_here do
    state.runs_here = not state.has_started -- too many timers are running
  end
  local result = state.result
  if state.runs_here then
    return act()
  elseif not result[1] then
    error(result[2], 0)
  end
  return unpack(result, 2, result.n)
end

return M
