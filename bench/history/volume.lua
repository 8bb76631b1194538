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
local MOST_CPU, MOST_BYTES, MOST_TIMES, MOST_METRICS = 12, 90, 1.5, 3
local NOW = os.time()

local has_failed = false

io.stdout:setvbuf "line"

-- Prints a figure, and compares it with its limit if there is one.
local function report(what, unit, value, most)
  has_failed = has_failed or most ~= nil and value > most
  print(("%-50s %7.2f %s%s"):format(what, value, unit,
    most and (", at most %g"):format(most) or ""))
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
                    application = generator.application(number, 1 + i % 12),
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

-- A tenant of a history that no other run of the measurement has; they are all over the history.
local function tenant_of(rows, part, run)
  return 1 + (part * RUNS + run) * (rows // OF_TENANT // 50)
end

-- Storing alone: what the store does with rows that are read and judged.
local function store_rows(path)
  local store, least = assert(history.open(path)).store, math.huge
  for i = 1, RUNS do
    local number, rows = tenant_of(FEW, 0, i), {}
    for row = 1, OF_TENANT do
      rows[row] = { at = NOW - DAY + row, id = core.random_bytes(16), mfa = true,
                    application = generator.application(number, 1 + row % 12),
                    operation = generator.operation(1 + row % 40) }
    end
    local began = os.clock()
    assert(store:transaction(function()
      local tenant = store:tenant(story.tenant(number))
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

-- The CPU seconds of recording a run.
local function observe(path, number)
  local found, run = assert(history.open(path)), run_of(number, OF_TENANT, 7, NOW)
  collectgarbage()
  local began = os.clock()
  assert(found:observe(run))
  local cpu = os.clock() - began
  found:close()
  return { cpu = cpu }
end

-- Takes a file out of the page cache.
local function forget_pages(path)
  assert(os.execute(("sync %s && dd if=%s iflag=nocache count=0 status=none"):format(path, path)))
end

-- Makes a function that runs the command, and returns its wall and CPU seconds. `how` has its
-- options, its configuration file (`%s` is the folder of the history), and what to do before.
local function watcher(how)
  return function(path, number)
    local directory = path:match "^(.*)/"
    local environment = story.environment(directory)
    local config = folder.write(directory .. "/config",
      how.config and how.config:format(directory) or "")
    if how.before then
      how.before(path)
    end
    local line = shell.output_of(("%s PCAPI_CONFIG=%s; build/bench/measure %s bin/pcapi -q watch "
      .. "--tenant %s %s 2>%s/err | tail -n 1"):format(environment, config, sandbox.lua,
      story.tenant(number), how.options or "", directory))
    local wall, cpu, status = line:match "^(%S+) (%S+) %d+ (%d+)$"
    assert(status == "0", line .. "\n" .. files.slurp(directory .. "/err"))
    return { wall = tonumber(wall), cpu = tonumber(cpu) }
  end
end

-- The measurements. The metrics are of all tenants, so their time grows with the tenants.
local function measurements()
  return {
    { name = "observe", act = observe, most = MOST_TIMES },
    { name = "watch", act = watcher {}, most = MOST_TIMES },
    { name = "watch, cold pages", act = watcher { before = forget_pages }, most = MOST_TIMES },
    { name = "watch --notify", most = MOST_TIMES, act = watcher { options = "--notify",
      config = "[notify siem]\ntype = jsonl\npath = %s/events.jsonl\n" } },
    { name = "watch with metrics", act = watcher {
      config = "[metrics]\ntextfile = %s/metrics\n" } },
  }
end

-- The least wall and CPU seconds in each history: other programs only add to them. The histories
-- come in turn, so that other programs disturb both. There is no limit for wall time, which they
-- disturb most.
local function measure(part, act, histories)
  local least = {}
  for i = 1, RUNS do
    for j, found in ipairs(histories) do
      local taken = act(found.path, tenant_of(found.rows, part, i))
      least[j] = least[j] or taken
      for kind, seconds in pairs(taken) do
        least[j][kind] = math.min(least[j][kind], seconds)
      end
    end
  end
  return least[1], least[2]
end

local function make(rows)
  local directory, began = folder.new(), os.clock()
  local path = directory .. "/history.sqlite"
  assert(os.execute(("mkdir -m 755 %s/metrics"):format(directory)))
  generator.make(path, rows, NOW)
  print(("a history of %d requests and %d tenants: %.0f MB, made in %.0f s of CPU"):format(rows,
    rows // OF_TENANT, size_of(path) / 1e6, os.clock() - began))
  return { path = path, rows = rows }
end

local function compare(few, many)
  for part, measured in ipairs(measurements()) do
    local before, after = measure(part, measured.act, { few, many })
    for _, kind in ipairs { "cpu", "wall" } do
      if before[kind] then
        report(("%s, %s: %.0f ms and %.0f ms"):format(measured.name, kind, before[kind] * 1000,
          after[kind] * 1000), "times", after[kind] / before[kind],
          kind == "cpu" and measured.most or nil)
      end
    end
    if not measured.most then
      report(measured.name .. ", more for each tenant", "ms of CPU",
        1000 * (after.cpu - before.cpu) / ((ROWS - FEW) // OF_TENANT), MOST_METRICS)
    end
  end
end

local function run()
  report("a row on disk, stored by runs", "bytes", bytes_of_runs(), MOST_BYTES)
  local few = make(FEW)
  report("storing a row", "µs of CPU", store_rows(few.path), MOST_CPU)
  compare(few, make(ROWS))
end

folder.around(run)
os.exit(not has_failed)
