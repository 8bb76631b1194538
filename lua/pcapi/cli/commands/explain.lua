--- `pcapi explain`: how one user comes without MFA, and what to do.
-- @module pcapi.cli.commands.explain
local history_query = require "pcapi.cli.history_query"
local history_rows = require "pcapi.cli.history_rows"
local options = require "pcapi.cli.options"

local function fields()
  local all = {}
  for i, field in ipairs(history_rows.FIELDS) do
    all[i] = field
  end
  for _, field in ipairs {
    { "classes", "how the user comes without MFA: class, certainty, application, nextStep, text, "
      .. "and source (where Microsoft says so)" },
    { "applications", "each application, its addresses, and the operations of each, with counts "
      .. "and times" },
    { "findings", "all findings of the user, the earliest first" },
    { "requestsFrom", "since when the requests are complete" },
    { "requestsTo", "until when" },
    { "coverage", "share of the requests of the last days that are known, from 0 to 1" },
    { "gaps", "periods of which requests are missing" },
  } do
    all[#all + 1] = field
  end
  return all
end

local M = {
  summary = "Explain how a user comes without MFA, and what to do",
  about = "Explain how a user comes without MFA: applications, IP addresses and operations, with "
    .. "and without MFA, and the next step. It reads the history that pcapi watch records, and "
    .. "does not ask the service.",
  arguments = { history_query.USER },
  options = { history_query.TENANT, options.json '{"users": [ ... ]}' },
  common = { "--profile", "--config", "--color", "--quiet", "--help" },
  fields = fields(),
  examples = {
    { "What Kim does without MFA", "pcapi explain kim@fabrikam.example" },
    { "For a program", "pcapi explain 'kim@*' --tenant fabrikam --json" },
  },
}

--- Runs the command.
-- @tparam table args
function M.run(args)
  require("pcapi.cli.history_explain").run(args)
end

return M
