--- `pcapi history show` and `export`: findings as rows, written as they are read.
-- @module pcapi.cli.history_list
local exit = require "pcapi.cli.exit"
local formats = require "pcapi.format"
local history_file = require "pcapi.cli.history_file"
local history_query = require "pcapi.cli.history_query"
local history_rows = require "pcapi.cli.history_rows"
local output = require "pcapi.cli.output"
local time = require "pcapi.time"

local M = {}

local BATCH = 100 -- rows

-- A writer of rows in a format that takes them in batches.
local function writer_of(args, columns)
  local writer = formats.get(args.output).open(output.write,
    { columns = columns, empty_array = true })
  local batch = {}
  local self = {}
  function self.add(row)
    batch[#batch + 1] = row
    if #batch == BATCH then
      assert(writer:rows(batch))
      batch = {}
    end
  end
  function self.close()
    assert(writer:rows(batch)) -- also without rows: a header
    assert(writer:close())
  end
  return self
end

local VIEW = {
  columns = { "tenant", "user", "application", "since", "last", "state", "step" },
  titles = { tenant = "TENANT", user = "USER", application = "APPLICATION", since = "SINCE",
             last = "LAST", state = "STATE", step = "NEXT STEP" },
  -- the step names the application
  narrow = { { "step", 44 }, { "application", 16 }, { "tenant", 12 }, { "application", 0 },
             { "step", 24 }, { "since", 0 }, { "tenant", 0 } },
  state = {
    state = function(value)
      return value:find "^open" and not value:find "excepted" and "bad"
        or value:find "^healing" and "warning" or value:find "^fixed" and "good" or nil
    end,
  },
}

local function day(text)
  return text and text:sub(1, 10)
end

-- The state for people, with what else holds.
local function state_of(row)
  local words = { row.state }
  words[#words + 1] = row.excepted and "excepted" or nil
  words[#words + 1] = not row.isVisible and "not visible" or nil
  words[#words + 1] = not row.isAsked and "not asked since " .. day(row.askedAt) or nil
  return table.concat(words, ", ")
end

-- The tenant is a column only if there are several.
local function view_of(tenants)
  if #tenants > 1 then
    return VIEW
  end
  local columns = {}
  for i = 2, #VIEW.columns do
    columns[i - 1] = VIEW.columns[i]
  end
  return setmetatable({ columns = columns }, { __index = VIEW })
end

-- The newest sign-in without MFA first, as in the lists of the service.
local function is_before(a, b)
  local left, right = a.lastNonMfaCompliantLoginDateTime, b.lastNonMfaCompliantLoginDateTime
  return left > right or left == right and a.position < b.position
end

local function write_table(args, opened, rows)
  for i, row in ipairs(rows) do
    row.position = i
  end
  table.sort(rows, is_before)
  for i, row in ipairs(rows) do
    rows[i] = {
      tenant = row.tenant, user = row.upn or row.objectId, application = row.application,
      since = day(row.since), last = day(row.lastNonMfaCompliantLoginDateTime),
      state = state_of(row), step = row.nextStep,
    }
  end
  output.table(args, rows, view_of(opened.tenants))
end

local function one_or_many(count, one, many)
  return count == 1 and one or many:format(count)
end

-- What people should know beside the table.
local function report(args, opened, count, excepted)
  if not args.quiet then
    local newest = history_rows.newest_run(opened.tenants)
    exit.say(one_or_many(count, "1 finding", "%d findings") .. (excepted > 0
      and one_or_many(excepted, ", 1 is excepted", ", %d are excepted") or "")
      .. (newest and "; the newest run is of " .. time.format(newest) or ""))
  end
  for _, tenant in ipairs(opened.tenants) do
    local name = tenant.name or tenant.id
    if opened.not_asked[tenant.id] then
      exit.say(("%s: not asked since %s, so its findings stay as they are"):format(name,
        time.format(tenant.asked)))
    elseif tenant.failure then
      exit.say(("%s: fails since %s (%s), so its findings stay as they are"):format(name,
        time.format(tenant.failure.since), tenant.failure.kind))
    end
  end
end

-- What the options of both commands select, as for `each_finding`.
local function selection(args, opened)
  return {
    states = args.state, tenants = opened.ids, names = history_file.names(opened.settings),
    own = opened.settings.own,
    since = args.since and time.since(args.since, os.time()) or nil,
  }
end

--- Runs `pcapi history show`.
-- @tparam table args
function M.show(args)
  local opened = history_query.open(args)
  local for_people = formats.get(args.output).for_people
  local rows, excepted = {}, 0
  local writer = not for_people and writer_of(args, history_rows.COLUMNS)
  local count = history_query.required(opened.history:each_finding(selection(args, opened),
    function(found)
      local row = history_rows.of(found, opened.not_asked)
      excepted = excepted + (row.excepted and 1 or 0)
      if writer then
        return writer.add(row)
      end
      rows[#rows + 1] = row
    end))
  opened.history:close()
  if writer then
    return writer.close()
  end
  write_table(args, opened, rows)
  report(args, opened, count, excepted)
end

local ALL = { "open", "healing", "fixed", "quiet", "lost" }

local EXPORT = {}
for i, name in ipairs(history_rows.COLUMNS) do
  EXPORT[i] = name
end
EXPORT[#EXPORT + 1] = "applications"

--- Runs `pcapi history export`.
-- @tparam table args
function M.export(args)
  args.output = args.output or "jsonl"
  local opened = history_query.open(args)
  local writer, options = writer_of(args, EXPORT), selection(args, opened)
  options.states, options.is_all = options.states or ALL, true
  history_query.required(opened.history:each_finding(options, function(found)
    local row = history_rows.of(found, opened.not_asked)
    row.applications = history_rows.uses(found.applications)
    writer.add(row)
  end))
  opened.history:close()
  writer.close()
end

return M
