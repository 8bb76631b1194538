--- Decides what channels are told, and stores it as notices: in one transaction, with each channel
-- as a reader of `pcapi.history.told` who was told. What is stored is delivered afterwards, see
-- `pcapi.notify.deliver`, so a crash loses nothing and decides nothing twice.
--
-- Each channel gets one digest a run, or with `group = "tenant"` one a tenant. Tenants of which the
-- channel is told for the first time come together in one digest in any case.
-- @module pcapi.notify.outbox
local copy = require "pcapi.copy"
local digests = require "pcapi.notify.digest"
local explanation = require "pcapi.history.explanation"
local news = require "pcapi.history.news"
local told = require "pcapi.history.told"
local version = require "pcapi.version"

local M = {}

--- How many rows a digest has of one tenant, and of all. A channel with `is_complete` gets all
-- rows, in as many digests as it takes.
M.MOST_OF_TENANT, M.MOST = 200, 2000

local FAILED_RUNS = 3 -- in a row, of which the operator is told

--- The name of the reader that stands for a channel.
-- @tparam string channel
-- @treturn string
function M.reader(channel)
  return "notify " .. channel
end

-- The people of the rows of a plan, in their order.
local function people_of(plan)
  local people, n = {}, 0
  for _, list in ipairs { plan.repeated, plan.fresh, plan.reminders } do
    for _, item in ipairs(list) do
      n = n + 1
      people[n] = list == plan.reminders and item or item.person
    end
  end
  return people
end

-- What all channels share of a tenant: its open people, and rows that were made.
local function view_of(store, tenant)
  local view = { tenant = tenant, open = store:open_people(tenant), events = {}, rows = {},
                 counts = digests.no_counts() }
  for _, person in ipairs(view.open) do
    local finding = person.finding
    local what = finding.exception and "excepted" or finding.state == "open" and "open"
    if what then
      view.counts[what] = view.counts[what] + 1
    end
  end
  return view
end

local function events_after(store, view, id)
  view.events[id] = view.events[id] or store:events(view.tenant, id)
  return view.events[id]
end

-- The rows of a plan. Channels that were told the same have the same.
local function rows_of(store, view, reader, plan, options)
  local key = reader.told .. " " .. #plan.reminders
  if not view.rows[key] then
    local rows = news.rows(store, plan, {
      names = options.names, own = options.own, adoption = options.adoption,
      client_id = options.client_ids and options.client_ids[view.tenant.id],
    })
    for _, row in ipairs(rows) do
      row.key = digests.row_key(row)
    end
    view.rows[key] = { rows = rows, people = people_of(plan) }
  end
  return view.rows[key]
end

local EVENTS = { new = true, back = true, again = true, ended = true, healing = true, fixed = true,
                 quiet = true, lost = true }

local function count_row(counts, row)
  if row.event == "baseline" then
    counts.baseline = counts.baseline + row.count
  elseif EVENTS[row.event] then
    counts[row.event] = counts[row.event] + 1
  end
end

-- The counts of a tenant, with the events of some rows.
local function counts_of(view, rows)
  local counts = digests.no_counts()
  digests.add_counts(counts, view.counts)
  for _, row in ipairs(rows) do
    count_row(counts, row)
  end
  return counts
end

-- What a channel is told of a tenant: an item for `pcapi.notify.digest`; nil: nothing.
local function item_of(store, view, channel, reader, plan, options)
  local tenant, made = view.tenant, rows_of(store, view, reader, plan, options)
  local item = { tenant = tenant, rows = {}, people = {}, warnings = {}, more = 0, view = view,
                 thread = reader.thread, is_first = reader.is_late, is_reminder = true }
  for i, row in ipairs(made.rows) do
    if options.routes:reaches(channel.name, tenant, row) then
      local n = #item.rows + 1
      item.rows[n], item.people[n] = row, made.people[i]
      item.is_first = item.is_first or row.event == "baseline"
      item.is_reminder = item.is_reminder and row.event == "open"
    end
  end
  if options.routes:reaches(channel.name, tenant, {}) then
    item.warnings = plan.warnings
  end
  item.counts = counts_of(view, item.rows)
  return (#item.rows > 0 or #item.warnings > 0) and item or nil
end

local function by_name(a, b)
  local x, y = a.tenant.name or a.tenant.id, b.tenant.name or b.tenant.id
  return x < y or x == y and a.tenant.id < b.tenant.id
end

-- Divides what a channel is told into digests.
local function grouped(channel, items)
  table.sort(items, by_name)
  if channel.group ~= "tenant" then
    return { items }
  end
  local first, groups = {}, {}
  for _, item in ipairs(items) do
    if item.is_first then
      first[#first + 1] = item
    else
      groups[#groups + 1] = { item }
    end
  end
  if #first > 0 then
    table.insert(groups, 1, first)
  end
  return groups
end

-- An item with the rows from one index to another.
local function slice(item, from, to)
  local part = copy.with(item, { rows = {}, people = {} })
  for i = from, to do
    part.rows[i - from + 1], part.people[i - from + 1] = item.rows[i], item.people[i]
  end
  part.warnings = from == 1 and item.warnings or {}
  return part
end

-- Leaves out rows that a digest has no room for.
local function cut(items)
  local room = M.MOST
  for i, item in ipairs(items) do
    local count = math.min(#item.rows, M.MOST_OF_TENANT, room)
    local part = slice(item, 1, count)
    part.more, room, items[i] = #item.rows - count, room - count, part
  end
  return { items }
end

-- Divides a group into as many as it takes to tell all rows.
local function split(items)
  local groups, group, room = {}, {}, M.MOST
  for _, item in ipairs(items) do
    local from = 1
    repeat
      if room == 0 then
        groups[#groups + 1], group, room = group, {}, M.MOST
      end
      local to = math.min(#item.rows, from + room - 1)
      local part = slice(item, from, to)
      part.counts = counts_of(item.view, part.rows)
      group[#group + 1] = part
      from, room = to + 1, room - (to - from + 1)
    until from > #item.rows
  end
  groups[#groups + 1] = group
  return groups
end

-- The texts of warnings, those that do not depend on the tenant once.
local function set_warnings(items)
  local said = {}
  for _, item in ipairs(items) do
    local texts = {}
    for _, warning in ipairs(item.warnings) do
      if not (warning.is_common and said[warning.key]) then
        texts[#texts + 1] = warning.text
      end
      said[warning.key] = true
    end
    item.warnings = texts
  end
end

-- The thread of all items; nil if they have none or several.
local function thread_of(items)
  local thread = items[1].thread
  for _, item in ipairs(items) do
    if item.thread ~= thread then
      return nil
    end
  end
  return thread
end

local function add_facts(store, item)
  local tenant = item.tenant
  local run = tenant.at and store:last_run(tenant, tenant.at)
  item.requests = run and run.requests
  item.coverage = explanation.reach(store, tenant).share
end

local function add_digest(store, channel, items, options)
  local head = { kind = "open", at = options.at, counts = digests.no_counts(), version = version }
  set_warnings(items)
  for _, item in ipairs(items) do
    digests.add_counts(head.counts, item.counts)
    local is_open = #item.rows > 0 and (item.is_late or item.is_reminder)
    head.kind = is_open and head.kind or "changes"
    add_facts(store, item)
  end
  local notice = digests.notice(channel.name, head, items, thread_of(items))
  notice.at = options.now
  store:add_notice(notice)
  for _, item in ipairs(items) do
    if not item.reader.thread then
      item.reader.thread = notice.id
      store:save_reader(item.tenant, item.reader)
    end
  end
end

-- Adds to the items of a channel what it is told of a tenant, and saves it as told.
local function collect(store, channel, view, items, options)
  local tenant = view.tenant
  local reader = told.reader(store, tenant, M.reader(channel.name), options.at)
  local plan = told.plan(reader, events_after(store, view, reader.told), view.open, {
    now = options.at, remind = options.remind,
    warnings = options.warnings and options.warnings[tenant.id],
  })
  plan.tenant = tenant
  local after = told.done(told.claim(reader, plan), plan)
  store:save_reader(tenant, after)
  local item = not options.is_silent and item_of(store, view, channel, reader, plan, options)
  if item then
    item.reader, item.is_late = after, reader.is_late
    items[#items + 1] = item
  end
end

local function add_digests(store, channel, items, options)
  local count = 0
  for _, group in ipairs(#items > 0 and grouped(channel, items) or {}) do
    for _, part in ipairs((channel.is_complete and split or cut)(group)) do
      add_digest(store, channel, part, options)
      count = count + 1
    end
  end
  return count
end

-- The concern of a tenant, which may fail again and again.
local function concern_of(store, tenant)
  local runs = tenant.failure and store:failed_runs(tenant) or 0
  return { key = "tenant " .. tenant.id, text = runs >= FAILED_RUNS and (
    "%s has failed %d runs in a row (%s). Nothing is known of its users meanwhile. Run: pcapi "
    .. "doctor"):format(tenant.name or tenant.id, runs, tenant.failure.kind) or nil }
end

local function is_dead(known, channel)
  return known["channel " .. channel.name] ~= nil
end

-- The channels that the operator is told by: those that work, and that are not concerned.
local function of_operator(channels, routes, known, concerns)
  local concerned = {}
  for _, concern in ipairs(concerns) do
    concerned[concern.key] = true
  end
  local function usable(list)
    local found = {}
    for _, channel in ipairs(list) do
      if not is_dead(known, channel) and not concerned["channel " .. channel.name] then
        found[#found + 1] = channel
      end
    end
    return found
  end
  local found = usable(routes:of_operator(channels))
  return #found > 0 and found or { usable(channels)[1] }
end

--- Tells the operator what is wrong with pcapi itself: each concern once, until it is over. Call it
-- in a transaction of the store.
-- @tparam table store see `pcapi.history.store`
-- @tparam table concerns array of `key` (the same while it lasts), and `text` (nil: it is over)
-- @tparam table options `channels`, `routes`, `at` and `now`, as for @{decide}
-- @treturn number of notices
function M.tell_operator(store, concerns, options)
  local known, fresh, notes = store:concerns(), {}, {}
  for _, concern in ipairs(concerns) do
    if not concern.text then
      known[concern.key] = nil
    elseif not known[concern.key] then
      fresh[#fresh + 1], notes[#notes + 1] = concern, concern.text
    end
  end
  local channels = #fresh > 0 and of_operator(options.channels, options.routes, known, fresh) or {}
  for _, channel in ipairs(channels) do
    local notice = digests.notice(channel.name, { kind = "operator", at = options.at,
      counts = digests.no_counts(), notes = notes, version = version }, {})
    notice.at = options.now
    store:add_notice(notice)
  end
  for _, concern in ipairs(#channels > 0 and fresh or {}) do
    known[concern.key] = options.now
  end
  store:save_concerns(known)
  return #channels
end

--- Decides what channels are told after a run, and stores it.
-- @tparam table store see `pcapi.history.store`
-- @tparam table options
-- @tparam table options.channels array of `name`, `group` (`"run"` or `"tenant"`), `is_complete`
-- @tparam table options.routes of `pcapi.notify.routes`
-- @tparam {string,...} options.tenants their ids
-- @tparam number options.at the service's clock, UTC epoch seconds
-- @tparam number options.now this machine's clock
-- @tparam number options.remind days between reminders; 0: never
-- @tparam[opt] table options.warnings of a tenant by its id, as for `pcapi.history.told`
-- @tparam[opt] table options.names as for `pcapi.history.news`; also `options.own`
-- @tparam[opt] table options.client_ids as for `pcapi.history.news`
-- @tparam[opt] table options.concerns as for @{tell_operator}
-- @tparam[opt] boolean options.is_silent all counts as told, and nothing is
-- @treturn[1] number of notices
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function M.decide(store, options)
  return store:transaction(function()
    local all, concerns, count = {}, {}, 0
    options.adoption = store:application_names()
    for _, id in ipairs(options.tenants) do
      local view = view_of(store, store:tenant(id))
      for i, channel in ipairs(options.channels) do
        all[i] = all[i] or {}
        collect(store, channel, view, all[i], options)
      end
      concerns[#concerns + 1] = concern_of(store, view.tenant)
    end
    for i, channel in ipairs(options.channels) do
      count = count + add_digests(store, channel, all[i] or {}, options)
    end
    for _, concern in ipairs(options.concerns or {}) do
      concerns[#concerns + 1] = concern
    end
    return options.is_silent and count
      or count + M.tell_operator(store, concerns, options)
  end)
end

return M
