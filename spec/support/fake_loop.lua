--- Loops of tasks over the fake core, and helpers for the specs of `pcapi.concurrent`.
local current_task = require "pcapi.http.current_task"
local errors = require "pcapi.error"
local fake_core = require "spec.support.fake_core"

local M = {}

local core, restore, transport

--- Puts the fake core in place, and loads `pcapi.concurrent` and a transport over it.
-- @treturn table the core
-- @treturn table pcapi.concurrent
-- @treturn table the transport
function M.install()
  core, restore = fake_core.install()
  transport = require("pcapi.http.curl").new()
  return core, require "pcapi.concurrent", transport
end

--- Undoes that, and checks that no task is left running.
function M.restore()
  restore()
  assert(current_task.loop() == nil, "a task is left running")
end

--- Sends a request.
-- @tparam[opt=""] string path
-- @tparam[opt=60] number timeout seconds
-- @return as `send` of a transport
function M.get(path, timeout)
  return transport:send { method = "GET", url = "https://a.example/" .. (path or ""), headers = {},
                          timeout = timeout or 60, connect_timeout = 15, max_body = 1,
                          max_headers = 1 }
end

--- Makes tasks that call a function with their number and their loop.
-- @tparam number count
-- @tparam function act
-- @treturn table
function M.tasks_of(count, act)
  local tasks = {}
  for i = 1, count do
    tasks[i] = function(loop) return act(i, loop) end
  end
  return tasks
end

--- The paths of the requests, in the order in which they were sent.
-- @treturn string separated by spaces
function M.sent()
  local paths = {}
  for i, request in ipairs(core.sent) do
    paths[i] = request.url:match "[^/]*$"
  end
  return table.concat(paths, " ")
end

--- Checks that each task is done.
-- @tparam table results
-- @treturn number how many of them were stopped
function M.stopped_of(results)
  local count = 0
  for _, result in ipairs(results) do
    assert(result.done == true, "a task is not done")
    count = count + (errors.is(result.err) and result.err.kind == "stopped" and 1 or 0)
  end
  return count
end

return M
