--- Starts nginxes with a cached value that a spec controls.
local sandbox = require "spec.support.sandbox"
local workers = require "spec.support.workers"

local M = {}

-- `load` counts its runs in the dictionary `steer`, which also has how many seconds it takes, and
-- code that returns the value.
local INIT = [[
  client = pcapi.new { base_url = %q, token = %q }
  shared = pcapi.shared { dict = "pcapi", %s }
  value = shared:cached {
    of = "spec", name = "value", fresh = %s, stale = %s, retry = %s, timeout = %s,
    load = function()
      local steer = ngx.shared.steer
      local run = steer:incr("loads", 1, 0)
      ngx.sleep(steer:get "takes" or 0)
      return loadstring(steer:get "returns" or "return ...")(run)
    end,
  }
]]

--- Code that returns the cached value, its age in seconds, whether it is stale, and the error as a
-- text; or nil and the error as a text.
M.GET = [[
  local got, state = value:get()
  if got == nil then
    return nil, tostring(state)
  end
  return got, state.age, state.is_stale, state.err and tostring(state.err)
]]

--- Starts an nginx. The value is the number of the run of `load`, until @{returns}.
-- @tparam ?table options `fresh`, `stale`, `retry` and `timeout` of the value (60, 600, 1 and 10
--   seconds); `shared`: more options of pcapi.shared, as Lua; `scenario` of the global `client`,
--   see sandbox/README.md; `workers`, `dict_size`, `http` and `server` for `spec.support.workers`
function M.start(options)
  options = options or {}
  return workers.start {
    workers = options.workers, dict_size = options.dict_size, server = options.server,
    http = "lua_shared_dict steer 100k; " .. (options.http or ""),
    init = INIT:format(sandbox.url, sandbox.token { scenario = options.scenario },
      options.shared or "", options.fresh or 60, options.stale or 600, options.retry or 1,
      options.timeout or 10),
  }
end

--- Sets how many seconds `load` takes.
function M.takes(machine, seconds)
  machine:run(('ngx.shared.steer:set("takes", %g)'):format(seconds))
end

--- Sets the code whose result `load` returns; its argument is the number of the run.
function M.returns(machine, code)
  machine:run(('ngx.shared.steer:set("returns", %q)'):format(code))
end

--- How often `load` was called.
function M.loads(machine)
  return machine:run 'return ngx.shared.steer:get "loads" or 0'
end

return M
