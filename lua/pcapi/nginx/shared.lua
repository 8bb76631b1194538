--- What the workers of an nginx share, in a `lua_shared_dict`; and machines, when they have
-- a Redis in common. A store of tokens (`pcapi.auth.store.memory`), and more.
--
-- The dictionary is what is read. Redis is asked by who holds a lock and is about to renew,
-- and where the dictionary has nothing; what is written goes to both. When Redis is away
-- the machine goes on by itself, and brings what it wrote meanwhile when Redis is back.
-- @classmod pcapi.nginx.shared
local dict_ = require "pcapi.nginx.dict"
local options_ = require "pcapi.options"

local M = {}

local OPTIONS = { dict = "line", redis = "table" }
local BETWEEN_LOOKS = 0.05 -- seconds in which Redis is not asked again for what it has not

local Shared = {}
Shared.__index = Shared
Shared.__name = "pcapi.nginx.shared"

--- Seconds between looks at a lock: looking costs nearly nothing here.
Shared.longest_look = 0.04

--- Makes one. A mistake in the options raises.
-- @tparam table options
-- @tparam string options.dict name of a `lua_shared_dict`
-- @tparam[opt] table options.redis `host` (127.0.0.1), `port` (6379), `username`,
-- `password`, `database` (0), `tls` (false; the certificate is verified), `prefix` of its
-- keys ("pcapi:"), `timeout` (seconds of each step, 1). The refresh tokens are in there:
-- guard it like them
-- @treturn pcapi.nginx.shared
function M.new(options)
  options = options_.check(options, OPTIONS, "pcapi.shared")
  if not options.dict then
    error('pcapi.shared: option "dict" is missing: the name of a lua_shared_dict', 2)
  end
  local dict, why = dict_.new(options.dict)
  local redis
  if dict and options.redis then
    redis, why = require("pcapi.nginx.redis").new(options.redis, 4)
  end
  if not dict or options.redis and not redis then
    error("pcapi.shared: " .. why, 2)
  end
  return setmetatable({ dict = dict, redis = redis, held = {} }, Shared)
end

-- Names of what is of use to this machine only.
local function waiting(name)
  return "waiting for redis: " .. name
end

local function looked(name)
  return "looked in redis: " .. name
end

local function busy(name)
  return "busy in redis: " .. name
end

-- In Redis this stands for what was taken away: or a machine that still knows the old text
-- could not tell that from a Redis that has lost it, and brings it back.
local GONE = ""
local GONE_FOR = 30 * 24 * 3600 -- seconds

local function write_redis(self, name, text, seconds)
  if text == nil then
    return self.redis:set(name, GONE, GONE_FOR)
  end
  return self.redis:set(name, text, seconds)
end

-- What Redis has, or what it is to have: what was written while it was away.
local function read_redis(self, name, text, seconds)
  if text and self.dict:get(waiting(name)) then
    if write_redis(self, name, text) then
      self.dict:set(waiting(name), nil)
    end
    return text
  end
  local newer, away = self.redis:get(name)
  if newer == GONE then
    self.dict:set(name, nil)
    return nil
  elseif newer == nil then
    if text and not away then
      write_redis(self, name, text, seconds)
    end
    return text
  elseif newer ~= text then
    self.dict:set(name, newer, seconds)
  end
  return newer
end

--- Reads a text.
-- @tparam string name
-- @tparam[opt] number seconds how long this machine keeps what comes from Redis
-- @treturn ?string nil when there is none
function Shared:get(name, seconds)
  local text = self.dict:get(name)
  if not self.redis or text and not self.held[name] then
    return text
  elseif not self.held[name] and self.dict:get(looked(name)) then
    return nil
  end
  text = read_redis(self, name, text, seconds)
  if not text then
    self.dict:set(looked(name), "nothing", BETWEEN_LOOKS)
  end
  return text
end

--- Keeps a text: for all workers, over reloads, and with Redis for all machines and over
-- restarts.
-- @tparam string name
-- @tparam ?string text nil takes it away
-- @tparam[opt] number seconds how long it is kept; for good without it
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function Shared:set(name, text, seconds)
  local reached = self.redis and write_redis(self, name, text, seconds)
  local ok, err = self.dict:set(name, text, seconds)
  if self.redis then
    self.dict:set(waiting(name), not reached and text and "yes" or nil, seconds)
  end
  if not ok and not reached then
    return nil, err
  end
  return true
end

--- Takes a lock of this machine.
-- @tparam string name
-- @tparam number seconds after which it comes free in any case
-- @treturn[1] function that unlocks
-- @treturn[2] nil somebody else has it
-- @treturn[3] nil
-- @treturn[3] pcapi.error of kind store
function Shared:lock_here(name, seconds)
  return self.dict:lock(name, seconds)
end

-- The lock of Redis; it counts as taken where Redis is away.
local function lock_redis(self, name, seconds)
  if self.dict:get(busy(name)) then
    return nil
  end
  local unlock, away = self.redis:lock(name, seconds)
  if unlock or away then
    return unlock or function() end
  end
  self.dict:set(busy(name), "yes", BETWEEN_LOOKS)
end

--- Makes a lock of this machine one of all machines.
-- @tparam string name
-- @tparam number seconds
-- @tparam function unlock from @{lock_here}
-- @treturn[1] function that unlocks both
-- @treturn[2] nil another machine has it; it is unlocked here
function Shared:lock_everywhere(name, seconds, unlock)
  local unlock_redis = self.redis and lock_redis(self, name, seconds)
  if self.redis and not unlock_redis then
    unlock()
    return nil
  end
  self.held[name] = true
  return function()
    self.held[name] = nil
    if unlock_redis then
      unlock_redis()
    end
    unlock()
  end
end

--- Takes a lock, of this machine and of all.
-- @tparam string name
-- @tparam number seconds after which it comes free in any case
-- @treturn[1] function that unlocks
-- @treturn[2] nil somebody else has it
-- @treturn[3] nil
-- @treturn[3] pcapi.error of kind store
function Shared:lock(name, seconds)
  local unlock, err = self:lock_here(name, seconds)
  if not unlock then
    return nil, err
  end
  return self:lock_everywhere(name, seconds, unlock)
end

--- Makes a value that is loaded at most once in a while, see `pcapi.nginx.cached`.
-- @tparam table options
-- @treturn pcapi.nginx.cached
function Shared:cached(options)
  return require("pcapi.nginx.cached").new(self, options)
end

function Shared:__tostring()
  return tostring(self.dict) .. (self.redis and " and Redis" or "")
end

return M
