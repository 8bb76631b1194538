--- A loop that runs tasks. Make one with `pcapi.concurrent.new`.
-- @classmod pcapi.concurrent.loop
local check = require "pcapi.check"
local core = require "pcapi.core"
local current_task = require "pcapi.http.current_task"
local defaults = require "pcapi.defaults"
local errors = require "pcapi.error"
local network = require "pcapi.concurrent.network"
local run = require "pcapi.concurrent.run"
local scheduler = require "pcapi.concurrent.scheduler"
local tasks = require "pcapi.concurrent.tasks"

local M = {}

local SLICE = 0.25 -- seconds; Ctrl-C is noticed between two of them
local LARGEST = 2 ^ 31 - 1 -- of a number of requests or connections

local Loop = {}
Loop.__index = Loop
Loop.__name = "pcapi.concurrent"

local function task_ended(self, task)
  local current = self.current_run
  if errors.is_interruption(task.err) then
    tasks.set_stopped(task)
    self:stop "interrupted"
  elseif task.err ~= nil and current and current.stop_on_error then
    self:stop()
  end
  if current and current.progress then
    current:report(self.scheduler.unfinished, self)
  end
end

-- A limit for libcurl, where 0 would mean no limit.
local function whole(count)
  return count and math.floor(math.min(math.max(count, 1), LARGEST))
end

--- Makes a loop from checked options; see `pcapi.concurrent.new`.
-- @local
-- @tparam table options
-- @treturn[1] pcapi.concurrent.loop
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.new(options)
  local limit = whole(options.limit or defaults.concurrency)
  local opened, err = network.open {
    connections = whole(options.connections), host_connections = whole(options.host_connections),
    idle = limit, watched = true, memory = options.memory or defaults.memory,
  }
  if not opened then
    return nil, err
  end
  local self = setmetatable({
    network = opened,
    current_run = nil, -- the run that goes on
    stop_reason = nil, -- while the tasks are stopped: `"stopped"` or `"interrupted"`
    is_closing = false, -- whether the network is closed once the tasks are stopped
  }, Loop)
  self.scheduler = scheduler.new(self, opened, { limit = limit, rate = options.rate }, task_ended)
  return self
end

local function check_open(self, level)
  if getmetatable(self) ~= Loop then
    error("call it with a colon, as loop:run {…}", level + 1)
  elseif not self.network:is_open() then
    error("the loop is closed; make another: pcapi.concurrent.new()", level + 1)
  end
end

-- Whether a task of the loop or its progress function is running, which cannot move the loop on.
local function is_running(self)
  return self.current_run ~= nil and self.current_run.is_reporting or self.scheduler:is_running()
end

--- Adds a task. It begins in a later step.
-- @tparam function act is called with the loop; returns a value, or nil (or false) and an error
-- @treturn table the task: `done`; then `value`, or `err` (what the function returned or raised, or
-- a pcapi.error of kind stopped); and `traceback` of an error that the function raised
function Loop:add(act)
  check_open(self, 2)
  if type(act) ~= "function" then
    error(("a task must be a function, not a %s"):format(type(act)), 2)
  end
  return self.scheduler:add(act)
end

--- Lets the running task wait.
-- @tparam number seconds
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind stopped
function Loop:sleep(seconds)
  if not self.scheduler.running then
    error("only a task can sleep in its loop", 2)
  end
  return self.scheduler:sleep(seconds)
end

--- Lets other tasks run before the running task goes on: for work that takes long. Does nothing
-- outside a task, or in a task whose run is stopped.
function Loop:breathe()
  self.scheduler:breathe()
end

--- Sends a request of the running task and waits for the response; for `pcapi.http.curl`.
-- @tparam table connection of `pcapi.http.sessions`
-- @tparam table request
-- @return as `send` of a transport
function Loop:send(connection, request)
  return self.scheduler:send(connection, request)
end

local function step_stop(self)
  if self.scheduler:step_stop() then
    self.stop_reason = nil
    if self.is_closing then
      self.is_closing = false
      self.network:close()
    end
  end
end

--- Runs the tasks that can run, and waits for the network if none can.
-- @tparam[opt=0] number seconds to wait at most
-- @treturn number tasks that have not ended
function Loop:step(seconds)
  check_open(self, 2)
  seconds = seconds or 0
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    error("step: the seconds must be a number, 0 or more", 2)
  elseif is_running(self) then
    error("step: neither a task nor progress can move its own loop on", 2)
  elseif self.stop_reason then
    step_stop(self)
  else
    self.scheduler:step(seconds)
  end
  return self.scheduler.unfinished
end

--- Stops the tasks: requests in flight are cancelled, calls that wait return an error of kind
-- stopped, and so do tasks that have not begun. May be called from anywhere.
-- @tparam[opt="stopped"] string why `"stopped"` or `"interrupted"`, for the results of the run
function Loop:stop(why)
  if self.scheduler:stop() then
    self.stop_reason = why or self.stop_reason or "stopped"
    if self.current_run then
      self.current_run:stop(self.stop_reason)
    end
  end
end

local function drive(self)
  while self.scheduler.unfinished > 0 do
    self:step(SLICE)
    self.current_run:tick()
  end
end

-- Runs all tasks to their end. Ctrl-C stops them, and the results so far are returned. Any other
-- error, such as one of the progress function, is raised once all tasks are stopped.
local function run_all(self)
  local ok, failure = pcall(drive, self)
  if not ok then
    self.scheduler:reset()
    self.current_run:mute()
    self:stop(errors.is_interruption(failure) and "interrupted" or nil)
    drive(self)
  end
  if not ok and not errors.is_interruption(failure) then
    self.current_run = nil
    error(failure, 0)
  end
end

local RUN = { stop_on_error = "boolean", progress = "function", on_wait = "function" }

--- Raises if a value is not an array of functions, or if a task is running.
-- @local
-- @param acts
-- @tparam string what the name of the function, for the message
-- @tparam number level as for `error`, counted from the caller of check_tasks
function M.check_tasks(acts, what, level)
  if type(acts) ~= "table" then
    error(("%s takes an array of functions, not a %s"):format(what, type(acts)), level + 1)
  end
  for i = 1, #acts do
    if type(acts[i]) ~= "function" then
      error(("%s: task %d must be a function, not a %s"):format(what, i, type(acts[i])),
        level + 1)
    end
  end
  check.array(acts, what .. ": the tasks", level + 1)
  if current_task.loop() then
    error(what .. ": a task cannot run others; give them to its loop: loop:add(…)", level + 1)
  end
end

--- Runs tasks to their end, together with those that were added before or are added later.
-- @tparam[opt] table acts array of functions, each as for @{add}
-- @tparam[opt] table options
-- @tparam[opt] boolean options.stop_on_error the first error stops the run
-- @tparam[opt] function options.progress is called after each task with the number of tasks that
-- have ended, the number of all tasks so far, and the loop
-- @tparam[opt] function options.on_wait is called about four times a second with the seconds that
-- the run has taken
-- @treturn table array of the tasks, as @{add} returns them, in the given order; with `failed`, the
-- number of tasks with an error, and `stopped`: nil, `"stopped"`, or `"interrupted"` by Ctrl-C
function Loop:run(acts, options)
  acts = acts or {}
  check_open(self, 2)
  M.check_tasks(acts, "run", 2)
  if is_running(self) then
    error("run: the loop runs already; give it more by loop:add(…)", 2)
  end
  self.current_run = run.new(check.options(options, RUN, "run"))
  self.current_run:stop(self.stop_reason)
  local added = {}
  for i, act in ipairs(acts) do
    added[i] = self.scheduler:add(act)
  end
  run_all(self)
  local results = self.current_run:results(added)
  self.current_run = nil
  return results
end

--- A descriptor, for another event loop (in the protocol of cqueues).
-- @treturn number readable when a step is due
function Loop:pollfd()
  check_open(self, 2)
  return self.network:descriptor()
end

--- Returns the events to poll the descriptor for.
-- @treturn string "r"
function Loop:events() -- luacheck: ignore self
  return "r"
end

--- When a step is due although the descriptor is not readable.
-- @treturn ?number seconds; nil for never
function Loop:timeout()
  check_open(self, 2)
  local seconds = self.scheduler:idle_time(core.now())
  local wanted = self.network:timeout()
  seconds = wanted and math.min(wanted, seconds) or seconds
  return seconds < math.huge and seconds or nil
end

--- Stops the tasks that have not ended, and closes the connections. If a task or its progress
-- function calls it, the loop does so when they return.
function Loop:close()
  self:stop()
  if self.scheduler.unfinished > 0 and is_running(self) then
    self.is_closing = true
    return
  end
  self.scheduler:reset()
  while self.scheduler.unfinished > 0 do
    step_stop(self)
  end
  self.network:close()
end

function Loop:__tostring()
  return ("%s (%d of at most %d requests, %d tasks)"):format(Loop.__name,
    self.scheduler.slots.in_use, self.scheduler.limit, self.scheduler.unfinished)
end

return M
