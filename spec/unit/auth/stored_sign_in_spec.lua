local fake = require "spec.support.fake_transport"
local stored_sign_in = require "pcapi.auth.stored_sign_in"
local sign_in = require "spec.support.sign_in"
local new_store = require("spec.support.store").new

local GOOD = '{"version":1,"client_id":"me","refresh_token":"SECRET","settings":{"cloud":"china"}}'

local function stored_with(text)
  local store = new_store { name = text }
  return stored_sign_in.new(store, "name", "pcapi login", "pcapi login --tenant TENANT"), store,
    sign_in.context(fake.new())
end

describe("a stored sign-in", function()
  it("is read", function()
    assert.equal("china", stored_with(GOOD):read().settings.cloud)
  end)

  it("that is missing differs from one that cannot be read", function()
    for _, text in ipairs { false, "{}" } do
      local record, err = stored_with(text or nil):read()
      assert.is_nil(record)
      assert.is_nil(err)
    end
    local record, err = stored_with("{"):read()
    assert.is_nil(record)
    assert.equal("store", err.kind)
    assert.equal("Sign in again: pcapi login --tenant TENANT", err.hint)
    assert.equal("Sign in again",
      (select(2, stored_sign_in.new(new_store { name = "{" }, "name"):read()).hint))
  end)

  it("of a later version is not called damaged", function()
    local _, err = stored_with(GOOD:gsub("1", "2", 1)):read()
    assert.equal("store", err.kind)
    assert.matches("was written by a later version of pcapi; it was not changed", err.message, 1,
      true)
    assert.equal("Use that version, or sign in again: pcapi login --tenant TENANT", err.hint)
  end)

  it("passes on the error of the store", function()
    local stored, store, context = stored_with(GOOD)
    for _, case in ipairs { { "get", "read" }, { "set", "write" }, { "get", "check_writable" },
                            { "set", "check_writable" }, { "set", "forget" },
                            { "lock", "forget" } } do
      store.fails = { [case[1]] = "sealed" }
      local ok, err = stored[case[2]](stored, case[2] == "forget" and context or nil)
      assert.is_nil(ok)
      assert.equal("store", err.kind)
      assert.matches("sealed", err.message, 1, true)
      assert.is_false(store.locked or false)
    end
  end)

  it("can be tested for writing, which leaves it unchanged", function()
    for _, text in ipairs { GOOD, "{", false } do
      local stored, store = stored_with(text or nil)
      assert.is_true((stored:check_writable()))
      assert.equal(text or nil, store.texts.name)
    end
  end)

  it("is removed under the lock, or times out", function()
    local stored, store, context = stored_with(GOOD)
    assert.is_true((stored:forget(context)))
    assert.is_nil(store.texts.name)
    store.held = function() return true end
    assert.equal("timeout", select(2, stored:forget(context)).kind)
  end)

  it("is used in a detached act if the transport has them, and is unlocked", function()
    local stored, store, context = stored_with(GOOD)
    local runs = 0
    function context.transport:detached(act) -- luacheck: ignore self
      runs = runs + 1
      assert.is_true(store.locked)
      return act()
    end
    assert.is_true((stored:forget(context)))
    assert.is_false(store.locked)
    local ok, why = pcall(stored.locked, stored, context, function()
      error("raised", 0)
    end)
    assert.same({ false, "raised", 2 }, { ok, why, runs })
    assert.is_false(store.locked)
  end)

  it("stays locked by a detached act that goes on", function()
    local stored, store, context = stored_with(GOOD)
    function context.transport:detached() end -- luacheck: ignore self
    stored:locked(context, function() end) -- of a timer that goes on
    assert.is_true(store.locked)
    context.deadline = context.transport:now() + 1
    assert.equal("timeout", select(2, stored:forget(context)).kind)
    assert.is_true(store.locked)
  end)

  it("with a claims challenge advises a browser: a device code cannot carry claims", function()
    local stored = stored_with(GOOD)
    assert.equal([[Sign in again with MFA: pcapi login --browser --claims '{"a":1}']],
      stored:advice { kind = "mfa_required", claims = '{"a":1}' })
    -- not if a shell would read more than one word
    assert.equal("Sign in again: pcapi login", stored:advice { kind = "x", claims = "'; rm -r ~" })
  end)
end)
