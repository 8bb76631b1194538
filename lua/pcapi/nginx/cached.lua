--- A value that all workers share: one worker loads it, all return it while it is fresh. After that
-- it is stale for a while: it is still returned at once, and loaded again meanwhile. Made by
-- `shared:cached`.
--
-- The value is loaded in a timer, which a browser that disconnects does not abort. All requests of
-- a worker get the same value: do not change it.
-- @classmod pcapi.nginx.cached
local cache_codec = require "pcapi.nginx.cache_codec"
local check = require "pcapi.check"
local core = require "pcapi.core"
local defaults = require "pcapi.defaults"
local errors = require "pcapi.error"
local limits = require "pcapi.http.limits"
local phase = require "pcapi.nginx.phase"
local url = require "pcapi.url"

local M = {}

local OPTIONS = { of = "table|line", name = "line", load = "function", fresh = "seconds",
                  stale = "seconds", retry = "seconds", timeout = "seconds" }
local STALE = 86400 -- seconds
local RETRY = 10 -- seconds
local POLL = 0.02 -- seconds between checks whether another worker has loaded the value
local SPARE = 10 -- seconds that the lock lasts longer than loading may take
local ELSEWHERE = 1 -- seconds until the next check whether another machine has loaded the value
local MAX_KEY = 1000 -- bytes
local AHEAD = 600 -- seconds that the clock of another machine may be ahead of this one
local READING = 5 -- seconds after which the request that reads a text counts as aborted

local Cached = {}
Cached.__index = Cached
Cached.__name = "pcapi.nginx.cached"

-- The owner of the value: it separates the values of tenants that share a Redis.
local function owner_of(of)
  if of == nil then
    return nil, 'option "of" is missing: the client that load is called with, or a string that '
      .. "names the owner of the value"
  elseif type(of) == "string" then
    return of
  elseif type(of.identity) ~= "function" then
    return nil, 'option "of" must be a client of pcapi, or a string'
  end
  local owner = of:identity()
  if not owner then
    return nil, "the tenant of this client is unknown, as its token comes from a function: pass "
      .. 'a string as option "of", such as the id of the tenant'
  end
  return owner
end

-- Owner and name are distinct in it; long ones are hashed, to fit into a dictionary.
local function key_of(owner, name)
  local key = url.escape(owner) .. "/" .. name
  return #key <= MAX_KEY and key or core.base64url(core.sha256(key))
end

local function problem_in(options, shared, key)
  for _, name in ipairs { "name", "load", "fresh" } do
    if options[name] == nil then
      return ('option "%s" is missing'):format(name)
    end
  end
  for _, name in ipairs { "fresh", "stale", "retry", "timeout" } do
    if options[name] and options[name] > limits.LONGEST_LIFE then
      return ('option "%s" must be %d seconds at most'):format(name, limits.LONGEST_LIFE)
    end
  end
  if options.stale and options.stale < options.fresh then
    return 'option "stale" counts from when the value was loaded: it cannot be less than "fresh"'
  elseif shared.keys[key] then
    return ('the name "%s" is in use already; make each cached value once, in init_by_lua, under '
      .. "a name of its own"):format(options.name)
  end
end

-- Makes a cached value; loads nothing yet. Wrong options raise an error. `shared:cached` has
-- the documentation.
-- @local
function M.new(shared, options)
  if getmetatable(shared) == nil or shared.lock_here == nil then
    error("call it with a colon: shared:cached { … }", 2)
  end
  options = check.options(options, OPTIONS, "cached")
  local owner, problem = owner_of(options.of)
  local key = owner and key_of(owner, options.name or "")
  problem = problem or problem_in(options, shared, key)
  if problem then
    error("cached: " .. problem, 2)
  end
  shared.keys[key] = true
  return setmetatable({
    shared = shared, dict = shared.dict, load = options.load, of = options.of,
    fresh = options.fresh, stale = options.stale or math.max(STALE, options.fresh),
    retry = options.retry or RETRY,
    timeout = options.timeout or defaults.timeout, label = options.name,
    name = shared.CACHED .. key, at_mark = "cached at " .. key,
    failure_mark = "cached failure " .. key, pause_mark = "cached pause " .. key,
    elsewhere_mark = "cached elsewhere " .. key,
    reading_until = 0, paused_until = 0,
  }, Cached)
end

-- Whether a value can have been loaded at this time. A time far ahead, from a clock that was wrong
-- or from a foreign text, would keep the value fresh for years.
local function is_past(at)
  return at <= ngx.now() + AHEAD
end

-- Takes the entry from a text, unless this worker has a newer one; nil if the text is not valid.
local function take_over(self, text)
  local at = text and cache_codec.loaded_at(text)
  if not at or not is_past(at) then
    return nil
  elseif self.entry and at <= self.entry.at then
    return self.entry
  end
  local entry = cache_codec.read(text)
  if entry then
    self.entry = entry
    self.dict:set_mark(self.at_mark, ("%.3f"):format(entry.at), self.stale)
  end
  return entry
end

local function read(self)
  self.reading_until = core.now() + READING
  local entry = take_over(self, self.shared:get(self.name))
  self.reading_until = 0
  return entry
end

local function is_reading(self)
  return core.now() < self.reading_until and phase.can_wait()
end

-- The newest entry of this worker or another one. One request reads a long text, which takes a
-- while as it lets others run; they use the old entry meanwhile.
local function newest(self)
  local at = tonumber(self.dict:mark(self.at_mark))
  local entry = self.entry
  if entry and not is_past(entry.at) then
    entry, self.entry = nil, nil
  end
  if entry and (at == nil or at <= entry.at) or is_reading(self) then
    return entry
  end
  return read(self) or entry
end

local function age_of(entry)
  return entry and math.max(0, math.floor((ngx.now() - entry.at) * 1000) / 1000) or math.huge
end

local FIELDS = { "kind", "message", "hint", "status", "code", "request_id" }

-- The fields of an error that JSON can hold; `load` may have made the error itself.
local function fields_of(err)
  local fields = { retry_after = tonumber(err.retry_after)
    and limits.pause(tonumber(err.retry_after)) }
  for _, name in ipairs(FIELDS) do
    local value = err[name]
    fields[name] = (type(value) == "string"
      or cache_codec.encode { value } and type(value) == "number")
      and value or nil
  end
  return fields
end

-- Records a failure for all workers; and in this worker, in case the dictionary is full. Only the
-- first failure is logged. Without the log, stale values would hide it.
local function note_failure(self, err)
  local fields = fields_of(err)
  if not self.dict:mark(self.failure_mark) and not self.failure_text then
    ngx.log(ngx.ERR, ("pcapi: %s cannot be loaded: %s"):format(self.label,
      tostring(errors.new(fields))))
  end
  local text, pause = cache_codec.encode(fields), math.max(self.retry, fields.retry_after or 0)
  self.dict:set_mark(self.failure_mark, text, self.stale)
  self.dict:set_mark(self.pause_mark, "yes", pause)
  self.failure_text, self.paused_until = text, core.now() + pause
end

local function note_success(self)
  if self.dict:mark(self.failure_mark) or self.failure_text then
    ngx.log(ngx.WARN, ("pcapi: %s is loaded again"):format(self.label))
  end
  self.dict:set_mark(self.failure_mark, nil)
  self.failure_text, self.paused_until = nil, 0
end

-- The error of the last load, if it failed.
local function last_failure(self)
  local text = self.dict:mark(self.failure_mark)
    or core.now() < self.paused_until and self.failure_text or nil
  local fields = text and core.decode(text)
  if type(fields) == "table" and errors.kinds[fields.kind] then
    return errors.new(fields)
  end
end

local function is_paused(self)
  return self.dict:mark(self.pause_mark) ~= nil or core.now() < self.paused_until
end

local function store(self, value)
  local at = tonumber(("%.3f"):format(ngx.now()))
  local text, entry, err = cache_codec.write(value, at)
  if not text then
    return nil, err
  end
  self.entry = entry
  note_success(self)
  if self.shared:set(self.name, text, self.stale) then
    self.dict:set_mark(self.at_mark, ("%.3f"):format(at), self.stale)
  end
  return true
end

local function load(self)
  local ok, value, err = pcall(self.load, self.of)
  if not ok then
    ngx.log(ngx.ERR, "pcapi: the load of ", self.label, " raised: ", tostring(value))
    return errors.fail { kind = "config", hint = "See nginx's error log",
                         message = ("the load of %s raised an error"):format(self.label) }
  elseif value ~= nil then
    return value
  elseif errors.is(err) then
    return nil, err
  end
  return errors.fail { kind = "config", message = err and tostring(err)
    or ("the load of %s returned neither a value nor an error"):format(self.label) }
end

-- Loads the value, unless another machine has just done so. The lock is held.
local function renew(self)
  if age_of(read(self)) < self.fresh then
    return note_success(self)
  end
  local value, err = load(self)
  local ok = value ~= nil
  if ok then
    ok, err = store(self, value)
  end
  if not ok then
    note_failure(self, err)
  end
end

local function renew_everywhere(self, lock)
  local unlock = self.shared:lock_everywhere(lock, self.timeout + SPARE)
  if not unlock then
    self.dict:set_mark(self.elsewhere_mark, "yes", ELSEWHERE)
    return
  end
  local ok, why = pcall(renew, self)
  unlock()
  if not ok then
    ngx.log(ngx.ERR, "pcapi: ", self.label, ": ", tostring(why))
  end
end

-- Starts loading in a timer, unless it is under way or failed a moment ago. Without timers, as in a
-- worker that shuts down, loads here if there is no other value.
local function start(self, must_load)
  if is_paused(self) or is_reading(self) or self.dict:mark(self.elsewhere_mark) then
    return
  end
  local lock = self.shared:lock_here(self.name)
  if not lock then
    return
  end
  local ok, started = pcall(ngx.timer.at, 0, function() -- in init_by_lua it raises
    renew_everywhere(self, lock)
  end)
  if ok and started then
    return
  elseif must_load then
    renew_everywhere(self, lock)
  else
    lock:free()
  end
end

-- Returns the value and its state; starts loading if the value is stale.
local function value_and_state(self, entry)
  local age = age_of(entry)
  if age < self.fresh then
    return entry.value, { age = age, is_stale = false }
  end
  start(self)
  return entry.value, { age = age, is_stale = true, err = last_failure(self) }
end

local function timed_out(self)
  return nil, last_failure(self) or errors.new {
    kind = "timeout",
    message = ("%s was not loaded within %.0f s"):format(self.label, self.timeout),
    hint = "Raise timeout, or check what load waits for",
  }
end

-- Waits until a worker has loaded the value.
local function await(self)
  local can_wait, name, hint = phase.can_wait()
  if not can_wait then
    return errors.fail { kind = "config", hint = hint,
      message = ("%s is not loaded yet, and pcapi cannot wait for it in the nginx phase %s")
        :format(self.label, name) }
  end
  local deadline = core.now() + self.timeout
  while core.now() < deadline do
    local entry = newest(self)
    if age_of(entry) < self.stale then
      return value_and_state(self, entry)
    end
    local err = is_paused(self) and last_failure(self)
    if err then
      return nil, err
    end
    start(self, true)
    ngx.sleep(POLL)
  end
  return timed_out(self)
end

--- Returns the value. Waits only if there is none yet.
-- @return[1] the value as `load` returned it; do not change it
-- @treturn[1] table `age` (seconds since it was loaded), `is_stale` (boolean), and `err`: why it
-- could not be loaded again (a pcapi.error, or nil)
-- @treturn[2] nil there is no value, and loading failed
-- @treturn[2] pcapi.error as `load` returned it; or of kind timeout, or of kind config if code
-- cannot wait in this phase of nginx
function Cached:get()
  if getmetatable(self) ~= Cached then
    error("call it with a colon, such as users:get()", 2)
  end
  local entry = newest(self)
  if age_of(entry) < self.stale then
    return value_and_state(self, entry)
  end
  return await(self)
end

return M
