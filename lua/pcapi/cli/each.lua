--- Sends the request of a command to several tenants at once.
-- @module pcapi.cli.each
local connect = require "pcapi.cli.connect"
local errors = require "pcapi.error"
local exit = require "pcapi.cli.exit"
local pcapi = require "pcapi"
local progress = require "pcapi.cli.progress"
local results = require "pcapi.cli.results"
local tenant_list = require "pcapi.cli.tenant_list"

local M = {}

local LONG = 120 -- seconds; a rate that makes the command take longer is reported

--- Makes a function that makes the client of a tenant.
-- @tparam table tenant of `pcapi.cli.tenant_list`
-- @tparam table line of `pcapi.cli.progress`
-- @treturn function returns a client, or nil and an error
function M.opener(tenant, line)
  return function()
    if not tenant.profile then
      return nil, tenant.err
    end
    return connect.client(tenant.args, tenant.profile, { on_pause = line:on_pause(tenant.name) })
  end
end

local function outcome_of(list)
  local count = list and results.size(list)
  return not count and "failed" or count == 1 and "done, 1 record"
    or ("done, %d records"):format(count)
end

--- Reports that the rate makes the command take long.
-- @tparam table args
-- @tparam number count of tenants
-- @tparam[opt=1] number requests of each tenant
function M.report_duration(args, count, requests)
  local seconds = args.rate and count * (requests or 1) / args.rate or 0
  if seconds > LONG and not args.quiet then
    exit.say(("%d tenants at %g requests per second take at least %.0f minutes"):format(count,
      args.rate, seconds / 60))
  end
end

--- Calls the service for each tenant that the arguments select.
-- @tparam table args with `parallel` (requests in flight at once) and `rate` (requests per
-- second) of all tenants together
-- @tparam function call takes a client, the name of the tenant, and a function that raises a value
-- which ends the command; returns a list, or nil and an error
-- @treturn table results of `pcapi.each_tenant`, sorted by the names of the tenants
function M.query(args, call)
  local line = progress.new(args, "%d of %d tenants done", true)
  local show, tenants, failure = line:on_wait(), {}, nil
  local function abort(why)
    failure = not errors.is_interruption(why) and why or nil
    error(why, 0)
  end
  for i, tenant in ipairs(tenant_list.choose(args)) do
    tenants[i] = { name = tenant.name, open = M.opener(tenant, line) }
  end
  M.report_duration(args, #tenants)
  line:update(0, #tenants)
  local all, err = pcapi.each_tenant(tenants, function(client, name)
    local list, problem = call(client, name, abort)
    client:close()
    line:event(name, outcome_of(list))
    return list, problem
  end, {
    limit = args.parallel, rate = args.rate,
    progress = function(done, total)
      if failure then
        error(failure, 0)
      elseif show then
        show(done, total)
      end
    end,
    on_wait = function()
      line:refresh()
    end,
  })
  progress.wipe()
  if not all then
    exit.fail(err)
  end
  return all
end

return M
