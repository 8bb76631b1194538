--- First in, first out.
-- @module pcapi.concurrent.queue
local M = {}

local Queue = {}
Queue.__index = Queue

function M.new()
  return setmetatable({ first = 1, last = 0 }, Queue)
end

function Queue:push(item)
  self.last = self.last + 1
  self[self.last] = item
end

--- Takes the first one; the queue must not be empty.
function Queue:pop()
  local first = self.first
  local item = self[first]
  self[first] = nil
  if first == self.last then
    self.first, self.last = 1, 0 -- the array part is used again
  else
    self.first = first + 1
  end
  return item
end

function Queue:count()
  return self.last - self.first + 1
end

function Queue:is_empty()
  return self.last < self.first
end

return M
