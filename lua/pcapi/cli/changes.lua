--- Writes what changed, for `pcapi watch`.
-- @module pcapi.cli.changes
local formats = require "pcapi.format"
local news = require "pcapi.history.news"
local output = require "pcapi.cli.output"
local time = require "pcapi.time"

local M = {}

local STATES = { new = "bad", back = "bad", again = "bad", ended = "bad", open = "bad",
                 healing = "good", fixed = "good", quiet = "warning", lost = "warning" }

local function user(row)
  if not row.count then
    return row.upn or row.objectId or "-"
  end
  local text = row.count == 1 and "1 user" or row.count .. " users"
  return row.exceptedCount > 0 and ("%s, %d excepted"):format(text, row.exceptedCount) or text
end

-- The rows for a table.
local function readable(rows)
  local shown = {}
  for i, row in ipairs(rows) do
    shown[i] = {
      tenant = row.tenant, upn = user(row), event = news.happened(row), kind = row.event,
      since = row.since and row.since:gsub("T", " "):sub(1, 16), -- without seconds
      application = row.application,
      nextStep = row.nextStep or row.count and "To see them: pcapi history show",
    }
  end
  return shown
end

local TITLES = { tenant = "TENANT", upn = "USER", event = "WHAT HAPPENED", since = "SINCE (UTC)",
                 application = "APPLICATION", nextStep = "NEXT STEP" }

local function view_of(is_many)
  return {
    titles = TITLES, columns = is_many
      and { "tenant", "upn", "event", "since", "application", "nextStep" }
      or { "upn", "event", "since", "application", "nextStep" },
    narrow = { { "application", 12 }, { "tenant", 12 }, { "application", 0 } },
    state = { event = function(_, row) return STATES[row.kind] end },
  }
end

-- Splits the rows into those that may have been reported before, and the rest.
local function split(rows)
  local repeated, fresh = {}, {}
  for _, row in ipairs(rows) do
    local part = row.repeated and repeated or fresh
    part[#part + 1] = row
  end
  return repeated, fresh
end

local function write_tables(args, rows, is_many)
  local repeated, fresh = split(rows)
  if #fresh > 0 then
    output.table(args, readable(fresh), view_of(is_many))
  end
  if #repeated > 0 then
    output.write((#fresh > 0 and "\n" or "")
      .. "Repeated, since the run that should have reported it was interrupted:\n")
    output.table(args, readable(repeated), view_of(is_many))
  end
end

local function array(rows, columns)
  return (require("pcapi.format.json").encode(rows, { columns = columns }):gsub("\n$", ""))
end

local function write_json(rows, tenants)
  local repeated, fresh = split(rows)
  output.write(('{"changes":%s,"repeated":%s,"tenants":%s}\n'):format(array(fresh, news.COLUMNS),
    array(repeated, news.COLUMNS), array(tenants, M.TENANT_COLUMNS)))
end

--- The fields of a tenant in the JSON document.
M.TENANT_COLUMNS = { "tenant", "tenantId", "at", "open", "error", "warnings" }

--- The time of a run as text.
-- @tparam ?number at UTC epoch seconds
-- @treturn ?string
function M.time(at)
  return at and time.format(at)
end

--- Writes rows: nothing if there are none, but for JSON.
-- @tparam table args `output`
-- @tparam table rows of `pcapi.history.news`
-- @tparam table tenants array with the fields @{TENANT_COLUMNS}, for JSON
-- @tparam boolean is_many whether several tenants were asked
-- @treturn boolean true
function M.write(args, rows, tenants, is_many)
  if args.output == "json" then
    write_json(rows, tenants)
  elseif #rows > 0 and formats.get(args.output).for_people then
    write_tables(args, rows, is_many)
  elseif #rows > 0 then
    local writer = formats.get(args.output).open(output.write, { columns = news.COLUMNS })
    assert(writer:rows(rows))
    assert(writer:close())
  end
  return true
end

return M
