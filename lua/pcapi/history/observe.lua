--- Records one run of one tenant: what the service returned, what became of each user, and the
-- events. It knows neither the database nor the network; the store is a `pcapi.history.store`.
-- @module pcapi.history.observe
local coverage = require "pcapi.history.coverage"
local explanation = require "pcapi.history.explanation"
local failures = require "pcapi.history.failures"
local identity = require "pcapi.history.identity"
local outcomes = require "pcapi.history.outcomes"
local people = require "pcapi.history.people"
local retention = require "pcapi.history.retention"
local time = require "pcapi.time"
local told = require "pcapi.history.told"

local M = {}

local floor = math.floor

local DAY = 24 * 60 * 60

-- Events that nobody is told are counted, not stored: `again` would add a row for each user a day.
-- It is told if it takes back what was told.
local function is_stored(kind, was)
  return kind ~= "baseline" and kind ~= "not_visible"
    and (kind ~= "again" or was ~= nil and was.state ~= "open")
end

-- Whether a list shows everyone. An element that cannot be read may be the user that is missing.
local function state_of(list, unidentified)
  local is_whole = not list.truncated and (list.unreadable or 0) == 0 and (unidentified or 0) == 0
  return is_whole and "whole" or "cut"
end

local function kind_of(err)
  return type(err) == "table" and err.kind or "protocol"
end

local function new_tenant(id, name)
  return { id = id, name = name, has_baseline = false }
end

-- A request as the store takes it. Of people without a finding, neither user nor address is stored.
local function request_row(record, at, person)
  return {
    id = identity.request(record), at = at, person = person,
    application = identity.application(record), operation = record.operationName,
    ip = person and record.ipAddress or nil, mfa = record.mfaCompliant,
  }
end

-- The functions below take a run: `store`, `tenant`, `options`, `at`, `summary`, `row`, `bindings`.

-- Finds the person of a request; with `keep_all`, also one without a finding.
local function finder(run, found)
  local find = people.finder(found)
  if not run.options.keep_all then
    return find
  end
  local others = {}
  return function(record)
    local person, id = find(record), identity.person(record)
    if person or not id then
      return person
    elseif not others[id] then
      others[id] = run.store:person(run.tenant, id) or { id = id, upn = record.upn }
      run.store:save_person(run.tenant, others[id])
    end
    return others[id]
  end
end

-- The order in which records are stored: the oldest first, if the list has the newest first, as the
-- service's has. SQLite then fills its pages to nine tenths, else to half.
local function oldest_first(list)
  local first, last = list[1] and list:time_of(list[1]), list[1] and list:time_of(list[#list])
  if first and last and first > last then
    return #list, 1, -1
  end
  return 1, #list, 1
end

local function add_requests(run, list, found)
  local store, tenant, row = run.store, run.tenant, run.row
  local find, oldest, newest = finder(run, found), nil, nil
  local from, to, step = oldest_first(list)
  for i = from, to, step do
    local record = list[i]
    local at = list:time_of(record)
    if at then
      at = floor(at)
      oldest = (not oldest or at < oldest) and at or oldest
      newest = (not newest or at > newest) and at or newest
      store:add_request(tenant, request_row(record, at, find(record)))
    else
      row.requests_without_time = (row.requests_without_time or 0) + 1
    end
  end
  local answer = { state = state_of(list), at = list.date or run.at, oldest = oldest,
                   newest = newest }
  local gap
  tenant.coverage, gap = coverage.extend(tenant.coverage, answer)
  row.requests, row.requests_from = answer.state, oldest
  row.gap_from, row.gap_to = gap and gap.from, gap and gap.to
  row.next_at = coverage.next_run(answer)
end

local function count_of(value)
  return type(value) == "number" and value >= 0 and value < 2 ^ 53 and floor(value) or nil
end

local function add_adoption(run, list)
  for _, record in ipairs(list) do
    local application, at = identity.application(record), list:time_of(record)
    local total = count_of(record.totalRequestCount)
    if at and total then
      run.store:save_adoption(run.tenant, {
        day = floor(at / DAY) * DAY, application = application, total = total,
        with_mfa = count_of(record.mfaCompliantRequestCount) or 0,
      })
    end
    if application ~= "" and type(record.applicationName) == "string"
      and record.applicationName ~= "" then
      run.store:name_application(application, record.applicationName)
    end
  end
  run.row.adoption = "whole"
end

local function evidence_of(run, person)
  return function(finding)
    local covered = run.tenant.coverage
    return {
      rows = run.store:evidence(person, outcomes.evidence_from(finding),
        outcomes.latest(finding)),
      from = covered and covered.from,
    }
  end
end

-- Another user of the tenant who has or had the same name: this one was created anew.
local function known_as(run, person)
  local name = identity.upn(person.upn)
  for _, other in ipairs(name and run.store:people_named(run.tenant, name) or {}) do
    if other.id ~= person.id and other.finding then
      return other.id
    end
  end
end

local function add_event(run, kind, person, was, now)
  local counts = run.summary.counts
  counts[kind] = (counts[kind] or 0) + 1
  if now.exception then
    local excepted = kind == "baseline" and "baseline_excepted" or "excepted"
    counts[excepted] = (counts[excepted] or 0) + 1
  end
  if not is_stored(kind, was) then
    return
  end
  local event = {
    kind = kind, at = run.at, person = person, episode = now.episode, last_at = now.last_at,
    mfa_at = now.mfa_at, excepted = now.exception ~= nil, was = was and was.state,
    closed_at = kind == "back" and was.closed or nil,
    known_as = kind == "new" and known_as(run, person) or nil,
  }
  event.id = run.store:add_event(run.tenant, event)
  run.summary.events[#run.summary.events + 1] = event
end

-- The exception that holds for an open finding, and the event of one that ended.
local function except(run, person, now, events, evidence)
  local exceptions = run.options.exceptions
  if outcomes.is_closed(now) then
    return now
  end
  local ids
  for i, row in ipairs(exceptions and exceptions:needs_applications()
    and outcomes.applications(now, evidence(now)) or {}) do
    ids = ids or {}
    ids[i] = row.application
  end
  local exception, warning
  if exceptions then
    exception, warning = exceptions:find({
      tenant = run.tenant.id, names = run.options.names or { run.options.name },
      id = person.id, upn = person.upn, applications = ids,
    }, run.bindings, run.at)
  end
  run.summary.warnings[#run.summary.warnings + 1] = warning
  local before = now.exception
  if exception or before then
    local copy = {}
    for name, value in pairs(now) do
      copy[name] = value
    end
    copy.exception = exception
    now = copy
  end
  if before and not exception then
    events[#events + 1] = "ended"
  end
  return now
end

local function decide(run, person, rule, fact)
  local was, evidence = person.finding, evidence_of(run, person)
  local now, events = rule(was, fact, evidence)
  now = except(run, person, now, events, evidence)
  if now ~= was then
    run.store:save_finding(run.tenant, person, now)
  end
  for _, kind in ipairs(events) do
    add_event(run, kind, person, was, now)
  end
end

-- A user who appears for the first time belongs to the baseline if the list is the first whole one,
-- or if a cut one before it can have hidden this user.
local function is_baseline(run, last_at)
  local tenant = run.tenant
  return not tenant.has_baseline
    and (run.row.users == "whole" or not tenant.at or not last_at or last_at <= tenant.at)
end

local function decide_all(run, found, open)
  local present = {}
  for _, entry in ipairs(found) do
    present[entry.person.id] = true
    decide(run, entry.person, function(was, last_at, evidence)
      return outcomes.present(was, last_at,
        { at = run.at, is_baseline = is_baseline(run, last_at) }, evidence)
    end, entry.last_at)
  end
  for _, person in ipairs(open) do
    if not present[person.id] then
      decide(run, person, outcomes.absent, { at = run.at, users = run.row.users })
    end
  end
  local counts = run.summary.counts
  if counts.baseline then
    local event = { kind = "baseline", at = run.at, count = counts.baseline, excepted = false,
                    excepted_count = counts.baseline_excepted or 0 }
    event.id = run.store:add_event(run.tenant, event)
    run.summary.events[#run.summary.events + 1] = event
  end
end

-- Everyone in the list, and everyone else with an open finding.
local function tracked(found, open)
  local all, seen = {}, {}
  for _, entry in ipairs(found) do
    all[#all + 1], seen[entry.person.id] = entry.person, true
  end
  for _, person in ipairs(open) do
    if not seen[person.id] then
      all[#all + 1] = person
    end
  end
  return all
end

local function record(run)
  local store, tenant, options, row = run.store, run.tenant, run.options, run.row
  run.bindings = store:bindings(tenant)
  local found, unidentified = people.of(store, tenant, options.users, function(old, id)
    for name, bound in pairs(run.bindings) do
      run.bindings[name] = bound == old and id or bound
    end
  end)
  local open = store:open_people(tenant)
  row.users, row.unidentified = state_of(options.users, unidentified), unidentified
  for _, entry in ipairs(found) do
    local at = entry.last_at
    row.users_from = at and math.min(row.users_from or at, at) or row.users_from
  end
  if options.requests then
    add_requests(run, options.requests, tracked(found, open))
  else
    row.requests, row.requests_error = "failed", kind_of(options.requests_error)
  end
  if options.adoption then
    add_adoption(run, options.adoption)
  else
    row.adoption, row.adoption_error = "failed", kind_of(options.adoption_error)
  end
  decide_all(run, found, open)
  store:save_bindings(tenant, options.exceptions
    and options.exceptions:still_bound(run.bindings) or run.bindings)
  tenant.at, tenant.has_baseline = run.at, tenant.has_baseline or row.users == "whole"
end

-- Stores with the run what a summary of many tenants would take long to count.
local function sum_up(run)
  local store, tenant, row = run.store, run.tenant, run.row
  row.share = explanation.share(store, tenant)
  row.without_mfa = row.requests ~= "failed"
    and store:count_without_mfa(tenant, run.at - coverage.WINDOW) or nil
end

-- The tenant failed: nothing is known, so nothing changes.
local function record_failure(store, tenant, options)
  local kind = kind_of(options.users_error)
  local is_reported
  tenant.failure, is_reported = failures.update(tenant.failure, kind, options.now)
  tenant.asked = math.max(tenant.asked or 0, options.now)
  store:save_tenant(tenant)
  store:add_run(tenant, { at = options.now, users = "failed", users_error = kind })
  return { failure = tenant.failure, is_reported = is_reported, events = {}, counts = {},
           warnings = {}, tenant = tenant }
end

-- The tenant, with its readers: from now on they are told what happens.
local function tenant_of(store, options, at)
  local tenant = store:tenant(options.tenant)
  if not tenant then
    tenant = new_tenant(options.tenant, options.name)
    store:save_tenant(tenant)
  end
  tenant.name = options.name or tenant.name
  for _, name in ipairs(options.readers or {}) do
    store:save_reader(tenant, told.reader(store, tenant, name, at))
  end
  return tenant
end

-- Whether the run is older than the newest one. A newest one that is ahead of the service and of
-- this machine by more than a day came from a wrong clock; it must not stop all later runs.
local function is_older(tenant, at, now, summary)
  if not tenant.at or at >= tenant.at then
    return false
  elseif tenant.at <= now + DAY then
    return true
  end
  summary.warnings[1] = ("the newest run of this tenant says %s, which is in the future; what it "
    .. "changed stays"):format(time.format(tenant.at))
  tenant.coverage = nil
  return false
end

--- Records one run of one tenant. Call it within one transaction of the store.
--
-- A run that is older than the newest one of the tenant changes nothing.
-- @tparam table store see `pcapi.history.store`
-- @tparam table options
-- @tparam string options.tenant the tenant's key, see `pcapi.history.identity`
-- @tparam[opt] string options.name how the user calls the tenant, a label
-- @tparam[opt] {string,...} options.names all names by which an exception may name the tenant
-- @tparam number options.now this machine's clock, UTC epoch seconds; used if the service says no
-- time
-- @tparam[opt] table options.users the list `non_mfa_principals`, without criteria; nil: it failed
-- @tparam[opt] pcapi.error options.users_error
-- @tparam[opt] table options.requests the list `partner_requests`; nil: it failed
-- @tparam[opt] pcapi.error options.requests_error
-- @tparam[opt] table options.adoption the list `application_mfa_adoption_status`; nil: it failed
-- @tparam[opt] pcapi.error options.adoption_error
-- @tparam[opt] table options.exceptions of `pcapi.history.exceptions`
-- @tparam[opt] {string,...} options.readers readers that exist from now on
-- @tparam[opt] boolean options.keep_all store user and address of all requests
-- @tparam[opt] table options.retention settings from `pcapi.history.retention`; nil: nothing is
-- deleted
-- @treturn table `events` (array of what was stored as event), `counts` (kind of event to number;
-- `excepted` and `baseline_excepted`: how many of them are of users with an exception), `warnings`
-- (array of texts), `tenant`, `row` (the run as stored), `is_own_clock` (the service said no time),
-- `ignored` (true: the run is older than the newest), `failure` (the tenant failed), `is_reported`
-- (the failure is worth a line, or its end), `deleted` (how many rows of what)
function M.run(store, options)
  local at = floor(options.users and options.users.date or options.now)
  local tenant = tenant_of(store, options, at)
  if not options.users then
    return record_failure(store, tenant, options)
  end
  local summary = { events = {}, counts = {}, warnings = {}, tenant = tenant,
                    is_own_clock = options.users.date == nil }
  if is_older(tenant, at, options.now, summary) then
    summary.ignored = true
    return summary
  end
  local run = { store = store, tenant = tenant, options = options, at = at, summary = summary,
                row = { at = at } }
  record(run)
  tenant.failure, summary.is_reported = failures.update(tenant.failure, nil, at)
  tenant.asked = math.max(tenant.asked or 0, at)
  store:save_tenant(tenant)
  sum_up(run)
  summary.row = run.row
  store:add_run(tenant, run.row)
  if options.retention then -- where the clocks differ, the earlier one counts: nothing comes back
    summary.deleted = store:prune(tenant,
      retention.limits(options.retention, math.min(at, options.now)))
  end
  return summary
end

return M
