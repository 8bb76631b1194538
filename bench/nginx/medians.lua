--- Collects the figures of several runs and computes their medians.
local M = {}

--- Adds the figures of one run.
-- @tparam table results collected so far
-- @tparam table path keys under which to store them
-- @tparam table figures numbers, or tables of them, by name
function M.add(results, path, figures)
  for _, name in ipairs(path) do
    results[name] = results[name] or {}
    results = results[name]
  end
  results[#results + 1] = figures
end

local function median(values)
  table.sort(values)
  local middle = #values // 2
  return #values % 2 == 1 and values[middle + 1] or (values[middle] + values[middle + 1]) / 2
end

local function over(runs)
  local all = {}
  for name, first in pairs(runs[1]) do
    local values = {}
    for i, run in ipairs(runs) do
      values[i] = run[name]
    end
    all[name] = type(first) == "table" and over(values) or median(values)
  end
  return all
end

--- Computes the medians.
-- @tparam table results collected figures: by way, then by size
-- @treturn table the same, with one set of figures for all runs
function M.of(results)
  local all = {}
  for id, sizes in pairs(results) do
    all[id] = {}
    for size, runs in pairs(sizes) do
      all[id][size] = over(runs)
    end
  end
  return all
end

return M
