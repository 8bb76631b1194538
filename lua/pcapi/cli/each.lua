--- Sends the request of a command to several tenants at once.
-- @module pcapi.cli.each
local connect = require "pcapi.cli.connect"
local exit = require "pcapi.cli.exit"
local pcapi = require "pcapi"
local progress = require "pcapi.cli.progress"
local tenant_list = require "pcapi.cli.tenant_list"

local M = {}

local LONG = 120 -- seconds; a rate that makes the command take longer is reported

local function opener_of(tenant, line)
  return function()
    if not tenant.profile then
      return nil, tenant.err
    end
    return connect.client(tenant.args, tenant.profile, { on_pause = line:on_pause(tenant.name) })
  end
end

local function outcome_of(list)
  return not list and "failed" or #list == 1 and "done, 1 record"
    or ("done, %d records"):format(#list)
end

local function report_duration(args, count)
  if args.rate and count / args.rate > LONG and not args.quiet then
    exit.say(("%d tenants at %g requests per second take at least %.0f minutes"):format(count,
      args.rate, count / args.rate / 60))
  end
end

--- Calls the service for each tenant that the arguments select.
-- @tparam table args with `parallel` (requests in flight at once) and `rate` (requests per
-- second) of all tenants together
-- @tparam function call takes a client; returns a list, or nil and an error
-- @treturn table results of `pcapi.each_tenant`, sorted by the names of the tenants
function M.query(args, call)
  local line = progress.new(args, "%d of %d tenants done", true)
  local tenants = {}
  for i, tenant in ipairs(tenant_list.choose(args)) do
    tenants[i] = { name = tenant.name, open = opener_of(tenant, line) }
  end
  report_duration(args, #tenants)
  line:update(0, #tenants)
  local results, err = pcapi.each_tenant(tenants, function(client, name)
    local list, failure = call(client)
    client:close()
    line:event(name, outcome_of(list))
    return list, failure
  end, {
    limit = args.parallel, rate = args.rate, progress = line:on_wait(),
    on_wait = function()
      line:refresh()
    end,
  })
  progress.wipe()
  if not results then
    exit.fail(err)
  end
  return results
end

return M
