--- What every token store has to do (see `pcapi.auth.store.memory`): names of specs, to
-- functions that take one that gives a new, empty store.
local assert = require "luassert"
local holds = require "spec.support.holds"

-- Names that people or tenants may have, and those that could leave a folder.
local NAMES = { "default", "fabrikam.example/5f0b3c1e", "../up", "a/b", "a%2Fb", ".", "..", "",
                ".hidden", "with space", "\195\188ber", "A", "a", "line\nbreak", "zero\0byte",
                ("long"):rep(100), ("long"):rep(100) .. "er" }

return {
  ["has nothing at first, which is no failure"] = function(make)
    local text, why = make():get "default"
    assert.is_nil(text)
    assert.is_nil(why)
  end,

  ["keeps a text, and another one in its place"] = function(make)
    local store = make()
    assert.is_true((store:set("default", "one, which is longer")))
    assert.is_true((store:set("default", "two")))
    assert.equal("two", store:get "default")
  end,

  ["keeps any text"] = function(make)
    local store = make()
    for _, text in ipairs { "", "\0\1\255\r\n", ("x"):rep(100000) } do
      assert.is_true((store:set("default", text)))
      assert.equal(text, store:get "default")
    end
  end,

  ["removes a text, also one that is not there"] = function(make)
    local store = make()
    store:set("default", "one")
    assert.is_true((store:set("default", nil)))
    assert.is_nil((store:get "default"))
    assert.is_true((store:set("default", nil)))
  end,

  ["keeps accounts of all names apart"] = function(make)
    local store = make()
    for i, name in ipairs(NAMES) do
      assert.is_true((store:set(name, "text " .. i)))
    end
    for i, name in ipairs(NAMES) do
      assert.equal("text " .. i, store:get(name))
    end
  end,

  ["names the accounts that it keeps a text of, whatever they are called"] = function(make)
    local store, expected = make(), {}
    assert.same({}, store:names())
    for i, name in ipairs(NAMES) do
      store:set(name, "text")
      store:lock(name, 60)()
      expected[i] = #name < 100 and name or nil -- a long one may be kept by its hash alone
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

  ["locks accounts of all names apart"] = function(make)
    local store, unlocks = make(), {}
    for i, name in ipairs(NAMES) do
      unlocks[i] = assert(store:lock(name, 60))
    end
    for i, name in ipairs(NAMES) do
      assert.is_nil((store:lock(name, 60)))
      unlocks[i]()
    end
  end,

  ["gives a lock to one at a time, and says at once that it is held"] = function(make)
    local store = make()
    local unlock = assert(store:lock("default", 60))
    local second, why = store:lock("default", 60)
    assert.is_nil(second)
    assert.is_nil(why)
    unlock()
    assert.is_function(store:lock("default", 60))
  end,

  ["lets go once: who unlocks again takes nothing from the next one"] = function(make)
    local store = make()
    local unlock = assert(store:lock("default", 60))
    unlock()
    assert.is_function(store:lock("default", 60))
    unlock()
    assert.is_nil((store:lock("default", 60)))
  end,

  ["can be read and written by who holds the lock"] = function(make)
    local store = make()
    assert.is_function(store:lock("default", 60))
    assert.is_true((store:set("default", "one")))
    assert.equal("one", store:get "default")
  end,

  ["shows what it keeps to nobody who dumps it"] = function(make)
    local store = make()
    store:set("default", "SECRET")
    assert.is_false(holds(store, "SECRET"))
  end,
}
