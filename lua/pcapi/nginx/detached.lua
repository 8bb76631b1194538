--- Runs a function to its end, even if the request that waits for it is aborted: nginx ends
-- the Lua code of a request when its client disconnects.
-- @module pcapi.nginx.detached
local semaphore = require "ngx.semaphore"

local M = {}

local START = 1 -- seconds; a timer that has not started by then will not start

local function pack(...)
  return { n = select("#", ...), ... }
end

--- Runs a function in a timer, and waits for it. Runs it here if no timer is available, as
-- in a worker that shuts down.
-- @tparam function act
-- @return what act returns; if it raises, the same error is raised here
function M.run(act)
  local done, result, has_started, runs_here = semaphore.new(0), nil, false, false
  local function work()
    has_started = true
    if not runs_here then
      result = pack(pcall(act))
      done:post(1)
    end
  end
  if ngx.get_phase() == "timer" or not ngx.timer.at(0, work) then
    return act()
  end
  while not done:wait(START) and not runs_here do
    runs_here = not has_started -- too many timers are running
  end
  if runs_here then
    return act()
  elseif not result[1] then
    error(result[2], 0)
  end
  return unpack(result, 2, result.n)
end

return M
