--- One run of tasks by a loop: what ends it early, and its progress.
-- @classmod pcapi.concurrent.run
local core = require "pcapi.core"

local M = {}

local TICK = 0.25 -- seconds

local Run = {}
Run.__index = Run
Run.__name = "pcapi.concurrent.run"

--- Begins a run.
-- @tparam table options `stop_on_error`, `progress` and `on_wait` of `loop:run`
-- @treturn pcapi.concurrent.run
function M.new(options)
  local now = options.on_wait and core.now()
  return setmetatable({
    stop_on_error = options.stop_on_error, progress = options.progress, on_wait = options.on_wait,
    began_at = now, next_tick = now and now + TICK, -- seconds of the core's clock
    done = 0, is_reporting = false, stopped = nil, -- `"stopped"` or `"interrupted"`
  }, Run)
end

--- Records that the run was stopped.
-- @tparam string why `"stopped"` or `"interrupted"`
function Run:stop(why)
  self.stopped = why
end

--- Stops calling the functions of the options.
function Run:mute()
  self.progress, self.on_wait, self.stop_on_error, self.is_reporting = nil, nil, nil, false
end

--- Reports a task that has ended to the progress function, which must be there.
-- @tparam number unfinished tasks that have not ended
-- @tparam pcapi.concurrent.loop loop
function Run:report(unfinished, loop)
  self.done, self.is_reporting = self.done + 1, true
  self.progress(self.done, self.done + unfinished, loop)
  self.is_reporting = false
end

--- Calls `on_wait`, if it is there and due.
function Run:tick()
  local now = self.on_wait and core.now()
  if now and now >= self.next_tick then
    self.next_tick, self.is_reporting = now + TICK, true
    self.on_wait(now - self.began_at)
    self.is_reporting = false
  end
end

--- Makes the results of the run.
-- @tparam table tasks array of those that were given
-- @treturn table the same array, with `failed` and `stopped`
function Run:results(tasks)
  local failed = 0
  for _, task in ipairs(tasks) do
    failed = failed + (task.err ~= nil and 1 or 0)
  end
  tasks.failed, tasks.stopped = failed, self.stopped
  return tasks
end

return M
