--- Measures one nginx from its start: pings only, the first calls, steady calls, and many calls at
-- once.
local server = require "bench.nginx.server"
local shell = require "bench.shell"

local M = { AT_ONCE = 20, DELAY = 0.2, RATE = 200, MANY = { 150, 500 } }

local PATIENCE = 10 -- seconds for many at once
local NAMES = { "pings", "p50", "p99", "max", "calls", "errors", "took", "cpu", "resident",
                "deaths" }

local function phases_of(way, has_many)
  local list = { "idle:0:1.5", "together:%d:1.5", "spread:%d:2.5", "idle:0:1.5" }
  for i = 2, 3 do
    list[i] = way.is_idle and list[i]:gsub("%a+:%%d", "idle:0") or list[i]:format(M.AT_ONCE)
  end
  local many = has_many and not way.is_idle and (way.many or #M.MANY) or 0
  for i = 1, many do
    list[4 + i] = ("all:%d:%g"):format(M.MANY[i], PATIENCE)
  end
  return list
end

local function read_line(line)
  local values, place = {}, 0
  for word in line:gmatch "%S+" do
    place = place + 1
    values[NAMES[place]] = tonumber(word)
  end
  assert(place == #NAMES, line)
  return values
end

local function press(port, expected, phases)
  local output = shell.output_of(("build/bench/press %d %d %d %s"):format(port, expected, M.RATE,
    table.concat(phases, " ")))
  local results = {}
  for line in output:gmatch "[^\n]+" do
    results[#results + 1] = read_line(line)
  end
  assert(#results == #phases, "press has failed")
  return results
end

-- Idle is the mean of the time before the calls and the time after them.
local function mean(first, second)
  local values = {}
  for name, value in pairs(first) do
    values[name] = (value + second[name]) / 2
  end
  return values
end

local function against(phase, idle)
  phase.idle_p99, phase.ratio = idle.p99, phase.p99 / idle.p99
  return phase
end

--- Measures one way with bodies of this many records.
-- @tparam table way see ways.lua
-- @tparam number records
-- @tparam boolean has_many also measure many calls at once, more than the limits allow
-- @treturn table by phase (idle, cold, warm, and the numbers of MANY): the figures of `press`, and
-- `ratio`, the pings' p99 divided by the idle p99
function M.measure(way, records, has_many)
  local settings = ("delay=%g; records=%d; encoding=none"):format(M.DELAY, records)
  local phases = phases_of(way, has_many)
  local nginx = server.start(way, settings)
  local ok, results = pcall(press, nginx.port, records, phases)
  local log = nginx:log()
  nginx:stop()
  if log:find "%S" then
    io.stderr:write("nginx: ", log:match "[^\n]+", "\n")
  end
  assert(ok, results)
  local idle = mean(results[1], results[4])
  local all = { start = results[1], idle = idle, cold = against(results[2], idle),
                warm = against(results[3], idle) }
  all.warm.rate = all.warm.calls / all.warm.took
  local spent = all.warm.cpu - idle.cpu / idle.took * all.warm.took
  all.warm.per_call = all.warm.calls > 0 and spent / all.warm.calls or 0
  for i, count in ipairs(M.MANY) do
    all[count] = results[4 + i]
  end
  return all
end

return M
