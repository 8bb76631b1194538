--- All that a history knows at a time, as plain data: for a report, a page or a program.
--
--     local overview = require "pcapi.history.overview"
--     local facts = assert(overview.of(history, { now = os.time() }))
--     print(facts.counts.open, facts.tenants[1].fixes[1].step)
--
-- The same history and the same options give the same data. Times are UTC epoch seconds, what is
-- not known is missing. It holds `at`, `is_anonymous`, `from` and `to` (the period of the audit),
-- `counts` and `trend` of all tenants, and `tenants`, an array. Each has
--
-- - `id`, `name`; `asked`, `at` and `since`: when it was last asked, last responded, and first
--   asked; `is_asked` (false: runs do not ask it any more); `failure` (`kind`, `since`) if the last
--   run failed; `lists` of the last success (`users`, `requests`, `adoption`: `whole`, `cut` or
--   `failed`); `reach` (see @{pcapi.history.explanation.reach}), `warnings` (an
--   array of `key`: gap, cut, coverage, users or silent; and `text`);
-- - `counts`: people by state, `excepted`, `new` (see `pcapi.history.summary`); `oldest`, the first
--   sign-in without MFA of those who are open without an exception; `trend` (see
--   `pcapi.history.trend`);
-- - `fixes`: an array of applications, what to fix first at the top (see `pcapi.history.ranking`);
--   `more_fixes`, how many there was no room for; `is_by_requests`, whether they are sorted so;
-- - `people` and `more_people`: those with an open or healing finding, then those whose finding was
--   closed in the last 30 days; the newest first. Each has `id` (objectId), `user`, `state`,
--   `since`, `last`, `mfa_since`, `closed`, `opened`, `episode`, `is_exact`, `is_visible`, `class`,
--   `certainty`, `application` (names), `step`, `news` and `exception` (`who`, `ends`, `why`);
-- - `exceptions` that hold: an array of `who`, `ends`, `why`, and `users` (a number), the first to
--   end at the top; and `more_exceptions`;
-- - `audit`, if there is a period: see `pcapi.history.audit`.
-- @module pcapi.history.overview
local advice = require "pcapi.history.advice"
local applications = require "pcapi.history.applications"
local audit = require "pcapi.history.audit"
local classes = require "pcapi.history.classes"
local explanation = require "pcapi.history.explanation"
local failures = require "pcapi.history.failures"
local figures = require "pcapi.history.figures"
local identity = require "pcapi.history.identity"
local news = require "pcapi.history.news"
local outcomes = require "pcapi.history.outcomes"
local ranking = require "pcapi.history.ranking"
local search = require "pcapi.history.search"
local survey = require "pcapi.history.survey"
local trend = require "pcapi.history.trend"

local M = {}

local DAY = 24 * 60 * 60
local SHOWN = 30 * DAY -- how long a closed finding is shown
local PRESENT = 2 * DAY -- that one round of runs over all tenants may take
local MOST_EXCEPTIONS = 100

--- How many people it holds by default.
M.MOST_PEOPLE = 1000

-- Names of applications that name nobody: those of Microsoft, and numbers.
local function anonymous_applications()
  local count = 0
  return setmetatable({}, { __index = function(names, id)
    local name = applications.well_known(id)
    if not name then
      count = count + 1
      name = "Application " .. count
    end
    names[id] = name
    return name
  end })
end

-- How people, tenants and applications are called.
local function labels_of(options)
  if not options.is_anonymous then
    return {
      names = options.names, id = function(id) return id end,
      text = function(text) return text end,
      user = function(person) return person.upn or person.id end,
      tenant = function(tenant) return tenant.name or tenant.id end,
    }
  end
  local function hidden() end
  return {
    names = anonymous_applications(), id = hidden, text = hidden,
    user = function(person) return ("User %s"):format(person.key) end,
    tenant = function(tenant) return ("Tenant %s"):format(tenant.key) end,
  }
end

-- What people did, by their ids.
local function uses_of(store, tenant, now)
  local by_person = {}
  for use in store:uses(tenant, now - SHOWN) do
    local uses = by_person[use.person] or {}
    by_person[use.person] = uses
    uses[#uses + 1] = use
  end
  return by_person
end

-- How a person comes without MFA, with names.
local function classes_of(view, person)
  local covered = view.tenant.coverage
  local found = classes.of(person, view.uses[person.id] or {}, {
    own = view.options.own, client_id = view.client_id,
    covered = covered ~= nil and covered.from <= outcomes.latest(person.finding),
  })
  for _, entry in ipairs(found) do
    entry.name = entry.application and applications.name(entry.application, view.labels.names,
      view.adoption)
  end
  return found
end

local function exception_of(view, exception)
  return exception and { who = view.labels.text(exception.who), ends = exception.ends,
                         why = view.labels.text(exception.why) }
end

local function person_of(view, person)
  local finding, found = person.finding, classes_of(view, person)
  local first, label = found[1] or {}, view.labels.user(person)
  local recent = figures.news_of(view.survey.news, person)
  return {
    id = not identity.is_upn(person.id) and view.labels.id(person.id) or nil, user = label,
    state = finding.state, since = finding.first_at, last = finding.last_at,
    mfa_since = finding.mfa_at, closed = finding.closed, opened = finding.opened,
    episode = finding.episode, is_exact = finding.is_exact, is_visible = finding.is_visible,
    class = first.class, certainty = first.certainty,
    application = explanation.applications { classes = found }, news = recent and recent.kind,
    exception = exception_of(view, finding.exception),
    step = advice.step(finding, first.class or "unknown",
      { user = label, application = first.name }),
  }
end

-- Adds the fields that come from everyone with an open finding.
local function add_open(view, shown)
  local fixes, exceptions, by_key, store = ranking.new(), {}, {}, view.store
  for person in store:each_person(view.tenant, true) do
    local finding = person.finding
    local exception = finding.exception
    if exception then
      local key = table.concat({ exception.who, exception.ends, exception.why }, "\0")
      local group = by_key[key] or exception_of(view, exception)
      exceptions[#exceptions + 1] = not by_key[key] and group or nil
      by_key[key], group.users = group, (group.users or 0) + 1
    elseif finding.state == "open" then
      fixes:add(classes_of(view, person))
      shown.counts.oldest = math.min(shown.counts.oldest or finding.first_at, finding.first_at)
    end
  end
  table.sort(exceptions, function(a, b)
    if a.ends ~= b.ends then
      return a.ends < b.ends
    elseif a.who ~= b.who then
      return (a.who or "") < (b.who or "")
    end
    return (a.why or "") < (b.why or "")
  end)
  shown.exceptions, shown.more_exceptions = exceptions, math.max(#exceptions - MOST_EXCEPTIONS, 0)
  for i = #exceptions, MOST_EXCEPTIONS + 1, -1 do
    exceptions[i] = nil
  end
  local at = view.tenant.at or view.options.now
  fixes:adoption(store:received(view.tenant, at - at % DAY - 6 * DAY), function(id)
    return applications.name(id, view.labels.names, view.adoption)
  end)
  shown.fixes, shown.more_fixes, shown.is_by_requests = fixes:sorted(shown.reach.share)
  for _, fix in ipairs(shown.fixes) do
    fix.application = view.labels.id(fix.application)
  end
end

local function people_of(view, shown)
  local found = view.survey
  local people = found.people or survey.of(view.store, view.tenant, view.options.now).people
  shown.people, shown.more_people = {}, found.size - found.places
  for i = 1, found.places do
    shown.people[i] = person_of(view, people[i])
  end
  found.people = nil
end

local function warnings_of(view, row)
  local warnings = news.warnings(view.store, view.tenant, row,
    { names = view.labels.names, adoption = view.adoption })
  for _, warning in ipairs(warnings) do
    warning.key = warning.key:match "^%l+" -- without the id of an application
  end
  return warnings
end

local function tenant_of(view, not_asked)
  local store, tenant, options = view.store, view.tenant, view.options
  local row, first = tenant.at and store:last_run(tenant, tenant.at), store:first_run(tenant)
  local failure, counts = tenant.failure, view.survey.counts
  local shown = {
    id = view.labels.id(tenant.id), name = view.labels.tenant(tenant), asked = tenant.asked,
    at = tenant.at, since = first, is_asked = not not_asked[tenant.id],
    failure = failure and { kind = failure.kind, since = failure.since },
    lists = row and { users = row.users, requests = row.requests, adoption = row.adoption },
    reach = explanation.reach(store, tenant), counts = counts,
    trend = first and trend.of(store:episodes(tenant, trend.start(options.now)), first,
      options.now),
    warnings = row and warnings_of(view, row) or {},
  }
  add_open(view, shown)
  people_of(view, shown)
  if options.from then
    shown.audit = audit.of(view, options.from, options.to)
  end
  return shown
end

-- Adds up the counts and the trends of tenants, which all end today.
local function add_up(found)
  found.counts = {}
  for _, tenant in ipairs(found.tenants) do
    for name, count in pairs(tenant.counts) do
      local before = found.counts[name]
      found.counts[name] = name == "oldest" and math.min(before or count, count)
        or (before or 0) + count
    end
  end
  found.trend = trend.sum(found.tenants)
end

-- The set of tenants that runs do not ask any more, by id.
local function not_asked_of(tenants)
  local newest, found = 0, {}
  for _, tenant in ipairs(tenants) do
    newest = math.max(newest, tenant.asked or 0)
  end
  for _, tenant in ipairs(failures.not_asked(tenants, newest - PRESENT)) do
    found[tenant.id] = true
  end
  return found
end

--- Makes an overview, in one read of the history.
-- @tparam pcapi.history history
-- @tparam table options `now`; `tenants` (array of ids; nil: all); `people` (how many at most;
-- default @{MOST_PEOPLE}); `names` and `own`, as for `pcapi.history:explain`; `client_id` (the
-- application of pcapi itself), or `client_ids` (by the id of the tenant); `from` and `to` (times,
-- for an audit; nil: none); `is_anonymous` (users, tenants, and applications but Microsoft's have
-- numbers; nothing else names them)
-- @treturn[1] table
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.of(history, options)
  local store, labels = history.store, labels_of(options)
  return store:read(function()
    local found = { at = options.now, from = options.from, to = options.to, tenants = {},
                    is_anonymous = options.is_anonymous or false }
    local tenants = search.tenants(store, options)
    local not_asked, adoption = not_asked_of(store:tenants()), store:application_names()
    local surveys = survey.all(store, tenants, options.now, options.people or M.MOST_PEOPLE)
    for i, each in ipairs(surveys) do
      found.tenants[i] = tenant_of({
        store = store, tenant = each.tenant, survey = each, options = options, labels = labels,
        adoption = adoption, uses = uses_of(store, each.tenant, options.now),
        client_id = (options.client_ids or {})[each.tenant.id] or options.client_id,
      }, not_asked)
    end
    add_up(found)
    return found
  end)
end

return M
