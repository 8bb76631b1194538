--- Delivers notices, and reports it.
-- @module pcapi.cli.notify_delivery
local exit = require "pcapi.cli.exit"
local notify_file = require "pcapi.cli.notify_file"
local terminal = require "pcapi.cli.terminal"

local M = {}

--- Words for a number of notices.
-- @tparam number count
-- @treturn string
function M.count(count)
  return count == 1 and "1 notice" or ("%d notices"):format(count)
end

-- What a channel did not do, in words; nil: nothing to say.
local function problem_of(result)
  if result.err then
    return tostring(result.err)
  elseif result.is_stopped then
    return ("its receiver is gone; give it a new address, then run: pcapi notify test %s"):format(
      result.name)
  end
end

-- Reports a channel. Returns whether it works.
local function report(result, is_always)
  local problem = problem_of(result)
  if problem and (is_always or result.is_reported or result.given_up > 0) then
    exit.say(("channel %s: %s%s%s"):format(result.name, problem,
      result.waiting > 0 and ("; %s will be tried again"):format(M.count(result.waiting)) or "",
      result.given_up > 0 and ("; %s given up"):format(M.count(result.given_up)) or ""))
  end
  return not problem and result.given_up == 0
end

--- Delivers what waits, and reports the channels that fail: when they begin to fail, and every 7
-- days; on a terminal and with --verbose, each time.
-- @tparam table args
-- @tparam table store see `pcapi.history.store`
-- @tparam table notify from `pcapi.cli.notify_file`
-- @tparam[opt] boolean is_always report each failure
-- @treturn boolean whether all channels work
-- @treturn number of notices that were sent
function M.run(args, store, notify, is_always)
  local results, err = require("pcapi.notify.deliver").run(store, {
    channels = notify.channels, routes = notify.routes, context = notify_file.context(args),
  })
  if not results then
    exit.fail(err)
  end
  is_always = is_always or args.verbose or terminal.width(terminal.STDERR) ~= nil
  local works, sent = true, 0
  for _, result in ipairs(results) do
    works = report(result, is_always) and works
    sent = sent + result.sent
  end
  return works, sent
end

return M
