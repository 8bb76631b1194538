--- What tenants answered: one list of it, what people are told, and the exit status. A
-- single tenant is asked without a name, and its answer is as it came.
-- @module pcapi.cli.results
local exit = require "pcapi.cli.exit"
local errors = require "pcapi.error"
local lists = require "pcapi.service.list"
local time = require "pcapi.time"

local M = {}

local DRIFT = 300 -- seconds that the clocks may differ without a word

local function with_tenant(columns)
  local all = { "tenant" }
  for i, name in ipairs(columns) do
    all[i + 1] = name
  end
  return all
end

--- A report as it is shown for several tenants.
-- @tparam table report see `pcapi.cli.views`
-- @treturn table
function M.report(report)
  local titles = { tenant = "TENANT" }
  for name, title in pairs(report.titles) do
    titles[name] = title
  end
  return setmetatable({ columns = with_tenant(report.columns), titles = titles },
    { __index = report })
end

--- Makes one list of them, whose records tell their tenant in the field `tenant`.
-- @tparam table answers array of `name`, and `list` or `err`
-- @treturn ?pcapi.list nil where nobody answered
function M.merge(answers)
  local records, first, total, unreadable = {}, nil, 0, 0
  for _, answer in ipairs(answers) do
    local list = answer.list
    first = first or list
    total = total + (list and list.total_count or 0)
    unreadable = unreadable + (list and list.unreadable or 0)
    for _, record in ipairs(list or {}) do
      record.tenant = answer.name
      records[#records + 1] = record
    end
  end
  if not first then
    return nil
  end
  local facts = { resource = first.resource, clock = first.clock, total_count = total,
                  unreadable = unreadable }
  local merged = lists.new(records, facts)
  facts.columns = with_tenant(facts.columns)
  return merged
end

local function is_stopped(err)
  return errors.is(err) and err.kind == "stopped"
end

-- How many of them there are, by what became of them.
local function count(answers)
  local counted = { all = #answers, answered = 0, found = 0, failed = 0, stopped = 0 }
  for _, answer in ipairs(answers) do
    local what = answer.list and "answered" or is_stopped(answer.err) and "stopped" or "failed"
    counted[what] = counted[what] + 1
    counted.found = counted.found + (answer.list and #answer.list > 0 and 1 or 0)
  end
  return counted
end

--- The exit status that they mean: whether all answered, some of them, or none.
-- @tparam table answers
-- @treturn number
function M.status(answers)
  local counted, shared = count(answers), nil
  if counted.stopped > 0 then
    return exit.EXIT.interrupted
  elseif counted.failed == 0 then
    return exit.EXIT.ok
  elseif counted.answered > 0 then
    return exit.EXIT.partial
  end
  for _, answer in ipairs(answers) do
    local status = errors.is(answer.err) and exit.status_of(answer.err) or exit.EXIT.error
    shared = (shared == nil or shared == status) and status or exit.EXIT.error
  end
  return shared
end

--- Ends the command with the exit status that they mean; returns where all is well.
-- @tparam table answers
function M.finish(answers)
  local status = M.status(answers)
  if status ~= exit.EXIT.ok then
    exit.stop(status)
  end
end

local function say(answer, said)
  exit.say((answer.name and answer.name .. ": " or "") .. said)
end

--- Says why a tenant did not answer.
-- @tparam table answer
function M.tell_failure(answer)
  say(answer, errors.is(answer.err) and tostring(answer.err)
    or "this is a fault of pcapi, please report it: " .. tostring(answer.err))
end

local function warn(answer)
  local list = answer.list
  if list.truncated then
    say(answer, "the service gave its newest records only; there may be more")
  end
  if (list.without_time or 0) > 0 then
    say(answer, ("%s no time that can be read; listed whatever --since says"):format(
      list.without_time == 1 and "1 record has" or list.without_time .. " records have"))
  end
  local unreadable = list.unreadable or 0
  if unreadable > 0 then
    local verb = unreadable == 1 and "is" or "are"
    say(answer, ("%d of what the service gave %s no record, and %s left out"):format(unreadable,
      verb, verb))
  end
  if answer.list.is_mfa_compliant == false then
    say(answer, "the service says that this token lacks MFA; sign in again with MFA before it "
      .. "is refused")
  end
end

local function period(seconds)
  if seconds < 3 * 86400 then
    return ("%.0f minutes"):format(seconds / 60)
  end
  return ("%.0f days"):format(seconds / 86400)
end

-- The clock is that of all of them, so it is spoken of once: by the answer that differs most.
local function warn_of_clock(answers)
  local offset = 0
  for _, answer in ipairs(answers) do
    local other = answer.list and answer.list.clock_offset or 0
    offset = math.abs(other) > math.abs(offset) and other or offset
  end
  if math.abs(offset) > DRIFT then
    exit.say(("this machine's clock is %s %s the service's, by which --since counts; "
      .. "set it, such as by NTP"):format(period(math.abs(offset)),
      offset > 0 and "behind" or "ahead of"))
  end
end

-- It is the same for all of them, but for what their clocks differ.
local function warn_of_period(answers)
  for _, answer in ipairs(answers) do
    local list = answer.list
    if list and list.covered_since then
      return exit.say(("--since asks for more than the service covers, which is %d days: nothing "
        .. "before %s is listed. Store each week's list to look back further"):format(
        list.resource.days, time.format(list.covered_since)))
    end
  end
end

--- Says what their readers have to know, even when it is to be quiet: warnings, failures,
-- and whether the output is whole.
-- @tparam table answers
function M.tell(answers)
  local counted = count(answers)
  for _, answer in ipairs(answers) do
    if answer.list then
      warn(answer)
    elseif not is_stopped(answer.err) then
      M.tell_failure(answer)
    end
  end
  warn_of_clock(answers)
  warn_of_period(answers)
  local missing = ("%d of %d tenants"):format(counted.failed + counted.stopped, counted.all)
  local effect = counted.answered > 0 and "the output lacks them" or "nothing was written"
  if counted.stopped > 0 then
    exit.say(("interrupted; %s did not answer, and %s"):format(missing, effect))
  elseif counted.failed > 0 then
    exit.say(("%s failed; %s"):format(missing, effect))
  end
end

--- Adds to a sentence about their records in how many tenants these are.
-- @tparam table answers
-- @tparam string sentence
-- @treturn string
function M.located(answers, sentence)
  local counted = count(answers)
  local tenants = counted.answered == 1 and "1 tenant" or counted.answered .. " tenants"
  local some = counted.found > 0 and counted.found < counted.answered
  return ("%s, in %s%s."):format(sentence:gsub("%.$", ""), some and counted.found .. " of " or "",
    tenants)
end

return M
