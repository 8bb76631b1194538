--- The commands that list records: they call the service, filter the list and write it.
-- @module pcapi.cli.records
local connect = require "pcapi.cli.connect"
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"
local formats = require "pcapi.format"
local lists = require "pcapi.service.list"
local load_resource = require("pcapi.service.resource").load
local output = require "pcapi.cli.output"
local progress = require "pcapi.cli.progress"
local results = require "pcapi.cli.results"
local terminal = require "pcapi.cli.terminal"
local time = require "pcapi.time"

local M = {}

--- A time for people: without its fraction.
-- @tparam string value
-- @treturn string
function M.readable_time(value)
  local shown = type(value) == "string" and core.readable_time(value)
  if shown then
    return shown
  end
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
    local list, err = resource[view.call](resource, options)
    if list and view.prepare then
      list = view.prepare(list)
    end
    return list, err
  end
end

local function query_one(args, call)
  local line = progress.new(args, "waiting for the service, %.0f s")
  local client, err = connect.client(args, connect.profile(args), {
    on_wait = line:on_wait(), on_pause = line:on_pause(),
  })
  if not client then
    exit.fail(err)
  end
  local list
  list, err = call(client)
  client:close()
  progress.wipe()
  if not list then
    exit.fail(err)
  end
  return list
end

-- Records with the readable values of the view, for people.
local function readable(list, shown)
  local rows = {}
  for i, record in ipairs(list) do
    local row = {}
    for name, value in pairs(record) do
      row[name] = shown[name] and shown[name](value) or value
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

-- The steps that leave out no column: the user has chosen them.
local function without_losses(steps)
  local kept = {}
  for _, step in ipairs(steps or {}) do
    kept[#kept + 1] = step[2] > 0 and step or nil
  end
  return kept
end

local function options_for_people(args, view)
  local options = terminal.table_options(args)
  options.columns, options.titles = args.columns or view.columns, view.titles
  options.narrow = args.columns and without_losses(view.narrow) or view.narrow
  options.state, options.shown = view.state, view.shown
  return options
end

-- Opens a writer for lists with these columns, and returns a function that writes a list. A
-- registered format may not know the options that choose columns and readable values.
local function open(args, view, columns)
  local format = formats.get(args.output)
  local options = format.for_people and options_for_people(args, view)
    or { columns = args.columns or columns, only_columns = args.columns ~= nil }
  local writer = format.open(output.write, options)
  local function write(list)
    local rows = list
    if not format.selects and format.for_people then
      rows = readable(list, view.shown or {})
    elseif not format.selects and args.columns then
      rows = only(args.columns, list)
    end
    assert(writer:rows(rows))
  end
  return write, writer
end

local function write_all(args, view, list)
  if args.columns then
    check_columns(args.columns, list)
  end
  local write, writer = open(args, view, list.columns)
  write(list)
  assert(writer:close())
end

-- The sentence that ends the command, if people read the output.
local function summary_of(args, view, list)
  local total, noun = list.total_count - (list.unreadable or 0), view.noun or "records"
  if #list == 0 and total > 0 then
    return ("None of %.0f %s matches."):format(total, noun)
  elseif #list < total then
    return ("%d of %.0f %s match."):format(#list, total, noun)
  end
  local days = not args.since and list.resource.days
  return (#list == 0 and view.none or #list == 1 and view.one or view.many:format(#list))
    .. (days and (" in the last %d days."):format(days) or ".")
end

local function wants_summary(args)
  return formats.get(args.output).for_people and not args.quiet
end

local function newest_first(list)
  return list:newest_first()
end

local function run_one(args, view, call)
  local list = query_one(args, call)
  write_all(args, view, (view.sort or newest_first)(list))
  if wants_summary(args) then
    exit.say(summary_of(args, view, list))
  end
  results.report { { value = list } }
end

local function run_merged(args, view, call)
  local all = require("pcapi.cli.each").query(args, call)
  local list = results.merge(all)
  if list then
    write_all(args, results.view(view), (view.sort or newest_first)(list))
  end
  results.report(all)
  if list and wants_summary(args) then
    exit.say(results.with_tenants(all, summary_of(args, view, list)))
  end
  results.finish(all)
end

-- The merged list of tenants without records.
local function empty_list(view)
  local list = lists.new({}, {
    resource = load_resource(view.resource)[view.call], clock = os.time, total_count = 0,
  })
  return results.merge { { value = view.prepare and view.prepare(list) or list } }
end

-- The columns, if the list of each tenant can be written once it has come; else nil. JSON cannot:
-- cut off by Ctrl-C, none of it could be read. A field that is not documented is one that a record
-- of any tenant may have.
local function columns_at_once(args, view)
  local format = formats.get(args.output)
  local needs_all = format.needs_all or format.for_people or args.output == "json"
  if needs_all or view.sort or args.sorted then
    return nil
  end
  local list = empty_list(view)
  for _, name in ipairs(args.columns or {}) do
    if not list:has_field(name) then
      return nil
    end
  end
  return list.columns
end

local COLLECTED = 10000 -- records that are written before the collector frees their memory
local FAILURE = 2500 -- records that a failure counts for: its response may have been read halfway

-- Makes a function that collects the garbage once so many records were written. The collector alone
-- would let it grow to as much as the records of the next list.
local function new_collector()
  local written = 0
  return function(count)
    written = written + count
    if written >= COLLECTED then
      written = 0
      collectgarbage()
    end
  end
end

-- Makes a function that writes the list of a tenant, and returns its facts without its records; and
-- one that ends the output. A failure to write ends the command.
local function new_output(args, view, columns)
  local write, writer, writing
  local function write_list(list, name, abort)
    if not write then
      write, writer = open(args, view, columns)
    end
    progress.wipe()
    writing = name
    local ok, failure = pcall(write, newest_first(results.label(list, name)))
    if not ok then
      abort(failure)
    end
    writing = nil
    return results.written(list)
  end
  -- Returns the name of the tenant whose list was being written when the command was interrupted.
  local function finish()
    if writer and not writing then
      assert(writer:close())
    end
    return writing
  end
  return write_list, finish
end

-- Writes the list of each tenant once it has come.
local function run_at_once(args, view, call, columns)
  local write_list, finish = new_output(args, view, columns)
  local collect = new_collector()
  -- Apart, as no variable may hold the records any more when the garbage is collected.
  local function call_and_write(client, name, abort)
    local list, err = call(client)
    if not list then
      return nil, err
    end
    return write_list(list, name, abort)
  end
  local all = require("pcapi.cli.each").query(args, function(client, name, abort)
    local facts, err = call_and_write(client, name, abort)
    collect(facts and results.size(facts) or FAILURE)
    return facts, err
  end)
  results.report(all, finish())
  results.finish(all)
end

local function run_many(args, view, call)
  local columns = columns_at_once(args, view)
  if columns then
    run_at_once(args, view, call, columns)
  else
    run_merged(args, view, call)
  end
end

--- Runs a command.
-- @tparam table args
-- @tparam table view `resource` and `call` of the client; optionally `prepare` (a function of the
-- list of a tenant, which returns the list to write) and `sort` (the same for the list of all
-- tenants; by default the newest record comes first); for people `columns`, `titles`, `narrow` and
-- `state`, see `pcapi.format`, and `shown` (functions by column); and for the summary `noun`
-- (default "records") and the sentences `none`, `one` and `many`, without the period of time
function M.run(args, view)
  local call = call_of(args, view)
  if connect.is_for_many(args) then
    run_many(args, view, call)
  else
    run_one(args, view, call)
  end
end

return M
