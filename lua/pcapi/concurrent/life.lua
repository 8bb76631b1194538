--- The life of a task within its loop: it begins, waits, goes on, and ends.
-- @module pcapi.concurrent.life
local errors = require "pcapi.error"
local current_task = require "pcapi.http.current_task"
local sessions = require "pcapi.http.sessions"

local M = {}

local close_thread = rawget(coroutine, "close") -- Lua 5.4
local is_yieldable = rawget(coroutine, "isyieldable") -- Lua 5.3, LuaJIT

-- What a task yields when it waits for something of ours; anything else it yields only
-- lets others go on.
M.WAITS = {}
local WAITS = M.WAITS
local TRIES = {} -- to see whether it could wait
local DONE = {} -- for its coroutine to take another
local yield = coroutine.yield -- gives what the task is resumed with: "stopped" at the end

--- What a call gets whose run is stopped.
-- @treturn nil
-- @treturn pcapi.error of kind stopped
function M.stopped()
  return sessions.fail("stopped", "the run of tasks was stopped")
end

--- Raises where a task cannot wait.
-- A wait that raises must have left no trace yet, or the task is woken by it later, when it
-- waits for something else or is done: Lua 5.1 cannot wait within pcall, and none within a
-- callback of table.sort or string.gsub.
function M.check_wait()
  if not is_yieldable then
    yield(TRIES) -- raises where it cannot
  elseif not is_yieldable() then
    error("a task cannot wait within a callback of C, such as one of table.sort", 0)
  end
end

--- What a task gets that goes on although its run is stopped.
-- @return as @{stopped}
function M.refuse()
  yield(WAITS)
  return M.stopped()
end

--- Takes a task off its loop.
function M.close(self, task)
  task.done = true -- first: Ctrl-C may come in between
  task.thread, task.act, task.returned, task.refusals = nil, nil, nil, nil
  self.tasks[task] = nil
  self.begun, self.unfinished = self.begun - 1, self.unfinished - 1
end

--- Ends a task whose outcome is known.
function M.finish(self, task)
  M.close(self, task)
  if errors.is_interruption(task.err) then
    task.err = select(2, M.stopped())
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
  task.value, task.err = nil, failure or "the task raised " .. tostring(failure)
  task.traceback = debug.traceback(task.thread)
end

--- Runs a task until it waits or ends; what it is resumed with is what its wait returns.
function M.resume(self, task, ...)
  local thread = task.thread
  self.task = task
  local ok, what = current_task.resume(self, thread, ...)
  while what == TRIES do
    ok, what = current_task.resume(self, thread)
  end
  self.task = nil
  if what == DONE then
    M.finish(self, task)
    if #self.threads < self.limit then
      self.threads[#self.threads + 1] = thread
    end
  elseif what == WAITS then
    return
  elseif not ok then
    note_failure(task, what)
    M.finish(self, task)
  elseif task.thread and coroutine.status(thread) == "dead" then
    task.err = select(2, M.stopped())
    M.finish(self, task)
  else
    self.ready:push(task)
  end
end

--- Begins a task.
function M.begin(self, task)
  self.begun = self.begun + 1
  task.thread = table.remove(self.threads) or coroutine.create(perform)
  M.resume(self, task, self, task)
end

--- Ends a task that did not come to its end by itself.
function M.drop(self, task)
  if task.thread and close_thread then
    close_thread(task.thread)
  end
  task.err = select(2, M.stopped())
  M.finish(self, task)
end

return M
