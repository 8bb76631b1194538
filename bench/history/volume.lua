-- volume.lua [ROWS]: what requests cost in the history, and whether a large one is as fast as a
-- small one. It compares one of so many requests (default 100,000,000, 10,000 of each tenant; 5 GB
-- of disk) with one of a million. Fails if one of the limits below is not reached.
-- Run by: make volume, or make volume ROWS=10000000
local core = require "pcapi.core"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local generator = require "bench.history.generator"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"
local sandbox = require "spec.support.sandbox"
local shell = require "bench.shell"
local story = require "bench.history.story"

local ROWS = math.floor(tonumber(arg[1]) or 1e8)
local FEW, OF_TENANT, DAY, RUNS = 1000000, generator.REQUESTS, 24 * 60 * 60, 7
local MOST_CPU, MOST_BYTES, MOST_TIMES = 12, 90, 1.5
local NOW = os.time()

local has_failed = false

io.stdout:setvbuf "line"

-- Prints a figure, and compares it with its limit if there is one.
local function report(what, unit, value, most)
  has_failed = has_failed or most ~= nil and value > most
  print(("%-60s %7.2f %s%s"):format(what, value, unit, most and (", at most %g"):format(most) or ""))
end

local function size_of(path)
  return tonumber(files.lines_of("stat -c %s " .. path)[1])
end

-- The lists of a run: users, and requests of the last `days`, the newest first.
local function run_of(number, count, days, now)
  local users, requests = {}, {}
  for i = 1, 20 do
    local user = generator.user(number, i)
    users[i] = { id = user.id, upn = user.upn, at = now - i * 3600 }
  end
  for i = 1, count do
    local user = i % 10 == 0 and users[i // 10 % 20 + 1] or nil
    requests[i] = { id = core.uuid(), at = now - i * days * DAY // count, mfa = not user,
                    user = user and user.id or core.uuid(), ip = "192.0.2.7",
                    application = generator.application(1 + i % 12),
                    operation = generator.operation(1 + i % 40) }
  end
  return { tenant = story.tenant(number), now = now, users = lists.users(now, users),
           requests = lists.requests(now, requests) }
end

-- The bytes of a row as runs store them: a hundred tenants, each every day.
local function bytes_of_runs()
  local path, days, tenants = folder.new() .. "/history.sqlite", 10, 100
  local found, count = assert(history.open(path)), FEW // 1000
  for day = 1, days do
    for number = 1, tenants do
      assert(found:observe(run_of(number, count, 1, NOW - (days - day) * DAY)))
    end
  end
  found:close()
  return size_of(path) / (days * tenants * count)
end

-- Storing alone: what the store does with rows that are read and judged.
local function store_rows(path)
  local store, least = assert(history.open(path)).store, math.huge
  for i = 1, RUNS do
    local rows = {}
    for row = 1, OF_TENANT do
      rows[row] = { at = NOW - DAY + row, id = core.random_bytes(16), mfa = true,
                    application = generator.application(1 + row % 12),
                    operation = generator.operation(1 + row % 40) }
    end
    local began = os.clock()
    assert(store:transaction(function()
      local tenant = store:tenant(story.tenant(i))
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

-- The numbers of tenants that are all over a history, others in each part of the measurement.
local function tenants_of(rows, part)
  local numbers, all = {}, rows // OF_TENANT
  for i = 1, RUNS do
    numbers[i] = 1 + (i * 37 + part * 11) * (all // 100) % all
  end
  return numbers
end

-- The least CPU time of a run, in seconds: other programs only add to it.
local function observe(path, rows)
  local found, least = assert(history.open(path)), math.huge
  for _, number in ipairs(tenants_of(rows, 1)) do
    local run = run_of(number, OF_TENANT, 7, NOW)
    collectgarbage()
    local began = os.clock()
    assert(found:observe(run))
    least = math.min(least, os.clock() - began)
  end
  found:close()
  return least
end

-- Takes a file out of the page cache.
local function forget_pages(path)
  os.execute(("sync %s; dd if=%s iflag=nocache count=0 status=none"):format(path, path))
end

-- The least wall and CPU seconds of the command, of one tenant each time.
local function watch(path, rows, part, options, before)
  local directory = path:match "^(.*)/"
  local wall, cpu = math.huge, math.huge
  for _, number in ipairs(tenants_of(rows, part)) do
    before(path)
    local line = shell.output_of(("%s; %s build/bench/measure %s bin/pcapi -q watch --tenant %s "
      .. "2>%s/err | tail -n 1"):format(story.environment(directory), options, sandbox.lua,
      story.tenant(number), directory))
    local taken, used, status = line:match "^(%S+) (%S+) %d+ (%d+)$"
    assert(status == "0", line .. "\n" .. files.slurp(directory .. "/err"))
    wall, cpu = math.min(wall, tonumber(taken)), math.min(cpu, tonumber(used))
  end
  return { wall = wall, cpu = cpu }
end

local function measure(path, rows)
  local textfile = folder.new()
  return {
    observe = { cpu = observe(path, rows) },
    watch = watch(path, rows, 2, "", function() end),
    ["watch, cold pages"] = watch(path, rows, 3, "", forget_pages),
    ["watch with metrics"] = watch(path, rows, 4, "PCAPI_METRICS_TEXTFILE=" .. textfile,
      function() end),
  }
end

local function make(rows)
  local path, began = folder.new() .. "/history.sqlite", os.clock()
  generator.make(path, rows, NOW)
  print(("a history of %d requests and %d tenants: %.0f MB, made in %.0f s of CPU"):format(rows,
    rows // OF_TENANT, size_of(path) / 1e6, os.clock() - began))
  return path
end

local function compare(before, after)
  for _, what in ipairs { "observe", "watch", "watch, cold pages", "watch with metrics" } do
    for _, kind in ipairs { "cpu", "wall" } do
      local small, large = before[what][kind], after[what][kind]
      if small then
        report(("%s: %s, %.0f ms of %d requests, and of %d"):format(what, kind, small * 1000, FEW,
          ROWS), ("ms, %.2f times"):format(large / small), large * 1000)
        has_failed = has_failed or large / small > MOST_TIMES
      end
    end
  end
end

local function run()
  report("a row on disk, stored by runs", "bytes", bytes_of_runs(), MOST_BYTES)
  local few = make(FEW)
  report("storing a row", "µs of CPU", store_rows(few), MOST_CPU)
  local before = measure(few, FEW)
  local many = make(ROWS)
  compare(before, measure(many, ROWS))
end

local ok, problem = pcall(run)
folder.remove()
if not ok then
  error(problem, 0)
end
os.exit(not has_failed)
