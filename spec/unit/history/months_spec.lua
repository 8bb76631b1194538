--- Random months of 20 people, recorded by the history and by a model of the table of outcomes.
-- MONTHS is their number, and SEED the first of them; a failure names the SEED of its month.
local exceptions = require "pcapi.history.exceptions"
local lists = require "spec.support.history_lists"
local model = require "spec.support.history_model"
local observe = require "pcapi.history.observe"
local stores = require "spec.support.history_stores"
local told = require "pcapi.history.told"
local world = require "spec.support.history_world"

local MONTHS = tonumber(os.getenv "MONTHS") or 20
local SEED = tonumber(os.getenv "SEED") or os.time() % 1000000 * 1000

local TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"
local READERS = { "standard output" }

-- The number of the person behind a key of the history.
local function numbers_of(month)
  local numbers = {}
  for _, person in ipairs(month.people) do
    numbers[person.id] = person.number
    numbers["upn:" .. person.upn] = person.number
  end
  return numbers
end

local function options_of(run, except)
  local failed = { kind = "network" }
  return {
    tenant = TENANT, name = "x", now = run.now, readers = READERS, exceptions = except,
    users = run.at and lists.users(run.at, run.users, { truncated = run.users_cut }),
    users_error = not run.at and failed or nil,
    requests = run.requests and lists.requests(run.at, run.requests,
      { truncated = run.requests_cut }),
    requests_error = not run.requests and failed or nil,
    adoption = lists.adoption(run.at, {}),
  }
end

-- How often each kind of event came, and the stored ones with the number of the person.
local function events_of_history(summary, numbers)
  local stored, counts = {}, {}
  for kind, count in pairs(summary.counts) do
    counts[kind] = count
  end
  counts.excepted, counts.baseline_excepted = nil, nil
  for _, event in ipairs(summary.events) do
    if event.kind ~= "baseline" then
      stored[#stored + 1] = ("%s %d %s"):format(event.kind, numbers[event.person.id],
        tostring(event.excepted))
    end
  end
  table.sort(stored)
  return stored, counts
end

local function events_of_model(events)
  local stored, counts = {}, {}
  for _, event in ipairs(events) do
    local kind = event.kind
    counts[kind] = (counts[kind] or 0) + 1
    local is_silent = kind == "baseline" or kind == "not_visible"
      or kind == "again" and (event.was == nil or event.was == "open")
    if not is_silent then
      stored[#stored + 1] = ("%s %d %s"):format(kind, event.person.number,
        tostring(event.excepted))
    end
  end
  table.sort(stored)
  return stored, counts
end

-- The findings of the history and of the model, by the number of the person.
local function findings_of(store, tenant, expected, numbers)
  local of_history, of_model = {}, {}
  for person, finding in pairs(expected.people) do
    of_model[person.number] = { finding.state, finding.episode, finding.L, finding.times,
                                finding.closed or 0, finding.mfa_at or 0, finding.visible }
  end
  for _, person in ipairs(tenant and store:people(tenant) or {}) do
    local finding = person.finding
    of_history[numbers[person.id]] = finding and {
      finding.state, finding.episode, finding.last_at, finding.times, finding.closed or 0,
      finding.mfa_at or 0, finding.is_visible }
  end
  return of_history, of_model
end

-- Tells a reader, and breaks off at a random step. `printed` gets the ids that were written.
local function tell(month, store, tenant, reader, now, printed)
  local step = month:random(1, 12)
  if step == 1 then -- killed between recording and telling
    return
  end
  pcall(told.tell, store, { reader = reader, tenants = { tenant }, now = now, remind = 7 },
    function(plans)
      if step == 2 then
        error "killed before the first byte"
      end
      for _, group in ipairs { "fresh", "repeated" } do
        for _, event in ipairs(plans[1][group]) do
          if step == 3 and month:rarely(3) then
            return nil, "the pipe is closed"
          end
          printed[#printed + 1] = { id = event.id, group = group }
        end
      end
      if step == 4 then
        error "killed after the last byte"
      end
      return true
    end)
end

-- Nothing that was printed is called new again, and nothing is left out.
local function check_told(events, printed, name)
  local times = {}
  for _, line in ipairs(printed) do
    assert(line.group == "repeated" or not times[line.id], name .. ": told twice as new")
    times[line.id] = true
  end
  for _, event in ipairs(events) do
    assert((times[event.id] or false) == not event.excepted, name .. ": lost the event "
      .. event.kind .. ", or told it although the user is excepted")
  end
end

-- A run that breaks off within its transaction leaves nothing.
local function break_off(store, options, name)
  local tenant = store:tenant(TENANT)
  local before = tenant and store:people(tenant)
  store.is_atomic = true
  assert(not pcall(store.transaction, store, function()
    observe.run(store, options)
    error "killed"
  end), name)
  store.is_atomic = false
  assert.same(tenant, store:tenant(TENANT), name)
  assert.same(before, tenant and store:people(tenant), name)
end

local function check_run(store, expected, run, numbers, except, name)
  local summary = store:transaction(function()
    return observe.run(store, options_of(run, except))
  end)
  local stored, counts = events_of_history(summary, numbers)
  local stored_expected, counts_expected = events_of_model(model.run(expected, run))
  assert.same(counts_expected, counts, name)
  assert.same(stored_expected, stored, name)
  if run.is_repeated then
    assert.same({}, counts, name)
  end
  local of_history, of_model = findings_of(store, summary.tenant, expected, numbers)
  assert.same(of_model, of_history, name)
  return summary
end

-- Adds what happened to the totals, by kind.
local function live(seed, make, totals)
  local month = world.new(seed)
  local runs, numbers = month:month(), numbers_of(month)
  local text, over = month:exceptions()
  local except = assert(exceptions.parse(text, runs[1].now))
  local store, expected, printed, late, late_from = make(), model.new(over), {}, {}, nil
  local tenant
  store.is_atomic = false
  for i, run in ipairs(runs) do
    local name = ("SEED=%d, run %d"):format(seed, i)
    if month:rarely(20) then
      break_off(store, options_of(run, except), name)
    end
    local summary = check_run(store, expected, run, numbers, except, name)
    tenant = summary.tenant
    tell(month, store, tenant, READERS[1], run.now, printed)
    if i > #runs / 2 then
      tell(month, store, tenant, "admin", run.now, late)
      late_from = late_from or (store:reader(tenant, "admin") or {}).told
    end
    for kind, count in pairs(summary.counts) do
      totals[kind] = (totals[kind] or 0) + count
    end
  end
  for reader, lines in pairs { [READERS[1]] = printed, admin = late } do
    local plans = told.tell(store, { reader = reader, tenants = { tenant }, now = 2e9, remind = 7 },
      function(plans)
        for _, group in ipairs { "fresh", "repeated" } do
          for _, event in ipairs(plans[1][group]) do
            lines[#lines + 1] = { id = event.id, group = group }
          end
        end
        return true
      end)
    assert(plans)
  end
  check_told(store:events(tenant, 0), printed, "SEED=" .. seed)
  check_told(late_from and store:events(tenant, late_from) or {}, late, "SEED=" .. seed)
end

describe("the history", function()
  it("agrees with the table of outcomes, tells nothing twice as new, and loses nothing", function()
    local totals = {}
    for seed = SEED, SEED + MONTHS - 1 do
      live(seed, stores.memory, totals)
    end
    for _, kind in ipairs { "baseline", "new", "again", "healing", "fixed", "quiet", "lost", "back",
                            "not_visible", "ended" } do
      assert.is_true((totals[kind] or 0) >= MONTHS / 10, kind .. " came too rarely to prove much")
    end
    if MONTHS >= 1000 then
      for kind, count in pairs(totals) do
        print(kind, count)
      end
    end
  end)

  it("does so with a store in SQLite", function()
    for seed = SEED, SEED + math.ceil(MONTHS / 20) - 1 do
      live(seed, stores.sqlite, {})
      stores.remove()
    end
  end)
end)
