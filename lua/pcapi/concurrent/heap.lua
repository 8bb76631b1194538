--- A binary heap of items, ordered by their field `wake`: the smallest is first.
-- @module pcapi.concurrent.heap
local M = {}

--- Adds an item.
-- @tparam table heap an array, empty at first
-- @tparam table item with a number `wake`
function M.push(heap, item)
  local at = #heap + 1
  while at > 1 do
    local above = (at - at % 2) / 2
    if heap[above].wake <= item.wake then
      break
    end
    heap[at], at = heap[above], above
  end
  heap[at] = item
end

-- Moves an item down from the first position to where it belongs.
local function sink(heap, item)
  local at, count = 1, #heap
  while true do
    local below = at * 2
    if below < count and heap[below + 1].wake < heap[below].wake then
      below = below + 1
    end
    if below > count or item.wake <= heap[below].wake then
      break
    end
    heap[at], at = heap[below], below
  end
  heap[at] = item
end

--- Removes the first item.
-- @tparam table heap not empty
-- @treturn table the item
function M.pop(heap)
  local first = heap[1]
  local last = table.remove(heap)
  if #heap > 0 then
    sink(heap, last)
  end
  return first
end

return M
