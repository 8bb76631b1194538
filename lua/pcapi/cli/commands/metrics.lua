--- `pcapi metrics`.
-- @module pcapi.cli.commands.metrics
local exit = require "pcapi.cli.exit"
local history_query = require "pcapi.cli.history_query"
local options = require "pcapi.cli.options"

local M = {
  summary = "Write numbers of the history for Prometheus",
  about = {
    "Write what the history knows of each tenant as metrics, in the text format of Prometheus: "
      .. "users without MFA, new ones, since when, requests, adoption, and whether pcapi watch "
      .. "works. No metric names a user. The command does not ask the service.",
    "With --textfile, it writes the file pcapi.prom for node_exporter, which can be read by all "
      .. "users. pcapi watch does the same after each run if [metrics] textfile is set.",
  },
  options = {
    { "--textfile", value = "DIR", check = options.filled "--textfile", complete = "folder",
      about = "Folder of node_exporter's textfile collector (default: standard output)" },
  },
  common = { "--config", "--color", "--quiet", "--help" },
  examples = {
    { "A look", "pcapi metrics" },
    { "A file for node_exporter, in its folder", "pcapi metrics --textfile node-exporter" },
  },
}

--- Runs the command.
-- @tparam table args
function M.run(args)
  local metrics_file = require "pcapi.cli.metrics_file"
  local opened = history_query.open(args)
  local facts = {
    names = require("pcapi.cli.history_file").names(opened.settings),
    sign_ins = metrics_file.sign_ins(args),
  }
  if args.textfile then
    history_query.required(metrics_file.write(opened.history, args.textfile, facts))
  else
    require("pcapi.cli.output").write(history_query.required(
      metrics_file.text(opened.history, facts)))
  end
  opened.history:close()
  if args.textfile and not args.quiet then
    exit.say(("wrote %s/%s"):format(args.textfile:gsub("/+$", ""), metrics_file.NAME))
  end
end

return M
