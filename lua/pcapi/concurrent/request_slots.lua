--- The slots for requests: how many requests can be in flight at once, and how many may be sent in
-- a second. While there is no memory for another response, no slot is free. A task without a slot
-- waits in a queue, first come, first served.
-- @classmod pcapi.concurrent.request_slots
local core = require "pcapi.core"
local queue = require "pcapi.concurrent.queue"

local tasks = require "pcapi.concurrent.tasks"

local M = {}

local CATCH_UP = 0.02 -- seconds that the rate may catch up, since waiting is inexact

local Slots = {}
Slots.__index = Slots
Slots.__name = "pcapi.concurrent.request_slots"

--- Makes slots, all of them free.
-- @tparam number limit requests in flight
-- @tparam ?number rate requests per second; nil for no limit
-- @tparam function has_room returns whether there is memory for one more response
-- @treturn pcapi.concurrent.request_slots
function M.new(limit, rate, has_room)
  local self = setmetatable({
    limit = limit, interval = rate and 1 / rate, has_room = has_room,
    next_at = 0, -- when the rate allows the next request, by the core's clock
  }, Slots)
  self:clear()
  return self
end

--- Frees all slots, and forgets the tasks that wait.
function Slots:clear()
  self.in_use = 0
  self.waiting = queue.new() -- tasks
  self.count = 0 -- of tasks that wait
  self.deadline = math.huge -- not after the first deadline of a waiting task
end

local function is_free(self, now)
  return self.in_use < self.limit and (not self.interval or self.next_at <= now)
    and self.has_room()
end

--- Whether a request can be sent at once: a slot is free, and no task waits for it.
-- @tparam number now seconds of the core's clock
-- @treturn boolean
function Slots:is_free_at_once(now)
  return self.count == 0 and is_free(self, now)
end

--- Whether a slot is free for a task that waits.
-- @tparam number now seconds of the core's clock
-- @treturn boolean
function Slots:has_next(now)
  return self.count > 0 and is_free(self, now)
end

--- Takes a free slot, for a request that was sent.
function Slots:take()
  self.in_use = self.in_use + 1
  if self.interval then
    self.next_at = math.max(self.next_at, core.now() - CATCH_UP) + self.interval
  end
end

--- Frees the slots of requests whose response has come.
-- @tparam number count
function Slots:release(count)
  self.in_use = self.in_use - count
end

--- Adds a task to the queue.
-- @tparam table task
-- @tparam number deadline seconds of the core's clock
function Slots:add(task, deadline)
  tasks.set_wake(task, deadline)
  self.deadline = math.min(self.deadline, deadline)
  self.waiting:push(task)
  self.count = self.count + 1
end

--- Takes the first task from the queue; there must be one.
-- @treturn table a task
function Slots:pop()
  self.count = self.count - 1
  return self.waiting:pop()
end

--- Takes those tasks from the queue whose deadline is over.
-- @tparam number now seconds of the core's clock
-- @treturn table array of tasks, in their order
function Slots:take_late(now)
  local late = {}
  self.deadline = math.huge
  for _ = 1, self.count do
    local task = self:pop()
    if task.wake <= now then
      late[#late + 1] = task
    else
      self:add(task, task.wake)
    end
  end
  return late
end

--- When the queue needs attention, if no response comes before.
-- @tparam number now seconds of the core's clock
-- @tparam boolean is_wanted whether other tasks want to send
-- @treturn number seconds of the core's clock; infinity for never
function Slots:next_time(now, is_wanted)
  if self.interval and self.next_at > now and self.in_use < self.limit
    and (is_wanted or self.count > 0) then
    return math.min(self.deadline, self.next_at)
  end
  return self.deadline
end

return M
