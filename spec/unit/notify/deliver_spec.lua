local deliver = require "pcapi.notify.deliver"
local errors = require "pcapi.error"
local folder = require "spec.support.folder"
local notices = require "spec.support.notices"

local NOW, DAY = notices.NOW, notices.DAY

local box, clock, slept, log

-- A channel whose `act` says how each try ends.
local function channel(name, act)
  return { name = name, group = "run", settings = { name = name }, module = {
    messages = function(digest)
      return { { id = digest.id, body = notices.line(digest) } }
    end,
    deliver = function(message, settings)
      log[#log + 1] = settings.name .. " " .. message.body
      return (act or function() return true end)(message)
    end,
  } }
end

local function fails(fields)
  return function()
    local err = { kind = "network", message = "no route" }
    for name, value in pairs(fields or {}) do
      err[name] = value
    end
    return errors.fail(err)
  end
end

local function new(...)
  clock, slept, log = NOW, {}, {}
  box = notices.new { ... }
end

-- A notice for each number.
local function add(name, first, last)
  assert(box.store:transaction(function()
    for i = first, last do
      box.store:add_notice { channel = name, id = tostring(i), kind = "changes", at = clock,
        head = ('{"kind":"n%d","tenants":{}}'):format(i), parts = {} }
    end
    return true
  end))
end

local function run()
  log, slept = {}, {}
  return assert(deliver.run(box.store, { channels = box.channels, routes = box.routes, context = {
    now = function() return clock end,
    sleep = function(seconds)
      slept[#slept + 1] = seconds
      clock = clock + seconds
    end,
  } }))
end

local function waiting(name)
  local ids = {}
  assert(box.store:read(function()
    for i, notice in ipairs(box.store:notices(name)) do
      ids[i] = notice.id
    end
    return true
  end))
  return ids
end

after_each(function()
  box:close()
  folder.remove()
end)

describe("a notice", function()
  it("is delivered once, the oldest first", function()
    new(channel "ops")
    add("ops", 1, 3)
    local found = run()
    assert.same({ "ops n1", "ops n2", "ops n3" }, log)
    assert.same({ 3, 0, 0 }, { found[1].sent, found[1].waiting, found[1].given_up })
    run()
    assert.same({}, log)
  end)

  it("is tried twice in a run, with a pause, and then in later runs", function()
    local works = false
    new(channel("ops", function()
      if works then
        return true
      end
      return fails()()
    end))
    add("ops", 1, 3)
    local found = run()
    assert.same({ "ops n1", "ops n1" }, log)
    assert.same({ 5 }, slept)
    assert.same({ 3, "network" }, { found[1].waiting, found[1].err.kind })
    assert.is_true(found[1].is_reported)
    clock = clock + DAY
    assert.is_false(run()[1].is_reported or false) -- as before
    works = true
    assert.equal(3, run()[1].sent)
    assert.same({}, waiting())
  end)

  it("is tried again when the receiver says so, if that is soon; else the rest waits", function()
    local after = 20
    new(channel("ops", function() return fails({ retry_after = after })() end))
    add("ops", 1, 2)
    run()
    assert.same({ 20 }, slept)
    clock, after = clock + DAY, 3600
    run()
    assert.same({ { "ops n1" }, {} }, { log, slept })
    clock = clock + 600
    run()
    assert.same({}, log)
    clock = clock + 3600
    run()
    assert.same({ "ops n1" }, log)
  end)

  it("that is refused for good is given up, and others go on", function()
    new(channel("ops", function(message)
      if message.id == "1" then
        return fails({ is_final = true })()
      end
      return true
    end), channel "mail")
    add("ops", 1, 3)
    local found = run()
    assert.same({ "ops n1", "ops n2", "ops n3" }, { log[1], log[2], log[3] })
    assert.same({ 1, 2, 0 }, { found[1].given_up, found[1].sent, found[1].waiting })
    assert.truthy(log[4]:find("^mail operator; The channel ops refused a message: 1 notice was "
      .. "given up. network: no route."), log[4])
  end)

  it("is given up after 3 days, and another channel tells so, once", function()
    new(channel("ops", fails()), channel "mail")
    add("ops", 1, 2)
    for _ = 1, 3 do
      run()
      assert.same({ "ops n1", "ops n1" }, log)
      clock = clock + DAY
    end
    local found = run()
    assert.truthy(log[#log]:find("^mail operator; The channel ops has failed since 2026%-11%-28T"),
      log[#log])
    assert.truthy(found[1].given_up > 0)
    run()
    run()
    for _, line in ipairs(log) do
      assert.is_nil(line:find("mail", 1, true))
    end
    assert.same({}, waiting())
  end)

  it("that was never tried is tried, however old it is", function()
    new(channel "ops")
    add("ops", 1, 1)
    clock = clock + 30 * DAY
    assert.equal(1, run()[1].sent)
  end)

  it("has the same id and body at each try", function()
    local seen = {}
    new(channel("ops", function(message)
      seen[#seen + 1] = message.id .. message.body
      return fails()()
    end))
    box:observe("t1", NOW, { "kim" })
    box:decide(NOW)
    run()
    clock = clock + DAY
    run()
    assert.equal(4, #seen)
    for _, each in ipairs(seen) do
      assert.equal(seen[1], each)
    end
  end)

  it("of several messages goes on where it was stopped", function()
    local ops = channel("ops", function(message)
      if message.id == "1-2" and #log < 4 then
        return fails()()
      end
      return true
    end)
    ops.module.messages = function(digest)
      local found = {}
      for i = 1, 3 do
        found[i] = { id = digest.id .. "-" .. i, body = tostring(i) }
      end
      return found
    end
    new(ops)
    add("ops", 1, 1)
    run()
    assert.same({ "ops 1", "ops 2", "ops 2" }, log)
    log = { 1, 2, 3 }
    local before = #log
    assert.equal(3, before)
    local found = deliver.run(box.store, { channels = box.channels, routes = box.routes,
      context = { now = function() return clock end, sleep = error } })
    assert.equal(1, found[1].sent)
    assert.same({ 1, 2, 3, "ops 2", "ops 3" }, log)
  end)
end)

describe("a channel", function()
  it("that fails does not hold up another one", function()
    new(channel("ops", fails()), channel "mail")
    add("ops", 1, 50)
    add("mail", 51, 52)
    local found = run()
    assert.same({ 50, 2 }, { found[1].waiting, found[2].sent })
    assert.equal(4, #log)
  end)

  it("whose receiver is gone is not tried any more, until a test arrives", function()
    local works = false
    new(channel("ops", function()
      if works then
        return true
      end
      return fails({ stops_channel = true, kind = "not_found" })()
    end), channel "mail")
    add("ops", 1, 2)
    run()
    assert.equal("ops n1", log[1])
    assert.truthy(log[2]:find "^mail operator; The channel ops has failed")
    assert.is_nil(log[3])
    run()
    assert.same({}, log)
    works = true
    local context = { now = function() return clock end }
    assert.is_true(deliver.test(box.store, box.channels[1], context, "1"))
    assert.same({ "ops test" }, log)
    assert.equal(2, run()[1].sent)
  end)

  it("that is not in the configuration any more has its notices given up after 3 days", function()
    new(channel "ops")
    add("old", 1, 1)
    run()
    assert.same({ "1" }, waiting "old")
    clock = clock + 3 * DAY
    run()
    assert.same({}, waiting "old")
  end)

  it("with a wrong setting fails at once, and its notices wait", function()
    local ops = channel "ops"
    new(ops, channel "mail")
    add("ops", 1, 2)
    ops.problem = errors.new { kind = "config", message = "url is missing" }
    local found = run()
    assert.same({ {}, {} }, { log, slept })
    assert.same({ 2, "config" }, { found[1].waiting, found[1].err.kind })
    ops.problem = nil
    assert.equal(2, run()[1].sent)
  end)

  it("with a defect gives up the notice, and says that it is a bug", function()
    new(channel("ops", function() error "oops" end), channel "mail")
    add("ops", 1, 1)
    local found = run()
    assert.truthy(found[1].err.message:find "this is a bug in pcapi: .*oops")
    assert.truthy(log[2]:find "^mail operator")
  end)

  it("lets Ctrl-C end the command", function()
    new(channel("ops", function() error("interrupted!", 0) end))
    add("ops", 1, 1)
    assert.is_false(pcall(run))
    assert.same({ "1" }, waiting())
  end)
end)

describe("two runs at once", function()
  it("send each notice once", function()
    local other
    new(channel("ops", function()
      if not other then
        other = true
        local mine = log
        local found = run() -- another process, while this one waits for the receiver
        assert.same({ 0, 1 }, { found[1].sent, found[1].waiting })
        log = mine
      end
      return true
    end))
    add("ops", 1, 1)
    assert.equal(1, run()[1].sent)
    assert.same({ "ops n1" }, log)
  end)

  it("send what a third one held when it was killed, two minutes later", function()
    local ops = channel("ops", function() error("interrupted!", 0) end)
    new(ops)
    add("ops", 1, 1)
    pcall(run)
    box.channels[1] = channel "ops"
    clock = clock + 60
    assert.equal(0, run()[1].sent)
    clock = clock + 61
    assert.equal(1, run()[1].sent)
  end)
end)
