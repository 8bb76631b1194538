-- round.lua [TENANTS]: one `pcapi watch` of so many tenants (default 1,000), each with 10,000
-- requests and 20 users. Fails if a row is missing, or if the peak memory is above 150 MB.
-- Run by: make round, or make round TENANTS=50
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local history = require "pcapi.history"
local sandbox = require "spec.support.sandbox"
local shell = require "bench.shell"
local story = require "bench.history.story"

local TENANTS = tonumber(arg[1]) or 1000
local MOST_MEMORY = 150 -- MB

local function write_tenants(directory)
  local lines = {}
  for i = 1, TENANTS do
    lines[i] = story.tenant(i) .. "\n"
  end
  return folder.write(directory .. "/tenants", table.concat(lines))
end

-- Wall seconds, CPU seconds and peak memory in bytes.
local function watch(directory)
  local out, err = directory .. "/out", directory .. "/err"
  local line = shell.output_of(("%s; exec build/bench/measure %s bin/pcapi -q watch --tenants %s "
    .. "-o jsonl 2>%s | tee %s | tail -n 1"):format(story.environment(directory), sandbox.lua,
    write_tenants(directory), err, out))
  local wall, cpu, peak, status = line:match "^(%S+) (%S+) (%d+) (%d+)$"
  assert(status == "0", line .. "\n" .. table.concat(files.lines_of("head -n 9 " .. err), "\n"))
  return tonumber(wall), tonumber(cpu), tonumber(peak)
end

local function rows_of(directory)
  local found = assert(history.open(directory .. "/history.sqlite"))
  local facts = assert(found:facts())
  found:close()
  return facts.counts.requests
end

local function run()
  local directory = folder.new()
  local wall, cpu, peak = watch(directory)
  local rows = rows_of(directory)
  print(("%d tenants, %d requests: %.0f s, %.0f s of CPU, %.1f µs a row, %.0f MB at most"):format(
    TENANTS, rows, wall, cpu, cpu / rows * 1e6, peak / 1e6))
  assert(rows == TENANTS * story.REQUESTS, "requests are missing")
  assert(peak <= MOST_MEMORY * 1e6, ("more than %d MB"):format(MOST_MEMORY))
end

folder.around(run)
