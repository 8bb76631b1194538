local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local store_lock = require "pcapi.auth.store_lock"
local sign_in = require "spec.support.sign_in"
local store_ = require "spec.support.store"

local function new()
  local store, transport = store_.new(), fake.new {}
  return { store = store, name = "kept" }, sign_in.context(transport), store, transport
end

-- A coroutine that takes the lock, and then waits for ever.
local function holder(account, context)
  local thread = coroutine.create(function()
    local unlock = store_lock.take(account, context)
    coroutine.yield()
    unlock()
  end)
  assert.is_true((coroutine.resume(thread)))
  return thread
end

describe("pcapi.auth.store_lock", function()
  it("is the store's, and free after it was given back", function()
    local account, context, store = new()
    local unlock = store_lock.take(account, context)
    assert.is_true(store.locked)
    unlock()
    assert.is_false(store.locked)
    unlock()
    assert.same({ "lock", "unlock" }, store.journal)
  end)

  it("is waited for, slower each time, up to four times a second", function()
    local account, context, store, transport = new()
    local tries = 0
    store.held = function()
      tries = tries + 1
      return tries < 8
    end
    assert.is_function((store_lock.take(account, context)))
    assert.same({ 0.02, 0.04, 0.08, 0.16, 0.25, 0.25, 0.25 }, transport.slept)
  end)

  it("is not waited for when a look gives something, or an error", function()
    local account, context, store, transport = new()
    store.held = function() return true end
    local looks = 0
    local unlock, found = store_lock.take(account, context, function()
      looks = looks + 1
      return looks == 3 and "found" or nil
    end)
    assert.is_nil(unlock)
    assert.equal("found", found)
    assert.equal(2, #transport.slept)
    local _, _, err = store_lock.take(account, context, function() return nil, "failed" end)
    assert.equal("failed", err)
  end)

  it("hands on what the store says", function()
    local account, context, store = new()
    store.fails.lock = "sealed"
    local unlock, found, err = store_lock.take(account, context)
    assert.is_nil(unlock)
    assert.is_nil(found)
    assert.equal("sealed", err)
  end)

  it("ends in a timeout at the deadline", function()
    local account, context, store, transport = new()
    store.held = function() return true end
    local _, _, err = store_lock.take(account, context)
    assert.is_true(errors.is(err))
    assert.equal("timeout", err.kind)
    assert.is_true(transport:now() <= context.deadline)
  end)

  it("is asked for once more after the deadline, for what a person took long for", function()
    local account, context, store = new()
    context.deadline = 0
    assert.is_function((store_lock.take(account, context)))
    assert.is_true(store.seconds > 0)
  end)

  it("comes free when the call that took it raised", function()
    local account, context, store = new()
    pcall(function()
      store_lock.take(account, context)
      error "interrupted"
    end)
    assert.is_true(store.locked)
    local unlock = store_lock.take(account, context)
    assert.is_function(unlock)
    unlock()
    assert.is_false(store.locked)
  end)

  it("comes free when the coroutine that took it died, or was dropped", function()
    local account, context = new()
    local dead = coroutine.create(function()
      store_lock.take(account, context)
      error "interrupted"
    end)
    assert.is_false((coroutine.resume(dead)))
    assert.is_function((store_lock.take(account, context)))
    account, context = new()
    holder(account, context)
    collectgarbage()
    collectgarbage()
    assert.is_function((store_lock.take(account, context)))
    assert.is_true(account.store.locked)
  end)

  it("comes free when its coroutine is dropped while somebody waits", function()
    local account, context, _, transport = new()
    local held = holder(account, context)
    local sleep = transport.sleep
    function transport:sleep(seconds)
      held = held and nil -- the last reference
      collectgarbage()
      collectgarbage()
      return sleep(self, seconds)
    end
    assert.is_function((store_lock.take(account, context)))
    assert.equal(1, #transport.slept)
  end)

  it("stays with a coroutine that goes on", function()
    local account, context, store = new()
    local thread = holder(account, context)
    collectgarbage()
    collectgarbage()
    context.deadline = context.transport:now() + 1
    assert.is_nil((store_lock.take(account, context)))
    assert.is_true(store.locked)
    coroutine.resume(thread)
    assert.is_false(store.locked)
    assert.is_function((store_lock.take(account, context)))
  end)

  it("takes nothing from who took it next, when a late one gives it back", function()
    local account, context, store = new()
    local late
    pcall(function()
      late = store_lock.take(account, context)
      error "interrupted"
    end)
    assert.is_function((store_lock.take(account, context)))
    late()
    assert.is_true(store.locked)
  end)

  it("keeps accounts apart", function()
    local one, context = new()
    local two = new()
    assert.is_function((store_lock.take(one, context)))
    assert.is_function((store_lock.take(two, context)))
    assert.is_true(one.store.locked)
  end)
end)
