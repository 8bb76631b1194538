--- The results of the tenants: one merged list, the messages on standard error, and the exit
-- status. A result is one of `pcapi.each_tenant`: `name`, and `value` (a list) or `err`. The
-- result of a single tenant has no name.
-- @module pcapi.cli.results
local errors = require "pcapi.error"
local exit = require "pcapi.cli.exit"
local lists = require "pcapi.service.list"
local time = require "pcapi.time"

local M = {}

local SHORT_NAME = 12 -- columns of a tenant's name on a narrow terminal
local DRIFT = 300 -- seconds by which clocks may differ without a message

local function with_tenant(columns)
  local all = { "tenant" }
  for i, name in ipairs(columns) do
    all[i + 1] = name
  end
  return all
end

--- A view for several tenants: its first column is the tenant.
-- @tparam table view as for `pcapi.cli.records`
-- @treturn table
function M.view(view)
  local titles = { tenant = "TENANT" }
  for name, title in pairs(view.titles) do
    titles[name] = title
  end
  local narrow = {}
  for i, step in ipairs(view.narrow or {}) do
    narrow[i] = step
  end
  narrow[#narrow + 1] = { "tenant", SHORT_NAME }
  return setmetatable({ columns = with_tenant(view.columns), titles = titles, narrow = narrow },
    { __index = view })
end

--- Keeps the facts of a list whose records were written.
-- @tparam pcapi.list list
-- @treturn pcapi.list without records
function M.written(list)
  return lists.derive(list, {}, { written = #list })
end

--- Counts the records of a list, also of one from @{written}.
-- @tparam pcapi.list list
-- @treturn number
function M.size(list)
  return list.written or #list
end

--- Sets the field `tenant` of each record.
-- @tparam pcapi.list list
-- @tparam ?string name
-- @treturn pcapi.list the same list
function M.label(list, name)
  for _, record in ipairs(list) do
    record.tenant = name
  end
  return list
end

--- Merges the lists. The field `tenant` of each record is set to the name of its tenant.
-- @tparam table results
-- @treturn ?pcapi.list nil if all tenants failed
function M.merge(results)
  local records, first, total, unreadable = {}, nil, 0, 0
  for _, result in ipairs(results) do
    local list = result.value
    first = first or list
    total = total + (list and list.total_count or 0)
    unreadable = unreadable + (list and list.unreadable or 0)
    for _, record in ipairs(list and M.label(list, result.name) or {}) do
      records[#records + 1] = record
    end
  end
  if not first then
    return nil
  end
  local facts = { resource = first.resource, clock = first.clock, total_count = total,
                  unreadable = unreadable }
  local merged = lists.new(records, facts)
  facts.columns = with_tenant(first.columns)
  return merged
end

local function is_stopped(err)
  return errors.is(err) and err.kind == "stopped"
end

-- Numbers of tenants: all, by outcome, and those with at least one record (`found`).
local function count(results)
  local counted = { all = #results, succeeded = 0, found = 0, failed = 0, stopped = 0 }
  for _, result in ipairs(results) do
    local outcome = result.value and "succeeded" or is_stopped(result.err) and "stopped"
      or "failed"
    counted[outcome] = counted[outcome] + 1
    counted.found = counted.found + (result.value and M.size(result.value) > 0 and 1 or 0)
  end
  return counted
end

--- The exit status for the results.
-- @tparam table results
-- @treturn number
function M.status(results)
  local counted, shared = count(results), nil
  if counted.stopped > 0 then
    return exit.EXIT.interrupted
  elseif counted.failed == 0 then
    return exit.EXIT.ok
  elseif counted.succeeded > 0 then
    return exit.EXIT.partial
  end
  for _, result in ipairs(results) do
    local status = errors.is(result.err) and exit.status_of(result.err) or exit.EXIT.error
    shared = (shared == nil or shared == status) and status or exit.EXIT.error
  end
  return shared
end

--- Ends the command with the exit status for the results. Returns if all tenants succeeded.
-- @tparam table results
function M.finish(results)
  local status = M.status(results)
  if status ~= exit.EXIT.ok then
    exit.stop(status)
  end
end

local function say(result, message)
  exit.say((result.name and result.name .. ": " or "") .. message)
end

--- Reports the error of a tenant.
-- @tparam table result
function M.report_failure(result)
  say(result, errors.is(result.err) and tostring(result.err) or exit.bug(result.err))
end

local function counted_as(number, one, many)
  return number == 1 and "1 " .. one or ("%d %s"):format(number, many)
end

local function warn(result)
  local list = result.value
  if list.truncated then
    say(result, "the service returned only its newest records; there may be more")
  end
  local without_time, unreadable = list.without_time or 0, list.unreadable or 0
  if without_time > 0 then
    say(result, counted_as(without_time, "record has", "records have")
      .. " no readable time; listed regardless of --since")
  end
  if unreadable > 0 then
    say(result, counted_as(unreadable, "element of the response is not a record; it was",
      "elements of the response are not records; they were") .. " left out")
  end
  if list.is_mfa_compliant == false then
    say(result, "the service reports that this token lacks MFA; sign in again with MFA before "
      .. "the service refuses it")
  end
end

--- A period of time for people.
-- @tparam number seconds
-- @treturn string
function M.period(seconds)
  if seconds < 3 * 86400 then
    return ("%.0f minutes"):format(seconds / 60)
  end
  return ("%.0f days"):format(seconds / 86400)
end

-- The clock is the same for all tenants, so the largest difference is reported once.
local function warn_of_clock(results)
  local offset = 0
  for _, result in ipairs(results) do
    local other = result.value and result.value.clock_offset or 0
    offset = math.abs(other) > math.abs(offset) and other or offset
  end
  if math.abs(offset) > DRIFT then
    exit.say(("this machine's clock is %s %s the service's clock, which --since uses; correct "
      .. "this machine's clock, for example with NTP"):format(M.period(math.abs(offset)),
      offset > 0 and "behind" or "ahead of"))
  end
end

-- The period is nearly the same for all tenants, so it is reported once.
local function warn_of_period(results)
  for _, result in ipairs(results) do
    local list = result.value
    if list and list.covered_since then
      return exit.say(("--since goes back further than the service covers, which is %d days: "
        .. "records before %s are missing. To look back further, save the list every week")
        :format(list.resource.days, time.format(list.covered_since)))
    end
  end
end

--- Reports warnings and failures, and whether the output is complete; with --quiet, too.
-- @tparam table results
-- @tparam[opt] string partial name of the tenant whose list was being written when the command was
-- interrupted
function M.report(results, partial)
  local counted = count(results)
  for _, result in ipairs(results) do
    if result.value then
      warn(result)
    elseif not is_stopped(result.err) then
      M.report_failure(result)
    end
  end
  warn_of_clock(results)
  warn_of_period(results)
  local missing = ("%d of %d tenants"):format(counted.failed + counted.stopped, counted.all)
  if partial then
    say({ name = partial }, "interrupted while writing; some of its records may be missing")
  end
  if counted.stopped > 0 then
    exit.say("interrupted; " .. (counted.succeeded > 0 and "the output does not include "
      .. missing or partial and "the output is incomplete" or "nothing was written"))
  elseif counted.failed > 0 then
    exit.say(missing .. " failed; " .. (counted.succeeded > 0
      and "the output does not include them" or "nothing was written"))
  end
end

--- Adds the number of tenants to a sentence about their records.
-- @tparam table results
-- @tparam string sentence
-- @treturn string
function M.with_tenants(results, sentence)
  local counted = count(results)
  local tenants = counted.succeeded == 1 and "1 tenant" or counted.succeeded .. " tenants"
  local some = counted.found > 0 and counted.found < counted.succeeded
  return ("%s, in %s%s."):format(sentence:gsub("%.$", ""), some and counted.found .. " of " or "",
    tenants)
end

return M
