--- How many exchanges a worker has in flight: those beyond wait, first come, first served.
-- @module pcapi.nginx.turn
local core = require "pcapi.core"
local semaphore = require "ngx.semaphore"

local M = {}

local ROUND = 0.001 -- seconds: the least that nginx sleeps; of 0 it warns in its log each time
local LOOK = 1 -- seconds between looks for exchanges that will never say that they are over

local places -- { free = semaphore, taken = { place → when it is over at the latest } }

M.limit = 64

--- Sets how many there may be.
-- @tparam number n
function M.set_limit(n)
  M.limit, places = n, nil
end

-- A request that is aborted is ended by nginx wherever it waits, and says nothing more.
local function free_overdue(here, now)
  for place, deadline in pairs(here.taken) do
    if deadline < now then
      here.taken[place] = nil
      here.free:post(1)
    end
  end
end

local function wait(here, deadline)
  local now = core.now()
  while now < deadline do
    if here.free:wait(math.min(deadline - now, LOOK)) then
      return true
    end
    now = core.now()
    free_overdue(here, now)
  end
  return false
end

--- Takes a place, as soon as there is one.
-- @tparam number deadline of the core's clock; the place is free again then in any case
-- @treturn[1] function that gives it back
-- @treturn[2] nil there was none in time
function M.take(deadline)
  -- made in the worker: a semaphore knows no other process
  places = places or { free = semaphore.new(M.limit), taken = {} }
  local here, place = places, {}
  if not wait(here, deadline) then
    return nil
  end
  here.taken[place] = deadline
  return function()
    if here.taken[place] then
      here.taken[place] = nil
      here.free:post(1)
    end
  end
end

local breath -- whose turn it is to work

--- Lets the worker go on with what else it has to do. One comes back at a time, so that many
-- with work to do hold it up no longer than one.
function M.breathe()
  breath = breath or semaphore.new(1)
  if not breath:wait(LOOK) then
    breath = semaphore.new(0) -- who had it was ended
  end
  local mine = breath
  ngx.sleep(ROUND)
  mine:post(1)
end

return M
