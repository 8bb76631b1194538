--- Remembers what was costly to make, up to a ceiling.
--
-- There is a new shelf and an old one. What is asked for moves to the new one; when that
-- is full it becomes the old one, and what lay on that unasked is forgotten.
local M = {}

local Cache = {}
Cache.__index = Cache

--- Makes an empty one.
-- @tparam number ceiling weight of all that is kept, in whatever unit `put` is given
function M.new(ceiling)
  return setmetatable({ half = ceiling / 2, new = {}, old = {}, weight = 0 }, Cache)
end

--- Keeps a value. What is heavier than half of the ceiling is not kept.
-- @tparam string key
-- @param value
-- @tparam number weight
-- @return value
function Cache:put(key, value, weight)
  if weight > self.half then
    return value
  elseif self.weight + weight > self.half then
    self.old, self.new, self.weight = self.new, {}, 0
  end
  self.new[key] = { value = value, weight = weight }
  self.weight = self.weight + weight
  return value
end

--- What is kept under a key, or nil.
function Cache:get(key)
  local entry = self.new[key]
  if not entry and self.old[key] then
    entry, self.old[key] = self.old[key], nil
    self:put(key, entry.value, entry.weight)
  end
  return entry and entry.value
end

return M
