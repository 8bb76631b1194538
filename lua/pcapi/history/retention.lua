--- Decides what the history deletes, and when. Pure; times are UTC epoch seconds.
--
-- Users, addresses and names are personal data: they are deleted when they serve no purpose any
-- more. Adoption names nobody, and stays.
-- @module pcapi.history.retention
local M = {}

local DAY = 24 * 60 * 60

--- The settings and their defaults, in days: `keep_requests`, `keep_findings` (from when they were
-- closed) and `keep_notices` (events, from when every reader was told, and notices, from when they
-- were sent or given up).
M.DEFAULTS = { keep_requests = 90, keep_findings = 400, keep_notices = 30 }

local LEAST = { keep_requests = 8, keep_findings = 8, keep_notices = 1 } -- a list covers 7 days

--- Checks settings.
-- @tparam table settings days by name; a missing one has its default
-- @treturn[1] table all settings
-- @treturn[2] nil
-- @treturn[2] string which setting is wrong, and what it can be
function M.check(settings)
  local checked = {}
  for name, default in pairs(M.DEFAULTS) do
    local days = settings[name] == nil and default or settings[name]
    if type(days) ~= "number" or days ~= math.floor(days) or days < LEAST[name]
      or days > 36500 then
      return nil, ("%s must be a whole number of days, from %d to 36500"):format(name, LEAST[name])
    end
    checked[name] = days
  end
  return checked
end

--- What is deleted at a time.
-- @tparam table settings from @{check}
-- @tparam number now by the service's clock: this machine's may be wrong, and what is deleted is
-- gone
-- @treturn table of times: `requests` and `runs` before it are deleted, `findings` that were closed
-- before it, `events` before it that every reader was told, and `events_untold` before it
function M.limits(settings, now)
  local findings = now - settings.keep_findings * DAY
  return {
    requests = now - settings.keep_requests * DAY, findings = findings,
    runs = findings, events = now - settings.keep_notices * DAY, events_untold = findings,
  }
end

--- Tests whether an event is deleted.
-- @tparam table event `id` and `at`
-- @tparam table limits from @{limits}
-- @tparam table readers the tenant's readers, as `pcapi.history.told` has them
-- @treturn boolean
function M.is_over(event, limits, readers)
  if event.at < limits.events_untold then
    return true
  end
  for _, reader in ipairs(readers) do
    if reader.told < event.id then
      return false
    end
  end
  return event.at < limits.events
end

--- What the requests of a tenant cover once old ones are deleted.
-- @tparam ?table covered of `pcapi.history.coverage`
-- @tparam table limits from @{limits}
-- @treturn ?table
function M.covered(covered, limits)
  if not covered or covered.from >= limits.requests then
    return covered
  end
  return { from = math.min(limits.requests, covered.to), to = covered.to, newest = covered.newest }
end

return M
