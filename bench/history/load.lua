-- load.lua [ROWS]: makes a history of so many requests (default 10,000,000; 10,000 of each tenant),
-- loads it into a real PostgreSQL on this machine, and asks five questions.
-- Fails if the load takes more than 20 µs a row, or a question more than a second.
-- Run by: make load, or make load ROWS=1000000
local core = require "pcapi.core"
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local generator = require "bench.history.generator"
local postgres = require "spec.support.postgres"

local ROWS = math.floor(tonumber(arg[1]) or 1e7)
local DAY = 86400
local SLOWEST, LONGEST = 20, 1 -- µs of a row, seconds of a question

local directory = folder.new()
local path = directory .. "/history.sqlite"
local has_failed = false

local function print_line(...)
  print(string.format(...))
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
  print_line("%d requests of %d tenants", ROWS, ROWS // generator.REQUESTS)
  generator.make(path, ROWS, os.time() + DAY) -- the newest run is of now
  print_line("export to /dev/null:    %5.1f µs a row",
    timed "pcapi history export requests >/dev/null" / ROWS * 1e6)
  local taken = load(server)
  has_failed = has_failed or taken / ROWS * 1e6 > SLOWEST
  print_line("load:                   %5.1f µs a row, %.0f rows a second", taken / ROWS * 1e6,
    ROWS / taken)
  print_line("load of nothing new:    %5.2f s", load(server))
  server:sql "UPDATE pcapi.collector SET run = run + 1" -- as if the history were an older backup
  print_line("load of all again:      %5.1f µs a row", load(server) / ROWS * 1e6)
  server:sql "VACUUM ANALYZE"
  print_line("in PostgreSQL:          %5.0f bytes a row, with indexes", server:sql([[
    SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
    WHERE inhparent = 'pcapi.request'::regclass]]) / ROWS)
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
