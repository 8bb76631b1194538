--- Texts and locks in a `lua_shared_dict`: shared by all workers of an nginx, and kept over
-- its reloads. For its functions see `pcapi.auth.store.memory`.
-- @module pcapi.nginx.dict
local errors = require "pcapi.error"
local notice = require "pcapi.nginx.notice"

local M = {}

local TEXT, LOCK, BROKEN = "text ", "lock ", "broken " -- in front of the names of keys
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

function Dict:get(name)
  return (self.dict:get(TEXT .. name))
end

local function full(self)
  local message = ("the shared dictionary %s is full (%d bytes)"):format(self.name,
    self.dict:capacity())
  local hint = ("Make it larger in nginx.conf: lua_shared_dict %s"):format(self.name)
  notice.once("full " .. self.name, message .. ". " .. hint)
  return nil, errors.new { kind = "store", message = message, hint = hint }
end

--- Keeps a text. Nothing else is ever pushed out for it: it may be a token.
-- @tparam string name
-- @tparam ?string text nil takes it away
-- @tparam ?number seconds how long it is kept; for good without it
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind store
function Dict:set(name, text, seconds)
  local key = TEXT .. name
  if text == nil then
    self.dict:delete(key)
    return true
  end
  local ok = self.dict:safe_set(key, text, seconds or 0)
  if not ok then
    self.dict:flush_expired()
    ok = self.dict:safe_set(key, text, seconds or 0)
  end
  if not ok then
    return full(self)
  end
  return true
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
  if holder and is_dead(holder) and self.dict:add(BROKEN .. holder, true, AT_ONCE) then
    self.dict:delete(key)
    return true
  end
end

--- Takes a lock. One whose worker is gone is free.
-- @tparam string name
-- @tparam number seconds after which it comes free in any case
-- @treturn[1] function that unlocks
-- @treturn[2] nil somebody else has it
-- @treturn[3] nil
-- @treturn[3] pcapi.error of kind store
function Dict:lock(name, seconds)
  local key = LOCK .. name
  self.locks = self.locks + 1
  local mine = ("%d %d %d"):format(ngx.worker.pid(), ngx.now() * 1000, self.locks)
  repeat
    local ok, why = self.dict:safe_add(key, mine, seconds)
    if ok then
      return function()
        if self.dict:get(key) == mine then
          self.dict:delete(key)
        end
      end
    elseif why ~= "exists" then
      return full(self)
    end
  until not break_lock(self, key)
end

function Dict:__tostring()
  return "the shared dictionary " .. self.name
end

return M
