--- What the workers of an nginx share, in a `lua_shared_dict`; and machines, when they have
-- a Redis in common. A store of tokens (`pcapi.auth.store.memory`), and more.
--
-- What is written goes to both. The dictionary is what is read; Redis is asked by who holds
-- the lock of a text and is about to renew it, and else once a second. When Redis is away
-- the machine goes on by itself, and brings what it wrote meanwhile when Redis is back.
-- @classmod pcapi.nginx.shared
local dicts = require "pcapi.nginx.dict"
local shared_lock = require "pcapi.nginx.shared_lock"
local check = require "pcapi.check"

local M = {}

local OPTIONS = { dict = "line", redis = "table" }
-- seconds in which Redis is not asked again for a text, and for one that it has not
local LOOKED, LOOKED_IN_VAIN = 1, 0.05

local Shared = {}
Shared.__index = Shared
Shared.__name = "pcapi.nginx.shared"

--- Seconds between looks at a lock: looking costs nearly nothing here.
Shared.longest_look = 0.04

--- Seconds that a lock in Redis is good for, and prolonged for while it is held: so long the
-- other machines wait for one that has died.
Shared.lease = 10

--- Names of texts that begin so are those of `pcapi.nginx.cached`.
Shared.CACHED = "cached:"

local bring, bring_later

--- Makes one. A mistake in the options raises.
-- @tparam table options
-- @tparam string options.dict name of a `lua_shared_dict`
-- @tparam[opt] table options.redis `host` (127.0.0.1), `port` (6379), `username`,
-- `password`, `database` (0), `tls` (false; the certificate is verified), `server_name` (the
-- name in its certificate, where host is an address), `prefix` of its keys ("pcapi:"),
-- `timeout` (seconds of each step, 1). The refresh tokens are in there: guard it like them
-- @treturn pcapi.nginx.shared
function M.new(options)
  options = check.options(options, OPTIONS, "pcapi.shared")
  if not options.dict then
    error('pcapi.shared: option "dict" is missing: the name of a lua_shared_dict', 2)
  end
  local dict, why = dicts.new(options.dict)
  local redis
  if dict and options.redis then
    redis, why = require("pcapi.nginx.redis").new(options.redis, 2)
  end
  if not dict or options.redis and not redis then
    error("pcapi.shared: " .. why, 2)
  end
  local self = setmetatable({ dict = dict, redis = redis, held = {}, keys = {} }, Shared)
  if redis then
    redis.on_return = function()
      bring(self)
    end
  end
  return self
end

-- Names of marks.
local function waiting(name)
  return "waiting for redis: " .. name
end

local function looked(name)
  return "looked in redis: " .. name
end

-- Writes to Redis, what is marked as waiting for that.
local function write_redis(self, name, text, seconds)
  local reached = self.redis:set(name, text, seconds)
  if reached then
    self.dict:set_mark(waiting(name), nil)
  end
  return reached
end

-- Takes over what Redis has, unless somebody has written meanwhile.
local function take_over(self, name, text, newer, seconds)
  local now = self.dict:get(name)
  if now ~= text then
    return now
  elseif newer == false then
    self.dict:set(name, nil)
    return nil
  elseif newer ~= text then
    self.dict:set(name, newer, seconds)
  end
  return newer
end

-- What Redis has, or what it is to have.
local function read_redis(self, name, text)
  if self.dict:mark(waiting(name)) then
    if self.held[name] then
      write_redis(self, name, text, self.dict:life(name))
    else
      bring_later(self, name)
    end
    return text
  end
  local newer, left = self.redis:get(name)
  if newer ~= nil then
    return take_over(self, name, text, newer, left)
  elseif text and not left and self.held[name] then -- it has lost it
    write_redis(self, name, text, self.dict:life(name))
  end
  return text
end

-- Whether Redis was asked a moment ago. Of those who come together one asks for a text that
-- is known.
local function was_looked_at(self, name, text)
  local seen = self.dict:mark(looked(name))
  if text and not seen then
    self.dict:set_mark(looked(name), "yes", LOOKED)
  end
  return seen
end

--- Reads a text.
-- @tparam string name
-- @treturn ?string nil when there is none
function Shared:get(name)
  local text = self.dict:get(name)
  if not self.redis or not self.held[name] and was_looked_at(self, name, text) then
    return text
  end
  text = read_redis(self, name, text)
  if not text then
    self.dict:set_mark(looked(name), "nothing", LOOKED_IN_VAIN)
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
  if self.redis then -- first, or who reads would ask Redis, and take over what that has
    self.dict:set_mark(waiting(name), "yes", text and seconds)
  end
  local ok, err = self.dict:set(name, text, seconds)
  local reached = self.redis and write_redis(self, name, text, seconds)
  if self.redis and not reached and not self.redis.is_away then
    bring_later(self, name)
  end
  if not ok and not reached then
    return nil, err
  end
  return true
end

--- The names of all texts, but those of cached values.
-- @treturn table array
function Shared:names()
  local names, known = {}, {}
  local function add(all)
    for _, name in ipairs(all or {}) do
      if name:sub(1, #self.CACHED) ~= self.CACHED and not known[name] and self:get(name) then
        names[#names + 1] = name
      end
      known[name] = true
    end
  end
  add(self.dict:names())
  add(self.redis and self.redis:names())
  return names
end

--- Takes a lock of this machine.
-- @tparam string name
-- @treturn[1] table for @{lock_everywhere}, or to be let go by its method `free`; it comes
-- free soon
-- @treturn[2] nil somebody else has it
-- @treturn[3] nil
-- @treturn[3] pcapi.error of kind store
function Shared:lock_here(name)
  return shared_lock.new(name, self.dict, self.redis, self.lease)
end

--- Makes a lock of this machine one of all machines.
-- @tparam table lock from @{lock_here}
-- @tparam number seconds after which it comes free in any case
-- @treturn[1] function that unlocks both
-- @treturn[2] nil another machine has it; it is unlocked here
function Shared:lock_everywhere(lock, seconds)
  if not lock:take_everywhere(seconds) then
    return nil
  end
  self.held[lock.name] = lock
  return function()
    if self.held[lock.name] == lock then
      self.held[lock.name] = nil
    end
    lock:free()
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
  local lock, err = self:lock_here(name)
  if not lock then
    return nil, err
  end
  return self:lock_everywhere(lock, seconds)
end

-- One text, unless somebody holds its lock, who is about to write it.
local function bring_text(self, name)
  local lock = self:lock_here(name)
  if not lock then
    return
  end
  local text, life = self.dict:get(name), self.dict:life(name)
  if self.dict:mark(waiting(name)) then
    write_redis(self, name, text, life)
  elseif text then
    self.redis:set(name, text, life, true)
  end
  lock:free()
end

function bring_later(self, name)
  pcall(ngx.timer.at, 0, function() -- in init_by_lua it raises
    bring_text(self, name)
  end)
end

-- Brings Redis what was written, or taken away, while it was away; and what it has lost.
function bring(self)
  local known = {}
  for _, names in ipairs { self.dict:names(), self.dict:marks(waiting "") } do
    for _, name in ipairs(names) do
      if not known[name] then
        known[name] = true
        bring_text(self, name)
      end
    end
  end
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
