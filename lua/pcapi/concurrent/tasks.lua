--- A task: a function that runs in a coroutine, from one wait to the next, until it ends.
-- @module pcapi.concurrent.tasks
local current_task = require "pcapi.http.current_task"
local sessions = require "pcapi.http.sessions"

local M = {}

local MOST_REFUSALS = 100 -- calls of a task that goes on after its run was stopped

local close_thread = rawget(coroutine, "close") -- Lua 5.4
local is_yieldable = rawget(coroutine, "isyieldable") -- Lua 5.3, LuaJIT
local yield = coroutine.yield

--- A task yields this value to wait until it is resumed; any other value only lets other tasks
-- run. The yield returns nil, @{STOPPED} or @{LATE}. There is no function for it, since its frame
-- would cost memory for each task that waits.
M.WAITS = {}
local WAITS = M.WAITS
local TESTS, ENDS = {}, {} -- also yielded: can it wait, and has it ended

--- Passed to a waiting task: its run was stopped.
M.STOPPED = "stopped"
--- Passed to a waiting task: its deadline is over.
M.LATE = "late"

--- A task. Its result is for the user, who gets it as a plain table; only this module changes it.
-- @table task
-- @field done whether it has ended
-- @field value the first value that the function returned
-- @field err what the function returned after nil or false, or what it raised; or a pcapi.error of
-- kind stopped
-- @field traceback of an error that the function raised
-- @field act the function, until the task has ended
-- @field thread its coroutine, from its begin to its end
-- @field has_returned whether the result is complete
-- @field wake when its wait is over at the latest, in seconds of the core's clock
-- @field refusals how many calls it made after its run was stopped

--- Makes a task that has not begun.
-- @tparam function act
-- @treturn table task
function M.new(act)
  return { act = act, done = false }
end

--- Returns the error of a call whose run is stopped.
-- @treturn nil
-- @treturn pcapi.error of kind stopped
function M.stopped()
  return sessions.fail("stopped", "the run of tasks was stopped")
end

--- Raises if the running task cannot wait here: Lua 5.1 cannot within pcall, and no Lua can within
-- a callback of table.sort or string.gsub. Call it before anything is recorded that would wake
-- the task later.
function M.check_wait()
  if not is_yieldable then
    yield(TESTS) -- raises if it is impossible
  elseif not is_yieldable() then
    error("a task cannot wait within a callback of C, such as one of table.sort", 0)
  end
end

-- Runs in a coroutine, one task after another, since a new coroutine costs as much as decoding a
-- short response. The result is stored here and not by the code that resumes the coroutine, which
-- Ctrl-C may interrupt.
local function perform(loop, task)
  while loop ~= M.STOPPED do
    local value, err = task.act(loop)
    task.value = value
    if not value then
      task.err = err
    end
    task.has_returned = true
    loop, task = yield(ENDS)
  end
end

--- Runs a task until its next wait.
-- @tparam table task with a coroutine
-- @tparam pcapi.concurrent.loop loop
-- @param first @{STOPPED} or @{LATE} if its wait is over early; the loop for its first resume
-- @param second the task for its first resume
-- @treturn string `"waiting"`; `"ready"`, if it only lets other tasks run; or `"ended"`
-- @treturn ?thread once it has ended, its coroutine, if another task can use it
function M.resume(task, loop, first, second)
  local thread = task.thread
  local ok, what = current_task.resume(loop, thread, first, second)
  while what == TESTS do
    ok, what = current_task.resume(loop, thread)
  end
  if what == WAITS then
    return "waiting"
  elseif what == ENDS then
    return "ended", thread
  elseif not ok then
    task.value, task.err = nil, what or "the task raised " .. tostring(what)
    task.traceback = debug.traceback(thread)
    return "ended"
  elseif task.thread and coroutine.status(thread) == "dead" then
    M.set_stopped(task)
    return "ended"
  end
  return "ready"
end

--- Gives a task its coroutine.
-- @tparam table task that has not begun
-- @tparam[opt] thread thread the coroutine of a task that has ended
function M.begin(task, thread)
  task.thread = thread or coroutine.create(perform)
end

--- Sets when the wait of a task is over at the latest.
-- @tparam table task
-- @tparam number at seconds of the core's clock
function M.set_wake(task, at)
  task.wake = at
end

--- Whether a task waits.
-- @tparam table task
-- @treturn boolean
function M.is_suspended(task)
  return task.thread ~= nil and coroutine.status(task.thread) == "suspended"
end

--- Whether a task is running, or has resumed the coroutine that is running.
-- @tparam table task
-- @treturn boolean
function M.is_running(task)
  local status = task.thread and coroutine.status(task.thread)
  return status == "running" or status == "normal"
end

--- Ends a task. Its result must be set.
-- @tparam table task
function M.close(task)
  task.done = true -- first, since Ctrl-C may interrupt the next line
  task.thread, task.act, task.has_returned, task.refusals, task.wake = nil, nil, nil, nil, nil
end

--- Sets the error of a task whose run was stopped.
-- @tparam table task
function M.set_stopped(task)
  task.err = select(2, M.stopped())
end

--- Sets the error of a task that does not end by itself, and frees its coroutine.
-- @tparam table task
function M.drop(task)
  if task.thread and close_thread then
    close_thread(task.thread)
  end
  M.set_stopped(task)
end

--- Whether a task whose run is stopped must be dropped: it cannot be resumed, or it goes on making
-- calls. Counts how often it is called for a task.
-- @tparam table task
-- @treturn boolean
function M.is_hopeless(task)
  task.refusals = (task.refusals or 0) + 1
  return not task.thread or coroutine.status(task.thread) == "dead"
    or task.refusals > MOST_REFUSALS
end

return M
