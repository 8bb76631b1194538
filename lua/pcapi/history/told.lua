--- Decides what a reader is told: no event twice as new, and no event lost. A reader stands for one
-- output, such as cron's mail, an administrator's terminal, or a channel.
--
-- Telling takes three steps, with a commit after the first and the last: *claim* the events, write
-- them, and store that they were *told*. After a crash between the first and the last, nobody knows
-- what was read. Those events are then `repeated`, and never new again.
--
-- A **reader** is a table, one of each tenant: `name`; `told` (id of the last event that was told;
-- 0: none); `claimed` (id of the last event that may have been told; nil: as `told`); `reminded`
-- (when it was last told of all open findings); `reminding` (the same, if it may have been);
-- `is_late` (it began after another one, and has to be told what is open); and `warned` (when it
-- was last told of each warning that lasts, by key). Times are UTC epoch seconds; ids of events
-- grow within a store.
-- @module pcapi.history.told
local copy = require "pcapi.copy"

local M = {}

local DAY = 24 * 60 * 60
local REPEATED = 7 * DAY -- a warning that lasts is told again after this time
local EARLY = 2 * 60 * 60 -- a daily job may start earlier, by minutes or by summer time

local NEWS = { new = true, back = true, again = true, ended = true }

--- Makes a reader. The first one of a tenant is told all that happened; a later one is told what
-- is open, and what happens from then on.
-- @tparam string name
-- @tparam number newest id of the newest event of the tenant; 0: none
-- @tparam boolean is_first nobody was told anything of this tenant
-- @tparam number now
-- @treturn table
function M.new_reader(name, newest, is_first, now)
  if is_first then
    newest = 0
  end
  return { name = name, told = newest, reminded = now, is_late = newest > 0 }
end

--- The reader of a tenant, who may be new.
-- @local
-- @tparam table store
-- @tparam table tenant
-- @tparam string name
-- @tparam number now
-- @treturn table not yet stored if it is new
function M.reader(store, tenant, name, now)
  return store:reader(tenant, name)
    or M.new_reader(name, store:newest_event(tenant), #store:readers(tenant) == 0, now)
end

-- Sorts events into those that are told now, and those that may have been told.
local function sort_events(plan, reader, events)
  local claimed = reader.claimed or reader.told
  for _, event in ipairs(events) do
    local group = event.id <= claimed and plan.repeated or plan.fresh
    plan.last = math.max(plan.last, event.id)
    if event.id > reader.told and not event.excepted then
      group[#group + 1] = event
    end
  end
end

-- The open findings that the reader is reminded of; empty if it is not time.
local function reminders_of(reader, open, fresh, options)
  local is_due, listed, told_now = reader.is_late or reader.reminding ~= nil, {}, {}
  for _, event in ipairs(fresh) do
    if event.person and NEWS[event.kind] then
      told_now[event.person.id] = true
    end
  end
  for _, person in ipairs(open) do
    local finding = person.finding
    if finding.state == "open" and not finding.exception and not told_now[person.id] then
      local since = math.max(reader.reminded, finding.opened)
      is_due = is_due or options.remind > 0 and options.now - since >= options.remind * DAY - EARLY
      listed[#listed + 1] = person
    end
  end
  return is_due and listed or {}
end

--- Decides of which warnings a reader is told now: those that begin, and every 7 days those that
-- last. Pure.
-- @tparam ?table warned when the reader was last told of each, by key
-- @tparam table warnings array of those that hold now, each with `key`: a text in one line
-- @tparam number now
-- @treturn table array of some of them
-- @treturn table as `warned`, once they were told; without those that do not hold any more
function M.due(warned, warnings, now)
  local due, after = {}, {}
  for _, warning in ipairs(warnings) do
    local at = warned and warned[warning.key]
    if not at or now - at >= REPEATED - EARLY then
      due[#due + 1], at = warning, now
    end
    after[warning.key] = at
  end
  return due, after
end

--- Decides what a reader is told now. Pure.
-- @tparam table reader
-- @tparam table events those of the tenant with an id above the reader's `told`, by id
-- @tparam table open the people of the tenant with an open or healing finding
-- @tparam table options `now`, `remind` (days between reminders of open findings; 0: never), and
-- `warnings` (as for @{due}; nil: they are not known now)
-- @treturn table `fresh` and `repeated` (arrays of events, without those of users with an
-- exception), `reminders` (array of people), `is_empty` (there is nothing of these to tell),
-- `warnings` (array of those to tell), and `last` (id of the last event that it took into account)
function M.plan(reader, events, open, options)
  local plan = { fresh = {}, repeated = {}, last = reader.claimed or reader.told,
                 now = options.now }
  sort_events(plan, reader, events)
  plan.reminders = reminders_of(reader, open, plan.fresh, options)
  plan.warnings, plan.warned = {}, reader.warned
  if options.warnings then
    plan.warnings, plan.warned = M.due(reader.warned, options.warnings, options.now)
  end
  plan.is_empty = #plan.fresh == 0 and #plan.repeated == 0 and #plan.reminders == 0
  return plan
end

--- The reader as it has to be stored before the first byte is written. Pure.
-- @tparam table reader
-- @tparam table plan from @{plan}
-- @treturn table
function M.claim(reader, plan)
  return copy.with(reader, {
    claimed = plan.last, reminding = #plan.reminders > 0 and plan.now or reader.reminding,
  })
end

--- The reader as it has to be stored when all was written. Pure.
-- @tparam table reader from @{claim}
-- @tparam table plan from @{plan}
-- @treturn table
function M.done(reader, plan)
  local told = copy.with(reader, { told = reader.claimed, reminded = reader.reminding
    or reader.reminded, is_late = false })
  told.claimed, told.reminding, told.warned = nil, nil, plan.warned
  return told
end

-- Claims what the reader is told of each tenant.
local function claim_all(store, options)
  local plans, readers = {}, {}
  for i, tenant in ipairs(options.tenants) do
    local reader = M.reader(store, tenant, options.reader, options.now)
    local plan = M.plan(reader, store:events(tenant, reader.told), store:open_people(tenant), {
      now = options.now, remind = options.remind,
      warnings = options.warnings and options.warnings[tenant.id],
    })
    plan.tenant, plans[i] = tenant, plan
    readers[i] = M.claim(reader, plan)
    store:save_reader(tenant, readers[i])
  end
  return plans, readers
end

--- Tells one reader about some tenants, in the three steps. If writing fails, nothing counts as
-- told, and the next call repeats it.
-- @tparam table store see `pcapi.history.store`
-- @tparam table options `reader` (its name), `tenants` (array, as the store gives them), `now`,
-- `remind`, and `warnings` (of a tenant by its id, as for @{plan})
-- @tparam function write takes the array of plans, as of @{plan} with `tenant`; writes and flushes
-- all, and returns true, or nil and an error
-- @treturn[1] table the plans
-- @treturn[2] nil
-- @treturn[2] any the error of `write`, or of the store
function M.tell(store, options, write)
  local plans, readers = store:transaction(function()
    return claim_all(store, options)
  end)
  if not plans then
    return nil, readers
  end
  local ok, err = write(plans)
  if not ok then
    return nil, err
  end
  ok, err = store:transaction(function()
    for i, tenant in ipairs(options.tenants) do
      store:save_reader(tenant, M.done(readers[i], plans[i]))
    end
    return true
  end)
  if not ok then
    return nil, err
  end
  return plans
end

return M
