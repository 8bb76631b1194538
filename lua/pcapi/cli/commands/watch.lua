--- `pcapi watch`.
-- @module pcapi.cli.commands.watch
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"
local formats = require "pcapi.format"
local options = require "pcapi.cli.options"

local AT_ONCE = 4 -- tenants; the lists of one may take 15 MB

local function reader_name(value)
  if value:find "^[%w._-]+$" and #value <= 64 then
    return value
  end
  return nil, ("--reader may hold letters, digits and . _ -, 64 at most, not '%s'"):format(
    options.shown(value))
end

local OWN = {
  { "-o", "--output", value = "FORMAT", choices = formats.names(),
    about = "Output format; the default is table, or nothing with --notify" },
  { "--notify", about = "Deliver notices by the channels of the configuration file" },
  { "--reader", value = "NAME", check = reader_name, default = "watch",
    about = "Name of the reader; each reader is told each change once" },
  { "--dry-run", about = "Ask and report, but store nothing" },
  { "--baseline", about = "Store all, report nothing, and count all as reported" },
  { "--fail-on", value = "WHAT", choices = { "new", "open" },
    about = "End with status 10 if a user is new, back, or has an exception that ended; or if a "
      .. "user without exception is open or healing" },
  { "--parallel", value = "N", group = options.SEVERAL, once = true,
    check = options.number("--parallel", 1, 1000, true),
    about = ("Number of tenants asked at once (default: %d)"):format(AT_ONCE) },
}

local M = {
  summary = "Report what changed since the last run: who is new, healing, fixed, gone",
  about = {
    "This command runs once and ends; let cron or a systemd timer run it every day. It asks the "
      .. "service for its three lists, stores them in the history, and reports what changed since "
      .. "the reader was last told: who is new without MFA, who is back, healing (with MFA again), "
      .. "fixed, or not seen any more. If nothing changed, it prints nothing, so a mail of cron "
      .. "is an alert. All times are UTC.",
    "The first list of a tenant is its baseline, and is reported as one number. Open findings are "
      .. "reported again every 7 days ([history] remind).",
  },
  options = options.several(OWN),
  fields = {
    { "tenant", "name of the tenant" },
    { "event", "baseline, new, back, again, healing, fixed, quiet, lost, ended (an exception), or "
      .. "open (a reminder)" },
    { "upn", "the user" },
    { "since", "since when: with MFA for healing and fixed, else without" },
    { "application", "the applications without MFA, by name" },
    { "nextStep", "what to do" },
    { "repeated", "true: it may have been reported before" },
    { "state", "open, healing, fixed, quiet or lost, at this time" },
    { "at", "when the service's list showed it" },
    { "lastNonMfaCompliantLoginDateTime", "the last sign-in without MFA that was known then" },
    { "mfaSince", "since when all applications come with MFA" },
    { "was", "the state before" },
    { "closedAt", "of back: when the finding was closed" },
    { "knownAs", "of new: the object ID of another user who had this name" },
    { "count", "of baseline: how many users" },
    { "exceptedCount", "of baseline: how many of them have an exception" },
    { "objectId", "object ID of the user" },
    { "episode", "a number, one more each time the user is back" },
    { "applicationId", "the applications without MFA, by ID" },
    { "tenantId", "ID of the tenant" },
  },
  examples = {
    { "Every day, from cron", "pcapi watch" },
    { "All tenants, one JSON object per line", "pcapi watch --all-profiles --output jsonl" },
    { "A look that cron's reports do not depend on", "pcapi watch --reader admin" },
    { "Tell the channels, and mail by cron only what fails", "pcapi watch --notify" },
  },
}

local function run_round(round)
  local observe, broken = require("pcapi.cli.observation").run, nil
  local found = require("pcapi.cli.in_turn").run(round.args, round.tenants, {
    most = round.args.parallel or AT_ONCE, requests = 3,
  }, function(client, tenant)
    local value, err, is_broken = observe(round, client, tenant)
    broken = broken or is_broken and err or nil
    return value, err, is_broken
  end)
  if broken then
    round.is_down = true
    exit.fail(broken)
  end
  require("pcapi.cli.round_report").run(round, found)
end

-- Says why something could not be written. Returns whether it could.
local function is_written(ok, err)
  if not ok then
    exit.say(tostring(err))
  end
  return ok
end

-- Writes the summary file of the settings. Returns whether it succeeded.
local function write_summary(round)
  local path = round.settings.summary
  return not path or is_written(require("pcapi.history.summary").write(round.history, path,
    round.date or round.now,
    { names = round.names, own = round.settings.own, client_ids = round.client_ids }))
end

-- Writes the metrics of the settings. Returns whether it succeeded.
local function write_metrics(round)
  local folder, metrics_file = round.textfile, require "pcapi.cli.metrics_file"
  return not folder or is_written(metrics_file.write(round.history, folder, {
    names = round.names, sign_ins = metrics_file.sign_ins(round.args),
    failed = round.failed, duration = core.now() - round.began, is_down = round.is_down,
  }))
end

-- Writes both files. Returns whether that succeeded.
local function write_files(round)
  local has_summary = write_summary(round)
  return write_metrics(round) and has_summary
end

-- Prepares the round. If that fails, the metrics say so.
local function prepare(args)
  local textfile = require("pcapi.cli.metrics_file").folder(args)
  local began = core.now()
  local ok, round = pcall(require("pcapi.cli.round").new, args)
  if ok then
    round.textfile, round.began = textfile, began
    return round
  end
  local is_usage = exit.is_stop(round) and round.status == exit.EXIT.usage
  if textfile and not args.dry_run and not is_usage then
    local path = require("pcapi.cli.history_file").settings(args).path
    is_written(require("pcapi.cli.metrics_file").write_down(path, textfile))
  end
  error(round, 0)
end

--- Runs the command.
-- @tparam table args
function M.run(args)
  if args.dry_run and args.baseline then
    exit.stop(exit.EXIT.usage, "--dry-run and --baseline exclude each other; leave one of them out")
  end
  args.is_silent = args.notify and not args.output and not args.dry_run
  args.output = args.output or "table"
  local round = prepare(args)
  local ok, failure = xpcall(run_round, function(failure)
    return type(failure) == "string" and debug.traceback(failure, 2) or failure
  end, round)
  round.is_down = round.is_down or not ok and not exit.is_stop(failure)
  local has_written = round.is_dry or write_files(round) -- also after a failure
  round.history:close()
  round.remove()
  if not has_written and (ok or exit.is_stop(failure) and failure.status == exit.EXIT.found) then
    exit.stop(exit.EXIT.error)
  elseif not ok then
    error(failure, 0)
  end
end

return M
