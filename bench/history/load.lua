-- load.lua [ROWS]: makes a history of so many requests (default 1,000,000; 10,000 of each
-- tenant, over a week), loads it into a real PostgreSQL on this machine, and asks five questions.
-- Fails if the load takes more than 20 µs a row, or a question more than a second.
-- Run by: sandbox/run lua5.4 bench/history/load.lua 1000000
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local postgres = require "spec.support.postgres"
local store = require "pcapi.history.store"

local ROWS = tonumber(arg[1]) or 1e6
local OF_TENANT, DAYS, DAY = 10000, 7, 86400
local TENANTS = math.ceil(ROWS / OF_TENANT)
local SLOWEST, LONGEST = 20, 1 -- µs of a row, seconds of a question

local directory = folder.new()
local path = directory .. "/history.sqlite"
local has_failed = false

local function guid(kind, number)
  return ("5f0b3c1e-%04d-4000-8000-%012d"):format(kind, number)
end

local function print_line(...)
  print(string.format(...))
end

local function new_people(found, tenant, number, now)
  local people = {}
  for i = 1, 20 do
    local person = { id = guid(1, number * 20 + i), upn = ("user%d@t%d.example"):format(i, number) }
    found:save_person(tenant, person)
    found:save_finding(tenant, person, {
      episode = 1, state = i % 2 == 0 and "fixed" or "open", first_at = now - i * DAY,
      last_at = now - DAY, is_exact = true, times = 1, opened = now - i * DAY, seen = now,
      closed = i % 2 == 0 and now or nil, is_visible = true,
    })
    people[i] = person
  end
  return people
end

-- One request in ten is of a user without MFA.
local function add_tenant(found, number, now)
  local tenant = { id = guid(0, number), name = "tenant" .. number, at = now, asked = now,
                   has_baseline = true }
  found:save_tenant(tenant)
  found:add_run(tenant, { at = now - DAYS * DAY, users = "whole" })
  local people = new_people(found, tenant, number, now)
  for i = 1, OF_TENANT do
    local person = i % 10 == 0 and people[i % 20 + 1] or nil
    found:add_request(tenant, {
      at = now - math.floor(i / OF_TENANT * (DAYS * DAY - 1)), id = core.random_bytes(16),
      person = person, application = guid(2, i % 12), operation = "Get /v{version}/" .. i % 40,
      ip = person and "192.0.2.7" or nil, mfa = person == nil,
    })
  end
  for day = 0, DAYS - 1 do
    found:save_adoption(tenant, { day = now - now % DAY - day * DAY, with_mfa = 900, total = 1000,
                                  application = guid(2, day % 12) })
  end
  found:add_run(tenant, { at = now, users = "whole", requests = "whole", adoption = "whole" })
end

local function make_history()
  local found = assert(store.open(path))
  local now, began = os.time(), os.clock()
  for number = 1, TENANTS do
    assert(found:transaction(function()
      add_tenant(found, number, now)
      return true
    end))
  end
  local taken = os.clock() - began
  found:close()
  local size = files.lines_of("stat -c %s " .. path)[1]
  print_line("stored in the history:  %5.1f µs of CPU a row, %.0f bytes a row on disk",
    taken / TENANTS / OF_TENANT * 1e6, size / TENANTS / OF_TENANT)
end

-- Runs a command line with the variables of the history; returns the seconds that it took.
local function timed(line)
  local began = core.now()
  local ok = os.execute(("export PCAPI_HISTORY=%s PATH=%s:$PATH; %s"):format(path, directory, line))
  if ok ~= true and ok ~= 0 then
    error("failed: " .. line, 0)
  end
  return core.now() - began
end

local function load(server)
  return timed(("PGHOST=%s PGUSER=postgres psql -Xq -f share/postgresql/load.sql >/dev/null")
    :format(server.dir))
end

local QUESTIONS = { "open_findings", "new_this_week", "by_application", "by_tenant", "per_day" }

local function ask(server)
  for _, name in ipairs(QUESTIONS) do
    local began = core.now()
    local rows = server:sql(("SELECT count(*) FROM (SELECT * FROM pcapi.%s) q"):format(name))
    local taken = core.now() - began
    has_failed = has_failed or taken > LONGEST
    print_line("%-22s  %5.0f ms, %s rows", name .. ":", taken * 1000, rows)
  end
end

local function run(server)
  server:empty()
  local rows = TENANTS * OF_TENANT
  print_line("%d requests of %d tenants, on %s", rows, TENANTS, _VERSION)
  make_history()
  print_line("export to /dev/null:    %5.1f µs a row",
    timed "pcapi history export requests >/dev/null" / rows * 1e6)
  local taken = load(server)
  has_failed = has_failed or taken / rows * 1e6 > SLOWEST
  print_line("load:                   %5.1f µs a row, %.0f rows a second", taken / rows * 1e6,
    rows / taken)
  print_line("load of nothing new:    %5.2f s", load(server))
  server:sql "VACUUM ANALYZE"
  print_line("in PostgreSQL:          %5.0f bytes a row, with indexes", server:sql([[
    SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
    WHERE inhparent = 'pcapi.request'::regclass]]) / rows)
  ask(server)
end

folder.write(directory .. "/pcapi", ("#!/bin/sh\nexec %s %s/bin/pcapi \"$@\"\n"):format(
  os.getenv "LUA" or "lua5.4", curl.quote(files.lines_of "pwd -P"[1])))
os.execute("chmod 755 " .. directory .. "/pcapi")
local server = postgres.start()
local ok, problem = pcall(run, server)
server:stop()
folder.remove()
if not ok then
  error(problem, 0)
end
os.exit(not has_failed)
