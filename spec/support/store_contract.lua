--- The contract of every token store (see `pcapi.auth.store.memory`): names of specs, to
-- functions that take a function for a new, empty store.
local assert = require "luassert"
local holds = require "spec.support.holds"

-- Names of accounts, some of which could leave a folder.
local NAMES = { "default", "fabrikam.example/5f0b3c1e", "../up", "a/b", "a%2Fb", ".", "..", "",
                ".hidden", "with space", "\195\188ber", "A", "a", "line\nbreak", "zero\0byte",
                ("long"):rep(100), ("long"):rep(100) .. "er" }

return {
  ["is empty at first, without an error"] = function(make)
    local text, why = make():get "default"
    assert.is_nil(text)
    assert.is_nil(why)
  end,

  ["stores a text, and replaces it"] = function(make)
    local store = make()
    assert.is_true((store:set("default", "one, which is longer")))
    assert.is_true((store:set("default", "two")))
    assert.equal("two", store:get "default")
  end,

  ["stores any text"] = function(make)
    local store = make()
    for _, text in ipairs { "", "\0\1\255\r\n", ("x"):rep(100000) } do
      assert.is_true((store:set("default", text)))
      assert.equal(text, store:get "default")
    end
  end,

  ["removes a text, also a missing one"] = function(make)
    local store = make()
    store:set("default", "one")
    assert.is_true((store:set("default", nil)))
    assert.is_nil((store:get "default"))
    assert.is_true((store:set("default", nil)))
  end,

  ["separates accounts of all names"] = function(make)
    local store = make()
    for i, name in ipairs(NAMES) do
      assert.is_true((store:set(name, "text " .. i)))
    end
    for i, name in ipairs(NAMES) do
      assert.equal("text " .. i, store:get(name))
    end
  end,

  ["lists the accounts with a text, whatever their names"] = function(make)
    local store, expected = make(), {}
    assert.same({}, store:names())
    for i, name in ipairs(NAMES) do
      store:set(name, "text")
      store:lock(name, 60)()
      expected[i] = #name < 100 and name or nil -- a long one may be stored by its hash
    end
    store:set("gone", "text")
    store:set("gone", nil)
    local names = {}
    for _, name in ipairs(assert(store:names())) do
      names[#names + 1] = #name < 100 and name or nil
    end
    table.sort(names)
    table.sort(expected)
    assert.same(expected, names)
  end,

  ["has a lock for each account"] = function(make)
    local store, unlocks = make(), {}
    for i, name in ipairs(NAMES) do
      unlocks[i] = assert(store:lock(name, 60))
    end
    for i, name in ipairs(NAMES) do
      assert.is_nil((store:lock(name, 60)))
      unlocks[i]()
    end
  end,

  ["gives a lock to one holder, and returns nil at once to others"] = function(make)
    local store = make()
    local unlock = assert(store:lock("default", 60))
    local second, why = store:lock("default", 60)
    assert.is_nil(second)
    assert.is_nil(why)
    unlock()
    assert.is_function(store:lock("default", 60))
  end,

  ["ignores a second unlock, which would take the lock from its next holder"] = function(make)
    local store = make()
    local unlock = assert(store:lock("default", 60))
    unlock()
    assert.is_function(store:lock("default", 60))
    unlock()
    assert.is_nil((store:lock("default", 60)))
  end,

  ["can be read and written under the lock"] = function(make)
    local store = make()
    assert.is_function(store:lock("default", 60))
    assert.is_true((store:set("default", "one")))
    assert.equal("one", store:get "default")
  end,

  ["shows no text in a dump"] = function(make)
    local store = make()
    store:set("default", "SECRET")
    assert.is_false(holds(store, "SECRET"))
  end,
}
