--- A value that all share: loaded by one, given to everybody, for as long as it is fresh; then
-- for a while still given at once, as stale, while one loads it anew.
--
-- It is loaded in a timer, which no browser that goes away ends. What is given is the
-- worker's own copy and the same for all its requests: it must not be changed.
-- @classmod pcapi.nginx.cached
local core = require "pcapi.core"
local defaults = require "pcapi.defaults"
local errors = require "pcapi.error"
local limits = require "pcapi.http.limits"
local check = require "pcapi.check"
local phase = require "pcapi.nginx.phase"
local url = require "pcapi.url"
local cache_codec = require "pcapi.nginx.cache_codec"

local M = {}

local OPTIONS = { of = "table|line", name = "line", load = "function", fresh = "seconds",
                  stale = "seconds", retry = "seconds", timeout = "seconds" }
local RETRY = 10 -- seconds after a failure until it is loaded again
local LOOK = 0.02 -- seconds between looks for what somebody else loads
local SPARE = 10 -- seconds more than loading may take that a lock is good for
local ELSEWHERE = 1 -- seconds until it is looked again whether another machine has loaded it
local LONGEST_KEY = 1000 -- bytes
local AHEAD = 600 -- seconds that the clock of another machine may be ahead of this one's
local READING = 5 -- seconds after which a request that reads a text was ended within

local Cached = {}
Cached.__index = Cached
Cached.__name = "pcapi.nginx.cached"

-- Whom the value is of. Without it two tenants that share a Redis would see each other's.
local function owner_of(of)
  if of == nil then
    return nil, 'option "of" is missing: the client that load asks, or a text that tells whose '
      .. "the value is"
  elseif type(of) == "string" then
    return of
  elseif type(of.identity) ~= "function" then
    return nil, 'option "of" must be a client of pcapi, or a text'
  end
  local owner = of:identity()
  if not owner then
    return nil, "a client whose token comes from a function does not tell its tenant: give a text "
      .. 'as option "of", such as the id of the tenant'
  end
  return owner
end

-- Both can be told apart in it, and a dictionary takes it however long they are.
local function key_of(owner, name)
  local key = url.escape(owner) .. "/" .. name
  return #key <= LONGEST_KEY and key or core.base64url(core.sha256(key))
end

-- Two of one name and owner would each give what the other one loads.
local function mistake_in(options, shared, key)
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
    return ('there is one of the name "%s" already; make each once, in init_by_lua, and give it a '
      .. "name of its own"):format(options.name)
  end
end

--- Makes one; nothing is loaded yet. A mistake in the options raises.
-- @tparam pcapi.nginx.shared shared
-- @tparam table options
-- @tparam pcapi.client|string options.of whose value it is: it is kept under tenant, application
-- and service of this client, which load is called with; or a text that tells as much
-- @tparam string options.name under which it is shared; no other one of the same owner may
-- have it
-- @tparam function options.load is called with `of`, and gives the value, which JSON can hold
-- (numbers of up to 14 digits) or which is a list of the client's; or nil and an error. It runs
-- in a timer: without the request's context
-- @tparam number options.fresh seconds in which it is given as it is
-- @tparam[opt] number options.stale seconds, from when it was loaded, in which it is better
-- than nothing; a day
-- @tparam[opt] number options.retry seconds after a failure in which nobody tries again, 10;
-- longer where the service asks for it
-- @tparam[opt] number options.timeout seconds that who has no value waits for one, 180
-- @treturn pcapi.nginx.cached
function M.new(shared, options)
  if getmetatable(shared) == nil or shared.lock_here == nil then
    error("call it with a colon: shared:cached { … }", 2)
  end
  options = check.options(options, OPTIONS, "cached")
  local owner, mistake = owner_of(options.of)
  local key = owner and key_of(owner, options.name or "")
  mistake = mistake or mistake_in(options, shared, key)
  if mistake then
    error("cached: " .. mistake, 2)
  end
  shared.keys[key] = true
  return setmetatable({
    shared = shared, dict = shared.dict, load = options.load, of = options.of,
    fresh = options.fresh, stale = options.stale or math.max(86400, options.fresh),
    retry = options.retry or RETRY,
    timeout = options.timeout or defaults.timeout, label = options.name,
    name = shared.CACHED .. key, at_name = "cached at " .. key,
    failed_name = "cached failure " .. key, pause_name = "cached pause " .. key,
    elsewhere_name = "cached elsewhere " .. key,
    reading_until = 0, paused_until = 0,
  }, Cached)
end

-- Whether a value can have been loaded then. A time of next year, of a clock that was set
-- right since or of a text that nobody here wrote, would make it fresh for a year.
local function is_past(at)
  return at <= ngx.now() + AHEAD
end

-- Learns what a text says; nil when it says nothing.
local function learn(self, text)
  local at = text and cache_codec.at(text)
  if not at or not is_past(at) then
    return nil
  elseif self.kept and at <= self.kept.at then
    return self.kept
  end
  local kept = cache_codec.read(text)
  if kept then
    self.kept = kept
    self.dict:set_mark(self.at_name, ("%.3f"):format(kept.at), self.stale)
  end
  return kept
end

local function read(self)
  self.reading_until = core.now() + READING
  local kept = learn(self, self.shared:get(self.name))
  self.reading_until = 0
  return kept
end

local function is_reading(self)
  return core.now() < self.reading_until and phase.can_wait()
end

-- What this worker has, or some other one. A long text is read once, not by each request
-- that comes meanwhile: reading gives way to others.
local function current(self)
  local at = tonumber(self.dict:mark(self.at_name))
  local kept = self.kept
  if kept and not is_past(kept.at) then
    kept, self.kept = nil, nil
  end
  if kept and (at == nil or at <= kept.at) or is_reading(self) then
    return kept
  end
  return read(self) or kept
end

local function age_of(kept)
  return kept and math.max(0, math.floor((ngx.now() - kept.at) * 1000) / 1000) or math.huge
end

local WORDS = { "kind", "message", "hint", "status", "code", "request_id" }

-- What JSON can hold of an error; it may be one that load made.
local function words_of(err)
  local words = { retry_after = tonumber(err.retry_after)
    and limits.pause(tonumber(err.retry_after)) }
  for _, word in ipairs(WORDS) do
    local value = err[word]
    words[word] = (type(value) == "string"
      or cache_codec.encode { value } and type(value) == "number")
      and value or nil
  end
  return words
end

-- For all workers; and for this one, should the dictionary be full. That it fails is said
-- once: a list that is given as stale would hide it.
local function note_failure(self, err)
  local words = words_of(err)
  if not self.dict:mark(self.failed_name) and not self.failed then
    ngx.log(ngx.ERR, ("pcapi: %s cannot be loaded: %s"):format(self.label,
      tostring(errors.new(words))))
  end
  local text, pause = cache_codec.encode(words), math.max(self.retry, words.retry_after or 0)
  self.dict:set_mark(self.failed_name, text, self.stale)
  self.dict:set_mark(self.pause_name, "yes", pause)
  self.failed, self.paused_until = text, core.now() + pause
end

local function note_success(self)
  if self.dict:mark(self.failed_name) or self.failed then
    ngx.log(ngx.WARN, ("pcapi: %s is loaded again"):format(self.label))
  end
  self.dict:set_mark(self.failed_name, nil)
  self.failed, self.paused_until = nil, 0
end

-- How loading failed the last time, if it did.
local function failure(self)
  local text = self.dict:mark(self.failed_name)
    or core.now() < self.paused_until and self.failed or nil
  local words = text and core.decode(text)
  if type(words) == "table" and errors.kinds[words.kind] then
    return errors.new(words)
  end
end

local function is_paused(self)
  return self.dict:mark(self.pause_name) ~= nil or core.now() < self.paused_until
end

local function keep(self, value)
  local at = tonumber(("%.3f"):format(ngx.now()))
  local text, kept, err = cache_codec.write(value, at)
  if not text then
    return nil, err
  end
  self.kept = kept
  note_success(self)
  if self.shared:set(self.name, text, self.stale) then
    self.dict:set_mark(self.at_name, ("%.3f"):format(at), self.stale)
  end
  return true
end

local function load(self)
  local ok, value, err = pcall(self.load, self.of)
  if not ok then
    ngx.log(ngx.ERR, "pcapi: the load of ", self.label, " raised: ", tostring(value))
    return nil, errors.new { kind = "config",
                             message = ("the load of %s raised an error"):format(self.label),
                             hint = "See nginx's error log" }
  elseif value == nil then
    return nil, errors.is(err) and err or errors.new { kind = "config",
      message = err and tostring(err)
        or ("the load of %s gave neither a value nor an error"):format(self.label) }
  end
  return value
end

-- Loads anew, unless another machine has; the lock is held.
local function renew(self)
  if age_of(read(self)) < self.fresh then
    return note_success(self)
  end
  local value, err = load(self)
  local ok = value ~= nil
  if ok then
    ok, err = keep(self, value)
  end
  if not ok then
    note_failure(self, err)
  end
end

local function renew_everywhere(self, lock)
  local unlock = self.shared:lock_everywhere(lock, self.timeout + SPARE)
  if not unlock then
    self.dict:set_mark(self.elsewhere_name, "yes", ELSEWHERE)
    return
  end
  local ok, why = pcall(renew, self)
  unlock()
  if not ok then
    ngx.log(ngx.ERR, "pcapi: ", self.label, ": ", tostring(why))
  end
end

-- Has it loaded anew, unless somebody is at it or it failed a moment ago. Where there are no
-- timers, as in a worker that is about to end, it is loaded here if it must be.
local function start(self, must)
  if is_paused(self) or is_reading(self) or self.dict:mark(self.elsewhere_name) then
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
  elseif must then
    renew_everywhere(self, lock)
  else
    lock:free()
  end
end

local function give(self, kept)
  local age = age_of(kept)
  if age < self.fresh then
    return kept.value, { age = age, is_stale = false }
  end
  start(self)
  return kept.value, { age = age, is_stale = true, err = failure(self) }
end

local function nothing_in_time(self)
  return nil, failure(self) or errors.new {
    kind = "timeout",
    message = ("%s was not loaded within %.0f s"):format(self.label, self.timeout),
    hint = "Raise timeout, or see what load waits for",
  }
end

-- Nobody has it yet: whoever asks waits for the one who loads it.
local function await(self)
  local can_wait, name, instead = phase.can_wait()
  if not can_wait then
    return nil, errors.new { kind = "config", hint = instead,
      message = ("%s is not loaded, and nobody can wait for it in the phase %s")
        :format(self.label, name) }
  end
  local deadline = core.now() + self.timeout
  while core.now() < deadline do
    local kept = current(self)
    if age_of(kept) < self.stale then
      return give(self, kept)
    end
    local err = is_paused(self) and failure(self)
    if err then
      return nil, err
    end
    start(self, true)
    ngx.sleep(LOOK)
  end
  return nothing_in_time(self)
end

--- Gives the value.
-- @treturn[1] value as `load` gave it, not to be changed
-- @treturn[1] table `age` (seconds), `is_stale`, and `err`: how loading it anew failed
-- @treturn[2] nil there is none, and loading failed
-- @treturn[2] pcapi.error as of `load`; or of kind timeout, or config where the phase
-- allows no waiting
function Cached:get()
  if getmetatable(self) ~= Cached then
    error("call it with a colon, such as users:get()", 2)
  end
  local kept = current(self)
  if age_of(kept) < self.stale then
    return give(self, kept)
  end
  return await(self)
end

return M
