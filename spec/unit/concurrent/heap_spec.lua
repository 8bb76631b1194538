local heap = require "pcapi.concurrent.heap"

local function popped(all)
  local wakes = {}
  while all[1] do
    wakes[#wakes + 1] = heap.pop(all).wake
  end
  return wakes
end

describe("pcapi.concurrent.heap", function()
  it("returns items by their wake time, in whatever order they were added", function()
    local random = 1
    local all, expected = {}, {}
    for i = 1, 200 do
      random = random * 16807 % 2147483647
      expected[i] = random % 50 -- many are equal
      heap.push(all, { wake = expected[i] })
    end
    table.sort(expected)
    assert.same(expected, popped(all))
  end)

  it("keeps the smallest item first while items are added and removed", function()
    local all = {}
    heap.push(all, { wake = 2 })
    heap.push(all, { wake = 1 })
    assert.equal(1, all[1].wake)
    assert.equal(1, heap.pop(all).wake)
    heap.push(all, { wake = 3 })
    heap.push(all, { wake = 0 })
    assert.same({ 0, 2, 3 }, popped(all))
  end)

  it("returns the added items themselves, each once", function()
    local all, one, two = {}, { wake = 1 }, { wake = 1 }
    heap.push(all, one)
    heap.push(all, two)
    local first, second = heap.pop(all), heap.pop(all)
    assert.is_true(first == one and second == two or first == two and second == one)
    assert.is_nil(all[1])
  end)

  it("holds items with an infinite wake time", function()
    local all = {}
    heap.push(all, { wake = math.huge })
    heap.push(all, { wake = 1 })
    heap.push(all, { wake = math.huge })
    assert.same({ 1, math.huge, math.huge }, popped(all))
  end)
end)
