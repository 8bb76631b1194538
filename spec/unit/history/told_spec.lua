local stores = require "spec.support.history_store"
local told = require "pcapi.history.told"

local NOW = 1795845600 -- 2026-11-28T06:00:00Z
local HOUR, DAY = 3600, 86400

local function person(id, fields)
  local finding = { state = "open", opened = NOW - DAY, episode = 1 }
  for name, value in pairs(fields or {}) do
    finding[name] = value
  end
  return { id = id, finding = finding }
end

local function event(id, kind, fields)
  local made = { id = id, kind = kind, person = { id = "p" .. id }, excepted = false }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

local function ids(items)
  local found = {}
  for i, item in ipairs(items) do
    found[i] = item.id
  end
  return found
end

local function reader(fields)
  local made = { name = "r", told = 0, reminded = NOW, is_late = false }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

local function plan(of, events, open, now, remind)
  return told.plan(of, events, open or {}, { now = now or NOW, remind = remind or 7 })
end

describe("a reader", function()
  it("is told each event once", function()
    local first = reader()
    local found = plan(first, { event(1, "new"), event(2, "healing") })
    assert.same({ 1, 2 }, ids(found.fresh))
    local later = told.done(told.claim(first, found), found)
    assert.is_true(plan(later, { event(1, "new"), event(2, "healing") }).is_empty)
    assert.same({ 3 }, ids(plan(later, { event(3, "new") }).fresh))
  end)

  it("is told again, as repeated, what may have been told", function()
    local claimed = told.claim(reader(), plan(reader(), { event(1, "new") }))
    local found = plan(claimed, { event(1, "new"), event(2, "new") })
    assert.same({ 1 }, ids(found.repeated))
    assert.same({ 2 }, ids(found.fresh))
    local twice = told.claim(claimed, found)
    assert.same({ 1, 2 }, ids(plan(twice, { event(1, "new"), event(2, "new") }).repeated))
    assert.is_true(plan(told.done(twice, found), { event(1, "new") }).is_empty)
  end)

  it("is not told of users with an exception", function()
    local found = plan(reader(), { event(1, "new", { excepted = true }) })
    assert.is_true(found.is_empty)
    assert.equal(1, told.done(told.claim(reader(), found), found).told)
  end)

  it("is told nothing if nothing happened", function()
    local found = plan(reader(), {}, { person "a" })
    assert.is_true(found.is_empty)
    assert.same(reader(), told.done(told.claim(reader(), found), found))
  end)

  it("that is the first one is told all that happened", function()
    local first = told.new_reader("r", 7, true, NOW)
    assert.same({ 1, 7 }, ids(plan(first, { event(1, "new"), event(7, "quiet") }).fresh))
    assert.is_false(first.is_late)
  end)

  it("that begins after another is told what is open, then what happens", function()
    local late = told.new_reader("r", 7, false, NOW)
    local found = plan(late, { event(8, "new", { person = { id = "a" } }) },
      { person "a", person "b" }, NOW, 0)
    assert.same({ "b" }, ids(found.reminders))
    assert.same({ 8 }, ids(found.fresh))
    late = told.done(told.claim(late, found), found)
    assert.is_true(plan(late, {}, { person "b" }, NOW, 0).is_empty)
  end)

  it("that begins with the first run is told of it alone", function()
    local first = told.new_reader("r", 0, false, NOW)
    local found = plan(first, { event(1, "baseline") }, { person("a", { opened = NOW }) })
    assert.same({ 1 }, ids(found.fresh))
    assert.same({}, found.reminders)
  end)
end)

describe("a reminder of open findings", function()
  local OPEN = { person "a", person "b" }

  it("comes 7 days after the last one, also on a day of 23 hours", function()
    local last = reader { reminded = NOW - 7 * DAY + HOUR }
    assert.same({}, plan(reader { reminded = NOW - 6 * DAY },
      {}, { person("a", { opened = 0 }) }).reminders)
    assert.same({ "a" }, ids(plan(last, {}, { person("a", { opened = 0 }) }).reminders))
  end)

  it("lists all that are open once one of them is due", function()
    local found = plan(reader { reminded = 0 }, {}, { person("a", { opened = NOW - 7 * DAY }),
                                                      person "b" })
    assert.same({ "a", "b" }, ids(found.reminders))
    assert.equal(NOW, told.done(told.claim(reader(), found), found).reminded)
  end)

  it("does not come before a finding is 7 days old", function()
    assert.is_true(plan(reader { reminded = 0 }, {}, OPEN).is_empty)
  end)

  it("leaves out users who are healing, have an exception, or are told of now", function()
    local open = { person("a", { opened = 0 }), person("b", { state = "healing", opened = 0 }),
                   person("c", { exception = {}, opened = 0 }), person("d", { opened = 0 }) }
    local found = plan(reader { reminded = 0 }, { event(1, "ended", { person = { id = "d" } }) },
      open)
    assert.same({ "a" }, ids(found.reminders))
  end)

  it("never comes if the user wants none", function()
    assert.is_true(plan(reader { reminded = 0 }, {}, { person("a", { opened = 0 }) }, NOW, 0)
      .is_empty)
  end)

  it("comes again after a crash", function()
    local old = { person("a", { opened = 0 }) }
    local found = plan(reader { reminded = 0 }, {}, old)
    local claimed = told.claim(reader { reminded = 0 }, found)
    assert.equal(0, claimed.reminded)
    assert.same({ "a" }, ids(plan(claimed, {}, old).reminders))
    assert.is_true(plan(told.done(claimed, found), {}, old).is_empty)
  end)
end)

describe("telling", function()
  local store, tenant
  before_each(function()
    store, tenant = stores.new(), { id = "t", at = NOW }
    store:save_tenant(tenant)
    store:save_reader(tenant, told.new_reader("r", 0, true, NOW))
    store:add_event(tenant, { kind = "baseline", at = NOW, count = 2, excepted = false })
  end)

  -- Tells; `write` gets the ids of the fresh events and of the repeated ones.
  local function tell(write)
    return told.tell(store, { reader = "r", tenants = { tenant }, now = NOW, remind = 7 },
      function(plans)
        return write(ids(plans[1].fresh), ids(plans[1].repeated))
      end)
  end

  local function state()
    local stored = store:reader(tenant, "r")
    return { stored.told, stored.claimed }
  end

  it("claims before it writes, and notes after it wrote", function()
    assert(tell(function()
      assert.same({ 0, 1 }, state())
      return true
    end))
    assert.same({ 1 }, state())
  end)

  for name, write in pairs {
    ["cannot write"] = function() return nil, "closed" end,
    ["is killed while it writes"] = function() error "killed" end,
  } do
    it("that " .. name .. " repeats the same the next time", function()
      pcall(tell, write)
      assert.same({ 0, 1 }, state())
      store:add_event(tenant, { kind = "new", at = NOW, excepted = false })
      local fresh, repeated
      tell(function(...)
        fresh, repeated = ...
        return true
      end)
      assert.same({ { 2 }, { 1 } }, { fresh, repeated })
    end)
  end

  it("returns the error of writing", function()
    local plans, err = tell(function() return nil, "closed" end)
    assert.is_nil(plans)
    assert.equal("closed", err)
  end)

  it("returns the error of a store that fails after the writing, and repeats it later", function()
    local plans, err = tell(function()
      store.transaction = function() return nil, "full" end
      return true
    end)
    store.transaction = nil
    assert.is_nil(plans)
    assert.equal("full", err)
    assert.same({ 0, 1 }, state())
  end)

  it("writes nothing if the store cannot note it", function()
    store.transaction = function() return nil, "full" end
    local written = false
    local plans, err = tell(function() written = true end)
    assert.is_nil(plans)
    assert.equal("full", err)
    assert.is_false(written)
  end)
end)

describe("a warning", function()
  local GAP, SILENT = { key = "gap" }, { key = "silent" }

  local function due(warned, warnings, now)
    local found, after = told.due(warned, warnings, now)
    local keys = {}
    for i, warning in ipairs(found) do
      keys[i] = warning.key
    end
    return keys, after
  end

  it("is told when it begins, then every 7 days while it lasts", function()
    local keys, warned = due(nil, { GAP }, NOW)
    assert.same({ "gap" }, keys)
    assert.same({ gap = NOW }, warned)
    for days = 1, 6 do
      assert.same({}, (due(warned, { GAP }, NOW + days * DAY)))
    end
    keys, warned = due(warned, { GAP, SILENT }, NOW + 7 * DAY - HOUR) -- a day of 23 hours
    assert.same({ "gap", "silent" }, keys)
    assert.same({ gap = NOW + 7 * DAY - HOUR, silent = NOW + 7 * DAY - HOUR }, warned)
  end)

  it("is told again when it comes back", function()
    local _, warned = due({ gap = NOW }, {}, NOW + DAY)
    assert.same({}, warned)
    assert.same({ "gap" }, (due(warned, { GAP }, NOW + 2 * DAY)))
  end)

  it("is told again after a crash, and keeps its time where nobody knows of warnings", function()
    local options = { now = NOW, remind = 7, warnings = { GAP } }
    local found = told.plan(reader(), {}, {}, options)
    assert.same({ GAP }, found.warnings)
    assert.is_true(found.is_empty)
    local claimed = told.claim(reader(), found)
    assert.same({ GAP }, told.plan(claimed, {}, {}, options).warnings)
    local done = told.done(claimed, found)
    assert.same({ gap = NOW }, done.warned)
    assert.same({}, told.plan(done, {}, {}, options).warnings)
    local unknown = plan(done, {})
    assert.same({}, unknown.warnings)
    assert.same({ gap = NOW }, told.done(told.claim(done, unknown), unknown).warned)
  end)
end)
