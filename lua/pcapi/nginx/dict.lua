--- Stores texts, marks and locks in a `lua_shared_dict`, which all workers of an nginx share and
-- which survives reloads. For the functions of texts and locks see `pcapi.auth.store.memory`.
-- @module pcapi.nginx.dict
local errors = require "pcapi.error"
local limits = require "pcapi.http.limits"
local log_once = require "pcapi.nginx.log_once"

local M = {}

-- prefixes of keys
local TEXT, MARK, LOCK, BROKEN = "text ", "mark ", "lock ", "broken "
local AT_ONCE = 5 -- seconds within which several workers may find the same holder dead

local Dict = {}
Dict.__index = Dict
Dict.__name = "pcapi.nginx.dict"

--- Makes a store over a shared dictionary.
-- @tparam string name
-- @treturn[1] table
-- @treturn[2] nil
-- @treturn[2] string why not: nginx.conf does not declare the dictionary
function M.new(name)
  local dict = ngx.shared[name]
  if not dict then
    return nil, ('there is no shared dictionary "%s"; add to http { } of nginx.conf: '
      .. "lua_shared_dict %s 10m;"):format(name, name)
  end
  return setmetatable({ dict = dict, name = name, locks = 0 }, Dict)
end

local function full(self)
  local message = ("the shared dictionary %s is full (%d bytes)"):format(self.name,
    self.dict:capacity())
  local hint = ("Make it larger in nginx.conf, for example: lua_shared_dict %s %dm; until then, "
    .. "workers do not share what does not fit"):format(self.name,
      math.ceil(2 * self.dict:capacity() / 1048576))
  log_once.error("full " .. self.name, message .. ". " .. hint)
  return errors.fail { kind = "store", message = message, hint = hint }
end

local function not_stored(self, why)
  if why == "no memory" then
    return full(self)
  end
  return errors.fail { kind = "store",
                       message = ("the shared dictionary %s: %s"):format(self.name, why) }
end

-- `method` is safe_set or safe_add: they evict nothing else, which may be a token.
local function put(self, method, key, text, seconds)
  local life = seconds and limits.life(seconds) or 0
  local ok, why = self.dict[method](self.dict, key, text, life)
  if not ok and why == "no memory" then
    self.dict:flush_expired()
    ok, why = self.dict[method](self.dict, key, text, life)
  end
  return ok, why
end

--- Reads a text.
-- @tparam string name
-- @treturn ?string nil if there is none
function Dict:get(name)
  return (self.dict:get(TEXT .. name))
end

--- The remaining lifetime of a text.
-- @tparam string name
-- @treturn ?number seconds; nil: it does not expire, or there is none
function Dict:life(name)
  local seconds = self.dict:ttl(TEXT .. name)
  return seconds and seconds > 0 and seconds or nil
end

--- Stores a text.
-- @tparam string name
-- @tparam ?string text nil deletes it
-- @tparam ?number seconds its lifetime; without it, it does not expire
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store; the previous text is still there
function Dict:set(name, text, seconds)
  local key = TEXT .. name
  if text == nil then
    self.dict:delete(key)
    return true
  end
  local before, life = self:get(name), self:life(name)
  local ok, why = put(self, "safe_set", key, text, seconds)
  if ok then
    return true
  elseif before then -- a failed safe_set has deleted it
    self.dict:safe_set(key, before, life or 0)
  end
  return not_stored(self, why)
end

-- The keys that begin with a prefix, without it.
local function keys_after(self, prefix)
  local keys = {}
  for _, key in ipairs(self.dict:get_keys(0)) do
    if key:sub(1, #prefix) == prefix then
      keys[#keys + 1] = key:sub(#prefix + 1)
    end
  end
  return keys
end

--- Returns the names of all texts.
-- @treturn table array
function Dict:names()
  return keys_after(self, TEXT)
end

--- Returns the names of the marks that begin with a prefix, without it.
-- @tparam string prefix
-- @treturn table array
function Dict:marks(prefix)
  return keys_after(self, MARK .. prefix)
end

--- Reads a mark, a short text that workers leave for each other. It may be missing at any time.
-- @tparam string name
-- @treturn ?string
function Dict:mark(name)
  return (self.dict:get(MARK .. name))
end

--- Leaves a mark.
-- @tparam string name
-- @tparam ?string text nil deletes it
-- @tparam ?number seconds its lifetime; without it, it does not expire
function Dict:set_mark(name, text, seconds)
  if text == nil then
    self.dict:delete(MARK .. name)
  elseif not put(self, "safe_set", MARK .. name, text, seconds) then
    full(self)
  end
end

local function exists(path)
  local file = io.open(path)
  return file ~= nil and file:close()
end

-- Whether the worker that holds a lock has ended. Without /proc, it counts as alive.
local function is_dead(holder)
  return not exists("/proc/" .. holder:match "^%d+") and exists "/proc/self"
end

-- Deletes the lock of a dead worker. Only one worker may, or a second one would delete the lock of
-- the next holder.
local function break_lock(self, key)
  local holder = self.dict:get(key)
  if holder and is_dead(holder) and put(self, "safe_add", BROKEN .. holder, true, AT_ONCE) then
    self.dict:delete(key)
    return true
  end
end

--- Takes a lock. The lock of a worker that has ended is free.
-- @tparam string name
-- @tparam number seconds after which it expires
-- @treturn[1] function that unlocks
-- @treturn[1] function that takes a number of seconds from now, after which it expires instead
-- @treturn[2] nil it is held already
-- @treturn[3] nil
-- @treturn[3] pcapi.error of kind store
function Dict:lock(name, seconds)
  local key = LOCK .. name
  self.locks = self.locks + 1
  local mine = ("%d %d %d"):format(ngx.worker.pid(), ngx.now() * 1000, self.locks)
  local function is_mine()
    return self.dict:get(key) == mine
  end
  repeat
    local ok, why = put(self, "safe_add", key, mine, seconds)
    if ok then
      return function()
        if is_mine() then
          self.dict:delete(key)
        end
      end, function(more)
        if is_mine() then
          self.dict:expire(key, limits.life(more))
        end
      end
    elseif why ~= "exists" then
      return not_stored(self, why)
    end
  until not break_lock(self, key)
end

function Dict:__tostring()
  return "the shared dictionary " .. self.name
end

return M
