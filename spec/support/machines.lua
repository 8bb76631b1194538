--- Starts several nginxes that share a Redis. Each one counts as a machine of its own, as it has a
-- dictionary of its own.
local nginx = require "spec.support.nginx"
local redis = require "spec.support.redis"
local workers = require "spec.support.workers"

local M = {}

--- Lua code: the option `redis` of pcapi.shared.
-- @tparam table server of `spec.support.redis`
-- @tparam ?string more options
-- @treturn string
function M.option(server, more)
  return ('redis = { host = %q, port = %d, %s %s }'):format(server.host, server.port,
    server.password and ("password = %q, "):format(server.password) or "", more or "")
end

--- Options for `spec.support.workers`: two workers, whose global `shared` uses a Redis.
-- @tparam table server of `spec.support.redis`
-- @tparam ?string more options of Redis
-- @treturn table
function M.sharing(server, more)
  return { workers = 2, init = ("shared = pcapi.shared { dict = 'pcapi', %s }"):format(
    M.option(server, more)) }
end

--- Starts so many machines with the same options.
function M.start(count, options)
  local machines = {}
  for i = 1, count do
    machines[i] = workers.start(options)
  end
  return machines
end

--- Runs code on all machines at once, so many times on each.
-- @treturn table one array with the results of all machines
function M.run_on_all(machines, count, code)
  local running, results = {}, {}
  for i, machine in ipairs(machines) do
    running[i] = machine:begin_runs(count, code)
  end
  for _, run in ipairs(running) do
    for _, result in ipairs(run:finish()) do
      results[#results + 1] = result
    end
  end
  return results
end

--- Stops all nginxes and Redises; for after_each.
function M.stop_all()
  nginx.stop_all()
  redis.stop_all()
end

return M
