--- The loop that runs tasks; `pcapi.concurrent` is the way in for others.
-- @classmod pcapi.concurrent.loop
local core = require "pcapi.core"
local defaults = require "pcapi.defaults"
local errors = require "pcapi.error"
local heap = require "pcapi.concurrent.heap"
local life = require "pcapi.concurrent.life"
local check = require "pcapi.check"
local queue = require "pcapi.concurrent.queue"
local current_task = require "pcapi.http.current_task"
local turn = require "pcapi.concurrent.turn"
local sessions = require "pcapi.http.sessions"

local M = {}

local BEGUN = 10000 -- tasks that have begun and not ended, most of them asleep
local SLICE = 0.25 -- seconds; Ctrl-C is noticed in between
local DECODING = 0.0005 -- seconds for decoding before the network is looked at again
local SENDING = 8 -- tasks begun before the network is looked at again
local REFUSALS = 100 -- waits of a task that goes on after its run was stopped
local MOST = 2 ^ 31 - 1 -- of what is counted

local resume = life.resume

local Loop = {}
Loop.__index = Loop
Loop.__name = "pcapi.concurrent"

-- For `pcapi.http.curl`.
Loop.exchange = turn.exchange

--- Lets the task that runs wait.
-- @tparam number seconds
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind stopped
function Loop:sleep(seconds)
  if not self.task then
    error("only a task can sleep in its loop", 2)
  elseif self.stopping then
    return life.refuse()
  end
  life.check_wait()
  self.task.wake = core.now() + seconds
  heap.push(self.sleepers, self.task)
  if coroutine.yield(life.WAITS) == "stopped" then
    return life.stopped()
  end
  return true
end

--- Lets the other tasks go on before the one that runs does: for work that takes long. Does
-- nothing outside a task, nor in one whose run is stopped.
function Loop:breathe()
  local task = self.task
  if task and not self.stopping then
    life.check_wait()
    self.ready:push(task)
    coroutine.yield(life.WAITS)
  end
end

local function wake(self, now)
  while self.sleepers[1] and self.sleepers[1].wake <= now do
    resume(self, heap.pop(self.sleepers))
  end
end

-- Those whose time was over before their turn came leave the queue.
local function dismiss(self, now)
  self.last = math.huge
  for _ = 1, self.turns:count() do
    local task = self.turns:pop()
    if not task then
      break -- closed meanwhile
    elseif task.last <= now then
      resume(self, task, "late")
    else
      self.last = math.min(self.last, task.last)
      self.turns:push(task)
    end
  end
end

local function may_begin(self, now)
  return not self.stopping and not self.pending:is_empty() and self.turns:is_empty()
    and turn.is_free(self, now) and self.ready:count() < self.limit and self.begun < BEGUN
end

-- Sends what may be sent, those who wait before those who have not begun. Returns whether
-- there may be more.
local function send(self, now)
  if self.last <= now then
    dismiss(self, now)
  end
  while not self.stopping and not self.turns:is_empty() and turn.is_free(self, now) do
    resume(self, self.turns:pop())
  end
  for _ = 1, SENDING do
    if not may_begin(self, now) then
      return false
    end
    life.begin(self, self.pending:pop())
  end
  return true
end

-- Moves the network on, for at most so many seconds. Returns whether an answer came.
local function receive(self, seconds)
  local pool, came = self.sessions.pool, false
  pool:wait(seconds)
  for id in pool.next, pool do
    local task = self.waiting[id]
    self.waiting[id] = nil
    if task then -- else an exchange whose task was dropped
      self.on_wire = self.on_wire - 1
      self.ready:push(task)
      came = true
    end
  end
  return came
end

local function decode(self, now)
  local finished = now + DECODING
  repeat
    if self.ready:is_empty() then
      return
    end
    resume(self, self.ready:pop())
  until core.now() >= finished
end

local function forget_waits(self)
  self.ready = queue.new() -- have their answer, or only let others go on
  self.turns = queue.new() -- want to send
  self.last = math.huge -- when the first of turns has no time left, or before
  self.waiting = {} -- on the wire, by the id of their session
  self.on_wire = 0
  self.sleepers = {}
end

-- Tells a task that its run is over. One that has not begun, or does not end, is dropped.
local function stop_one(self, task)
  task.refusals = (task.refusals or 0) + 1
  if task.done then
    life.close(self, task)
  elseif not task.thread then
    self.begun = self.begun + 1
    life.drop(self, task)
  elseif task.returned then
    life.finish(self, task)
  elseif coroutine.status(task.thread) == "dead" or task.refusals > REFUSALS then
    life.drop(self, task)
  else
    resume(self, task, "stopped")
  end
end

local function tasks_left(self)
  local left = {}
  for task in pairs(self.tasks) do
    left[#left + 1] = task
  end
  return left
end

-- Asks the set of all tasks who is left, not the queues: Ctrl-C may have come while one
-- was on its way from one to another.
local function stop_all(self)
  for _ = 1, self.ready:count() do -- what has come is not lost
    local task = self.ready:pop()
    if task and task.thread and coroutine.status(task.thread) == "suspended" then
      resume(self, task)
    end
  end
  forget_waits(self)
  for _, task in ipairs(tasks_left(self)) do
    stop_one(self, task)
  end
  if next(self.tasks) == nil then
    self.begun, self.unfinished, self.stopping = 0, 0, nil
    self.pending = queue.new()
    if self.closing then
      self.closing = nil
      self.sessions:close()
    end
  end
end

-- Seconds until there is something to do but for the network.
local function idle_time(self, now)
  if self.stopping or not self.ready:is_empty() or may_begin(self, now)
    or not self.turns:is_empty() and turn.is_free(self, now) then
    return 0
  end
  local at = self.last
  if self.sleepers[1] then
    at = math.min(at, self.sleepers[1].wake)
  end
  if self.interval and self.slot > now and self.on_wire < self.limit
    and not (self.turns:is_empty() and self.pending:is_empty()) then
    at = math.min(at, self.slot)
  end
  return math.max(at - now, 0)
end

-- For libcurl, where 0 would be no limit.
local function whole(count)
  return count and math.floor(math.min(math.max(count, 1), MOST))
end

--- Makes a loop of checked options; see `pcapi.concurrent.new`.
-- @tparam table options
-- @treturn[1] pcapi.concurrent.loop
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.new(options)
  local limit = whole(options.limit or defaults.concurrency)
  local self = setmetatable({
    limit = limit, interval = options.rate and 1 / options.rate, slot = 0,
    sessions = sessions.new { connections = whole(options.connections), idle = limit,
                              watched = true,
                              host_connections = whole(options.host_connections) },
    tasks = {}, -- the set of those that are not done
    threads = {}, -- coroutines that wait for another task
    pending = queue.new(), -- have not begun
    begun = 0, unfinished = 0,
  }, Loop)
  forget_waits(self)
  local pool, err = self.sessions:open()
  if not pool then
    return nil, err
  end
  return self
end

local function new_task(self, act, what, level)
  if type(act) ~= "function" then
    error(("%s must be a function, not a %s"):format(what, type(act)), level + 1)
  end
  local task = { act = act, done = false }
  self.tasks[task] = true
  self.pending:push(task)
  self.unfinished = self.unfinished + 1
  return task
end

local function check_open(self, level)
  if getmetatable(self) ~= Loop then
    error("call it with a colon, as loop:run {…}", level + 1)
  elseif not self.sessions.pool then
    error("the loop is closed; make another: pcapi.concurrent.new()", level + 1)
  end
end

-- Whether a task of the loop runs, or progress: then it cannot be moved on. Ctrl-C may
-- leave a task behind that does not run any more.
local function is_moving(self)
  local thread = self.task and self.task.thread
  return self.telling or thread ~= nil and coroutine.status(thread) ~= "suspended"
    and coroutine.status(thread) ~= "dead"
end

--- Adds a task. It begins when its turn comes, in a later step.
-- @tparam function act is called with the loop; what it returns is a value, or nil (or
-- false) and an error
-- @treturn table the task: `done`; then `value`, or `err`, which is what the function
-- returned or raised, or a pcapi.error of kind stopped; and `traceback` of what it raised
function Loop:add(act)
  check_open(self, 2)
  local task = new_task(self, act, "a task", 2)
  return task
end

--- Does what can be done now, and waits for the network where nothing can.
-- @tparam[opt=0] number seconds to wait at most
-- @treturn number tasks that are not done
function Loop:step(seconds)
  check_open(self, 2)
  seconds = seconds or 0
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    error("step: the seconds must be a number, 0 or more", 2)
  elseif is_moving(self) then
    error("step: neither a task nor progress can move its own loop on", 2)
  elseif self.stopping then
    stop_all(self)
    return self.unfinished
  end
  local now = core.now()
  wake(self, now)
  local is_busy = send(self, now) or not self.ready:is_empty()
  if is_busy or self.unfinished == 0 then
    seconds = 0 -- there is no time to wait, or nothing to wait for
  end
  if not receive(self, math.min(idle_time(self, now), seconds)) then
    decode(self, core.now())
  end
  return self.unfinished
end

--- Stops the run: what is on the wire is given up, calls that wait return an error of kind
-- stopped, and so do tasks that have not begun. May be called from anywhere.
function Loop:stop(why)
  self.stopping = self.unfinished > 0 and (why or self.stopping or "stopped") or nil
  self.stopped = self.stopping or self.stopped
end

local function drive(self)
  while self.unfinished > 0 do
    self:step(SLICE)
  end
end

-- Until all is done. Ctrl-C stops it, and what was done is kept; any other error is a
-- caller's, as from a function of theirs, and goes on to them once all is given up.
local function run_all(self)
  self.stopped = self.stopping
  local ok, failure = pcall(drive, self)
  if not ok then
    self.task, self.telling, self.progress, self.stop_on_error = nil, nil, nil, nil
    self:stop(errors.is_interruption(failure) and "interrupted" or nil)
    drive(self)
  end
  if not ok and not errors.is_interruption(failure) then
    error(failure, 0)
  end
  return self.stopped
end

local RUN = { stop_on_error = "boolean", progress = "function" }

local function count_failed(results)
  local failed = 0
  for _, task in ipairs(results) do
    failed = failed + (task.err ~= nil and 1 or 0)
  end
  return failed
end

local function run(self, tasks, options)
  local results, done = {}, 0
  for i, act in ipairs(tasks) do
    results[i] = new_task(self, act)
  end
  self.stop_on_error = options.stop_on_error
  self.progress = options.progress and function()
    done, self.telling = done + 1, true
    options.progress(done, done + self.unfinished, self)
    self.telling = nil
  end
  results.stopped = run_all(self)
  results.failed = count_failed(results)
  self.progress, self.stop_on_error = nil, nil
  return results
end

--- Raises where something is no array of functions, or a task asks for a run.
-- @param tasks
-- @tparam string what the name of the function, for the message
-- @tparam number level as for `error`, counted from the caller of check_tasks
function M.check_tasks(tasks, what, level)
  if type(tasks) ~= "table" then
    error(("%s takes an array of functions, not a %s"):format(what, type(tasks)), level + 1)
  end
  for i = 1, #tasks do
    if type(tasks[i]) ~= "function" then
      error(("%s: task %d must be a function, not a %s"):format(what, i, type(tasks[i])),
        level + 1)
    end
  end
  check.places(tasks, what .. ": the tasks", level + 1)
  if current_task.loop() then
    error(what .. ": a task cannot run others; give them to its loop: loop:add(…)", level + 1)
  end
end

--- Runs tasks, and those that were added before or are meanwhile, to their end.
-- @tparam[opt] table tasks array of functions, each as for @{add}
-- @tparam[opt] table options
-- @tparam[opt] boolean options.stop_on_error the first error stops the run
-- @tparam[opt] function options.progress is called after each task with the number of
-- those done, that of all there are by now, and the loop
-- @treturn table array of the tasks, as @{add} gives them, in the order they were given;
-- with `failed`, the number of those with an error, and `stopped`: nil, `"stopped"`, or
-- `"interrupted"` by Ctrl-C
function Loop:run(tasks, options)
  tasks = tasks or {}
  check_open(self, 2)
  M.check_tasks(tasks, "run", 2)
  if is_moving(self) then
    error("run: the loop runs already; give it more by loop:add(…)", 2)
  end
  return run(self, tasks, check.options(options, RUN, "run"))
end

--- For another event loop, in the words of cqueues: a descriptor to be polled.
-- @treturn number readable when there is something to do
function Loop:pollfd()
  check_open(self, 2)
  return self.sessions.pool:descriptor()
end

--- What to poll the descriptor for.
-- @treturn string "r"
function Loop:events() -- luacheck: ignore self
  return "r"
end

--- When there is something to do although the descriptor is not readable.
-- @treturn ?number seconds; nil when the descriptor alone tells
function Loop:timeout()
  check_open(self, 2)
  local seconds = idle_time(self, core.now())
  local wanted = self.sessions.pool:timeout()
  seconds = wanted and math.min(wanted, seconds) or seconds
  return seconds < math.huge and seconds or nil
end

--- Stops what is not done, and closes the connections; once that is possible, where a task
-- or progress calls it.
function Loop:close()
  self:stop()
  if self.unfinished > 0 and is_moving(self) then
    self.closing = true
    return
  end
  self.task = nil
  while self.unfinished > 0 do
    stop_all(self)
  end
  self.sessions:close()
end

function Loop:__tostring()
  return ("%s (%d of at most %d exchanges, %d tasks)"):format(Loop.__name, self.on_wire,
    self.limit, self.unfinished)
end

return M
