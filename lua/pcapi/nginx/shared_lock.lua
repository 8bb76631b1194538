--- A lock of this machine, in a `lua_shared_dict`, that can be extended to all machines, by a
-- lock in Redis.
-- @module pcapi.nginx.shared_lock
local core = require "pcapi.core"

local M = {}

local BUSY = 0.05 -- seconds until Redis is queried again for a lock that another machine holds
local STEPS = 6 -- of Redis at most, to take a lock there
local SPARE = 2 -- seconds that a lock of this machine lasts longer than these steps
local LONGEST = 60 -- seconds that a lock in Redis lasts unless it is renewed

local Lock = {}
Lock.__index = Lock
Lock.__name = "pcapi.nginx.shared_lock"

--- Takes a lock of this machine. It expires soon, unless it is extended to all machines.
-- @tparam string name
-- @tparam table dict of `pcapi.nginx.dict`
-- @tparam ?table redis of `pcapi.nginx.redis`
-- @tparam number lease seconds after which a lock in Redis expires unless it is renewed
-- @treturn[1] table
-- @treturn[2] nil it is held already
-- @treturn[3] nil
-- @treturn[3] pcapi.error of kind store
function M.new(name, dict, redis, lease)
  local unlock, expire_in = dict:lock(name, SPARE + (redis and STEPS * redis.timeout or 0))
  if not unlock then
    return nil, expire_in
  end
  return setmetatable({ name = name, dict = dict, redis = redis, lease = lease, unlock = unlock,
                        expire_in = expire_in }, Lock)
end

-- Names of marks: another machine holds the lock in Redis; and the id under which this one does.
local function busy(name)
  return "busy in redis: " .. name
end

local function holder(name)
  return "lock in redis: " .. name
end

-- Renews the lock in Redis until it is freed or its time is over, so that it expires soon after
-- this worker has died. A worker that shuts down can start no timers.
local function keep_renewing(self)
  local function renew(is_ending)
    local left = self.ends_at - core.now()
    if self.id and left > 0 then
      local goes_on = not is_ending and ngx.timer.at(self.lease / 3, renew)
      self.redis:prolong(self.name, self.id, math.min(goes_on and self.lease or LONGEST, left))
    end
  end
  if not ngx.timer.at(self.lease / 3, renew) then
    renew(true)
  end
end

-- Takes the lock in Redis. Without Redis it counts as taken.
local function lock_redis(self, seconds)
  local dict, name = self.dict, self.name
  local old_id = dict:mark(holder(name))
  if old_id then -- of a worker or a request that has ended, as this machine's lock was free
    self.redis:unlock(name, old_id)
  elseif dict:mark(busy(name)) then
    return false
  end
  local id = core.uuid()
  dict:set_mark(holder(name), id, LONGEST)
  local is_ours = self.redis:lock(name, id, math.min(self.lease, seconds))
  if is_ours then
    self.id = id
    keep_renewing(self)
    return true
  end
  dict:set_mark(holder(name), nil)
  if is_ours == nil then
    return true
  end
  dict:set_mark(busy(name), "yes", BUSY)
  return false
end

--- Extends the lock to all machines.
-- @tparam number seconds after which it expires
-- @treturn boolean false: another machine holds it, and this machine's lock is free again
function Lock:extend(seconds)
  self.ends_at = core.now() + seconds
  if self.redis and not lock_redis(self, seconds) then
    self.unlock()
    return false
  end
  self.expire_in(math.max(self.ends_at - core.now(), 0.001))
  return true
end

--- Frees the lock, here and in Redis.
function Lock:free()
  local name, id = self.name, self.id
  self.id = nil
  if id then
    self.redis:unlock(name, id)
    if self.dict:mark(holder(name)) == id then
      self.dict:set_mark(holder(name), nil)
    end
  end
  self.unlock()
end

return M
