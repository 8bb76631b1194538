--- Asks several tenants at once.
-- @module pcapi.cli.each
local connect = require "pcapi.cli.connect"
local exit = require "pcapi.cli.exit"
local pcapi = require "pcapi"
local tenant_list = require "pcapi.cli.tenant_list"

local M = {}

local LONG = 120 -- seconds that the rate may cost without a word

local function task_of(tenant, call)
  return function()
    if not tenant.profile then
      return nil, tenant.err
    end
    local client, err = connect.client(tenant.args, tenant.profile)
    if not client then
      return nil, err
    end
    local list
    list, err = call(client)
    client:close()
    return list, err
  end
end

--- Asks them.
-- @tparam table args `limit` (exchanges at once) and `rate` (requests per second) of them
-- @tparam function call takes a client; gives a list, or nil and an error
-- @treturn table array of what they answered: `name`, and `list` or `err`
function M.ask(args, call)
  local chosen, tasks = tenant_list.choose(args), {}
  for i, tenant in ipairs(chosen) do
    tasks[i] = task_of(tenant, call)
  end
  if args.rate and #tasks / args.rate > LONG and not args.quiet then
    exit.say(("%d tenants at %g requests a second take at least %.0f minutes"):format(#tasks,
      args.rate, #tasks / args.rate / 60))
  end
  local progress, wipe = connect.progress(args, "asking %d of %d tenants ...")
  local results, err = pcapi.concurrent(tasks, {
    limit = args.limit, rate = args.rate, progress = progress,
  })
  wipe()
  if not results then
    exit.fail(err)
  end
  local answers = {}
  for i, tenant in ipairs(chosen) do
    answers[i] = { name = tenant.name, list = results[i].value, err = results[i].err }
  end
  return answers
end

return M
