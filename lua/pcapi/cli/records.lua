--- The commands that list records: one of the three calls, filtered and written.
-- @module pcapi.cli.records
local results = require "pcapi.cli.results"
local connect = require "pcapi.cli.connect"
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"
local output = require "pcapi.cli.output"
local views = require "pcapi.cli.views"

local M = {}

-- The call that the arguments describe, as a function of a client.
local function call_of(args, report)
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
    return client.security[report.call](client.security, options)
  end
end

local function ask_one(args, call)
  local on_wait, wipe = connect.progress(args, "waiting for the service, %.0f s")
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

-- Rows as people read them: names and shares in place of ids and counts.
local function rows_of(list, report)
  local rows = {}
  for i, record in ipairs(list) do
    local row = {}
    for name, value in pairs(record) do
      row[name] = report.shown and report.shown[name] and report.shown[name](value) or value
    end
    for name, compute in pairs(report.computed or {}) do
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

local function render(args, report, list)
  local format = require("pcapi.format." .. args.output)
  if args.columns then
    check_columns(args.columns, list)
  end
  if args.output == "table" then
    local width = core.columns(output.STDOUT)
    return format.encode(args.columns and list or rows_of(list, report), {
      columns = args.columns or report.columns, titles = report.titles,
      width = width, color = output.wants_color(args, width),
    })
  end
  return format.encode(args.columns and only(args.columns, list) or list, {
    columns = args.columns or list.columns,
  })
end

local function count_of(report, list)
  local total = list.total_count - (list.unreadable or 0)
  if #list == 0 and total > 0 then
    return ("None of %.0f records matches."):format(total)
  elseif #list < total then
    return ("%d of %.0f records match."):format(#list, total)
  end
  return #list == 0 and report.none or #list == 1 and report.one or report.many:format(#list)
end

-- One tenant is asked as ever; of several each is named, and one that fails leaves the
-- others theirs.
local function run_one(args, report, call)
  local list = ask_one(args, call)
  output.write(render(args, report, list:newest_first()))
  if args.output == "table" and not args.quiet then
    exit.say(count_of(report, list))
  end
  results.tell { { list = list } }
end

local function run_many(args, report, call)
  local answers = require("pcapi.cli.each").ask(args, call)
  local list = results.merge(answers)
  if list then
    output.write(render(args, results.report(report), list:newest_first()))
  end
  results.tell(answers)
  if list and args.output == "table" and not args.quiet then
    exit.say(results.located(answers, count_of(report, list)))
  end
  results.finish(answers)
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  local report = views[args.command]
  local call = call_of(args, report)
  if connect.is_for_many(args) then
    run_many(args, report, call)
  else
    run_one(args, report, call)
  end
end

return M
