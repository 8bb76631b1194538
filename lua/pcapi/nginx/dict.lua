--- Texts, marks and locks in a `lua_shared_dict`: shared by all workers of an nginx, and kept
-- over its reloads. For the functions of texts and locks see `pcapi.auth.store.memory`.
-- @module pcapi.nginx.dict
local errors = require "pcapi.error"
local limits = require "pcapi.http.limits"
local log_once = require "pcapi.nginx.log_once"

local M = {}

-- in front of the names of keys
local TEXT, MARK, LOCK, BROKEN = "text ", "mark ", "lock ", "broken "
local AT_ONCE = 5 -- seconds in which several workers may find the same holder dead

local Dict = {}
Dict.__index = Dict
Dict.__name = "pcapi.nginx.dict"

--- Makes a store of a shared dictionary.
-- @tparam string name
-- @treturn[1] table
-- @treturn[2] nil
-- @treturn[2] string the dictionary is not in the configuration
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
  local hint = ("Make it larger in nginx.conf, such as: lua_shared_dict %s %dm; what does not fit "
    .. "each worker keeps for itself, or fetches again"):format(self.name,
      math.ceil(2 * self.dict:capacity() / 1048576))
  log_once.once("full " .. self.name, message .. ". " .. hint)
  return nil, errors.new { kind = "store", message = message, hint = hint }
end

local function refused(self, why)
  if why == "no memory" then
    return full(self)
  end
  return nil, errors.new { kind = "store",
                           message = ("the shared dictionary %s: %s"):format(self.name, why) }
end

-- By safe_set or safe_add, which push nothing else out: it may be a token.
local function put(self, how, key, text, seconds)
  local life = seconds and limits.life(seconds) or 0
  local ok, why = self.dict[how](self.dict, key, text, life)
  if not ok and why == "no memory" then
    self.dict:flush_expired()
    ok, why = self.dict[how](self.dict, key, text, life)
  end
  return ok, why
end

function Dict:get(name)
  return (self.dict:get(TEXT .. name))
end

--- Seconds that a text is still kept.
-- @tparam string name
-- @treturn ?number nil: for good, or there is none
function Dict:life(name)
  local seconds = self.dict:ttl(TEXT .. name)
  return seconds and seconds > 0 and seconds or nil
end

--- Keeps a text.
-- @tparam string name
-- @tparam ?string text nil takes it away
-- @tparam ?number seconds how long it is kept; for good without it
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store; what was kept before still is
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
  elseif before then -- it was taken away before there was found no room
    self.dict:safe_set(key, before, life or 0)
  end
  return refused(self, why)
end

-- What follows a beginning in the keys that have it.
local function keys_after(self, beginning)
  local rests = {}
  for _, key in ipairs(self.dict:get_keys(0)) do
    if key:sub(1, #beginning) == beginning then
      rests[#rests + 1] = key:sub(#beginning + 1)
    end
  end
  return rests
end

--- The names of all texts.
-- @treturn table array
function Dict:names()
  return keys_after(self, TEXT)
end

--- What follows a beginning in the names of marks that have it.
-- @tparam string beginning
-- @treturn table array
function Dict:marks(beginning)
  return keys_after(self, MARK .. beginning)
end

--- Reads what workers tell each other; it may be gone at any time.
-- @tparam string name
-- @treturn ?string
function Dict:mark(name)
  return (self.dict:get(MARK .. name))
end

--- Tells the other workers.
-- @tparam string name
-- @tparam ?string text nil takes it away
-- @tparam ?number seconds how long it is kept
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

-- Whether a worker is gone. Where /proc tells nothing, it is not.
local function is_dead(holder)
  return not exists("/proc/" .. holder:match "^%d+") and exists "/proc/self"
end

-- Only one may take away what a dead worker holds: the next holder's would be gone else.
local function break_lock(self, key)
  local holder = self.dict:get(key)
  if holder and is_dead(holder) and put(self, "safe_add", BROKEN .. holder, true, AT_ONCE) then
    self.dict:delete(key)
    return true
  end
end

--- Takes a lock. One whose worker is gone is free.
-- @tparam string name
-- @tparam number seconds after which it comes free in any case
-- @treturn[1] function that unlocks
-- @treturn[1] function that has it come free in so many seconds from now, instead
-- @treturn[2] nil somebody else has it
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
      return refused(self, why)
    end
  until not break_lock(self, key)
end

function Dict:__tostring()
  return "the shared dictionary " .. self.name
end

return M
