--- Writes the results as Markdown.
local session = require "bench.nginx.session"
local shell = require "bench.shell"

local M = {}

local FEW = 30 -- calls

local output_of = shell.output_of

local PREFACE = [[
# In nginx: does a worker serve other requests?

Written by `make bench-nginx`: medians of %d runs, the ways in turn. Each run starts an nginx with
one worker, which has CPU 0 for all its threads. The slow service and the program that sends the
requests share the other CPU. The service is the sandbox. It responds after %g s over TLS 1.3.
Certificates are verified with the system's CAs and the sandbox's. Modules are loaded before the
worker starts (`init_by_lua`), without opening a connection.

A *ping* is a request to another location that responds at once. Pings are sent %d times a second,
even if earlier ones have no response yet. Latency counts from the time when a ping was due.
*Idle* is the latency without calls, before and after them, on the same worker. The *ratio* is the
pings' p99 divided by the idle p99. The row without calls shows how much of a ratio is chance.

- **warm**: %d calls in flight all the time, started at random moments. Each decodes its response
  and returns the number of records. CPU is the worker's, without the CPU time of pings
- **cold**: the first %d calls of a worker, all at once, and the calls of the next 1.5 s
- **at once**: this number of calls starts together, on the warm worker
- **RSS over Lua alone**: compared with the resident memory of an nginx with its Lua module, but
  without pcapi, libcurl and CAs
]]

local MISSING = [[
Not measured: lua-resty-http, which Debian does not package. libcurl in the loop is measured once,
with small responses only.
]]

local function row(cells)
  return "| " .. table.concat(cells, " | ") .. " |"
end

local function start_of_table(headings)
  local rule = {}
  for i = 1, #headings do
    rule[i] = "---"
  end
  return { row(headings), row(rule) }
end

local function ms(value)
  return ("%.2f"):format(value)
end

local function latencies(phase)
  return ms(phase.p50) .. " / " .. ms(phase.p99) .. " / " .. ms(phase.max)
end

local function megabytes(bytes)
  return ("%.1f"):format(bytes / 1e6)
end

-- Formats a figure that only ways with calls have.
local function of_calls(way, format, value)
  return way.is_idle and "–" or format:format(value)
end

-- Omits the figure if there are too few calls.
local function per_call(warm)
  return warm.calls >= FEW and ms(warm.per_call * 1e3) or "–"
end

local function warm_table(ways, size, results, alone)
  local lines = start_of_table { "", "idle p50 / p99 / max, ms", "warm p50 / p99 / max, ms",
    "ratio", "calls/s", "CPU ms/call", "errors", "RSS, MB", "over Lua alone, MB" }
  for _, way in ipairs(ways) do
    local all = results[way.id][size]
    local warm = all and all.warm
    lines[#lines + 1] = warm and row { way.name, latencies(all.idle), latencies(warm),
      ("%.2f"):format(warm.ratio), of_calls(way, "%.1f", warm.rate),
      per_call(warm), of_calls(way, "%d", math.ceil(warm.errors)),
      megabytes(warm.resident), of_calls(way, "%.1f", (warm.resident - alone) / 1e6) }
  end
  return lines
end

local function cold_table(ways, size, results)
  local lines = start_of_table { "", "idle p99, ms", "cold p50 / p99 / max, ms", "ratio", "calls",
    "errors" }
  for _, way in ipairs(ways) do
    local all = results[way.id][size]
    local cold = all and all.cold
    lines[#lines + 1] = cold and row { way.name, ms(cold.idle_p99), latencies(cold),
      ("%.2f"):format(cold.ratio), of_calls(way, "%d", cold.calls // 1),
      of_calls(way, "%d", math.ceil(cold.errors)) }
  end
  return lines
end

-- Returns how many calls were served, in how many seconds.
local function outcome(many, count)
  local parts = { ("%d in %.1f s"):format(many.calls // 1, many.took) }
  if many.errors > 0 then
    parts[#parts + 1] = ("%d errors"):format(math.ceil(many.errors))
  end
  if many.calls + many.errors < count then
    parts[#parts + 1] = "gave up waiting"
  end
  if many.deaths > 0 then
    parts[#parts + 1] = "the worker died"
  end
  return table.concat(parts, ", ")
end

local function many_table(ways, size, results)
  local headings = { "" }
  for _, count in ipairs(session.MANY) do
    headings[#headings + 1] = count .. " at once: served"
    headings[#headings + 1] = "ping p99 / max, ms"
    headings[#headings + 1] = "RSS, MB"
  end
  local lines = start_of_table(headings)
  for _, way in ipairs(ways) do
    local cells = { way.name }
    for _, count in ipairs(session.MANY) do
      local many = results[way.id][size][count]
      if many then
        cells[#cells + 1] = outcome(many, count)
        cells[#cells + 1] = ms(many.p99) .. " / " .. ms(many.max)
        cells[#cells + 1] = megabytes(many.resident)
      end
    end
    for i = #cells + 1, #cells > 1 and #headings or 0 do
      cells[i] = "–"
    end
    lines[#lines + 1] = #cells > 1 and row(cells) or nil
  end
  return lines
end

local function size_of(records)
  local query = ([[curl -s --cacert "$PCAPI_CA_FILE" -H "Authorization: Bearer $PCAPI_TOKEN" ]]
    .. [[-H 'Accept: application/json' -H 'X-Sandbox: encoding=none; records=%d' ]]
    .. [["$PCAPI_BASE_URL/v1/nonMfaCompliantPartnerPrincipals" | wc -c]]):format(records)
  return ("%.0f KB (%d records)"):format(tonumber(output_of(query)) / 1e3, records)
end

local function machine()
  return ("- processor: %s, %s cores\n- %s\n- %s"):format(
    output_of "sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1", output_of "nproc --all",
    output_of "PATH=$PATH:/usr/sbin nginx -v 2>&1",
    output_of "dpkg-query -W -f '${Package} ${Version}\n' libnginx-mod-http-lua")
end

--- Writes the whole text.
-- @tparam table ways the measured ways
-- @tparam table sizes numbers of records of a response
-- @tparam table results medians, by way and size
-- @tparam number runs
-- @treturn string
function M.text(ways, sizes, results, runs)
  local parts = {
    PREFACE:format(runs, session.DELAY, session.RATE, session.AT_ONCE, session.AT_ONCE),
    MISSING, machine(),
  }
  local alone = results.idle[1].start.resident
  local function add(title, lines)
    parts[#parts + 1] = "\n" .. title .. "\n\n" .. table.concat(lines, "\n")
  end
  for size, records in ipairs(sizes) do
    local of = size_of(records)
    add(("## Responses of %s, warm"):format(of), warm_table(ways, size, results, alone))
    add(("## Responses of %s, cold"):format(of), cold_table(ways, size, results))
  end
  add(("## Responses of %s, many at once"):format(size_of(sizes[1])), many_table(ways, 1, results))
  return table.concat(parts, "\n") .. "\n"
end

return M
