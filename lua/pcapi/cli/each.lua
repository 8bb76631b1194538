--- Sends the request of a command to several tenants at once.
-- @module pcapi.cli.each
local connect = require "pcapi.cli.connect"
local exit = require "pcapi.cli.exit"
local pcapi = require "pcapi"
local progress = require "pcapi.cli.progress"
local tenant_list = require "pcapi.cli.tenant_list"

local M = {}

local LONG = 120 -- seconds; a rate that makes the command take longer is reported

local function opener_of(tenant)
  return function()
    if not tenant.profile then
      return nil, tenant.err
    end
    return connect.client(tenant.args, tenant.profile)
  end
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
  local tenants = {}
  for i, tenant in ipairs(tenant_list.choose(args)) do
    tenants[i] = { name = tenant.name, open = opener_of(tenant) }
  end
  report_duration(args, #tenants)
  local on_end, wipe = progress.start(args, "%d of %d tenants done")
  local results, err = pcapi.each_tenant(tenants, function(client)
    local list, failure = call(client)
    client:close()
    return list, failure
  end, { limit = args.parallel, rate = args.rate, progress = on_end })
  wipe()
  if not results then
    exit.fail(err)
  end
  return results
end

return M
