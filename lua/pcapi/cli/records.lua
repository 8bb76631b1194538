--- The commands that list records: they call the service, filter the list and write it.
-- @module pcapi.cli.records
local connect = require "pcapi.cli.connect"
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"
local formats = require "pcapi.format"
local output = require "pcapi.cli.output"
local progress = require "pcapi.cli.progress"
local results = require "pcapi.cli.results"
local time = require "pcapi.time"

local M = {}

--- A time for people: without its fraction.
-- @tparam string value
-- @treturn string
function M.readable_time(value)
  local epoch = time.parse_logged(value)
  return epoch and time.format(epoch):gsub("T", " "):gsub("Z$", "") or value
end

-- The call that the arguments describe, as a function of a client.
local function call_of(args, view)
  if args.start_date and args.end_date and args.start_date > args.end_date then
    exit.stop(exit.EXIT.usage, "--start-date is after --end-date")
  end
  local options = {
    since = args.since, user = args.user, application = args.application,
    startDate = args.start_date, endDate = args.end_date,
  }
  if args.without_mfa then
    options.mfa_compliant = false
  end
  return function(client)
    local resource = client[view.resource]
    return resource[view.call](resource, options)
  end
end

local function query_one(args, call)
  local on_wait, wipe = progress.start(args, "waiting for the service, %.0f s")
  local client, err = connect.client(args, connect.profile(args), on_wait)
  if not client then
    exit.fail(err)
  end
  local list
  list, err = call(client)
  client:close()
  wipe()
  if not list then
    exit.fail(err)
  end
  return list
end

-- Records for people: names and shares instead of ids and counts.
local function readable(list, view)
  local rows = {}
  for i, record in ipairs(list) do
    local row = {}
    for name, value in pairs(record) do
      row[name] = view.shown and view.shown[name] and view.shown[name](value) or value
    end
    for name, compute in pairs(view.computed or {}) do
      row[name] = compute(record)
    end
    rows[i] = row
  end
  return rows
end

local function check_columns(columns, list)
  for _, name in ipairs(columns) do
    if not list:has_field(name) then
      exit.stop(exit.EXIT.usage, ("--columns: there is no field '%s'; there are %s"):format(
        name, table.concat(list.columns, ", ")))
    end
  end
end

local function only(columns, list)
  local rows = {}
  for i, record in ipairs(list) do
    rows[i] = {}
    for _, name in ipairs(columns) do
      rows[i][name] = record[name]
    end
  end
  return rows
end

local function write(args, view, list)
  local format = formats.get(args.output)
  if args.columns then
    check_columns(args.columns, list)
  end
  local rows, options = list, { columns = args.columns or list.columns }
  if format.for_people then
    options.width, options.titles = core.columns(output.STDOUT), view.titles
    options.color = output.wants_color(args, options.width)
    options.columns = args.columns or view.columns
    rows = args.columns and list or readable(list, view)
  elseif args.columns then
    rows = only(args.columns, list)
  end
  local writer = format.open(output.write, options)
  assert(writer:rows(rows))
  assert(writer:close())
end

-- The sentence that ends the command, if people read the output.
local function summary_of(args, view, list)
  local total = list.total_count - (list.unreadable or 0)
  if #list == 0 and total > 0 then
    return ("None of %.0f records matches."):format(total)
  elseif #list < total then
    return ("%d of %.0f records match."):format(#list, total)
  end
  local days = not args.since and list.resource.days
  return (#list == 0 and view.none or #list == 1 and view.one or view.many:format(#list))
    .. (days and (" in the last %d days."):format(days) or ".")
end

local function wants_summary(args)
  return formats.get(args.output).for_people and not args.quiet
end

local function run_one(args, view, call)
  local list = query_one(args, call)
  write(args, view, list:newest_first())
  if wants_summary(args) then
    exit.say(summary_of(args, view, list))
  end
  results.report { { value = list } }
end

local function run_many(args, view, call)
  local all = require("pcapi.cli.each").query(args, call)
  local list = results.merge(all)
  if list then
    write(args, results.view(view), list:newest_first())
  end
  results.report(all)
  if list and wants_summary(args) then
    exit.say(results.with_tenants(all, summary_of(args, view, list)))
  end
  results.finish(all)
end

--- Runs a command.
-- @tparam table args
-- @tparam table view `resource` and `call` of the client; for people: `columns`, `titles`, `shown`
-- and `computed` (functions by column), and the sentences `none`, `one` and `many`, without the
-- period of time
function M.run(args, view)
  local call = call_of(args, view)
  if connect.is_for_many(args) then
    run_many(args, view, call)
  else
    run_one(args, view, call)
  end
end

return M
