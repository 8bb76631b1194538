--- What a reader is told, as plain rows: of each event and each reminder the user, what happened,
-- since when, the application and the next step. And what is wrong with what is known of a tenant,
-- as warnings. All times in texts are UTC.
-- @module pcapi.history.news
local applications = require "pcapi.history.applications"
local coverage = require "pcapi.history.coverage"
local explanation = require "pcapi.history.explanation"
local identity = require "pcapi.history.identity"
local time = require "pcapi.time"

local M = {}

--- The fields of a row, in their order.
M.COLUMNS = { "tenant", "event", "upn", "since", "application", "nextStep", "repeated", "state",
              "at", "lastNonMfaCompliantLoginDateTime", "mfaSince", "was", "closedAt", "knownAs",
              "count", "exceptedCount", "objectId", "episode", "applicationId", "tenantId" }

local function day(text)
  return text and text:sub(1, 10)
end

-- The words for an event, for people: texts, or functions of a row.
local HAPPENED = {
  new = function(row)
    return row.knownAs and "new; another user had this name" or "new"
  end,
  back = function(row)
    return ("back; %s on %s"):format(row.was or "closed", day(row.closedAt) or "?")
  end,
  again = function(row)
    return row.was == "healing" and "without MFA again" or "listed again"
  end,
  healing = "with MFA again", fixed = "fixed", quiet = "not seen for 7 days",
  lost = "left the list early", ended = "exception ended", open = "still open",
  baseline = "first list of the tenant",
}

--- The words for what happened to a user, for people.
-- @tparam table row of @{rows}
-- @treturn string
function M.happened(row)
  local text = HAPPENED[row.event]
  return type(text) == "function" and text(row) or text
end

local function text_of(at)
  return at and time.format(at) or nil
end

-- What is known of a user: application and next step. Each user is explained once.
local function explainer(store, plan, options)
  local known = {}
  return function(person)
    if not known[person.id] then
      local found = explanation.of(store, plan.tenant, person, person.finding, options)
      local names, ids = explanation.applications(found)
      known[person.id] = { step = found.step, name = names, id = ids }
    end
    return known[person.id]
  end
end

-- Since when it is as the event says: with MFA, or without.
local function since_of(kind, finding, event)
  if kind == "healing" or kind == "fixed" then
    return event.mfa_at
  elseif kind == "quiet" or kind == "lost" then
    return event.last_at
  end
  return finding and finding.first_at or event.last_at
end

local function row_of(plan, event, explain, is_repeated)
  local tenant, person = plan.tenant, event.person
  local row = {
    tenant = tenant.name or tenant.id, tenantId = tenant.id, event = event.kind,
    repeated = is_repeated, at = text_of(event.at), count = event.count,
    exceptedCount = event.excepted_count,
  }
  if person then
    local finding, facts = person.finding, explain(person)
    row.upn, row.objectId = person.upn, not identity.is_upn(person.id) and person.id or nil
    row.episode, row.state = event.episode, finding and finding.state
    row.since = text_of(since_of(event.kind, finding, event))
    row.lastNonMfaCompliantLoginDateTime = text_of(event.last_at)
    row.mfaSince, row.closedAt = text_of(event.mfa_at), text_of(event.closed_at)
    row.was, row.knownAs = event.was, event.known_as
    row.application, row.applicationId = facts.name, facts.id
    row.nextStep = facts.step
  end
  return row
end

-- An open finding as an event, for a reminder.
local function reminder_of(person, now)
  local finding = person.finding
  return { kind = "open", at = now, person = person, episode = finding.episode,
           last_at = finding.last_at, mfa_at = finding.mfa_at }
end

--- Makes the rows of a plan. Call it within a transaction or a read of the store.
-- @tparam table store see `pcapi.history.store`
-- @tparam table plan of `pcapi.history.told`, with `tenant`
-- @tparam table options `names`, `own` and `client_id` as of @{pcapi.history.History:explain}, and
-- `adoption` (names of applications that the store has)
-- @treturn table array of rows: first what may have been told before (`repeated` is true), then
-- what happened, then the reminders (`event` is `"open"`). The fields are those of @{COLUMNS}
function M.rows(store, plan, options)
  local rows, explain = {}, explainer(store, plan, options)
  for _, event in ipairs(plan.repeated) do
    rows[#rows + 1] = row_of(plan, event, explain, true)
  end
  for _, event in ipairs(plan.fresh) do
    rows[#rows + 1] = row_of(plan, event, explain, false)
  end
  for _, person in ipairs(plan.reminders) do
    rows[#rows + 1] = row_of(plan, reminder_of(person, plan.now), explain, false)
  end
  return rows
end

--- Makes the rows of several plans. Call it outside of a transaction.
-- @tparam table store
-- @tparam table plans array
-- @tparam table options `names` and `own`, and `client_ids` (by the id of the tenant)
-- @treturn[1] table as of @{rows}, of all plans
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.of(store, plans, options)
  return store:read(function()
    local all, adoption = {}, store:application_names()
    for _, plan in ipairs(plans) do
      for _, row in ipairs(M.rows(store, plan, {
        names = options.names, own = options.own, adoption = adoption,
        client_id = options.client_ids[plan.tenant.id],
      })) do
        all[#all + 1] = row
      end
    end
    return all
  end)
end

local DAY = 24 * 60 * 60
local REMEMBERED = 29 -- days of adoption that say whether an application is silent
local ENOUGH = 0.95 -- of the requests: the lists are not of the same second

local function moment(at)
  return time.format(at):gsub("T", " "):gsub("Z$", " UTC")
end

local function warning_of_requests(row)
  local gap = row.gap_from and ("the requests from %s to %s are missing: "):format(
    moment(row.gap_from), moment(row.gap_to))
  if gap and not row.next_at then
    return { key = "gap", text = gap .. "the service lists those of 7 days. Run pcapi watch at "
      .. "least every 6 days" }
  elseif gap then
    return { key = "gap", text = gap .. ("the service returns its newest only. Run pcapi watch "
      .. "again by %s, and as often from then on"):format(moment(row.next_at)) }
  elseif row.next_at then
    return { key = "cut", text = ("the service returned its newest requests only; to miss none, "
      .. "run pcapi watch again by %s, and as often from then on"):format(moment(row.next_at)) }
  end
end

local function add_silent(warnings, store, tenant, at, options)
  local from = math.floor(at / DAY) * DAY - REMEMBERED * DAY
  for _, silent in ipairs(coverage.silent(store:received(tenant, from), at)) do
    local name = applications.name(silent.application, options.names, options.adoption)
    warnings[#warnings + 1] = { key = "silent " .. silent.application, text = ("%s has sent no "
      .. "request for %d days, the last one on %s; the service may refuse it"):format(name,
      silent.days, time.format_date(silent.last_day)) }
  end
end

--- Finds what is wrong with what is known of a tenant after a run. Call it within a transaction or
-- a read of the store.
-- @tparam table store see `pcapi.history.store`
-- @tparam table tenant
-- @tparam table row the run, as @{pcapi.history.observe.run} returns it
-- @tparam table options as for @{rows}
-- @treturn table array of `key` (the same while it lasts) and `text`: gaps and the time of the next
-- run, coverage, users that may be missing, silent applications
function M.warnings(store, tenant, row, options)
  local warnings = { warning_of_requests(row) }
  local share = row.requests ~= "failed" and row.adoption ~= "failed" and row.share
  if share and share < ENOUGH then
    warnings[#warnings + 1] = { key = "coverage", text = ("%d %% of the requests that adoption "
      .. "counts are known; who uses which application may be incomplete"):format(
      math.floor(100 * share)) }
  end
  if row.users == "cut" then
    warnings[#warnings + 1] = { key = "users", text = "the list of users may be incomplete: the "
      .. "service returned its newest only, or elements that cannot be read" }
  end
  if row.adoption ~= "failed" then
    add_silent(warnings, store, tenant, row.at, options)
  end
  return warnings
end

return M
