--- Limits how many requests a worker sends at once. Others wait for a free slot, in order of
-- arrival.
-- @module pcapi.nginx.slots
local core = require "pcapi.core"
local phase = require "pcapi.nginx.phase"
local queue = require "pcapi.concurrent.queue"
local semaphore = require "ngx.semaphore"

local M = {}

local INTERVAL = 0.5 -- seconds between checks for slots of aborted requests

-- The slots of this worker: how many are `free`, which are `used`, the `waiters` for one, and
-- when the used ones were last `checked`. Made on first use: each process needs semaphores of
-- its own.
local pool

M.limit = 64

--- Sets the number of slots.
-- @tparam number n
function M.set_limit(n)
  M.limit, pool = n, nil
end

local Slot = {}
Slot.__index = Slot

local function new_slot(its_pool, deadline)
  local slot = setmetatable({ pool = its_pool, deadline = deadline,
                              open_by = core.now() + INTERVAL }, Slot)
  its_pool.used[slot] = true
  return slot
end

-- nginx ends the code of an aborted request without notice, and closes its sockets.
local function is_abandoned(slot, now)
  return now > slot.deadline + INTERVAL
    or now > slot.open_by and not (slot.socket and slot.socket:getreusedtimes())
end

-- A live waiter waits for its semaphore, or checks slots; one that does neither was aborted.
local function is_alive(waiter)
  return not waiter.has_left and (waiter.is_checking or waiter.semaphore:count() < 0)
end

local function next_waiter(its_pool)
  while not its_pool.waiters:is_empty() do
    local waiter = its_pool.waiters:pop()
    if is_alive(waiter) then
      return waiter
    end
  end
end

--- Sets the socket that uses the slot: when that is closed, the slot can be freed.
-- @tparam table socket
-- @tparam ?number open_by by when the socket is open, on the core's clock; nil: it is open
function Slot:use_for(socket, open_by)
  self.socket, self.open_by = socket, open_by or core.now()
end

--- Frees the slot. Harmless if it is free already.
function Slot:release()
  local its_pool = self.pool
  if not its_pool.used[self] then
    return
  end
  its_pool.used[self] = nil
  local waiter = next_waiter(its_pool)
  if waiter then
    waiter.slot = new_slot(its_pool, waiter.deadline)
    waiter.semaphore:post(1)
  else
    its_pool.free = its_pool.free + 1
  end
end

local function release_abandoned(its_pool, waiter)
  local now = core.now()
  if now < its_pool.checked + INTERVAL then
    return
  end
  its_pool.checked, waiter.is_checking = now, true
  local abandoned = {}
  for slot in pairs(its_pool.used) do
    abandoned[#abandoned + 1] = is_abandoned(slot, now) and slot or nil
  end
  for _, slot in ipairs(abandoned) do
    slot:release()
  end
  waiter.is_checking = false
end

-- A slot may become free in the same moment in which the wait for it times out.
local function wait(its_pool, deadline)
  local waiter = { semaphore = semaphore.new(0), deadline = deadline }
  its_pool.waiters:push(waiter)
  local now = core.now()
  while now < deadline do
    waiter.semaphore:wait(math.min(deadline - now, INTERVAL))
    if not waiter.slot then
      release_abandoned(its_pool, waiter)
    end
    if waiter.slot then
      return waiter.slot
    end
    now = core.now()
  end
  waiter.has_left = true
  return nil
end

--- Takes a slot, and waits for one if none is free.
-- @tparam number deadline on the core's clock; the slot is freed soon after it in any case
-- @treturn[1] table with the methods `use_for` and `release`
-- @treturn[2] nil no slot was free in time
function M.acquire(deadline)
  pool = pool or { free = M.limit, used = {}, waiters = queue.new(), checked = 0 }
  if pool.free == 0 then
    return wait(pool, deadline)
  end
  pool.free = pool.free - 1
  return new_slot(pool, deadline)
end

-- A function of its own, as the timer may outlive the caller, see `pcapi.nginx.detached`.
local function post_in_timer(signal)
  return ngx.timer.at(0, function() signal:post(1) end)
end

-- Waits until the worker has served the other events. ngx.sleep takes a millisecond or more,
-- and logs a warning for 0; a timer does neither.
local function await_next_round()
  local next_round = semaphore.new(0)
  if post_in_timer(next_round) then
    next_round:wait(INTERVAL)
  else
    ngx.sleep(0.001)
  end
end

local breath -- a semaphore: only its holder continues

--- Lets the worker serve other events, if the phase allows it. Callers continue one at a
-- time, so that many busy callers delay other events no longer than one does.
function M.breathe()
  if not phase.can_wait() then
    return
  end
  breath = breath or semaphore.new(1)
  if not breath:wait(INTERVAL) then
    breath = semaphore.new(0) -- its holder was aborted
  end
  local mine = breath
  await_next_round()
  mine:post(1)
end

return M
