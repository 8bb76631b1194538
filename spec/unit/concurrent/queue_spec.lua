local queue = require "pcapi.concurrent.queue"

local function all_of(made)
  local items = {}
  while not made:is_empty() do
    items[#items + 1] = made:pop()
  end
  return items
end

describe("pcapi.concurrent.queue", function()
  it("returns items in the order in which they were added", function()
    local made = queue.new()
    for i = 1, 5 do
      made:push(i)
    end
    assert.same({ 1, 2, 3, 4, 5 }, all_of(made))
  end)

  it("keeps that order while items are added and removed", function()
    local made, items = queue.new(), {}
    for i = 1, 100 do
      made:push(i)
      if i % 3 == 0 then
        items[#items + 1] = made:pop()
      end
    end
    for _, item in ipairs(all_of(made)) do
      items[#items + 1] = item
    end
    for i = 1, 100 do
      assert.equal(i, items[i])
    end
  end)

  it("counts its items", function()
    local made = queue.new()
    assert.equal(0, made:count())
    assert.is_true(made:is_empty())
    made:push "a"
    made:push "b"
    assert.equal(2, made:count())
    made:pop()
    assert.equal(1, made:count())
    assert.is_false(made:is_empty())
    made:pop()
    assert.is_true(made:is_empty())
  end)

  it("does not hold an item that was removed", function()
    local made = queue.new()
    local weak = setmetatable({}, { __mode = "k" })
    for _ = 1, 10 do
      local item = {}
      weak[item] = true
      made:push(item)
    end
    for _ = 1, 9 do
      made:pop()
    end
    collectgarbage()
    collectgarbage()
    local left = 0
    for _ in pairs(weak) do
      left = left + 1
    end
    assert.equal(1, left)
  end)

  it("does not grow with use", function()
    local made = queue.new()
    for i = 1, 1000 do
      made:push(i)
      made:pop()
    end
    assert.equal(1, made.first)
    assert.equal(0, made.last)
  end)
end)
