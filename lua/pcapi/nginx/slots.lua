--- How many exchanges a worker has in flight: those beyond wait, first come, first served.
-- @module pcapi.nginx.slots
local core = require "pcapi.core"
local phase = require "pcapi.nginx.phase"
local queue = require "pcapi.concurrent.queue"
local semaphore = require "ngx.semaphore"

local M = {}

local LOOK = 0.5 -- seconds between looks for exchanges that will never say that they are over

-- Of this worker, as a semaphore knows no other process: `free` places, those that are
-- `taken`, who is `waiting`, and when somebody has `looked` for those that are lost.
local here

M.limit = 64

--- Sets how many there may be.
-- @tparam number n
function M.set_limit(n)
  M.limit, here = n, nil
end

local Place = {}
Place.__index = Place

local function new_place(home, deadline)
  local place = setmetatable({ home = home, deadline = deadline, opens = core.now() + LOOK }, Place)
  home.taken[place] = true
  return place
end

-- A request that its client gives up is ended wherever it waits, and says nothing more; its
-- sockets are closed then.
local function is_lost(place, now)
  return now > place.deadline + LOOK
    or now > place.opens and not (place.socket and place.socket:getreusedtimes())
end

-- One that looks is not waiting just now; one that neither looks nor waits was ended.
local function is_there(waiting)
  return not waiting.is_over and (waiting.looks or waiting.turn:count() < 0)
end

local function next_waiting(home)
  while not home.waiting:is_empty() do
    local waiting = home.waiting:pop()
    if is_there(waiting) then
      return waiting
    end
  end
end

--- Says which socket it is for: once that is closed, nobody is there any more.
-- @tparam table socket
-- @tparam ?number deadline of the core's clock: until then it may not be open yet; nil: it is
function Place:is_for(socket, deadline)
  self.socket, self.opens = socket, deadline or core.now()
end

--- Gives it back; harmless when it was.
function Place:give_back()
  local home = self.home
  if not home.taken[self] then
    return
  end
  home.taken[self] = nil
  local waiting = next_waiting(home)
  if waiting then
    waiting.place = new_place(home, waiting.deadline)
    waiting.turn:post(1)
  else
    home.free = home.free + 1
  end
end

local function look(home, waiting)
  local now = core.now()
  if now < home.looked + LOOK then
    return
  end
  home.looked, waiting.looks = now, true
  local lost = {}
  for place in pairs(home.taken) do
    lost[#lost + 1] = is_lost(place, now) and place or nil
  end
  for _, place in ipairs(lost) do
    place:give_back()
  end
  waiting.looks = false
end

-- A place may come in the moment in which a wait for it is over.
local function wait(home, deadline)
  local waiting = { turn = semaphore.new(0), deadline = deadline }
  home.waiting:push(waiting)
  local now = core.now()
  while now < deadline do
    waiting.turn:wait(math.min(deadline - now, LOOK))
    if not waiting.place then
      look(home, waiting)
    end
    if waiting.place then
      return waiting.place
    end
    now = core.now()
  end
  waiting.is_over = true
  return nil
end

--- Takes a place, as soon as there is one.
-- @tparam number deadline of the core's clock; soon after, the place is free in any case
-- @treturn[1] table with the methods above
-- @treturn[2] nil there was none in time
function M.take(deadline)
  here = here or { free = M.limit, taken = {}, waiting = queue.new(), looked = 0 }
  if here.free == 0 then
    return wait(here, deadline)
  end
  here.free = here.free - 1
  return new_place(here, deadline)
end

-- Until the worker has served what has come meanwhile. By a timer, as ngx.sleep takes a
-- millisecond at least: of none it warns in the log each time.
local function await_next_round()
  local next_round = semaphore.new(0)
  if ngx.timer.at(0, function() next_round:post(1) end) then
    next_round:wait(LOOK)
  else
    ngx.sleep(0.001)
  end
end

local breath -- whose turn it is to work

--- Lets the worker go on with what else it has to do, where the phase allows it. One comes
-- back at a time, so that many with work to do hold it up no longer than one.
function M.breathe()
  if not phase.can_wait() then
    return
  end
  breath = breath or semaphore.new(1)
  if not breath:wait(LOOK) then
    breath = semaphore.new(0) -- who had it was ended
  end
  local mine = breath
  await_next_round()
  mine:post(1)
end

return M
