--- `pcapi report`: what the history knows, as one file.
-- @module pcapi.cli.commands.report
local exit = require "pcapi.cli.exit"
local history_query = require "pcapi.cli.history_query"
local options = require "pcapi.cli.options"
local time = require "pcapi.time"

local PERIOD = "A period, for an auditor"
local DAY = 24 * 60 * 60

-- Reads a time that does not depend on the clock.
local function moment(value)
  local at = time.parse(value)
  if at then
    return math.floor(at)
  end
  return nil, ("--now must be a time such as 2024-02-03T07:08:09Z, not '%s'"):format(
    options.shown(value))
end

local M = {
  summary = "Write a report of the history as one HTML file",
  about = {
    "Write a report of the history that pcapi watch records: who is without MFA, since when, what "
      .. "to fix first, exceptions, the trend of 90 days, and how much of all this is known. It "
      .. "does not ask the service, and changes nothing.",
    "The file has no script and loads nothing. It can be mailed, archived and printed. Only its "
      .. "owner can read it (mode 0600), as it holds personal data. --from adds what an auditor "
      .. "needs: runs and failed days, gaps, exceptions with their reasons, and the IDs of the "
      .. "requests that prove each finding.",
  },
  options = {
    { "--html", value = "FILE", check = options.filled "--html", complete = "file",
      about = "The file, which is replaced; - for standard output" },
    history_query.TENANT,
    { "--anonymous", about = "Replace the names and IDs of users, tenants and your own "
      .. "applications by numbers" },
    { "--now", value = "TIME", check = moment, about = "The time of the report: the same history "
      .. "and TIME give the same bytes (default: this machine's clock)" },
    { "--from", value = "DAY", group = PERIOD, check = options.day "--from",
      about = "The first day (UTC)" },
    { "--to", value = "DAY", group = PERIOD, check = options.day "--to",
      about = "The last day (UTC; default: today)" },
  },
  common = { "--profile", "--config", "--quiet", "--help" },
  examples = {
    { "A report of all tenants", "pcapi report --html report.html" },
    { "For the auditor of one tenant",
      "pcapi report --tenant fabrikam --from 2026-09-01 --to 2026-11-30 --html audit.html" },
    { "To show to others", "pcapi report --anonymous --html - >anonymous.html" },
  },
}

-- The first and the last second of the period; nil without one.
local function period_of(args, now)
  if not args.from then
    if args.to then
      exit.stop(exit.EXIT.usage, "--to needs --from, the first day of the period")
    end
    return nil
  end
  local from = time.parse(args.from)
  local to = (args.to and time.parse(args.to) or now - now % DAY) + DAY - 1
  if from > to then
    exit.stop(exit.EXIT.usage, "--from is later than --to; exchange them")
  end
  return from, to
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  if not args.html then
    exit.stop(exit.EXIT.usage, "report needs --html FILE; - for standard output")
  end
  local now = args.now or os.time()
  local from, to = period_of(args, now)
  local opened = history_query.open(args)
  local facts = history_query.required(require("pcapi.history.overview").of(opened.history, {
    now = now, tenants = opened.ids, from = from, to = to, is_anonymous = args.anonymous,
    names = require("pcapi.cli.history_file").names(opened.settings),
    own = opened.settings.own,
    client_id = require("pcapi.cli.connect").stored_profile(args).settings.values.client_id,
  }))
  opened.history:close()
  local text = require("pcapi.report.html").text(facts)
  if args.html == "-" then
    return require("pcapi.cli.output").write(text)
  end
  require("pcapi.cli.output_file").replace("--html", args.html, text)
  if not args.quiet then
    exit.say(("wrote %s%s"):format(args.html, args.anonymous and "" or "; it holds personal data"))
  end
end

return M
