--- `pcapi history export KIND`: rows of the history for a database, as CSV for COPY.
-- @module pcapi.cli.history_export
local exit = require "pcapi.cli.exit"
local export_rows = require "pcapi.history.export_rows"
local history_file = require "pcapi.cli.history_file"
local history_query = require "pcapi.cli.history_query"
local output = require "pcapi.cli.output"

local M = {}

local function refuse_other_options(args)
  for _, name in ipairs { "state", "since", "of_tenant", "tenant" } do
    if args[name] then
      exit.stop(exit.EXIT.usage, ("--%s selects findings, not rows for a database"):format(
        (name:gsub("of_", ""))))
    end
  end
  if args.output and args.output ~= "csv" then
    exit.stop(exit.EXIT.usage, "rows for a database are CSV; leave --output away")
  end
end

local function write_rows(args)
  refuse_other_options(args)
  local history = history_file.open(history_file.settings(args), { create = false })
  output.write(table.concat(export_rows.columns(args.rows), ",") .. "\n")
  history_query.required(export_rows.each(history.store, args.rows, args.after or 0, output.write))
  history:close()
end

--- Runs `pcapi history export`.
-- @tparam table args
function M.run(args)
  if args.rows then
    return write_rows(args)
  elseif args.after then
    exit.stop(exit.EXIT.usage, "--after needs ROWS: runs, requests, findings or adoption")
  end
  require("pcapi.cli.history_list").export(args)
end

return M
