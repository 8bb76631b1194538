-- volume.lua [ROWS]: makes a history of so many requests (default 100,000,000; 10,000 of each
-- tenant, over a week), and one of a million, and records runs of 10,000 requests in each.
-- Fails if a row takes more than 12 µs of CPU to store, or more than 90 bytes, or if the run takes
-- more than 1.5 times as long in the larger one. 100,000,000 rows need 9 GB of disk.
-- Run by: sandbox/run lua5.4 bench/volume.lua 100000000
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"

local ROWS = tonumber(arg[1]) or 1e8
local FEW, OF_TENANT, WEEK, RUNS = 1e6, 10000, 7 * 86400, 5
local MOST_CPU, MOST_BYTES, MOST_TIMES = 12, 90, 1.5
local NOW = os.time()

local has_failed = false

local function report(what, unit, value, most)
  has_failed = has_failed or value > most
  print(("%-44s %6.1f %s, at most %g"):format(what, value, unit, most))
end

local function guid(kind, number)
  return ("5f0b3c1e-%04d-4000-8000-%012d"):format(kind, number)
end

-- One request in ten is of a user without MFA. SQLite makes the rows, which is faster than Lua.
local ROWS_OF_TENANT = [[
  WITH RECURSIVE series (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < ?1)
  INSERT INTO request SELECT ?2, ?3 - i * ?4 / ?1, randomblob(16),
    CASE WHEN i % 10 = 0 THEN ?5 - i % 20 END, 1 + i % 12, 1 + i % 40,
    CASE WHEN i % 10 = 0 THEN '192.0.2.7' END, i % 10 > 0, ?6 FROM series]]

local function add_tenant(store, number)
  local tenant = { id = guid(0, number), name = "t" .. number, at = NOW - WEEK, asked = NOW - WEEK,
                   has_baseline = true }
  store:save_tenant(tenant)
  local person
  for i = 1, 20 do
    person = { id = guid(1, number * 20 + i), upn = ("user%d@t%d.example"):format(i, number) }
    store:save_person(tenant, person)
    store:save_finding(tenant, person, { episode = 1, state = "open", first_at = NOW - WEEK,
      last_at = NOW - WEEK, is_exact = true, times = 1, opened = NOW - WEEK, seen = NOW - WEEK,
      is_visible = true })
  end
  store:add_run(tenant, { at = NOW - WEEK, users = "whole", requests = "whole" })
  store.db:run(ROWS_OF_TENANT, OF_TENANT, tenant.key, NOW - WEEK, WEEK, person.key,
    store:run_number())
end

local function size_of(path)
  return tonumber(files.lines_of("stat -c %s " .. path)[1])
end

local function make(rows)
  local path = folder.new() .. "/history.sqlite"
  local found = assert(history.open(path))
  for number = 1, rows / OF_TENANT do
    assert(found.store:transaction(function()
      add_tenant(found.store, number)
      return true
    end))
  end
  found:close()
  report(("a row on disk, of %d"):format(rows), "bytes", size_of(path) / rows, MOST_BYTES)
  return path
end

-- The lists of a run: users, and new requests.
local function run_of(number)
  local users, requests = {}, {}
  for i = 1, 20 do
    users[i] = { id = guid(1, number * 20 + i), at = NOW - i * 3600,
                 upn = ("user%d@t%d.example"):format(i, number) }
  end
  for i = 1, OF_TENANT do
    local user = i % 10 == 0 and users[i % 20 + 1] or nil
    requests[i] = { id = core.uuid(), at = NOW - math.floor(i * WEEK / OF_TENANT), mfa = not user,
                    user = user and user.id or guid(7, i % 1000), application = guid(2, i % 12),
                    operation = "Get /v{version}/" .. i % 40, ip = "192.0.2.7" }
  end
  return { tenant = guid(0, number), now = NOW, users = lists.users(NOW, users),
           requests = lists.requests(NOW, requests) }
end

-- The least CPU time of a run, in seconds: other programs only add to it.
local function record(path)
  local found, least = assert(history.open(path)), math.huge
  for i = 1, RUNS do
    local run = run_of(i * 17)
    collectgarbage()
    local began = os.clock()
    assert(found:observe(run))
    least = math.min(least, os.clock() - began)
  end
  found:close()
  return least
end

-- Storing alone: what the store does with rows that are read and judged.
local function store_rows(path)
  local store, least = assert(history.open(path)).store, math.huge
  for i = 1, RUNS do
    local rows = {}
    for row = 1, OF_TENANT do
      rows[row] = { at = NOW - row * 60 - i, id = core.random_bytes(16), mfa = true,
                    application = guid(2, row % 12), operation = "Get /v{version}/" .. row % 40 }
    end
    local began = os.clock()
    assert(store:transaction(function()
      local tenant = store:tenant(guid(0, i))
      for _, row in ipairs(rows) do
        store:add_request(tenant, row)
      end
      return true
    end))
    least = math.min(least, os.clock() - began)
  end
  store:close()
  return least / OF_TENANT * 1e6
end

local function run()
  local few = make(FEW)
  report("storing a row of a million", "µs of CPU", store_rows(few), MOST_CPU)
  local before = record(few)
  print(("%-44s %6.1f µs of CPU a row"):format("a run of one tenant, of a million", before
    / OF_TENANT * 1e6))
  local many = make(ROWS)
  report(("the same of %d"):format(ROWS), "times", record(many) / before, MOST_TIMES)
end

local ok, problem = pcall(run)
folder.remove()
if not ok then
  error(problem, 0)
end
os.exit(not has_failed)
