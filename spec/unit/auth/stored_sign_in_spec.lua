local fake = require "spec.support.fake_transport"
local stored_sign_in = require "pcapi.auth.stored_sign_in"
local sign_in = require "spec.support.sign_in"
local store_ = require "spec.support.store"

local GOOD = '{"version":1,"client_id":"me","refresh_token":"SECRET","settings":{"cloud":"china"}}'

local function kept_with(text)
  local store = store_.new { name = text }
  return stored_sign_in.new(store, "name", "pcapi login"), store, sign_in.context(fake.new())
end

describe("pcapi.auth.stored_sign_in", function()
  it("reads what is kept", function()
    assert.equal("china", kept_with(GOOD):read().settings.cloud)
  end)

  it("tells nobody from what cannot be read", function()
    for _, text in ipairs { false, "{}" } do
      local entry, err = kept_with(text or nil):read()
      assert.is_nil(entry)
      assert.is_nil(err)
    end
    local entry, err = kept_with("{"):read()
    assert.is_nil(entry)
    assert.equal("store", err.kind)
    assert.equal("Sign in again: pcapi login", err.hint)
  end)

  it("hands on the words of a store that fails", function()
    local it_, store, context = kept_with(GOOD)
    for _, case in ipairs { { "get", "read" }, { "set", "write" }, { "get", "prove" },
                            { "set", "prove" }, { "set", "forget" }, { "lock", "forget" } } do
      store.fails = { [case[1]] = "sealed" }
      local ok, err = it_[case[2]](it_, case[2] == "forget" and context or nil)
      assert.is_nil(ok)
      assert.equal("store", err.kind)
      assert.matches("sealed", err.message, 1, true)
      assert.is_false(store.locked or false)
    end
  end)

  it("proves that it can be written, and leaves it as it was", function()
    for _, text in ipairs { GOOD, "{", false } do
      local it_, store = kept_with(text or nil)
      assert.is_true((it_:prove()))
      assert.equal(text or nil, store.texts.name)
    end
  end)

  it("forgets, and does not wait for ever to do so", function()
    local it_, store, context = kept_with(GOOD)
    assert.is_true((it_:forget(context)))
    assert.is_nil(store.texts.name)
    store.held = function() return true end
    assert.equal("timeout", select(2, it_:forget(context)).kind)
  end)

  it("acts by the transport's way to the end of things, where it has one, and lets go", function()
    local it_, store, context = kept_with(GOOD)
    local runs = 0
    function context.transport:detached(act) -- luacheck: ignore self
      runs = runs + 1
      assert.is_true(store.locked)
      return act()
    end
    assert.is_true((it_:forget(context)))
    assert.is_false(store.locked)
    local ok, why = pcall(it_.alone, it_, context, function()
      error("raised", 0)
    end)
    assert.same({ false, "raised", 2 }, { ok, why, runs })
    assert.is_false(store.locked)
  end)

  it("lets others' locks alone where nothing can be abandoned", function()
    local it_, store, context = kept_with(GOOD)
    function context.transport:detached() end -- luacheck: ignore self
    it_:alone(context, function() end) -- of a timer that goes on
    assert.is_true(store.locked)
    context.deadline = context.transport:now() + 1
    assert.equal("timeout", select(2, it_:forget(context)).kind)
    assert.is_true(store.locked)
  end)

  it("advises a browser where claims are asked for, which a code cannot carry", function()
    local it_ = kept_with(GOOD)
    assert.equal([[Sign in again with MFA: pcapi login --browser --claims '{"a":1}']],
      it_:advice { kind = "mfa_required", claims = '{"a":1}' })
    -- what a shell would not take for one word is not advised
    assert.equal("Sign in again: pcapi login", it_:advice { kind = "x", claims = "'; rm -r ~" })
  end)
end)
