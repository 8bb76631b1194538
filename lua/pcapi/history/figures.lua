--- What a history knows of a tenant, as numbers and times: for metrics, and for the summary. No
-- figure names a person. Call the functions within a read of the store.
-- @module pcapi.history.figures
local adoption = require "pcapi.report.adoption"
local applications = require "pcapi.history.applications"
local coverage = require "pcapi.history.coverage"

local M = {}

local HOUR = 60 * 60
local DAY = 24 * HOUR
local COMPARED = 20 * HOUR -- a daily job may start earlier, by minutes or by summer time
local NEVER = 2 ^ 53 -- an id or a time that no event has
local REMEMBERED = 29 -- days of adoption that say whether an application is silent
local LISTS = { "users", "requests", "adoption" }

--- The news of a tenant: what no reader was told of yet, and what came after the last run that was
-- at least 20 hours before the newest.
-- @tparam table store see `pcapi.history.store`
-- @tparam table tenant
-- @treturn table by the id of the person: `kind` of the newest event, and `told` (whether a reader
-- was told; nil: there is none)
-- @treturn ?number the time of that run; nil: there is none
function M.news(store, tenant)
  local news, told = {}, nil
  for _, reader in ipairs(store:readers(tenant)) do
    told = math.max(told or 0, reader.told)
  end
  local compared = tenant.at and store:last_run(tenant, tenant.at - COMPARED)
  local since = compared and compared.at
  for _, event in ipairs(store:news(tenant, told or NEVER, since or NEVER)) do
    news[event.person] = { kind = event.kind }
    if told then
      news[event.person].told = event.id <= told
    end
  end
  return news, since
end

--- The news of a person; none of one who need not act.
-- @tparam table news of @{news}
-- @tparam table person with a finding
-- @treturn ?table
function M.news_of(news, person)
  local finding = person.finding
  return not finding.closed and not finding.exception and news[person.id] or nil
end

--- Begins to count the people of a tenant.
-- @tparam table store see `pcapi.history.store`
-- @tparam table tenant
-- @treturn table `counts` (by state, and `excepted` and `new`), `oldest_open` (since when the user
-- without an exception who has been open for longest is without MFA; nil: nobody is open), `news`
-- and `new_since` of @{news}
function M.begin(store, tenant)
  local news, since = M.news(store, tenant)
  return { news = news, new_since = since, counts = {
    open = 0, healing = 0, fixed = 0, quiet = 0, lost = 0, excepted = 0, new = 0,
  } }
end

--- Counts a person.
-- @tparam table found of @{begin}
-- @tparam table person with a finding
function M.add(found, person)
  local finding, counts = person.finding, found.counts
  local news = M.news_of(found.news, person)
  counts[finding.state] = counts[finding.state] + 1
  if finding.closed then
    return
  elseif finding.exception then
    counts.excepted = counts.excepted + 1
  elseif finding.state == "open" then
    found.oldest_open = math.min(found.oldest_open or finding.first_at, finding.first_at)
  end
  if news and news.kind ~= "again" then
    counts.new = counts.new + 1
  end
end

local function users_of(store, tenant)
  local found = M.begin(store, tenant)
  for person in store:each_person(tenant, true) do
    M.add(found, person)
  end
  return M.users(found.counts, found.oldest_open)
end

--- The figures of users.
-- @tparam table counts of @{begin}
-- @tparam ?number oldest_open
-- @treturn table `count` (open or healing, without an exception), `new_count`, `healing_count`,
-- `excepted_count` and `oldest_open`
function M.users(counts, oldest_open)
  return { count = counts.open + counts.healing - counts.excepted, new_count = counts.new,
           healing_count = counts.healing, excepted_count = counts.excepted,
           oldest_open = oldest_open }
end

-- When each list was received last, whether it was cut, and whether the newest run received it.
-- Also returns the runs that received them.
local function lists_of(store, tenant)
  local lists, rows = {}, {}
  for _, name in ipairs(LISTS) do
    local row = store:last_run(tenant, NEVER, name)
    rows[name] = row
    lists[name] = {
      at = row and row.at, is_cut = row and row[name] == "cut",
      is_up = row ~= nil and row.at == tenant.at and not tenant.failure,
    }
  end
  return lists, rows
end

local function adoption_of(rows, from, names)
  local records = {}
  for _, row in ipairs(rows) do
    if row.day >= from then
      records[#records + 1] = {
        applicationId = row.application, totalRequestCount = row.total,
        mfaCompliantRequestCount = row.with_mfa,
        applicationName = applications.name(row.application, names.given, names.adoption),
      }
    end
  end
  return adoption.of(records)
end

local function silent_of(rows, at)
  local ids = {}
  for i, silent in ipairs(coverage.silent(rows, at)) do
    ids[i] = silent.application
  end
  return ids
end

--- The figures of a tenant. Facts that are not known are missing.
-- @tparam table store see `pcapi.history.store`
-- @tparam table tenant
-- @tparam table names of applications: `given` (by id; may be nil) and `adoption` (those that the
-- store has)
-- @treturn table as `pcapi.report.metrics` takes them: `id`, `name`, `users`, `requests`, `lists`,
-- `adoption`, and `silent` (array of ids of applications)
function M.of(store, tenant, names)
  local lists, runs = lists_of(store, tenant)
  local figures = { id = tenant.id, name = tenant.name, lists = lists }
  if tenant.at then
    figures.users = users_of(store, tenant)
  end
  if runs.requests then
    figures.requests = { count = runs.requests.without_mfa, coverage = runs.users.share }
  end
  if lists.adoption.at then
    local today = math.floor(lists.adoption.at / DAY) * DAY
    local rows = store:adoption(tenant, today - REMEMBERED * DAY)
    figures.adoption = adoption_of(rows, today - 6 * DAY, names)
    figures.silent = silent_of(rows, lists.adoption.at)
  end
  return figures
end

return M
