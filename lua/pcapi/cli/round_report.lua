--- What `pcapi watch` reports of a run: failures, warnings and changes, and its exit status.
-- @module pcapi.cli.round_report
local changes = require "pcapi.cli.changes"
local errors = require "pcapi.error"
local exit = require "pcapi.cli.exit"
local news = require "pcapi.history.news"
local observation = require "pcapi.cli.observation"
local results = require "pcapi.cli.results"
local round_notices = require "pcapi.cli.round_notices"
local terminal = require "pcapi.cli.terminal"
local time = require "pcapi.time"

local M = {}

local function say(round, result, text)
  exit.say((round.is_many and result.name .. ": " or "") .. text)
end

local function is_stopped(err)
  return errors.is(err) and err.kind == "stopped"
end

-- Remembers that a tenant is to be told of. It may have several profiles.
local function add_id(round, id)
  round.ids[#round.ids + 1] = not round.has_id[id] and id or nil
  round.has_id[id] = true
end

-- Records a failure. Returns whether it is worth a line: when it begins, changes, and every 7 days;
-- always on a terminal, and if the history cannot know the tenant.
local function is_reported(round, result, succeeded)
  local id = result.tenant.id or observation.known_id(result.tenant)
  local is_seen = terminal.width(terminal.STDERR) ~= nil or round.args.verbose
  if not id then
    round.failed[#round.failed + 1] = result.tenant.label or result.tenant.name
  end
  if not id or succeeded[id] or not errors.is(result.err) then
    return true
  end
  local run = { tenant = id, users_error = result.err, now = round.now }
  run.preview = round.is_dry and function(summary) return summary end or nil
  local summary, err = round.history:observe(run)
  summary = summary or not errors.is(err) and err
  if not summary then
    exit.fail(err)
  end
  add_id(round, id)
  return is_seen or summary.is_reported, summary.failure
end

local function report_failure(round, result, failure)
  local message = errors.is(result.err) and tostring(result.err) or exit.bug(result.err)
  local since = failure and failure.since < round.now and (" (it has failed since %s)"):format(
    time.format(failure.since)) or ""
  say(round, result, message .. since)
end

-- Records and reports the tenants that failed.
local function report_failures(round, found)
  local succeeded, failed, is_said = {}, 0, false
  for _, result in ipairs(found) do
    if result.value then
      succeeded[result.value.id] = true
    end
  end
  for _, result in ipairs(found) do
    if result.err and not is_stopped(result.err) then
      local reported, failure = is_reported(round, result, succeeded)
      failed = failed + 1
      if reported then
        is_said = true
        report_failure(round, result, failure)
      end
    end
  end
  if is_said and round.is_many then
    exit.say(("%d of %d tenants failed"):format(failed, #found))
  end
end

-- Reports what is worth a line of the tenants that responded.
local function report_tenants(round, found)
  for _, result in ipairs(found) do
    local value = result.value
    if value and value.list_error then
      say(round, result, ("the list of %s failed, so it is no evidence now: %s"):format(value.list,
        tostring(value.list_error)))
    end
    if value and value.is_reported then
      say(round, result, "the tenant responds again")
    end
  end
end

-- Reports warnings, those that do not depend on the tenant once.
local function report_warnings(round, found, plans)
  local of_tenant, said = {}, {}
  for _, result in ipairs(found) do
    if result.value then
      of_tenant[result.value.id] = of_tenant[result.value.id] or result
    end
  end
  for _, plan in ipairs(plans) do
    for _, warning in ipairs(plan.warnings) do
      if not warning.is_common then
        say(round, of_tenant[plan.tenant.id], warning.text)
      elseif not said[warning.key] then
        said[warning.key] = true
        exit.say(warning.text)
      end
    end
  end
end

-- What the results say in sum: of each tenant once.
local function collect(round, found)
  local seen, sum = {}, { warnings = {}, client_ids = {}, plans = {}, rows = {}, open = 0,
                          now = nil }
  for _, result in ipairs(found) do
    local value = result.value
    if value and not seen[value.id] then
      seen[value.id] = true
      add_id(round, value.id)
      sum.warnings[value.id], sum.client_ids[value.id] = value.warnings, value.client_id
      sum.open = sum.open + value.open
      sum.plans[#sum.plans + 1] = value.plan
      for _, row in ipairs(value.rows or {}) do
        sum.rows[#sum.rows + 1] = row
      end
      sum.now = value.date and math.max(sum.now or value.date, value.date) or sum.now
    end
  end
  return sum
end

-- The tenants for the JSON document.
local function tenant_rows(found)
  local rows = {}
  for i, result in ipairs(found) do
    local value, texts = result.value, {}
    for _, warning in ipairs(value and value.warnings or {}) do
      texts[#texts + 1] = warning.text
    end
    rows[i] = {
      tenant = result.tenant.label, tenantId = result.tenant.id, at = value
        and changes.time(value.date), open = value and value.open,
      error = result.err and tostring(result.err)
        or value.list_error and tostring(value.list_error) or nil,
      warnings = #texts > 0 and texts or nil,
    }
  end
  return rows
end

local NEWS = { new = true, back = true, ended = true }

local function has_news(rows)
  for _, row in ipairs(rows) do
    if NEWS[row.event] then
      return true
    end
  end
  return false
end

local function write_changes(round, found, plans, rows)
  if round.args.is_silent then -- the channels tell it
    return
  end
  changes.write(round.args, rows, tenant_rows(found), round.is_many)
  report_warnings(round, found, plans)
end

-- Reports what changed, in the steps of `pcapi.history.told`. Returns the rows.
local function tell(round, found, sum)
  if round.is_dry then
    write_changes(round, found, sum.plans, sum.rows)
    return sum.rows
  end
  local rows = {}
  local function write(plans)
    if round.args.baseline then
      return true
    end
    local problem
    rows, problem = news.of(round.history.store, plans, {
      names = round.names, own = round.settings.own, client_ids = sum.client_ids,
    })
    if not rows then
      return nil, problem
    end
    write_changes(round, found, plans, rows)
    return true
  end
  local plans, err = round.history:changes {
    reader = round.reader, tenants = round.ids, now = sum.now or round.now,
    -- if all failed, nobody knows who is still open
    remind = sum.now and round.settings.remind or 0, warnings = sum.warnings, write = write,
  }
  if not plans then
    exit.fail(err)
  end
  return rows
end

-- The exit status of the tenants.
local function status_of(round, found)
  local status, list_error = results.status(found), nil
  for _, result in ipairs(found) do
    list_error = list_error or result.value and result.value.list_error
  end
  if status ~= exit.EXIT.ok or not list_error then
    return status
  end
  return round.is_many and exit.EXIT.partial or exit.status_of(list_error)
end

--- Reports a run. Returns if it has the exit status 0, else it ends the command.
-- @tparam table round of `pcapi.cli.round`
-- @tparam table found results of `pcapi.cli.in_turn`, with values of `pcapi.cli.observation`
function M.run(round, found)
  if results.status(found) == exit.EXIT.interrupted then
    exit.stop(exit.EXIT.interrupted, "interrupted; the next run reports what was stored")
  end
  round.ids, round.has_id, round.failed = {}, {}, {}
  local sum = collect(round, found)
  round.date, round.client_ids = sum.now, sum.client_ids -- for the summary
  report_failures(round, found)
  report_tenants(round, found)
  round_notices.decide(round, found, sum)
  local rows = tell(round, found, sum)
  local are_told = round_notices.deliver(round)
  local status, what = status_of(round, found), round.args.fail_on
  if status == exit.EXIT.ok and not are_told then
    status = exit.EXIT.error
  end
  local is_found = what == "new" and has_news(rows) or what == "open" and sum.open > 0
  if status ~= exit.EXIT.ok then
    exit.stop(status)
  elseif is_found then
    exit.stop(exit.EXIT.found)
  end
end

return M

