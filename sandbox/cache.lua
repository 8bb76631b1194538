--- Caches values that are slow to compute, up to a maximum total weight.
--
-- There are two tables, a new and an old one. A value that is read moves to the new table. When the
-- new table is full, it replaces the old one, and the unused values of the old one are dropped.
local M = {}

local Cache = {}
Cache.__index = Cache

--- Makes an empty cache.
-- @tparam number ceiling maximum total weight, in the unit that is passed to `put`
function M.new(ceiling)
  return setmetatable({ half = ceiling / 2, new = {}, old = {}, weight = 0 }, Cache)
end

--- Stores a value, unless it is heavier than half of the ceiling.
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

--- Returns the value of a key, or nil.
function Cache:get(key)
  local entry = self.new[key]
  if not entry and self.old[key] then
    entry, self.old[key] = self.old[key], nil
    self:put(key, entry.value, entry.weight)
  end
  return entry and entry.value
end

return M
