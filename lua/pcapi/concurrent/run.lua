--- One run of tasks by a loop: what ends it early, and its progress.
-- @classmod pcapi.concurrent.run
local M = {}

local Run = {}
Run.__index = Run
Run.__name = "pcapi.concurrent.run"

--- Begins a run.
-- @tparam table options `stop_on_error` and `progress` of `loop:run`
-- @treturn pcapi.concurrent.run
function M.new(options)
  return setmetatable({
    stop_on_error = options.stop_on_error, progress = options.progress,
    done = 0, is_reporting = false, stopped = nil, -- `"stopped"` or `"interrupted"`
  }, Run)
end

--- Records that the run was stopped.
-- @tparam string why `"stopped"` or `"interrupted"`
function Run:stop(why)
  self.stopped = why
end

--- Stops calling the progress function.
function Run:mute()
  self.progress, self.stop_on_error, self.is_reporting = nil, nil, false
end

--- Reports a task that has ended to the progress function, which must be there.
-- @tparam number unfinished tasks that have not ended
-- @tparam pcapi.concurrent.loop loop
function Run:report(unfinished, loop)
  self.done, self.is_reporting = self.done + 1, true
  self.progress(self.done, self.done + unfinished, loop)
  self.is_reporting = false
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
