local contract = require "spec.support.store_contract"
local memory = require "pcapi.auth.store.memory"

describe("a store in memory", function()
  for name, body in pairs(contract) do
    it(name, function() body(memory.new) end)
  end

  it("shares nothing with another store", function()
    local one, two = memory.new(), memory.new()
    one:set("default", "one")
    assert.is_nil((two:get "default"))
    assert.is_function(one:lock("default", 60))
    assert.is_function(two:lock("default", 60))
  end)

  it("releases a lock whose time is over", function()
    local store = memory.new()
    local late = assert(store:lock("default", -1))
    assert.is_function(store:lock("default", 60))
    late()
    assert.is_nil((store:lock("default", 60)))
  end)

  it("has a text", function()
    assert.equal("the memory of this process", tostring(memory.new()))
  end)
end)
