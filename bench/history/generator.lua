--- Makes large histories: of each tenant a week with 20 users without MFA, 10,000 requests, and a
-- run a day, all tenants every day, as `pcapi watch` records them. So the pages of a tenant are all
-- over the file, as in a real one.
local history = require "pcapi.history"
local story = require "bench.history.story"

local M = {}

local DAY, DAYS, USERS, OPERATIONS = 24 * 60 * 60, 7, 20, 40
local APPLICATIONS, SHARED = 12, 6 -- of a tenant, and how many of them all tenants have
local AT_ONCE = 100 -- tenants in a transaction: each one waits for the disk

-- The requests of one tenant, the oldest first. SQLite copies them, which is faster than rows from
-- Lua. One in ten is of a user without MFA. The times are seconds from the first day on.
local PATTERN = [[
  CREATE TEMP TABLE pattern AS
  WITH RECURSIVE series (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM series WHERE i < ?1 - 1)
  SELECT i * ?2 / ?1 AS at, randomblob(16) AS id,
    CASE WHEN i % 10 = 0 THEN i / 10 % ?3 END AS person, 1 + i % ?4 AS application,
    1 + i % ?5 AS operation,
    CASE WHEN i % 10 = 0 THEN '192.0.2.7' END AS ip, i % 10 > 0 AS mfa FROM series]]
local REQUESTS = [[
  INSERT INTO request SELECT ?1, ?2 + at, id, ?3 + person,
    application + iif(application > ?4, ?5, 0), operation, ip, mfa, ?6
  FROM pattern WHERE pattern.rowid > ?7 AND pattern.rowid <= ?8]]
local ADOPTION = [[
  INSERT INTO adoption SELECT ?1, ?2 - ?2 % 86400, application + iif(application > ?3, ?4, 0),
    sum(mfa), count(*), ?5
  FROM pattern WHERE pattern.rowid > ?6 AND pattern.rowid <= ?7 GROUP BY application]]

local function prepare(store, tenants)
  for number = 1, tenants do
    for i = number == 1 and 1 or SHARED + 1, APPLICATIONS do
      store:name_application(M.application(number, i), "Application " .. i)
    end
  end
  for i = 1, OPERATIONS do
    store.db:run("INSERT INTO operation (name) VALUES (?)", M.operation(i))
  end
  store.db:run "PRAGMA cache_size = -65536"
  store.db:row "PRAGMA wal_autocheckpoint = 16384"
  store.db:run(PATTERN, M.REQUESTS, DAYS * DAY, USERS, APPLICATIONS, OPERATIONS)
end

local function add_people(store, tenant, first)
  for i = 1, USERS do
    local person, at = M.user(tenant.number, i), i % 2 == 0 and first or first + DAY
    store:save_person(tenant, person)
    store:save_finding(tenant, person, { -- half of them are new after the first list
      episode = 1, state = "open", first_at = at, last_at = at, is_exact = true, times = 1,
      opened = at, seen = at, is_visible = true,
    })
    tenant.first_person = tenant.first_person or person.key
  end
  tenant.reader = store:add_event(tenant, { at = first, kind = "baseline", count = USERS,
    excepted = false, excepted_count = 0 })
  store:save_reader(tenant, { name = "watch", told = tenant.reader, reminded = first,
                              is_late = false })
end

-- The requests and the run of one day; `first` is the second at which the week begins.
local function add_day(store, tenant, first, day)
  local from, to = M.REQUESTS * (day - 1) // DAYS, M.REQUESTS * day // DAYS
  local at = first + day * DAY
  tenant.at, tenant.asked, tenant.has_baseline = at, at, true
  tenant.coverage = { from = first, to = at, newest = at - 1 }
  store:save_tenant(tenant)
  if not tenant.first_person then
    add_people(store, tenant, at)
  end
  local own = (tenant.number - 1) * (APPLICATIONS - SHARED) -- the applications before its own
  store.db:run(REQUESTS, tenant.key, first, tenant.first_person, SHARED, own, store:run_number(),
    from, to)
  store.db:run(ADOPTION, tenant.key, at - 1, SHARED, own, store:run_number(), from, to)
  store:note_change(first + from * DAYS * DAY // M.REQUESTS)
  store:add_run(tenant, { at = at, users = "whole", requests = "whole", adoption = "whole",
                          without_mfa = to // 10, share = 1 })
end

--- How many requests a tenant has.
M.REQUESTS = story.REQUESTS

--- The id of an application of a tenant.
-- @tparam number tenant
-- @tparam number number from 1 to 12; the first 6 are shared by all tenants
function M.application(tenant, number)
  return ("5f0b3c1e-%04d-4000-8000-%012d"):format(1000 + number, number > SHARED and tenant or 0)
end

--- The name of an operation, with a number from 1 to 40.
function M.operation(number)
  return "Get /v{version}/" .. number
end

--- A user without MFA: `id` and `upn`.
function M.user(tenant, number)
  return { id = ("5f0b3c1e-0001-4000-8000-%012d"):format(tenant * USERS + number),
           upn = ("user%d@t%d.example"):format(number, tenant) }
end

--- Makes a history whose newest run is a day before a time.
-- @tparam string path
-- @tparam number rows how many requests it has
-- @tparam number now UTC epoch seconds
function M.make(path, rows, now)
  local found, tenants = assert(history.open(path)), {}
  local store, first = found.store, now - (DAYS + 1) * DAY
  assert(store:transaction(function()
    prepare(store, rows // M.REQUESTS)
    return true
  end))
  for number = 1, rows // M.REQUESTS do
    tenants[number] = { id = story.tenant(number), name = "t" .. number, number = number }
  end
  for day = 1, DAYS do
    for from = 1, #tenants, AT_ONCE do
      assert(store:transaction(function()
        for number = from, math.min(from + AT_ONCE - 1, #tenants) do
          add_day(store, tenants[number], first, day)
        end
        return true
      end))
    end
  end
  found:close()
end

return M
