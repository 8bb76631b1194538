--- Does several requests for each of many tenants, for a few tenants at once, so that only the
-- lists of these are in memory.
-- @module pcapi.cli.in_turn
local connect = require "pcapi.cli.connect"
local each = require "pcapi.cli.each"
local errors = require "pcapi.error"
local exit = require "pcapi.cli.exit"
local pcapi = require "pcapi"
local progress = require "pcapi.cli.progress"

local M = {}

-- A run: `tenants`, `results`, `act`, `line`, `taken` (how many tenants were begun), `done`,
-- `current` (the result that each worker works on), and `is_over` (no other tenant is begun).

-- The progress line: for one tenant the seconds, for several the number of those that are done.
local function new_line(args)
  local is_many = connect.is_for_many(args)
  local line = progress.new(args, is_many and "%d of %d tenants done"
    or "waiting for the service, %.0f s", is_many)
  return line, is_many
end

local function do_next(run, worker)
  run.taken = run.taken + 1
  local tenant = run.tenants[run.taken]
  local result = { name = tenant.name, tenant = tenant }
  run.results[run.taken], run.current[worker] = result, result
  local client, err = each.opener(tenant, run.line)()
  if client then
    local is_last
    result.value, err, is_last = run.act(client, tenant)
    run.is_over = run.is_over or is_last
    client:close()
  end
  result.err, run.done = not result.value and err or nil, run.done + 1
  run.line:event(tenant.name, result.value and "done" or "failed")
  if run.is_many then
    run.line:update(run.done, #run.tenants)
  end
end

local function worker_of(run, number)
  return function()
    while run.taken < #run.tenants and not run.is_over do
      do_next(run, number)
    end
    return true
  end
end

-- Gives the results that were left open the error that ended their worker.
local function close_results(run, workers)
  for number, worker in ipairs(workers) do
    local result = run.current[number]
    if worker.err and result and not result.value then
      result.err = result.err or worker.err
    end
  end
  for i, tenant in ipairs(run.tenants) do
    local result = run.results[i] or { name = tenant.name, tenant = tenant }
    if not result.value and not result.err then
      result.err = errors.new { kind = "stopped", message = "the tenant was not asked" }
    end
    run.results[i] = result
  end
  return run.results
end

--- Does it.
-- @tparam table args with `rate` (requests per second)
-- @tparam table tenants array as of `pcapi.cli.tenant_list.choose`
-- @tparam table options `most` (tenants at once) and `requests` (how many a tenant takes)
-- @tparam function act takes a client and the tenant; returns a value, or nil and an error, and
-- true if no other tenant is to be begun
-- @treturn table array in the order of the tenants: `name`, `tenant`, and `value` or `err`
function M.run(args, tenants, options, act)
  local line, is_many = new_line(args)
  local run = { tenants = tenants, act = act, line = line, is_many = is_many, results = {},
                current = {}, taken = 0, done = 0 }
  local workers = {}
  for number = 1, math.min(options.most, #tenants) do
    workers[number] = worker_of(run, number)
  end
  each.report_duration(args, #tenants, options.requests)
  local ended, err = pcapi.concurrent(workers, {
    limit = options.most, rate = args.rate,
    on_wait = function(seconds)
      if is_many then
        line:refresh()
      else
        line:update(seconds)
      end
    end,
  })
  progress.wipe()
  if not ended then
    exit.fail(err)
  end
  return close_results(run, ended)
end

return M
