--- Decides what became of a user: open, healing, fixed, quiet, lost, back. Pure.
--
-- The service lists a user for 7 days after the last sign-in without MFA, whatever is repaired
-- meanwhile. So absence says something about the past week only, and presence is no proof of a
-- present fault. `last_at` is the time of that last sign-in:
--
--     was            is now                          becomes         event
--     -              in the first whole list         open            baseline
--     -              in the list                     open            new
--     open, healing  in the list, last_at later      open            again
--     open           in the list, last_at same, and  healing         healing
--                    each application is proven
--     open, healing  absent, last_at 7 days ago, and
--                    each application is proven      fixed           fixed
--     open, healing  absent, last_at 7 days ago      quiet           quiet
--     open, healing  absent, last_at in 6 days       lost            lost
--     open, healing  absent from a cut list          the same        not_visible
--     fixed, quiet,
--     lost           in the list, last_at later      open, episode+1 back
--
-- Between 6 and 7 days nothing is decided: Microsoft does not say whether the 7 days end at this
-- second or at midnight. Three cases that the table leaves open:
--
-- - The row "healing" applies in the same run as "new", "again" and "back". So it makes no
--   difference whether the same answer comes once or twice.
-- - A healing user with a later request without MFA, or a lost one who is listed again with the
--   same `last_at`, is open again in the same episode, by the event `again`.
-- - If the time of a sign-in cannot be read, it may be as late as the list. Such a user becomes
--   neither lost nor healing.
--
-- A **finding** is a table: `episode` (from 1), `state`, `first_at` and `last_at` (sign-ins without
-- MFA), `is_exact` (false: `last_at` could not be read), `times` (how often `last_at` moved),
-- `mfa_at` (healing and fixed: since when each application comes with MFA), `opened`, `seen` and
-- `closed` (runs: opened, last in the list, closed; nil: still open), `is_visible` (false: it may
-- be beyond the end of a cut list), and `exception` (see `pcapi.history.exceptions`). All times
-- are UTC epoch seconds.
-- @module pcapi.history.outcomes
local copy = require "pcapi.copy"
local coverage = require "pcapi.history.coverage"

local M = {}

local WINDOW, SLACK = coverage.WINDOW, coverage.SLACK

--- The seconds by which a sign-in may seem later than the request that made it.
M.TOLERANCE = 600

--- Tests whether a finding is closed.
-- @tparam table finding
-- @treturn boolean
function M.is_closed(finding)
  return finding.closed ~= nil
end

local function opened(episode, last_at, at)
  return { episode = episode, state = "open", first_at = last_at or at, last_at = last_at or at,
           is_exact = last_at ~= nil, times = 1, opened = at, seen = at, is_visible = true }
end

local function reopened(finding, fields)
  local now = copy.with(finding, fields)
  now.state, now.mfa_at, now.closed = "open", nil, nil
  return now
end

--- The latest time at which the user can have signed in without MFA.
-- @tparam table finding
-- @treturn number UTC epoch seconds
function M.latest(finding)
  return finding.is_exact and finding.last_at or math.max(finding.last_at, finding.seen)
end

--- From which time on requests can show how the user signed in.
-- @tparam table finding
-- @treturn number UTC epoch seconds
function M.evidence_from(finding)
  return M.latest(finding) - WINDOW
end

--- Finds the applications through which the user came without MFA.
-- @tparam table finding
-- @tparam table evidence `rows` (array, one of each application that the user used from
-- @{evidence_from} on: `application`; `without`, the time of the last request without MFA;
-- `with`, of the last with MFA; `with_after`, of the first with MFA after @{latest}; each nil if
-- there is none), and `from` (since when requests are complete; nil: unknown)
-- @treturn[1] table array of rows with `without`
-- @treturn[2] nil it is not known: the requests do not reach back to the last sign-in, or none
-- explains it, as for a user of the portal
function M.applications(finding, evidence)
  local latest, found, newest = M.latest(finding), {}, -math.huge
  if not evidence.from or evidence.from > latest then
    return nil
  end
  for _, row in ipairs(evidence.rows) do
    if row.without and row.without >= latest - WINDOW then
      found[#found + 1] = row
      newest = math.max(newest, row.without)
    end
  end
  return newest >= latest - M.TOLERANCE and found or nil
end

-- Whether each application came with MFA after the last sign-in without, and none without MFA
-- since. Returns since when; nil if that is not proven; and whether the contrary is.
local function proof(finding, evidence)
  local latest, since, is_refuted = M.latest(finding), -math.huge, false
  local is_proven = true
  for _, row in ipairs(M.applications(finding, evidence) or {}) do
    if not (row.with and row.with > latest and row.with > row.without) then
      is_proven, is_refuted = false, is_refuted or row.without > latest
    else
      since = math.max(since, row.with_after or row.with)
    end
  end
  return is_proven and since > -math.huge and since or nil, is_refuted
end

-- The row "healing" of the table, for an open or healing finding in the list.
local function heal(finding, evidence, events)
  local since, is_refuted = proof(finding, evidence)
  if finding.state == "open" and since then
    events[#events + 1] = "healing"
    return copy.with(finding, { state = "healing", mfa_at = since })
  elseif finding.state == "healing" and is_refuted then
    events[#events + 1] = "again"
    return reopened(finding, {})
  end
  return finding
end

-- An open or healing finding that is in the list.
local function seen_again(was, last_at, at, events)
  if not last_at then
    return copy.with(was, { is_exact = false, seen = at, is_visible = true })
  elseif last_at > was.last_at then
    events[#events + 1] = "again"
    return reopened(was, { last_at = last_at, is_exact = true, times = was.times + 1, seen = at,
                           is_visible = true })
  end
  local now = copy.with(was, { seen = at, is_visible = true })
  if not was.is_exact then -- now it is known
    now.last_at, now.is_exact = last_at, true
    now.first_at = math.min(now.first_at, last_at)
  end
  return now
end

-- A closed finding whose user is in the list.
local function returned(was, last_at, at, events)
  if was.state == "lost" and not (last_at and last_at > was.last_at) then
    events[#events + 1] = "again"
    return reopened(was, { seen = at, is_visible = true })
  elseif last_at and last_at <= was.last_at then
    return was -- the list is as old as what was known
  end
  events[#events + 1] = "back"
  return opened(was.episode + 1, last_at, at)
end

--- A user who is in the list.
-- @tparam ?table was the newest finding of this user; nil: there is none
-- @tparam ?number last_at the last sign-in without MFA; nil: it cannot be read
-- @tparam table run `at` (when the service responded), `is_baseline` (the list is the tenant's
-- first whole one, or nobody knows more than that the user may have been in an earlier one)
-- @tparam function evidence takes the finding, and returns what @{applications} takes
-- @treturn table the finding as it is now; `was` itself if nothing changed
-- @treturn {string,...} the events, in their order; often none
function M.present(was, last_at, run, evidence)
  local events = {}
  local now
  if not was then
    events[1] = run.is_baseline and "baseline" or "new"
    now = opened(1, last_at, run.at)
  elseif M.is_closed(was) then
    now = returned(was, last_at, run.at, events)
  else
    now = seen_again(was, last_at, run.at, events)
  end
  if not M.is_closed(now) and now.is_exact then
    -- a baseline is one number, so nobody in it is told of
    now = heal(now, evidence(now), events[1] == "baseline" and {} or events)
  end
  return now, events
end

--- A user who is not in the list. A failed list decides nothing, so there is no function for it.
-- @tparam table was an open or healing finding
-- @tparam table run `at`, and `users` (`"whole"` or `"cut"`)
-- @tparam function evidence as for @{present}
-- @treturn table as of @{present}
-- @treturn {string,...}
function M.absent(was, run, evidence)
  local latest = M.latest(was)
  if run.users == "cut" then
    if not was.is_visible then
      return was, {}
    end
    return copy.with(was, { is_visible = false }), { "not_visible" }
  elseif latest >= run.at - WINDOW + SLACK and was.is_exact then
    return copy.with(was, { state = "lost", closed = run.at }), { "lost" }
  elseif latest >= run.at - WINDOW then
    return was, {}
  end
  local since = proof(was, evidence(was))
  if since then
    return copy.with(was, { state = "fixed", closed = run.at, mfa_at = since }), { "fixed" }
  end
  local now = copy.with(was, { state = "quiet", closed = run.at })
  now.mfa_at = nil
  return now, { "quiet" }
end

--- Joins two findings of one user: one made while only the upn was known, and one by objectId.
-- @tparam table old of the upn, open or healing
-- @tparam table finding of the objectId, open or healing
-- @treturn table the second one, which now reaches back as far as the first
function M.join(old, finding)
  return copy.with(finding, {
    first_at = math.min(old.first_at, finding.first_at),
    last_at = math.max(old.last_at, finding.last_at),
    is_exact = old.is_exact and finding.is_exact, times = old.times + finding.times - 1,
    opened = math.min(old.opened, finding.opened), seen = math.max(old.seen, finding.seen),
    is_visible = old.is_visible or finding.is_visible,
  })
end

return M
