---@meta pcapi.concurrent.loop
-- Made by `make types` from lua/pcapi/concurrent/loop.lua; do not edit.

---A loop that runs tasks.
---@class pcapi.concurrent.loop
local pcapi_concurrent_loop = {}

---Adds a task. It begins in a later step.
---@param act function is called with the loop; returns a value, or nil (or false) and an error
---@return table # the task: `done`; then `value`, or `err` (what the function returned or raised, or a pcapi.error of kind stopped); and `traceback` of an error that the function raised
function pcapi_concurrent_loop:add(act) end

---Lets the running task wait.
---@param seconds number 
---@return boolean|nil # true
---@return pcapi.error|nil # of kind stopped
function pcapi_concurrent_loop:sleep(seconds) end

---Lets other tasks run before the running task goes on: for work that takes long. Does nothing outside a task, or in a task whose run is stopped.
function pcapi_concurrent_loop:breathe() end

---Sends a request of the running task and waits for the response; for `pcapi.http.curl`.
---@param connection table of `pcapi.http.sessions`
---@param request table 
---@return  # as `send` of a transport
function pcapi_concurrent_loop:send(connection, request) end

---Runs the tasks that can run, and waits for the network if none can.
---@param seconds? number to wait at most
---@return number # tasks that have not ended
function pcapi_concurrent_loop:step(seconds) end

---Stops the tasks: requests in flight are cancelled, calls that wait return an error of kind stopped, and so do tasks that have not begun. May be called from anywhere.
---@param why? string `"stopped"` or `"interrupted"`, for the results of the run
function pcapi_concurrent_loop:stop(why) end

---@class pcapi.concurrent.loop.run.options
---@field stop_on_error? boolean the first error stops the run
---@field progress? function is called after each task with the number of tasks that have ended, the number of all tasks so far, and the loop
---@field on_wait? function is called about four times a second with the seconds that the run has taken

---Runs tasks to their end, together with those that were added before or are added later.
---@param acts? table array of functions, each as for `add`
---@param options? pcapi.concurrent.loop.run.options 
---@return table # array of the tasks, as `add` returns them, in the given order; with `failed`, the number of tasks with an error, and `stopped`: nil, `"stopped"`, or `"interrupted"` by Ctrl-C
function pcapi_concurrent_loop:run(acts, options) end

---A descriptor, for another event loop (in the protocol of cqueues).
---@return number # readable when a step is due
function pcapi_concurrent_loop:pollfd() end

---Returns the events to poll the descriptor for.
---@return string # "r"
function pcapi_concurrent_loop:events() end

---When a step is due although the descriptor is not readable.
---@return number|nil # seconds; nil for never
function pcapi_concurrent_loop:timeout() end

---Stops the tasks that have not ended, and closes the connections. If a task or its progress function calls it, the loop does so when they return.
function pcapi_concurrent_loop:close() end

return pcapi_concurrent_loop
