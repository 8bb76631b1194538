--- Stores tokens and cached lists for all workers of an nginx, in a `lua_shared_dict`; and for
-- several machines, in a Redis. Made by `pcapi.shared` of `pcapi.nginx`.
--
--     local shared = pcapi.shared { dict = "pcapi" }
--     pcapi.auth.refresh_token { …, store = shared } -- a store of tokens
--     local users = shared:cached { … } -- a cached list
--
-- It is a store like `pcapi.auth.store.memory`, with the same functions.
--
-- With Redis, texts are written to both and read from the dictionary. Redis is queried once a
-- second, and each time before the holder of a text's lock renews the text. While Redis is not
-- available, the machine uses its dictionary alone; then it writes its texts to Redis.
-- @classmod pcapi.nginx.shared
local check = require "pcapi.check"
local dicts = require "pcapi.nginx.dict"
local shared_lock = require "pcapi.nginx.shared_lock"

local M = {}

local OPTIONS = { dict = "line", redis = "table" }
-- seconds until Redis is queried again for a text, and for one that it did not have
local CHECKED, MISSED = 1, 0.05

local Shared = {}
Shared.__index = Shared
Shared.__name = "pcapi.nginx.shared"

--- The longest pause in seconds between two attempts to take a lock: an attempt is cheap here.
Shared.longest_look = 0.04

--- Seconds after which a lock in Redis expires, unless its machine renews it: other machines wait
-- that long if that machine has died.
Shared.lease = 10

-- Prefix of the names of texts that belong to `pcapi.nginx.cached`.
Shared.CACHED = "cached:"

local sync_all, sync_later

-- Makes a store. `pcapi.nginx.shared` has the documentation.
-- @local
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
      sync_all(self)
    end
  end
  return self
end

-- Names of marks: for a text that Redis does not have yet, and for one that was queried recently.
local function unsynced(name)
  return "waiting for redis: " .. name
end

local function checked(name)
  return "looked in redis: " .. name
end

-- Writes a text that is marked as unsynced to Redis.
local function write_redis(self, name, text, seconds)
  local written = self.redis:set(name, text, seconds)
  if written then
    self.dict:set_mark(unsynced(name), nil)
  end
  return written
end

-- Takes over the text of Redis, unless ours has changed in the meantime.
local function take_over(self, name, text, newer, seconds)
  local current = self.dict:get(name)
  if current ~= text then
    return current
  elseif newer == false then
    self.dict:set(name, nil)
    return nil
  elseif newer ~= text then
    self.dict:set(name, newer, seconds)
  end
  return newer
end

-- Returns the newer one of Redis's text and ours.
local function read_redis(self, name, text)
  if self.dict:mark(unsynced(name)) then
    if self.held[name] then
      write_redis(self, name, text, self.dict:life(name))
    else
      sync_later(self, name)
    end
    return text
  end
  local newer, seconds = self.redis:get(name)
  if newer ~= nil then
    return take_over(self, name, text, newer, seconds)
  elseif text and not seconds and self.held[name] then -- Redis has lost it
    write_redis(self, name, text, self.dict:life(name))
  end
  return text
end

-- Whether Redis was queried for a text recently. If not, only the first caller queries it for a
-- text that this machine has.
local function was_checked(self, name, text)
  local mark = self.dict:mark(checked(name))
  if text and not mark then
    self.dict:set_mark(checked(name), "yes", CHECKED)
  end
  return mark
end

--- Reads a text.
-- @tparam string name
-- @treturn ?string nil if there is none
function Shared:get(name)
  local text = self.dict:get(name)
  if not self.redis or not self.held[name] and was_checked(self, name, text) then
    return text
  end
  text = read_redis(self, name, text)
  if not text then
    self.dict:set_mark(checked(name), "nothing", MISSED)
  end
  return text
end

--- Stores a text, for all workers and over reloads; with Redis, for all machines and over restarts.
-- @tparam string name
-- @tparam ?string text nil deletes it
-- @tparam[opt] number seconds its lifetime; without it, it does not expire
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function Shared:set(name, text, seconds)
  if self.redis then -- first, or a reader would take over the old text from Redis
    self.dict:set_mark(unsynced(name), "yes", text and seconds)
  end
  local ok, err = self.dict:set(name, text, seconds)
  local written = self.redis and write_redis(self, name, text, seconds)
  if self.redis and not written and not self.redis.is_away then
    sync_later(self, name)
  end
  if not ok and not written then
    return nil, err
  end
  return true
end

--- Returns the names of all texts, without those of cached values.
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

-- Takes a lock of this machine. It expires soon, unless it is extended to all machines. Returns as
-- `shared_lock.new`.
-- @local
function Shared:lock_here(name)
  return shared_lock.new(name, self.dict, self.redis, self.lease)
end

-- Extends a lock of @{lock_here} to all machines, for the given seconds at most. Returns a function
-- that unlocks; or nil if another machine holds it, and then it is free here.
-- @local
function Shared:lock_everywhere(lock, seconds)
  if not lock:extend(seconds) then
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

--- Takes a lock, on this machine and on all.
-- @tparam string name
-- @tparam number seconds after which it expires
-- @treturn[1] function that unlocks
-- @treturn[2] nil it is held already
-- @treturn[3] nil
-- @treturn[3] pcapi.error of kind store
function Shared:lock(name, seconds)
  local lock, err = self:lock_here(name)
  if not lock then
    return nil, err
  end
  return self:lock_everywhere(lock, seconds)
end

-- Writes one text to Redis, unless its lock is held: the holder is about to write it.
local function sync(self, name)
  local lock = self:lock_here(name)
  if not lock then
    return
  end
  local text, life = self.dict:get(name), self.dict:life(name)
  if self.dict:mark(unsynced(name)) then
    write_redis(self, name, text, life)
  elseif text then
    self.redis:set(name, text, life, true)
  end
  lock:free()
end

function sync_later(self, name)
  pcall(ngx.timer.at, 0, function() -- in init_by_lua it raises
    sync(self, name)
  end)
end

-- Writes to Redis the texts that changed while it was not available, and those that it has lost.
function sync_all(self)
  local known = {}
  for _, names in ipairs { self.dict:names(), self.dict:marks(unsynced "") } do
    for _, name in ipairs(names) do
      if not known[name] then
        known[name] = true
        sync(self, name)
      end
    end
  end
end

--- Makes a value that all workers share, see `pcapi.nginx.cached`. Loads nothing yet. Make each one
-- once, in `init_by_lua`. Wrong options raise an error.
-- @tparam table options
-- @tparam pcapi.client|string options.of the client that `load` is called with. The value is stored
-- under the tenant, application and service of the client, so tenants never see each other's
-- values. Without a client: a string that names the owner, such as the id of the tenant
-- @tparam string options.name name of the value, unique for its owner
-- @tparam function options.load is called with `of`, in a timer: without the context of a request.
-- Returns the value, which is a list of the client or a value that JSON can hold (numbers of up to
-- 14 digits); or nil and an error
-- @tparam number options.fresh seconds after loading for which the value is fresh
-- @tparam[opt] number options.stale seconds after loading for which a stale value is still
-- returned, 86400
-- @tparam[opt] number options.retry seconds between a failure and the next try, 10; longer if the
-- service demands it
-- @tparam[opt] number options.timeout seconds for which `get` waits if there is no value, 180
-- @treturn pcapi.nginx.cached
function Shared:cached(options)
  return require("pcapi.nginx.cached").new(self, options)
end

function Shared:__tostring()
  return tostring(self.dict) .. (self.redis and " and Redis" or "")
end

return M
