--- Many tasks in one Lua state. A task is a function, written straight down; wherever a
-- call of pcapi inside it waits (for an answer, before it tries again, for its token, for
-- the next page) the other tasks go on. Outside of tasks the same calls block.
--
--     local results = pcapi.concurrent(tasks, { limit = 50 })
--
-- A loop is what runs them, and may be used by itself: to keep its connections for the
-- next run, to add tasks while others run, or inside another event loop.
--
--     local loop = assert(pcapi.concurrent.new { limit = 50 })
--     local task = loop:add(function() return client.security:partner_requests() end)
--     while loop:step(1) > 0 do end
--     print(task.value, task.err)
--
-- What a step does first is to move the network on and to send what can be sent; answers
-- are decoded while others are on their way.
-- @module pcapi.concurrent
local core = require "pcapi.core"
local heap = require "pcapi.concurrent.heap"
local options_ = require "pcapi.options"
local queue = require "pcapi.concurrent.queue"
local task_ = require "pcapi.task"
local wire = require "pcapi.transport.wire"

-- For messages, and here at once: LuaJIT never loads a module again whose loading Ctrl-C has
-- interrupted, and the end of an interrupted run needs this one.
require "pcapi.format.text"

local LIMIT = 50 -- exchanges at once
local BEGUN = 10000 -- tasks that have begun and not ended, most of them asleep
local SLICE = 0.25 -- seconds; Ctrl-C is noticed in between
local DECODING = 0.0005 -- seconds for decoding before the network is looked at again
local SENDING = 8 -- tasks begun before the network is looked at again
local ROUND = 1 -- seconds; the end of a stream may come without an event (see src/pool.c)
local CATCH_UP = 0.02 -- seconds that the rate may be behind, as waiting is not exact
local REFUSALS = 100 -- waits of a task that goes on after its run was stopped
local MOST = 2 ^ 31 - 1 -- of what is counted

local close_thread = rawget(coroutine, "close") -- Lua 5.4
local is_yieldable = rawget(coroutine, "isyieldable") -- Lua 5.3, LuaJIT

local Loop = {}
Loop.__index = Loop
Loop.__name = "pcapi.concurrent"

-- What a task yields when it waits for something of ours; anything else it yields only
-- lets others go on.
local WAITS = {}
local TRIES = {} -- to see whether it could wait
local DONE = {} -- for its coroutine to take another
local yield = coroutine.yield -- gives what the task is resumed with: "stopped" at the end

local function stopped()
  return wire.fail("stopped", "the run of tasks was stopped")
end

-- A wait that raises must have left no trace yet, or the task is woken by it later, when it
-- waits for something else or is done: Lua 5.1 cannot wait within pcall, and none within a
-- callback of table.sort or string.gsub.
local function check_wait()
  if not is_yieldable then
    yield(TRIES) -- raises where it cannot
  elseif not is_yieldable() then
    error("a task cannot wait within a callback of C, such as one of table.sort", 0)
  end
end

-- A task that goes on although its run is stopped.
local function refuse()
  yield(WAITS)
  return stopped()
end

-- Lua has no error object for this one.
local function is_interruption(failure)
  return type(failure) == "string" and failure:find("interrupted!", 1, true) ~= nil
end

local function close_task(self, task)
  task.done = true -- first: Ctrl-C may come in between
  task.thread, task.act, task.returned, task.refusals = nil, nil, nil, nil
  self.tasks[task] = nil
  self.begun, self.unfinished = self.begun - 1, self.unfinished - 1
end

local function finish(self, task)
  close_task(self, task)
  if is_interruption(task.err) then
    task.err = select(2, stopped())
    self:stop "interrupted"
  elseif task.err ~= nil and self.stop_on_error then
    self:stop()
  end
  if self.progress then
    self.progress()
  end
end

-- What the coroutine of a task runs, and of those that come after it: to make one costs
-- as much as to decode a small answer. A task's outcome is noted down here, as whoever
-- resumes it may be interrupted before knowing it, or before it has begun.
local function perform(self, task)
  while self ~= "stopped" do
    local value, err = task.act(self)
    task.value = value
    if not value then
      task.err = err
    end
    task.returned = true
    self, task = yield(DONE)
  end
end

local function note_failure(task, failure)
  task.value, task.err = nil, failure or tostring(failure)
  task.traceback = debug.traceback(task.thread)
end

-- Runs a task until it waits or ends.
local function resume(self, task, ...)
  local thread = task.thread
  self.task = task
  local ok, what = task_.resume(self, thread, ...)
  while what == TRIES do
    ok, what = task_.resume(self, thread)
  end
  self.task = nil
  if what == DONE then
    finish(self, task)
    if #self.threads < self.limit then
      self.threads[#self.threads + 1] = thread
    end
  elseif what == WAITS then
    return
  elseif not ok then
    note_failure(task, what)
    finish(self, task)
  elseif task.thread and coroutine.status(thread) == "dead" then
    task.err = select(2, stopped())
    finish(self, task)
  else
    self.ready:push(task)
  end
end

-- Ends a task that did not come to its end by itself.
local function drop(self, task)
  if task.thread and close_thread then
    close_thread(task.thread)
  end
  task.err = select(2, stopped())
  finish(self, task)
end

-- Whether an exchange may begin; with a rate, not before its moment.
local function is_free(self, now)
  return self.on_wire < self.limit and (not self.interval or self.slot <= now)
end

local function occupy(self)
  self.on_wire = self.on_wire + 1
  if self.interval then
    self.slot = math.max(self.slot, core.now() - CATCH_UP) + self.interval
  end
end

-- Takes the turn of the running task's exchange, or queues for it: first come, first
-- served. Returns whether it may begin at once.
local function take_turn(self, timeout)
  local now = core.now()
  if self.turns:is_empty() and is_free(self, now) then
    return true
  end
  local task = self.task
  task.last = now + timeout
  self.last = math.min(self.last, task.last)
  self.turns:push(task)
  return false
end

-- What the waiting for a turn has come to.
local function has_turn(task, request, what)
  local last = task.last
  task.last = nil
  if what == "stopped" then
    return stopped()
  elseif what == "late" then
    return wire.fail("timeout", "the time was over before its turn came")
  end
  request.timeout = math.max(last - core.now(), 0.001)
  request.connect_timeout = math.min(request.connect_timeout, request.timeout)
  return true
end

-- Begins an exchange whose turn has come. It takes its place on the wire only then: one
-- that raises, as for lack of memory, must not keep it.
local function start(self, connection, request)
  local session, err = self.wire:start(connection, request)
  if session then
    self.waiting[session:id()] = self.task
    occupy(self)
  end
  return session, err
end

-- An exchange of the task that runs; for `pcapi.transport.curl`. Returns as its send. It
-- waits right here, and keeps only what it needs: hundreds may do so at once.
function Loop:exchange(connection, request)
  if self.stopping then
    return refuse()
  end
  check_wait()
  local session, err = take_turn(self, request.timeout), nil
  if not session then
    session, err = has_turn(self.task, request, yield(WAITS))
  end
  if session then
    session, err = start(self, connection, request)
  end
  if not session then
    return nil, err
  end
  local names, timing = request.json_names, request.timing
  request = nil -- luacheck: ignore 311
  if yield(WAITS) == "stopped" then
    self.wire:cancel(session)
    return stopped()
  end
  return self.wire:answer(session, names, timing)
end

--- Lets the task that runs wait.
-- @tparam number seconds
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind stopped
function Loop:sleep(seconds)
  if not self.task then
    error("only a task can sleep in its loop", 2)
  elseif self.stopping then
    return refuse()
  end
  check_wait()
  self.task.wake = core.now() + seconds
  heap.push(self.sleepers, self.task)
  if yield(WAITS) == "stopped" then
    return stopped()
  end
  return true
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
    and is_free(self, now) and self.ready:count() < self.limit and self.begun < BEGUN
end

local function begin(self)
  local task = self.pending:pop()
  self.begun = self.begun + 1
  task.thread = table.remove(self.threads) or coroutine.create(perform)
  resume(self, task, self, task)
end

-- Sends what may be sent, those who wait before those who have not begun. Returns whether
-- there may be more.
local function send(self, now)
  if self.last <= now then
    dismiss(self, now)
  end
  while not self.stopping and not self.turns:is_empty() and is_free(self, now) do
    resume(self, self.turns:pop())
  end
  for _ = 1, SENDING do
    if not may_begin(self, now) then
      return false
    end
    begin(self)
  end
  return true
end

-- Moves the network on, for at most so many seconds. Returns whether an answer came.
local function receive(self, seconds)
  local pool, came = self.wire.pool, false
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
    close_task(self, task)
  elseif not task.thread then
    self.begun = self.begun + 1
    drop(self, task)
  elseif task.returned then
    finish(self, task)
  elseif coroutine.status(task.thread) == "dead" or task.refusals > REFUSALS then
    drop(self, task)
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
    if task and coroutine.status(task.thread) == "suspended" then
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
      self.wire:close()
    end
  end
end

-- Seconds until there is something to do, whatever comes from the network.
local function idle_time(self, now)
  if self.stopping or not self.ready:is_empty() or may_begin(self, now)
    or not self.turns:is_empty() and is_free(self, now) then
    return 0
  end
  local at = self.on_wire > 0 and now + ROUND or math.huge
  at = math.min(at, self.last)
  if self.sleepers[1] then
    at = math.min(at, self.sleepers[1].wake)
  end
  if self.interval and self.slot > now and self.on_wire < self.limit
    and not (self.turns:is_empty() and self.pending:is_empty()) then
    at = math.min(at, self.slot)
  end
  return math.max(at - now, 0)
end

local NEW = { limit = "count", rate = "count", connections = "count", host_connections = "count" }

-- For libcurl, where 0 would be no limit.
local function whole(count)
  return count and math.floor(math.min(math.max(count, 1), MOST))
end

local function new(options)
  local limit = whole(options.limit or LIMIT)
  local self = setmetatable({
    limit = limit, interval = options.rate and 1 / options.rate, slot = 0,
    wire = wire.new { connections = whole(options.connections), kept = limit, watched = true,
                      host_connections = whole(options.host_connections) },
    tasks = {}, -- the set of those that are not done
    threads = {}, -- coroutines that wait for another task
    pending = queue.new(), -- have not begun
    begun = 0, unfinished = 0,
  }, Loop)
  forget_waits(self)
  local pool, err = self.wire:open()
  if not pool then
    return nil, err
  end
  return self
end

local M = {}

--- Makes a loop. Nothing is sent yet.
-- @tparam[opt] table options
-- @tparam[opt=50] number options.limit exchanges at once; answers that wait to be decoded
-- are not counted, nor are tasks that sleep
-- @tparam[opt] number options.rate requests per second at most, over all tasks
-- @tparam[opt] number options.connections connections at once; HTTP/1.1 needs one for
-- every exchange, HTTP/2 one for a hundred
-- @tparam[opt] number options.host_connections the same, for each host
-- @treturn[1] pcapi.concurrent
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config: no descriptor is left
function M.new(options)
  return new(options_.check(options, NEW, "pcapi.concurrent.new"))
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
  if not self.wire.pool then
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
  if is_moving(self) then
    error("step: neither a task nor progress can move its own loop on", 2)
  elseif self.stopping then
    stop_all(self)
    return self.unfinished
  end
  local now, unfinished = core.now(), self.unfinished
  wake(self, now)
  local is_busy = send(self, now) or not self.ready:is_empty()
  if self.unfinished == 0 and unfinished > 0 then
    return 0 -- nothing is left to wait for
  elseif not receive(self, is_busy and 0 or math.min(idle_time(self, now), seconds or 0)) then
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
    self:stop(is_interruption(failure) and "interrupted" or nil)
    drive(self)
  end
  if not ok and not is_interruption(failure) then
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

local function check_tasks(tasks, what, level)
  if type(tasks) ~= "table" then
    error(("%s takes an array of functions, not a %s"):format(what, type(tasks)), level + 1)
  end
  for i = 1, #tasks do
    if type(tasks[i]) ~= "function" then
      error(("%s: task %d must be a function, not a %s"):format(what, i, type(tasks[i])),
        level + 1)
    end
  end
  if task_.loop() then
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
  check_tasks(tasks, "run", 2)
  if is_moving(self) then
    error("run: the loop runs already; give it more by loop:add(…)", 2)
  end
  return run(self, tasks, options_.check(options, RUN, "run"))
end

--- For another event loop, in the words of cqueues: a descriptor to be polled.
-- @treturn number readable when there is something to do
function Loop:pollfd()
  check_open(self, 2)
  return self.wire.pool:descriptor()
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
  local wanted = self.wire.pool:timeout()
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
  self.wire:close()
end

function Loop:__tostring()
  return ("%s (%d of at most %d exchanges, %d tasks)"):format(Loop.__name, self.on_wire,
    self.limit, self.unfinished)
end

local ALL = { stop_on_error = "boolean", progress = "function" }
for name, types in pairs(NEW) do
  ALL[name] = types
end

-- Makes a loop, runs the tasks and closes it; for `pcapi.concurrent` and
-- `pcapi.each_tenant`, whose name is given for messages.
function M.run(tasks, options, what, level)
  options = options_.check(options, ALL, what, level + 1)
  check_tasks(tasks, what, level + 1)
  local loop, err = new(options)
  if not loop then
    return nil, err
  end
  local ok, results = pcall(run, loop, tasks, options)
  loop:close()
  if not ok then
    error(results, 0)
  end
  return results
end

--- Runs tasks in a loop of their own.
-- @function __call
-- @tparam table tasks array of functions
-- @tparam[opt] table options as for @{new} and @{run}
-- @treturn[1] table as @{run}
-- @treturn[2] nil
-- @treturn[2] pcapi.error as @{new}
return setmetatable(M, {
  __call = function(_, tasks, options)
    local results, err = M.run(tasks, options, "pcapi.concurrent", 2)
    return results, err
  end,
})
