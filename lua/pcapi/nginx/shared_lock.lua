--- A lock of this machine, in a `lua_shared_dict`, which can be made one of all machines, in
-- Redis.
-- @module pcapi.nginx.shared_lock
local core = require "pcapi.core"

local M = {}

local BUSY = 0.05 -- seconds in which Redis is not asked again for a lock that another one has
local STEPS = 6 -- of Redis at most, until a lock is taken there
local SPARE = 2 -- seconds more that a lock is good for until it is taken everywhere
local LONGEST = 60 -- seconds of a lock in Redis that nobody prolongs

local Lock = {}
Lock.__index = Lock
Lock.__name = "pcapi.nginx.shared_lock"

--- Takes a lock of this machine. It comes free soon, unless it is taken everywhere.
-- @tparam string name
-- @tparam table dict of `pcapi.nginx.dict`
-- @tparam ?table redis of `pcapi.nginx.redis`
-- @tparam number lease seconds that a lock in Redis is good for, and prolonged for
-- @treturn[1] table
-- @treturn[2] nil somebody else has it
-- @treturn[3] nil
-- @treturn[3] pcapi.error of kind store
function M.new(name, dict, redis, lease)
  local unlock, prolong = dict:lock(name, SPARE + (redis and STEPS * redis.timeout or 0))
  if not unlock then
    return nil, prolong
  end
  return setmetatable({ name = name, dict = dict, redis = redis, lease = lease, unlock = unlock,
                        prolong = prolong }, Lock)
end

-- Names of marks: another machine has it, and as whom this one does.
local function busy(name)
  return "busy in redis: " .. name
end

local function holder(name)
  return "lock in redis: " .. name
end

-- Has the lock of Redis come free soon when we are not here any more, and not before we are
-- done, or its time is over. A worker that ends takes no timers.
local function keep_alive(self)
  local function beat(is_ending)
    local left = self.ends_at - core.now()
    if self.mine and left > 0 then
      local goes_on = not is_ending and ngx.timer.at(self.lease / 3, beat)
      self.redis:prolong(self.name, self.mine, math.min(goes_on and self.lease or LONGEST, left))
    end
  end
  if not ngx.timer.at(self.lease / 3, beat) then
    beat(true)
  end
end

-- The lock of Redis; it counts as taken where Redis is away.
local function take_redis(self, seconds)
  local dict, name = self.dict, self.name
  local gone = dict:mark(holder(name))
  if gone then -- of a worker, or a request, that has ended: the lock here is ours
    self.redis:unlock(name, gone)
  elseif dict:mark(busy(name)) then
    return false
  end
  local mine = core.uuid()
  dict:set_mark(holder(name), mine, LONGEST)
  local is_free = self.redis:lock(name, mine, math.min(self.lease, seconds))
  if is_free then
    self.mine = mine
    keep_alive(self)
    return true
  end
  dict:set_mark(holder(name), nil)
  if is_free == nil then
    return true
  end
  dict:set_mark(busy(name), "yes", BUSY)
  return false
end

--- Takes it on all machines.
-- @tparam number seconds after which it comes free in any case
-- @treturn boolean false: another machine has it, and it is free here
function Lock:take_everywhere(seconds)
  self.ends_at = core.now() + seconds
  if self.redis and not take_redis(self, seconds) then
    self.unlock()
    return false
  end
  self.prolong(math.max(self.ends_at - core.now(), 0.001))
  return true
end

--- Lets it go, wherever it was taken.
function Lock:free()
  local name, mine = self.name, self.mine
  self.mine = nil
  if mine then
    self.redis:unlock(name, mine)
    if self.dict:mark(holder(name)) == mine then
      self.dict:set_mark(holder(name), nil)
    end
  end
  self.unlock()
end

return M
