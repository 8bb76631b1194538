--- A queue: first in, first out.
-- @classmod pcapi.concurrent.queue
local M = {}

local Queue = {}
Queue.__index = Queue

--- Makes an empty queue.
-- @treturn pcapi.concurrent.queue
function M.new()
  return setmetatable({ first = 1, last = 0 }, Queue)
end

--- Adds an item at the end.
-- @param item anything but nil
function Queue:push(item)
  self.last = self.last + 1
  self[self.last] = item
end

--- Removes the first item; the queue must not be empty.
-- @return the item
function Queue:pop()
  local first = self.first
  local item = self[first]
  self[first] = nil
  if first == self.last then
    self.first, self.last = 1, 0 -- so that the array part of the table is used again
  else
    self.first = first + 1
  end
  return item
end

--- Counts the items.
-- @treturn number
function Queue:count()
  return self.last - self.first + 1
end

--- Whether there is no item.
-- @treturn boolean
function Queue:is_empty()
  return self.last < self.first
end

return M
