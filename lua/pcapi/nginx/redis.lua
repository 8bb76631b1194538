--- Texts and locks in Redis: shared by all machines. Each function gives `nil, message` when
-- Redis does not answer, and from then on at once, until it is found to be back.
-- @module pcapi.nginx.redis
local core = require "pcapi.core"
local limits = require "pcapi.http.limits"
local log_once = require "pcapi.nginx.log_once"
local check = require "pcapi.check"
local phase = require "pcapi.nginx.phase"
local url = require "pcapi.url"

local M = {}

local OPTIONS = { host = "line", port = "count", username = "line", password = "string",
                  database = "number", tls = "boolean", server_name = "line",
                  prefix = "string", timeout = "seconds" }
local TIMEOUT = 1 -- seconds, of each step
local LONGEST_TIMEOUT = 3600 -- seconds
local FIRST_LOOK, LAST_LOOK = 1, 8 -- seconds between looks whether it is back
local KEPT, CONNECTIONS = 60, 16 -- seconds and number of idle connections, per worker

-- In front of what is kept, so that what was taken away can be told from any text, and from
-- what Redis has lost: another machine would bring that back.
local TEXT, GONE = "=", "-"
local GONE_FOR = 30 * 24 * 3600 -- seconds

-- KEYS[1] is changed only while it holds what is its owner's.
local UNLOCK = [[if redis.call("get", KEYS[1]) == ARGV[1] then
  return redis.call("del", KEYS[1]) end return 0]]
local PROLONG = [[if redis.call("get", KEYS[1]) == ARGV[1] then
  return redis.call("pexpire", KEYS[1], ARGV[2]) end return 0]]
local GET = [[return { redis.call("get", KEYS[1]), redis.call("pttl", KEYS[1]) }]]

-- Passwords are not fields: no dump of what holds this shows one.
local secrets = setmetatable({}, { __mode = "k" })

local Redis = {}
Redis.__index = Redis
Redis.__name = "pcapi.nginx.redis"

-- Debian names the library of OpenResty by its own rule.
local function library()
  for _, name in ipairs { "resty.redis", "nginx.redis" } do
    local ok, module = pcall(require, name)
    if ok then
      return module
    end
  end
  return nil, "there is no Lua library for Redis; install lua-resty-redis, on Debian the "
    .. "package lua-nginx-redis"
end

local function is_whole(number, least, most)
  return number == nil or number >= least and number <= most and number % 1 == 0
end

-- A host as an address holds it, an IPv6 address in brackets; nil for anything else, such as
-- one with its port, of which nginx would only say that it has no address.
local function host_of(text)
  local host = text:find ":.*:" and text:sub(1, 1) ~= "[" and "[" .. text .. "]" or text
  local address = url.parse("https://" .. host)
  return address and address.host == host:lower() and host or nil
end

local function mistake_in(options)
  if options.host and not host_of(options.host) then
    return 'option "host" must be a name or an address, without a port'
  elseif not is_whole(options.port, 1, 65535) then
    return 'option "port" must be a whole number from 1 to 65535'
  elseif not is_whole(options.database, 0, 2 ^ 31 - 1) then
    return 'option "database" must be a whole number, 0 or more'
  elseif options.timeout and options.timeout > LONGEST_TIMEOUT then
    return ('option "timeout" must be %d seconds at most'):format(LONGEST_TIMEOUT)
  end
end

--- Makes one; connects to nothing yet.
-- @tparam table options of `pcapi.shared`
-- @tparam number level as for `error`
-- @treturn[1] table
-- @treturn[2] nil
-- @treturn[2] string what is missing
function M.new(options, level)
  check.options(options, OPTIONS, "pcapi.shared: redis", level + 1)
  local module, why = library()
  if not module then
    return nil, why
  end
  local mistake = mistake_in(options)
  if mistake then
    return nil, "redis: " .. mistake
  elseif options.tls and not options.server_name
    and url.is_address(options.host or "127.0.0.1") then
    return nil, "redis: with tls the host has to be a name, or its name given as server_name, as "
      .. "nginx verifies no addresses"
  end
  local self = setmetatable({
    module = module, host = host_of(options.host or "127.0.0.1"), port = options.port or 6379,
    database = options.database or 0, tls = options.tls, prefix = options.prefix or "pcapi:",
    timeout = options.timeout or TIMEOUT, server_name = options.server_name or options.host,
    generation = 1,
  }, Redis)
  secrets[self] = { username = options.username, password = options.password }
  -- a kept connection is signed in: it is for who knows the same password
  self.pool = ("pcapi redis %s %d %d %s %s"):format(self.host, self.port, self.database,
    self.tls and self.server_name or "", core.base64url(core.sha256((options.username or "") .. "\n"
      .. (options.password or ""))))
  return self
end

-- ngx_lua may call a handshake good that it has just refused, see `pcapi.nginx.connection`.
local function make_safe(self, connection)
  local ok, why = rawget(connection, "_sock"):sslhandshake(false, self.server_name, true)
  if ok and connection:get_reused_times() then
    return true
  end
  return nil, (why and tostring(why) or "its certificate was refused")
    .. " (whom nginx trusts is told by lua_ssl_trusted_certificate)"
end

local function sign_in(self, connection)
  local mine, ok, why, what = secrets[self], true, nil, "TLS"
  if self.tls then
    ok, why = make_safe(self, connection)
  end
  if ok and mine.password then
    what = "its password"
    if mine.username then
      ok, why = connection:auth(mine.username, mine.password)
    else
      ok, why = connection:auth(mine.password)
    end
  end
  if ok and self.database ~= 0 then
    what = ("its database %d"):format(self.database)
    ok, why = connection:select(self.database)
  end
  return ok, not ok and what .. ": " .. tostring(why) or nil
end

-- As of `pcapi.nginx.transport`.
local function place_of(host)
  return host == "localhost" and "127.0.0.1" or host
end

local function not_connected(why)
  if tostring(why):find("no resolver defined", 1, true) then
    return 'nginx needs its address, or "resolver" with that of your DNS server in http { } of '
      .. "nginx.conf"
  end
  return why
end

local function connect(self)
  local connection, why = self.module:new()
  if not connection then
    return nil, why
  end
  connection:set_timeout(self.timeout * 1000)
  local ok
  ok, why = connection:connect(place_of(self.host), self.port, {
    pool = self.pool .. " " .. self.generation, pool_size = CONNECTIONS })
  if not ok then
    why = not_connected(why)
  elseif connection:get_reused_times() == 0 then
    ok, why = sign_in(self, connection)
  end
  if not ok then
    connection:close()
    return nil, why
  end
  return connection
end

-- What Redis says of a command that it does not know has its arguments: secrets.
local function harmless(why)
  return (tostring(why or "no answer"):gsub(",? with args beginning with.*", ""))
end

-- One command. Gives its value, which may be ngx.null; or nil, and why not.
local function ask(self, command, ...)
  local connection, why = connect(self)
  if not connection then
    return nil, harmless(why)
  end
  local is_kept = connection:get_reused_times() > 0
  local value
  value, why = connection[command](connection, ...)
  if value ~= nil then
    connection:set_keepalive(KEPT * 1000, CONNECTIONS)
    return value or nil, not value and harmless(why) or nil
  end
  connection:close()
  if is_kept and why == "timeout" then -- those that are as old may be as dead
    self.generation = self.generation + 1
  elseif is_kept then -- closed while it lay idle
    return ask(self, command, ...)
  end
  return nil, harmless(why)
end

local function say_away(self, why)
  log_once.once(self.pool, ("Redis at %s:%d does not serve: %s. Going on without it: tokens and "
    .. "lists are shared by this machine's workers only; look at the server, or at redis = { … } "
    .. "of pcapi.shared"):format(self.host, self.port, (why:gsub("%.$", ""))))
end

-- That it is there again, and refuses us, is news to who sees to it.
local function is_refusal(why)
  return why:find "^its " or why:find "^TLS"
end

local look

local function look_later(self, seconds)
  return ngx.timer.at(seconds, function(is_ending)
    if not is_ending then
      look(self, seconds)
    end
  end)
end

-- By writing: a Redis that is full, or the copy of another one, answers a ping as well.
function look(self, seconds)
  local is_back, why = ask(self, "set", self.prefix .. "look", "", "PX", "1000")
  if not is_back and is_refusal(why) and not self.refuses then
    self.refuses = true
    log_once.over(self.pool)
    say_away(self, why)
  end
  if is_back then
    self.is_away, self.refuses = false, nil
    log_once.over(self.pool, ("Redis at %s:%d serves again"):format(self.host, self.port))
    if self.on_return then
      self.on_return()
    end
  elseif not look_later(self, math.min(2 * seconds, LAST_LOOK)) then
    self.is_away = false -- no timer is to be had: the next who asks will see
  end
end

local function go_away(self, why)
  say_away(self, why)
  self.refuses = is_refusal(why)
  if not self.is_away then
    self.is_away = look_later(self, FIRST_LOOK) and true or false
  end
end

local function call(self, command, ...)
  if self.is_away then
    return nil, "Redis does not answer"
  elseif not phase.can_wait() then
    return nil, "Redis cannot be asked in this phase"
  end
  local value, why = ask(self, command, ...)
  if value == nil then
    go_away(self, why)
  end
  return value, why
end

local function text_key(self, name)
  return self.prefix .. "text:" .. name
end

local function lock_key(self, name)
  return self.prefix .. "lock:" .. name
end

local function milliseconds(seconds)
  return ("%.0f"):format(math.ceil(limits.life(seconds) * 1000))
end

-- What is kept, as text; false for what was taken away; nil for nothing, or else.
local function read(kept)
  if type(kept) ~= "string" then
    return nil
  elseif kept:sub(1, 1) == TEXT then
    return kept:sub(2)
  elseif kept == GONE then
    return false
  end
end

--- Reads a text.
-- @tparam string name
-- @treturn[1] string
-- @treturn[1] ?number seconds that it is still kept
-- @treturn[2] boolean false: it was taken away
-- @treturn[3] nil there is none
-- @treturn[4] nil
-- @treturn[4] string why it cannot be told
function Redis:get(name)
  local values, why = call(self, "eval", GET, 1, text_key(self, name))
  if not values then
    return nil, why
  end
  local left = tonumber(values[2]) or 0
  return read(values[1]), left > 0 and limits.life(left / 1000) or nil
end

--- Keeps a text.
-- @tparam string name
-- @tparam ?string text nil takes it away
-- @tparam ?number seconds how long it is kept; for good without it
-- @tparam ?boolean if_none only where there is none
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string
function Redis:set(name, text, seconds, if_none)
  local words = { text_key(self, name), text and TEXT .. text or GONE }
  seconds = text and seconds or not text and GONE_FOR or nil
  if seconds then
    words[3], words[4] = "PX", milliseconds(seconds)
  end
  words[#words + 1] = if_none and "NX" or nil
  local value, why = call(self, "set", unpack(words))
  if value == nil then
    return nil, why
  end
  return true
end

--- The names of all texts.
-- @treturn[1] table array
-- @treturn[2] nil
-- @treturn[2] string
function Redis:names()
  local prefix, cursor, names = text_key(self, ""), "0", {}
  local pattern = prefix:gsub("[%[%]*?^\\]", "\\%0") .. "*"
  repeat
    local part, why = call(self, "scan", cursor, "match", pattern, "count", 1000)
    if not part then
      return nil, why
    end
    cursor = part[1]
    for _, key in ipairs(part[2]) do
      names[#names + 1] = key:sub(#prefix + 1)
    end
  until cursor == "0"
  return names
end

--- Takes a lock.
-- @tparam string name
-- @tparam string mine what nobody else calls himself
-- @tparam number seconds after which it comes free in any case
-- @treturn[1] boolean whether it was free
-- @treturn[2] nil
-- @treturn[2] string
function Redis:lock(name, mine, seconds)
  local value, why = call(self, "set", lock_key(self, name), mine, "NX", "PX",
    milliseconds(seconds))
  if value == nil then
    return nil, why
  end
  return value ~= ngx.null
end

--- Has a lock come free in so many seconds from now, if it is still one's own.
function Redis:prolong(name, mine, seconds)
  call(self, "eval", PROLONG, 1, lock_key(self, name), mine, milliseconds(seconds))
end

--- Lets a lock go, if it is still one's own.
function Redis:unlock(name, mine)
  call(self, "eval", UNLOCK, 1, lock_key(self, name), mine)
end

return M
