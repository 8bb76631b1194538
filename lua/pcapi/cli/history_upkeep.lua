--- `pcapi history prune`, `check` and `backup`.
-- @module pcapi.cli.history_upkeep
local exit = require "pcapi.cli.exit"
local history_query = require "pcapi.cli.history_query"
local history_rows = require "pcapi.cli.history_rows"
local output = require "pcapi.cli.output"
local prompt = require "pcapi.cli.prompt"
local time = require "pcapi.time"

local M = {}

local STALE = 8 * 24 * 60 * 60 -- seconds between the newest run and a clock that may be wrong

-- What is deleted is gone. So a clock that is far ahead of the service's last time is not believed
-- without a question.
local function confirm_clock(args, opened, now)
  local newest = history_rows.newest_run(opened.tenants)
  if args.yes or not newest or now - newest <= STALE then
    return
  end
  local facts = ("the newest run is of %s, and this machine's clock says %s"):format(
    time.format(newest), time.format(now))
  if not prompt.can_ask() then
    exit.stop(exit.EXIT.usage, ("%s; if the clock is right, use --yes"):format(facts))
  end
  exit.say(facts)
  if not prompt.confirm "Delete by this clock?" then
    exit.stop(exit.EXIT.usage, "nothing was deleted")
  end
end

local DELETED = { { "requests", "request" }, { "findings", "closed finding" }, { "runs", "run" },
                  { "events", "event" }, { "notices", "notice" }, { "people", "user" } }

--- Runs `pcapi history prune`.
-- @tparam table args
function M.prune(args)
  local opened = history_query.open(args)
  local now = os.time()
  confirm_clock(args, opened, now)
  local deleted = history_query.required(opened.history:prune {
    retention = opened.settings.retention, now = now,
  })
  opened.history:close()
  if args.quiet then
    return
  end
  local words = {}
  for _, entry in ipairs(DELETED) do
    local count = deleted[entry[1]] or 0
    words[#words + 1] = count > 0 and ("%d %s%s"):format(count, entry[2], count > 1 and "s" or "")
      or nil
  end
  exit.say(#words > 0 and "deleted " .. table.concat(words, ", ") or "nothing is over")
end

local COUNTED = { "tenants", "people", "findings", "events", "requests", "applications", "adoption",
                  "runs", "readers", "notices" }

local VIEW = { columns = { "fact", "value" }, titles = { fact = "FACT", value = "VALUE" } }

--- Runs `pcapi history check`. Damage ends the command with a message.
-- @tparam table args
function M.check(args)
  local opened = history_query.open(args)
  history_query.required(opened.history:check())
  local facts = history_query.required(opened.history:facts())
  opened.history:close()
  local newest = history_rows.newest_run(opened.tenants)
  local rows = {
    { fact = "file", value = opened.settings.path }, { fact = "damage", value = "none" },
    { fact = "format", value = facts.format },
    { fact = "application_id", value = ("0x%08x"):format(facts.application_id) },
    { fact = "newest_run", value = newest and time.format(newest) or "none" },
  }
  for _, what in ipairs(COUNTED) do
    rows[#rows + 1] = { fact = what, value = facts.counts[what] }
  end
  if args.json then
    return output.json("facts", rows, VIEW.columns)
  end
  for _, row in ipairs(rows) do
    row.value = tostring(row.value)
  end
  output.table(args, rows, VIEW)
end

--- Runs `pcapi history backup`.
-- @tparam table args
function M.backup(args)
  local opened = history_query.open(args)
  history_query.required(opened.history:backup(args.file))
  opened.history:close()
  if not args.quiet then
    exit.say(("copied the history to %s; it holds personal data"):format(args.file))
  end
end

return M
