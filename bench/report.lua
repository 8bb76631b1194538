--- Writes the results as Markdown tables.
local M = {}

-- The candidates that others are compared with: the title of the column, and their field.
local BASES = { { "floor = 1", "is_floor" }, { "floor + lua-cjson = 1", "is_json" } }
local BASES_OF_ROWS = { { "curl \\| jq = 1", "is_base" } }

local function find(candidates, what)
  for _, candidate in ipairs(candidates) do
    if candidate[what] and not candidate.skipped then
      return candidate
    end
  end
end

local function ratio(value, base)
  return base and ("%.2f"):format(value / base) or "–"
end

-- Returns the figure: the time per call or in all, in the unit of `show`.
local function figure(show, candidate)
  if show.what == "rate" then
    return candidate.count / candidate.cpu
  end
  return candidate[show.what] / (show.in_all and 1 or candidate.count) * show.per_second
end

local function headings(shows, bases)
  local row, rule = { "" }, { "---" }
  for _, show in ipairs(shows) do
    if show.what == "rate" then
      row[#row + 1] = show.unit
    else
      row[#row + 1] = show.what .. ", " .. show.unit
      for _, base in ipairs(bases) do
        row[#row + 1] = base[1]
      end
    end
  end
  row[#row + 1] = "peak memory, MB"
  for i = 2, #row do
    rule[i] = "---"
  end
  return row, rule
end

local function row_of(candidate, shows, bases, candidates)
  local row = { candidate.name }
  for _, show in ipairs(shows) do
    local value = figure(show, candidate)
    if show.what == "rate" then
      row[#row + 1] = ("%.0f"):format(value)
    else
      row[#row + 1] = ("%.2f"):format(value)
      for _, base in ipairs(bases) do
        local other = find(candidates, base[2])
        row[#row + 1] = ratio(value, other and figure(show, other))
      end
    end
  end
  row[#row + 1] = ("%.1f"):format(candidate.peak / 1e6)
  return row
end

local function line(row)
  return "| " .. table.concat(row, " | ") .. " |"
end

--- Writes the section of one workload.
-- @tparam table workload see workloads.lua
-- @tparam table candidates measured, or skipped
-- @treturn string
function M.section(workload, candidates)
  local bases = workload.rows and BASES_OF_ROWS or BASES
  local row, rule = headings(workload.show, bases)
  local lines = { ("\n## %s: %s\n"):format(workload.id, workload.title), line(row), line(rule) }
  for _, candidate in ipairs(candidates) do
    if candidate.skipped then
      row = { candidate.name, "skipped: " .. candidate.skipped }
      for i = 3, #rule do
        row[i] = ""
      end
    else
      row = row_of(candidate, workload.show, bases, candidates)
    end
    lines[#lines + 1] = line(row)
  end
  return table.concat(lines, "\n")
end

return M
