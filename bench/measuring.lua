--- Runs candidates and computes the medians of their time and memory.
local shell = require "bench.shell"

local M = {}

-- Measures wall seconds, CPU seconds and peak memory (bytes) of a process. If the program measures
-- itself, its own wall and CPU seconds are used.
local function measure(candidate)
  local output = shell.output_of((candidate.refused and "unset PCAPI_CA_FILE; " or "")
    .. "build/bench/measure " .. candidate.command .. " 2>&1")
  local wall, cpu, peak, status = output:match "(%S+) (%S+) (%S+) (%S+)$"
  local went_well = status == "0"
  if candidate.refused then
    went_well = status ~= "0" and output:lower():find "certificate"
  end
  assert(went_well, ("failed: %s\n%s"):format(candidate.name, output))
  if candidate.is_warm then
    wall, cpu = output:match "^(%S+)%s+(%S+)%s"
  end
  return { wall = tonumber(wall), cpu = tonumber(cpu), peak = tonumber(peak) }
end

local function median(values)
  table.sort(values)
  return values[math.ceil(#values / 2)]
end

--- Runs all candidates in each round, so that changes of the machine's speed affect all of them.
-- The first round is not counted. Sets their `wall`, `cpu` (seconds for `count` calls) and `peak`
-- (bytes).
function M.compare(candidates, rounds)
  local results = {}
  for round = 0, rounds do
    for i, candidate in ipairs(candidates) do
      local measured = not candidate.skipped and measure(candidate) or {}
      results[i] = results[i] or { wall = {}, cpu = {}, peak = {} }
      for name, value in pairs(measured) do
        if round > 0 then
          table.insert(results[i][name], value)
        end
      end
    end
  end
  for i, candidate in ipairs(candidates) do
    for name, values in pairs(results[i]) do
      candidate[name] = median(values)
    end
  end
end

return M
