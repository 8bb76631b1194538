--- Decides which task of a loop runs next. A task has not begun, is running, sleeps, waits for a
-- slot or for a response, or is ready to go on.
-- @classmod pcapi.concurrent.scheduler
local core = require "pcapi.core"
local heap = require "pcapi.concurrent.heap"
local queue = require "pcapi.concurrent.queue"
local request_slots = require "pcapi.concurrent.request_slots"
local sessions = require "pcapi.http.sessions"
local tasks = require "pcapi.concurrent.tasks"

local M = {}

local MOST_BEGUN = 10000 -- tasks that have begun and not ended; most of them sleep
local RUNNING = 0.0005 -- seconds for ready tasks until the network is looked at again
local BEGINNING = 8 -- tasks that begin until the network is looked at again
local LONGEST_READ = 5 -- seconds that a task may keep others from reading large responses
local BLIND = 0.05 -- seconds without a look at the network, if there is no memory for more

local yield = coroutine.yield
local check_wait, stopped = tasks.check_wait, tasks.stopped
local WAITS, STOPPED, LATE = tasks.WAITS, tasks.STOPPED, tasks.LATE

local Scheduler = {}
Scheduler.__index = Scheduler
Scheduler.__name = "pcapi.concurrent.scheduler"

-- Forgets what tasks wait for.
local function forget_waits(self)
  self.ready = queue.new() -- tasks whose response has come, and those that let other tasks run
  self.large = queue.new() -- tasks whose response has come and is large: they read one at a time
  self.reader = nil -- the task that reads a large response, until it waits or ends
  self.sleepers = {} -- a heap of tasks
  self.slots:clear()
  self.network:forget()
end

-- Whether responses wait to be read.
local function has_responses(self)
  return not (self.ready:is_empty() and self.large:is_empty())
end

--- Makes a scheduler without tasks.
-- @tparam pcapi.concurrent.loop loop is passed to each task
-- @tparam pcapi.concurrent.network network
-- @tparam table options `limit` and `rate`
-- @tparam function on_end is called with each task that has ended
-- @treturn pcapi.concurrent.scheduler
function M.new(loop, network, options, on_end)
  local self = setmetatable({
    loop = loop, network = network, on_end = on_end, limit = options.limit,
    tasks = {}, -- the set of those that have not ended
    threads = {}, -- coroutines for other tasks
    pending = queue.new(), -- tasks that have not begun
    running = nil, -- the task that runs
    begun = 0, -- tasks that have begun and not ended
    unfinished = 0, -- tasks that have not ended
    read_until = 0, -- seconds of the core's clock: when another task may read a large response
    looked_at = 0, -- seconds of the core's clock: when the network was looked at
    is_stopping = false,
  }, Scheduler)
  self.slots = request_slots.new(options.limit, options.rate, function()
    return network:has_room() or self.slots.in_use == 0 and not has_responses(self)
  end)
  forget_waits(self)
  return self
end

--- Adds a task. It begins in a later step.
-- @tparam function act
-- @treturn table a task of `pcapi.concurrent.tasks`
function Scheduler:add(act)
  local task = tasks.new(act)
  self.tasks[task] = true
  self.pending:push(task)
  self.unfinished = self.unfinished + 1
  return task
end

-- Removes a task that has ended.
local function remove(self, task)
  tasks.close(task)
  self.tasks[task] = nil
  self.begun, self.unfinished = self.begun - 1, self.unfinished - 1
end

local function finish(self, task)
  remove(self, task)
  self.on_end(self.loop, task)
end

-- Runs a task until its next wait, or its end.
local function resume(self, task, first, second)
  self.running = task
  local state, thread = tasks.resume(task, self.loop, first, second)
  self.running = nil
  if state ~= "ready" and task == self.reader then
    self.reader = nil
  end
  if state == "waiting" then
    return
  elseif state == "ended" then
    finish(self, task)
    if thread and #self.threads < self.limit then
      self.threads[#self.threads + 1] = thread
    end
  else
    self.ready:push(task)
  end
end

local function begin(self, task)
  self.begun = self.begun + 1
  tasks.begin(task, table.remove(self.threads))
  resume(self, task, self.loop, task)
end

--- Whether a task is running. After Ctrl-C, the task that ran is not running any more.
-- @treturn boolean
function Scheduler:is_running()
  return self.running ~= nil and tasks.is_running(self.running)
end

--- Forgets the task that ran, after an error that was not its own.
function Scheduler:reset()
  self.running = nil
end

-- A call of a task that goes on although its run is stopped.
local function refuse()
  yield(WAITS)
  return stopped()
end

--- Lets the running task sleep.
-- @tparam number seconds
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind stopped
function Scheduler:sleep(seconds)
  if self.is_stopping then
    return refuse()
  end
  check_wait()
  tasks.set_wake(self.running, core.now() + seconds)
  heap.push(self.sleepers, self.running)
  if yield(WAITS) == STOPPED then
    return stopped()
  end
  return true
end

--- Lets other tasks run before the running task goes on. Does nothing outside a task.
function Scheduler:breathe()
  if self.running and not self.is_stopping then
    check_wait()
    yield() -- it is ready at once
  end
end

-- Queues the running task for a slot, unless it can have one at once. Returns whether it can.
local function can_send(self, timeout)
  local now = core.now()
  if self.slots:is_free_at_once(now) then
    return true
  end
  self.slots:add(self.running, now + timeout)
  return false
end

-- The result of waiting for a slot. Time in the queue counts against the timeout of the request.
local function has_slot(task, request, why)
  if why == STOPPED then
    return stopped()
  elseif why == LATE then
    return sessions.fail("timeout", "timed out while waiting for a free slot")
  end
  request.timeout = math.max(task.wake - core.now(), 0.001)
  request.connect_timeout = math.min(request.connect_timeout, request.timeout)
  return true
end

-- Sends a request. It takes the slot only once it was sent: one that raises must not keep it.
local function start(self, connection, request)
  local session, err = self.network:start(self.running, connection, request)
  if session then
    self.slots:take()
  end
  return session, err
end

--- Sends a request of the running task, and waits for the response. A task that waits keeps as
-- little memory as possible, since thousands can wait.
-- @tparam table connection of `pcapi.http.sessions`
-- @tparam table request
-- @return as `send` of a transport
function Scheduler:send(connection, request)
  if self.is_stopping then
    return refuse()
  end
  check_wait()
  local session, err = can_send(self, request.timeout), nil
  if not session then
    session, err = has_slot(self.running, request, yield(WAITS))
  end
  if session then
    session, err = start(self, connection, request)
  end
  if not session then
    return nil, err
  end
  local reading = { url = request.url, timing = request.timing, max_body = request.max_body,
                    buffer = request.buffer }
  request = nil -- luacheck: ignore 311
  if yield(WAITS) == STOPPED then
    self.network:cancel(session)
    return stopped()
  end
  return self.network:response(session, reading)
end

local function may_begin(self, now)
  return not self.pending:is_empty() and not self.is_stopping and self.begun < MOST_BEGUN
    and self.slots:is_free_at_once(now)
    and self.ready:count() + self.large:count() < self.limit
end

local function wake_sleepers(self, now)
  while self.sleepers[1] and self.sleepers[1].wake <= now do
    resume(self, heap.pop(self.sleepers))
  end
end

-- Lets tasks send: those that wait for a slot, then those that have not begun. Returns whether
-- more can begin at once.
local function fill_slots(self, now)
  local slots = self.slots
  if slots.deadline <= now then
    for _, task in ipairs(slots:take_late(now)) do
      resume(self, task, LATE)
    end
  end
  while not self.is_stopping and slots:has_next(now) do
    resume(self, slots:pop())
  end
  for _ = 1, BEGINNING do
    if not may_begin(self, now) then
      return false
    end
    begin(self, self.pending:pop())
  end
  return true
end

-- The task that runs next: one with a large response only if no other reads one, so that the tables
-- of one are made at a time. A task that does not end its reading does not stop the others for
-- ever.
local function next_ready(self, now)
  if not self.large:is_empty() and (not self.reader or now >= self.read_until) then
    self.reader, self.read_until = self.large:pop(), now + LONGEST_READ
    return self.reader
  end
  return not self.ready:is_empty() and self.ready:pop() or nil
end

local function run_ready(self, now)
  local finished = now + RUNNING
  repeat
    local task = next_ready(self, now)
    if not task then
      return
    end
    resume(self, task)
    now = core.now()
  until now >= finished
end

--- Seconds until there is something to do, apart from the network.
-- @tparam number now seconds of the core's clock
-- @treturn number infinity for never
function Scheduler:idle_time(now)
  if self.is_stopping or has_responses(self) or may_begin(self, now)
    or self.slots:has_next(now) then
    return 0
  end
  local at = self.slots:next_time(now, not self.pending:is_empty())
  if self.sleepers[1] then
    at = math.min(at, self.sleepers[1].wake)
  end
  return math.max(at - now, 0)
end

-- Whether responses are to be read before the network is looked at, as they use up the memory.
local function is_full(self, now)
  return now < self.looked_at + BLIND and has_responses(self) and not self.network:has_room()
end

--- Runs the tasks that can run, and waits for the network if none can. Responses are decoded only
-- when no other response has come, so that the network never waits for decoding; or if there is no
-- memory for more.
-- @tparam number seconds to wait at most
function Scheduler:step(seconds)
  local now = core.now()
  wake_sleepers(self, now)
  local is_busy = fill_slots(self, now) or has_responses(self) or self.unfinished == 0
  if is_full(self, now) then
    return run_ready(self, now)
  end
  seconds = is_busy and 0 or math.min(self:idle_time(now), seconds)
  local count = self.network:receive(seconds, self.ready, self.large)
  self.looked_at = core.now()
  if count > 0 then
    self.slots:release(count)
  else
    run_ready(self, self.looked_at)
  end
end

--- Stops all tasks: calls that wait return an error of kind stopped in the next @{step_stop}.
-- @treturn boolean whether there was a task to stop
function Scheduler:stop()
  self.is_stopping = self.unfinished > 0
  return self.is_stopping
end

-- Stops a waiting task by an error; drops one that has not begun or does not end.
local function stop_one(self, task)
  if task.done then
    remove(self, task)
  elseif task.has_returned then
    finish(self, task)
  elseif tasks.is_hopeless(task) then
    self.begun = self.begun + (task.thread and 0 or 1)
    tasks.drop(task)
    finish(self, task)
  else
    resume(self, task, STOPPED)
  end
end

--- Runs each task once more, to stop it. Uses the set of all tasks and not the queues: Ctrl-C may
-- have come while a task moved from one queue to another.
-- @treturn boolean whether all tasks have ended
function Scheduler:step_stop()
  for _, waiting in ipairs { self.ready, self.large } do -- a response that has come is not lost
    for _ = 1, waiting:count() do
      local task = waiting:pop()
      if task and tasks.is_suspended(task) then
        resume(self, task)
      end
    end
  end
  forget_waits(self)
  local left = {}
  for task in pairs(self.tasks) do
    left[#left + 1] = task
  end
  for _, task in ipairs(left) do
    stop_one(self, task)
  end
  if next(self.tasks) ~= nil then
    return false
  end
  self.begun, self.unfinished, self.is_stopping = 0, 0, false
  self.pending = queue.new()
  return true
end

return M
