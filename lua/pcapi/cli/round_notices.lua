--- What channels are told of a run of `pcapi watch`.
-- @module pcapi.cli.round_notices
local defaults = require "pcapi.defaults"
local exit = require "pcapi.cli.exit"
local notify_delivery = require "pcapi.cli.notify_delivery"
local outbox = require "pcapi.notify.outbox"
local time = require "pcapi.time"

local M = {}

local SOON = 14 * 24 * 60 * 60 -- seconds before the end of a sign-in that nobody uses

-- Whether a stored sign-in ends soon. Each use extends it, so this one is not used, or not renewed.
local function concern_of(tenant, now)
  local profile = tenant.profile
  local account = profile and profile.stored and profile:account()
  local known = account and account:status()
  if not known or not known.obtained_at or profile.settings:value "refresh_token" then
    return nil
  end
  local ends = known.obtained_at + defaults.refresh_life
  return { key = "sign-in " .. profile.name, text = ends - now <= SOON and (
    "The sign-in of the profile %s ends on %s, and could not be renewed. Sign in again: pcapi login"
    .. "%s"):format(profile.name, time.format(ends):sub(1, 10), profile.name ~= "default"
    and " --profile " .. profile.name or "") or nil }
end

local function concerns_of(round, found)
  local concerns = {}
  for _, result in ipairs(found) do
    concerns[#concerns + 1] = concern_of(result.tenant, round.now)
  end
  return concerns
end

--- Decides what the channels are told, and stores it. A failure of the history ends the command.
-- @tparam table round of `pcapi.cli.round`, with the `ids` of the tenants to tell of
-- @tparam table found results of `pcapi.cli.in_turn`
-- @tparam table sum `now` (the service's clock; nil: all tenants failed), `warnings`, `client_ids`
function M.decide(round, found, sum)
  local notify = round.notify
  if round.is_dry or #notify.channels == 0 then
    return
  end
  local count, err = outbox.decide(round.history.store, {
    channels = notify.channels, routes = notify.routes, tenants = round.ids,
    at = sum.now or round.now, now = round.now, is_silent = round.args.baseline,
    -- if all failed, nobody knows who is still open
    remind = sum.now and round.settings.remind or 0, warnings = sum.warnings,
    names = round.names, own = round.settings.own, client_ids = sum.client_ids,
    concerns = concerns_of(round, found),
  })
  if not count then
    exit.fail(err)
  end
end

local function report_waiting(round)
  local waiting, err = round.history.store:read(function()
    return #round.history.store:notices()
  end)
  if not waiting then
    exit.fail(err)
  elseif waiting > 0 then
    exit.say(("%s to deliver: add --notify, or run pcapi notify send"):format(
      notify_delivery.count(waiting)))
  end
end

--- Delivers what waits with --notify; else says how much waits.
-- @tparam table round
-- @treturn boolean whether all channels work
function M.deliver(round)
  if round.is_dry or #round.notify.channels == 0 then
    return true
  elseif not round.args.notify then
    report_waiting(round)
    return true
  end
  return (notify_delivery.run(round.args, round.history.store, round.notify))
end

return M
