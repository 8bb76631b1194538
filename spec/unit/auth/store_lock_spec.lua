local errors = require "pcapi.error"
local fake = require "spec.support.fake_transport"
local store_lock = require "pcapi.auth.store_lock"
local sign_in = require "spec.support.sign_in"
local new_store = require("spec.support.store").new

local function new()
  local store, transport = new_store(), fake.new {}
  return { store = store, name = "spec" }, sign_in.context(transport), store, transport
end

-- A coroutine that takes the lock and then yields.
local function holder(account, context)
  local thread = coroutine.create(function()
    local unlock = store_lock.take(account, context)
    coroutine.yield()
    unlock()
  end)
  assert.is_true((coroutine.resume(thread)))
  return thread
end

describe("the lock of an account", function()
  it("is taken from the store, and released once", function()
    local account, context, store = new()
    local unlock = store_lock.take(account, context)
    assert.is_true(store.locked)
    unlock()
    assert.is_false(store.locked)
    unlock()
    assert.same({ "lock", "unlock" }, store.journal)
  end)

  it("is tried again in growing pauses, of a quarter of a second at most", function()
    local account, context, store, transport = new()
    local tries = 0
    store.held = function()
      tries = tries + 1
      return tries < 8
    end
    assert.is_function((store_lock.take(account, context)))
    assert.same({ 0.02, 0.04, 0.08, 0.16, 0.25, 0.25, 0.25 }, transport.slept)
  end)

  it("is not tried again after a look with a result or an error", function()
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

  it("passes on the error of the store", function()
    local account, context, store = new()
    store.fails.lock = "sealed"
    local unlock, found, err = store_lock.take(account, context)
    assert.is_nil(unlock)
    assert.is_nil(found)
    assert.equal("sealed", err)
  end)

  it("times out at the deadline", function()
    local account, context, store, transport = new()
    store.held = function() return true end
    local _, _, err = store_lock.take(account, context)
    assert.is_true(errors.is(err))
    assert.equal("timeout", err.kind)
    assert.is_true(transport:now() <= context.deadline)
  end)

  it("is tried once after the deadline, for a user who took long to sign in", function()
    local account, context, store = new()
    context.deadline = 0
    assert.is_function((store_lock.take(account, context)))
    assert.is_true(store.seconds > 0)
  end)

  it("is free after the call that took it raised", function()
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

  it("is free after the coroutine that took it died or was dropped", function()
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

  it("is free after its coroutine was dropped while another call waits", function()
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

  it("stays with a coroutine that can be resumed", function()
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

  it("is not lost to a late unlock of its former holder", function()
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

  it("is one for each account", function()
    local one, context = new()
    local two = new()
    assert.is_function((store_lock.take(one, context)))
    assert.is_function((store_lock.take(two, context)))
    assert.is_true(one.store.locked)
  end)
end)
