--- What has to come to its end, whatever becomes of the request that began it: nginx ends a
-- request that its client has left wherever it waits, and nothing more of it runs.
-- @module pcapi.nginx.detached
local semaphore = require "ngx.semaphore"

local M = {}

local LOOK = 1 -- seconds after which a timer that has not begun will not begin

local function pack(...)
  return { n = select("#", ...), ... }
end

--- Does something in a timer, and waits for it; here where there are no timers, as in a
-- worker that is about to end.
-- @tparam function act
-- @return what act returns; what it raises is raised
function M.run(act)
  local done, result, is_begun, is_ours = semaphore.new(0), nil, false, false
  local function work()
    is_begun = true
    if not is_ours then
      result = pack(pcall(act))
      done:post(1)
    end
  end
  if ngx.get_phase() == "timer" or not ngx.timer.at(0, work) then
    return act()
  end
  while not done:wait(LOOK) and not is_ours do
    is_ours = not is_begun -- too many timers run at once
  end
  if is_ours then
    return act()
  elseif not result[1] then
    error(result[2], 0)
  end
  return unpack(result, 2, result.n)
end

return M
