--- What an auditor needs to believe a report: which runs there were in a period, which days have
-- none, what is missing, and the requests that prove a finding, with their ids at Microsoft.
--
-- An audit is plain data: `days`, an array of `day` (its first second), `runs`, `failed` (runs),
-- `kind` (of the last error), and the lists of the last success (`users`, `requests`, `adoption`);
-- `gaps`, an array of `from`, `to` and `is_cut`; `findings` of the period, an array with the fields
-- of a person of `pcapi.history.overview` and `proofs`, an array of `application` (its name), `at`,
-- `mfa` and `request` (its id at Microsoft, such as 5f0b3c1e-…; nil: it had none that is a GUID);
-- and `more_findings`, how many there was no room for. Times are UTC epoch seconds.
-- @module pcapi.history.audit
local applications = require "pcapi.history.applications"
local identity = require "pcapi.history.identity"
local outcomes = require "pcapi.history.outcomes"

local M = {}

local DAY = 24 * 60 * 60

--- How many findings it holds at most.
M.MOST_FINDINGS = 1000

-- The days of a period, from the first run on, without those to come.
local function empty_days(first, from, to, now)
  local days = { by_day = {} }
  if not first then
    return days
  end
  for at = math.max(from - from % DAY, first - first % DAY), math.min(to, now), DAY do
    local day = { day = at, runs = 0, failed = 0 }
    days[#days + 1], days.by_day[at] = day, day
  end
  return days
end

local function add_run(day, run)
  day.runs = day.runs + 1
  if run.users == "failed" then
    day.failed, day.kind = day.failed + 1, run.users_error
  else
    day.users, day.requests, day.adoption = run.users, run.requests, run.adoption
  end
end

local function add_runs(found, runs, from, to, now)
  local days = empty_days(runs[1] and runs[1].at, from, to, now)
  for _, run in ipairs(runs) do
    local day = run.at >= from and run.at <= to and days.by_day[run.at - run.at % DAY]
    if day then
      add_run(day, run)
    end
  end
  days.by_day = nil
  found.days, found.since = days, runs[1] and runs[1].at
end

-- The requests that prove a finding: the last ones without MFA, and the first ones with MFA after
-- them. Those of an earlier finding end when it was closed.
local function proofs_of(view, person, finding)
  local proofs = {}
  for i, request in ipairs(view.store:proofs(person, outcomes.evidence_from(finding),
    outcomes.latest(finding), finding.closed or math.floor(view.options.now))) do
    proofs[i] = {
      application = applications.name(request.application, view.labels.names, view.adoption),
      at = request.at, mfa = request.mfa,
      request = view.labels.id(identity.request_id(request.id)),
    }
  end
  return proofs
end

local function finding_of(view, person, finding)
  local exception = finding.exception
  return {
    id = not identity.is_upn(person.id) and view.labels.id(person.id) or nil,
    user = view.labels.user(person), state = finding.state, episode = finding.episode,
    since = finding.first_at, last = finding.last_at, mfa_since = finding.mfa_at,
    opened = finding.opened, closed = finding.closed, proofs = proofs_of(view, person, finding),
    exception = exception and { who = view.labels.text(exception.who), ends = exception.ends,
                                why = view.labels.text(exception.why) },
  }
end

-- Adds the findings that were open in the period: by user, and the earliest episode first.
local function add_findings(found, view, from, to)
  found.findings, found.more_findings = {}, 0
  for person in view.store:each_person(view.tenant) do
    local newest = person.finding
    local is_over = not newest or newest.closed and newest.closed < from
    for _, finding in ipairs(is_over and {} or view.store:findings(person)) do
      if finding.opened <= to and (finding.closed or from) >= from then
        if #found.findings < M.MOST_FINDINGS then
          found.findings[#found.findings + 1] = finding_of(view, person, finding)
        else
          found.more_findings = found.more_findings + 1
        end
      end
    end
  end
end

--- Makes the audit of a tenant. Call it within a read of the store.
-- @tparam table view of `pcapi.history.overview`: `store`, `tenant`, `options` (`now`), `labels`,
-- `adoption`
-- @tparam number from first second of the period
-- @tparam number to last second of it
-- @treturn table
function M.of(view, from, to)
  local found, runs = { gaps = {} }, view.store:runs(view.tenant)
  add_runs(found, runs, from, to, view.options.now)
  for _, run in ipairs(runs) do
    if run.gap_from and run.gap_from <= to and run.gap_to >= from then
      found.gaps[#found.gaps + 1] = { from = run.gap_from, to = run.gap_to,
                                      is_cut = run.requests == "cut" }
    end
  end
  add_findings(found, view, from, to)
  return found
end

return M
