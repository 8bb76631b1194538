local folder = require "spec.support.folder"
local notices = require "spec.support.notices"
local outbox = require "pcapi.notify.outbox"

local NOW, DAY = notices.NOW, notices.DAY

local box

local function new(channels, routes)
  box = notices.new(channels or { { name = "ops", group = "run" } }, routes)
  return box
end

after_each(function()
  box:close()
  folder.remove()
end)

describe("a channel", function()
  it("is told of a first list by one number", function()
    new():observe("t1", NOW, { "kim", "lee" })
    assert.equal(1, box:decide(NOW))
    local found = box:take "ops"
    assert.equal("changes; t1: baseline 2", notices.line(found[1]))
    assert.equal(2, found[1].counts.baseline)
    assert.equal(2, found[1].counts.open)
    assert.truthy(found[1].id:find("^" .. ("%x"):rep(64) .. "$"))
    assert.equal(NOW, found[1].at)
  end)

  it("is told of each change once", function()
    new():observe("t1", NOW, {})
    box:decide(NOW)
    box:take()
    box:observe("t1", NOW + DAY, { "kim" })
    assert.equal(1, box:decide(NOW + DAY))
    assert.equal(0, box:decide(NOW + DAY))
    assert.same({ "changes; t1: new kim" }, box:lines())
    box:observe("t1", NOW + DAY + 60, { "kim" })
    assert.equal(0, box:decide(NOW + DAY + 60))
  end)

  it("is told what a run decided that was stopped before it could decide of channels", function()
    new():observe("t1", NOW, { "kim" })
    local store, save = box.store, box.store.save_reader
    store.save_reader = function() error "stopped" end
    assert.is_false(pcall(box.decide, box, NOW))
    store.save_reader = save
    assert.same({}, box:lines())
    box:decide(NOW + 60)
    assert.same({ "changes; t1: baseline 1" }, box:lines())
  end)

  it("has one digest of all tenants, or one of each", function()
    new { { name = "ops", group = "run" }, { name = "tickets", group = "tenant" } }
    for _, tenant in ipairs { "t1", "t2", "t3" } do
      box:observe(tenant, NOW, {})
    end
    box:decide(NOW)
    box:take()
    box:observe("t1", NOW + DAY, { "kim" })
    box:observe("t2", NOW + DAY, {})
    box:observe("t3", NOW + DAY, { "lee", "max" })
    assert.equal(3, box:decide(NOW + DAY))
    assert.same({ "changes; t1: new kim; t3: new lee, new max" }, box:lines "ops")
    assert.same({ "changes; t1: new kim", "changes; t3: new lee, new max" }, box:lines "tickets")
  end)

  it("is told of the first run of 300 tenants by one message, whatever its group", function()
    new { { name = "ops", group = "run" }, { name = "tickets", group = "tenant" },
          { name = "file", group = "tenant", is_complete = true } }
    for i = 1, 300 do
      box:observe("t" .. i, NOW, { "kim" })
    end
    assert.equal(3, box:decide(NOW))
    for _, name in ipairs { "ops", "tickets", "file" } do
      local found = box:take(name)
      assert.equal(1, #found)
      assert.equal(300, #found[1].tenants)
      assert.equal(300, found[1].counts.baseline)
    end
  end)

  it("that is new starts with one digest of what is open", function()
    new():observe("t1", NOW, { "kim" })
    box:observe("t2", NOW, { "lee" })
    box:decide(NOW)
    box:take()
    box.channels[2] = { name = "new", group = "tenant" }
    box:observe("t1", NOW + DAY, { "kim", "max" })
    box:observe("t2", NOW + DAY, { "lee" })
    box:decide(NOW + DAY)
    assert.same({ "open; t1: new max, open kim; t2: open lee" }, box:lines "new")
    assert.same({ "changes; t1: new max" }, box:lines "ops")
    assert.equal(0, box:decide(NOW + DAY + 60))
  end)

  it("is reminded of what is open after 7 days, in the thread of its first digest", function()
    new():observe("t1", NOW, { "kim" })
    box:decide(NOW)
    local first = box:take()[1]
    assert.is_nil(first.thread)
    for day = 1, 6 do
      box:observe("t1", NOW + day * DAY, { "kim" })
      assert.equal(0, box:decide(NOW + day * DAY))
    end
    box:observe("t1", NOW + 7 * DAY, { "kim" })
    box:decide(NOW + 7 * DAY)
    local reminder = box:take()[1]
    assert.equal("open; t1: open kim", notices.line(reminder))
    assert.equal(first.id, reminder.thread)
    assert.are_not.equal(first.id, reminder.id)
  end)

  it("is told warnings when they begin, also without a change", function()
    new():observe("t1", NOW, {})
    local id = box:observe("t2", NOW, {})
    box:decide(NOW)
    box:take()
    local clock = { key = "clock", text = "the clock is wrong", is_common = true }
    local warnings = { [id] = { { key = "gap", text = "requests are missing" }, clock } }
    for _, tenant in ipairs(assert(box.history:tenants())) do
      warnings[tenant.id] = warnings[tenant.id] or { clock }
    end
    box:decide(NOW + 60, { warnings = warnings })
    assert.same({ "changes; t1: warning the clock is wrong; t2: warning requests are missing" },
      box:lines())
    assert.equal(0, box:decide(NOW + 120, { warnings = warnings }))
  end)

  it("is told nothing of a baseline that is not to be reported, nor later", function()
    new():observe("t1", NOW, { "kim" })
    assert.equal(0, box:decide(NOW, { is_silent = true }))
    assert.equal(0, box:decide(NOW + 60))
  end)

  it("has a key for each episode of each user", function()
    new():observe("t1", NOW, {})
    box:observe("t2", NOW, {})
    box:decide(NOW)
    box:take()
    box:observe("t1", NOW + DAY, { "kim", "lee" })
    box:observe("t2", NOW + DAY, { "kim" })
    box:decide(NOW + DAY)
    local keys, count = {}, 0
    local changes = box:take()[1]
    for _, tenant in ipairs(changes.tenants) do
      for _, row in ipairs(tenant.rows) do
        keys[row.key] = row.upn
        count = count + 1
      end
    end
    assert.equal(3, count)
    box:observe("t1", NOW + 8 * DAY, { "kim", "lee" })
    box:decide(NOW + 8 * DAY)
    local open = box:take()[1].tenants[1].rows[1]
    assert.equal(open.upn, keys[open.key])
  end)
end)

describe("a digest", function()
  local most, most_of_tenant

  before_each(function()
    most, most_of_tenant = outbox.MOST, outbox.MOST_OF_TENANT
    outbox.MOST, outbox.MOST_OF_TENANT = 5, 3
  end)

  after_each(function()
    outbox.MOST, outbox.MOST_OF_TENANT = most, most_of_tenant
  end)

  local function with_many(channel)
    new { channel }
    box:observe("t1", NOW, {})
    box:observe("t2", NOW, {})
    box:decide(NOW)
    box:take()
    box:observe("t1", NOW + DAY, { "a", "b", "c", "d" })
    box:observe("t2", NOW + DAY, { "e", "f", "g", "h" })
    box:decide(NOW + DAY)
    return box:take()
  end

  it("names some users, and counts all", function()
    local found = with_many { name = "ops", group = "run" }
    assert.equal(1, #found)
    assert.equal("changes; t1: new a, new b, new c; t2: new e, new f", notices.line(found[1]))
    assert.same({ 1, 2 }, { found[1].tenants[1].more, found[1].tenants[2].more })
    assert.equal(8, found[1].counts.new)
    assert.equal(4, found[1].tenants[2].counts.new)
  end)

  it("is followed by others if the channel takes all", function()
    local found = with_many { name = "file", group = "run", is_complete = true }
    assert.equal(2, #found)
    assert.equal("changes; t1: new a, new b, new c, new d; t2: new e", notices.line(found[1]))
    assert.equal("changes; t2: new f, new g, new h", notices.line(found[2]))
    assert.same({ 5, 3 }, { found[1].counts.new, found[2].counts.new })
  end)
end)

describe("a route", function()
  local function set(...)
    local names = {}
    for _, name in ipairs { ... } do
      names[name] = true
    end
    return names
  end

  it("gives each row to its channels; a channel without a route has all", function()
    new({ { name = "ops", group = "run" }, { name = "t2", group = "run" },
          { name = "rest", group = "run" }, { name = "boss", group = "run" } }, {
      { channels = set "boss", user = { "kim@*" }, is_continued = true },
      { channels = set "t2", tenant = { "t2" } },
      { channels = set "rest" },
    })
    box:observe("t1", NOW, {})
    box:observe("t2", NOW, { "max" })
    box:decide(NOW)
    box:take()
    box:observe("t1", NOW + DAY, { "kim", "lee" })
    box:observe("t2", NOW + DAY, { "max", "kim" })
    box:decide(NOW + DAY)
    assert.same({ "changes; t1: new kim, new lee; t2: new kim" }, box:lines "ops")
    assert.same({ "changes; t2: new kim" }, box:lines "t2")
    assert.same({ "changes; t1: new kim, new lee" }, box:lines "rest")
    assert.same({ "changes; t1: new kim; t2: new kim" }, box:lines "boss")
  end)
end)

describe("a user who is forgotten", function()
  it("is in no notice any more, also not in one that waits", function()
    new():observe("t1", NOW, {})
    box:decide(NOW)
    box:take()
    box:observe("t1", NOW + DAY, { "kim", "lee" })
    local id = assert(box.history:tenants())[1].id
    box:decide(NOW + DAY, { warnings = { [id] = {
      { key = "x", text = "KIM@x.example has the name" }, { key = "y", text = "y" } } } })
    assert.equal(1, #assert(box.history:forget "kim@x.example"))
    assert.same({ "changes; t1: new lee, warning y" }, box:lines())
    local text = require("spec.support.files").slurp(box.history.path)
    assert.is_nil(text:lower():find("kim@x", 1, true))
  end)
end)

describe("the operator", function()
  local function operator(concerns, fields)
    fields = fields or {}
    fields.concerns = concerns
    box:decide(NOW, fields)
  end

  it("is told once of each concern, and again when it comes back", function()
    new()
    local ends = { key = "sign-in x", text = "the sign-in ends" }
    operator { ends }
    assert.same({ "operator; the sign-in ends" }, box:lines())
    operator { ends }
    operator {}
    operator { ends }
    assert.same({}, box:lines())
    operator { { key = "sign-in x" } }
    operator({ ends }, { at = NOW + DAY })
    assert.same({ "operator; the sign-in ends" }, box:lines())
  end)

  it("is told of a tenant that failed three runs in a row", function()
    new():observe("t1", NOW, {})
    box:decide(NOW)
    box:take()
    for i = 1, 4 do
      box:observe("t1", NOW + i * DAY)
      box:decide(NOW + i * DAY)
      local lines = box:lines()
      assert.equal(i == 3 and 1 or 0, #lines)
      assert.is_true(i ~= 3 or lines[1]:find("t1 has failed 3 runs in a row", 1, true) ~= nil)
    end
  end)

  it("is told of a dead channel by another one", function()
    new { { name = "ops", group = "run" }, { name = "mail", group = "run" } }
    operator { { key = "channel ops", text = "ops is dead" } }
    assert.same({}, box:lines "ops")
    assert.same({ "operator; ops is dead" }, box:lines "mail")
    operator { { key = "sign-in x", text = "the sign-in ends" } }
    assert.same({}, box:lines "ops")
    assert.same({ "operator; the sign-in ends" }, box:lines "mail")
  end)

  it("is told by channels that have no route, before others", function()
    new({ { name = "customer", group = "run" }, { name = "ops", group = "run" } },
      { { channels = { customer = true } } })
    operator { { key = "x", text = "x" } }
    assert.same({}, box:lines "customer")
    assert.same({ "operator; x" }, box:lines "ops")
  end)

  it("is told later if no channel works now", function()
    new { { name = "ops", group = "run" } }
    operator { { key = "channel ops", text = "ops is dead" } }
    assert.same({}, box:lines())
    box.channels[2] = { name = "mail", group = "run" }
    operator { { key = "channel ops", text = "ops is dead" } }
    assert.same({ "operator; ops is dead" }, box:lines "mail")
  end)
end)
