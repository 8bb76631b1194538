--- Stores texts and locks in a Redis that machines share. Each function returns `nil, message` if
-- Redis is not available; after that it does so at once, until Redis is found to be back.
-- @module pcapi.nginx.redis
local check = require "pcapi.check"
local core = require "pcapi.core"
local cosocket = require "pcapi.nginx.cosocket"
local limits = require "pcapi.http.limits"
local log_once = require "pcapi.nginx.log_once"
local phase = require "pcapi.nginx.phase"
local url = require "pcapi.url"

local M = {}

local OPTIONS = { host = "line", port = "count", username = "line", password = "string",
                  database = "number", tls = "boolean", server_name = "line",
                  prefix = "string", timeout = "seconds" }
local TIMEOUT = 1 -- seconds, of each step
local MAX_TIMEOUT = 3600 -- seconds
local FIRST_CHECK, LAST_CHECK = 1, 8 -- seconds between checks whether Redis is back
local IDLE, CONNECTIONS = 60, 16 -- seconds and number of idle connections, per worker

-- Prefixes of values in Redis. A deleted text leaves DELETED behind, which differs from a text that
-- Redis has lost: machines write a lost one again.
local TEXT, DELETED = "=", "-"
local DELETED_FOR = 30 * 24 * 3600 -- seconds

-- Scripts that change KEYS[1] only if it holds ARGV[1], the id of its owner.
local UNLOCK = [[if redis.call("get", KEYS[1]) == ARGV[1] then
  return redis.call("del", KEYS[1]) end return 0]]
local PROLONG = [[if redis.call("get", KEYS[1]) == ARGV[1] then
  return redis.call("pexpire", KEYS[1], ARGV[2]) end return 0]]
local GET = [[return { redis.call("get", KEYS[1]), redis.call("pttl", KEYS[1]) }]]

-- User name and password, by object: they are not fields, so no dump of an object shows them.
local secrets = setmetatable({}, { __mode = "k" })

local Redis = {}
Redis.__index = Redis
Redis.__name = "pcapi.nginx.redis"

-- Debian has OpenResty's library under another name.
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

-- A host as in an address, an IPv6 address in brackets; nil if it is not a host, such
-- as one with a port, which nginx would only fail to look up.
local function host_of(text)
  local host = text:find ":.*:" and text:sub(1, 1) ~= "[" and "[" .. text .. "]" or text
  local address = url.parse("https://" .. host)
  return address and address.host == host:lower() and host or nil
end

local function problem_in(options)
  if options.host and not host_of(options.host) then
    return 'option "host" must be a name or an address, without a port'
  elseif not is_whole(options.port, 1, 65535) then
    return 'option "port" must be a whole number from 1 to 65535'
  elseif not is_whole(options.database, 0, 2 ^ 31 - 1) then
    return 'option "database" must be a whole number, 0 or more'
  elseif options.timeout and options.timeout > MAX_TIMEOUT then
    return ('option "timeout" must be %d seconds at most'):format(MAX_TIMEOUT)
  elseif options.tls and not options.server_name
    and url.is_address(options.host or "127.0.0.1") then
    return 'with "tls", set "server_name" or use a name as "host": nginx cannot verify an address'
  end
end

-- The name of the pool of idle connections. They are signed in already, so it depends on the
-- password.
local function pool_of(self, username, password)
  return ("pcapi redis %s %d %d %s %s"):format(self.host, self.port, self.database,
    self.tls and self.server_name or "",
    core.base64url(core.sha256((username or "") .. "\n" .. (password or ""))))
end

--- Makes a store; connects to nothing yet.
-- @tparam table options of `pcapi.shared`
-- @tparam number level as for `error`
-- @treturn[1] table
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the options, or missing
function M.new(options, level)
  check.options(options, OPTIONS, "pcapi.shared: redis", level + 1)
  local module, why = library()
  if not module then
    return nil, why
  end
  local problem = problem_in(options)
  if problem then
    return nil, "redis: " .. problem
  end
  local self = setmetatable({
    module = module, host = host_of(options.host or "127.0.0.1"), port = options.port or 6379,
    database = options.database or 0, tls = options.tls, prefix = options.prefix or "pcapi:",
    timeout = options.timeout or TIMEOUT, server_name = options.server_name or options.host,
    generation = 1,
  }, Redis)
  secrets[self] = { username = options.username, password = options.password }
  self.pool = pool_of(self, options.username, options.password)
  return self
end

local function handshake(self, connection)
  local ok, why = cosocket.handshake(rawget(connection, "_sock"), self.server_name)
  return ok, not ok and why .. " (nginx trusts the CAs in lua_ssl_trusted_certificate)" or nil
end

local function authenticate(self, connection)
  local its = secrets[self]
  if its.username then
    return connection:auth(its.username, its.password)
  end
  return connection:auth(its.password)
end

-- Makes a new connection ready. The error begins with what Redis, or TLS, refused.
local function sign_in(self, connection)
  local ok, why, subject = true, nil, "TLS"
  if self.tls then
    ok, why = handshake(self, connection)
  end
  if ok and secrets[self].password then
    subject = "its password"
    ok, why = authenticate(self, connection)
  end
  if ok and self.database ~= 0 then
    subject = ("its database %d"):format(self.database)
    ok, why = connection:select(self.database)
  end
  return ok, not ok and subject .. ": " .. tostring(why) or nil
end

local function not_connected(why)
  if tostring(why):find("no resolver defined", 1, true) then
    return 'set "resolver" in http { } of nginx.conf to your DNS server, or use an address'
  end
  return why
end

-- The third value says whether Redis, or TLS, refused to sign in.
local function connect(self)
  local connection, why = self.module:new()
  if not connection then
    return nil, why
  end
  connection:set_timeout(self.timeout * 1000)
  local host = self.host == "localhost" and "127.0.0.1" or self.host -- it is not looked up
  local ok, is_refused
  ok, why = connection:connect(host, self.port, {
    pool = self.pool .. " " .. self.generation, pool_size = CONNECTIONS })
  if not ok then
    why = not_connected(why)
  elseif connection:get_reused_times() == 0 then
    ok, why = sign_in(self, connection)
    is_refused = not ok
  end
  if not ok then
    connection:close()
    return nil, why, is_refused
  end
  return connection
end

-- Redis repeats the arguments of a command that it does not know, and they may be secret.
local function without_arguments(why)
  return (tostring(why or "no response"):gsub(",? with args beginning with.*", ""))
end

-- Sends one command. Returns its value, which may be ngx.null; or nil, why not, and whether Redis
-- refused to sign in.
local function send(self, command, ...)
  local connection, why, is_refused = connect(self)
  if not connection then
    return nil, without_arguments(why), is_refused
  end
  local was_idle = connection:get_reused_times() > 0
  local value
  value, why = connection[command](connection, ...)
  if value ~= nil then
    connection:set_keepalive(IDLE * 1000, CONNECTIONS)
    return value or nil, not value and without_arguments(why) or nil
  end
  connection:close()
  if was_idle and why == "timeout" then -- the other idle connections may be dead, too
    self.generation = self.generation + 1
  elseif was_idle then -- it was closed while it was idle
    return send(self, command, ...)
  end
  return nil, without_arguments(why)
end

local function log_away(self, why)
  log_once.error(self.pool, ("Redis at %s:%d is not available: %s. Until it is, only the workers "
    .. "of this machine share tokens and lists; check the server, or redis = { … } of pcapi.shared")
    :format(self.host, self.port, (why:gsub("%.$", ""))))
end

local check_whether_back

local function check_later(self, seconds)
  return ngx.timer.at(seconds, function(is_ending)
    if not is_ending then
      check_whether_back(self, seconds)
    end
  end)
end

-- Tests by writing: a Redis that is full, or a replica, would still reply to a ping. If Redis is
-- back but refuses the sign-in, that is logged, too.
function check_whether_back(self, seconds)
  local is_back, why, is_refused = send(self, "set", self.prefix .. "look", "", "PX", "1000")
  if not is_back and is_refused and not self.is_refused then
    self.is_refused = true
    log_once.solved(self.pool)
    log_away(self, why)
  end
  if is_back then
    self.is_away, self.is_refused = false, nil
    log_once.solved(self.pool, ("Redis at %s:%d is available again"):format(self.host, self.port))
    if self.on_return then
      self.on_return()
    end
  elseif not check_later(self, math.min(2 * seconds, LAST_CHECK)) then
    self.is_away = false -- there is no timer: the next command is the check
  end
end

local function go_away(self, why, is_refused)
  log_away(self, why)
  self.is_refused = is_refused
  if not self.is_away then
    self.is_away = check_later(self, FIRST_CHECK) and true or false
  end
end

local function call(self, command, ...)
  if self.is_away then
    return nil, "Redis is not available"
  elseif not phase.can_wait() then
    return nil, "Redis cannot be reached in this phase of nginx"
  end
  local value, why, is_refused = send(self, command, ...)
  if value == nil then
    go_away(self, why, is_refused)
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

-- The text in a value of Redis; false if it was deleted; nil if it is missing or not a text.
local function text_of(value)
  if type(value) ~= "string" then
    return nil
  elseif value:sub(1, 1) == TEXT then
    return value:sub(2)
  elseif value == DELETED then
    return false
  end
end

--- Reads a text.
-- @tparam string name
-- @treturn[1] string
-- @treturn[1] ?number its remaining lifetime in seconds
-- @treturn[2] boolean false: it was deleted
-- @treturn[3] nil there is none
-- @treturn[4] nil
-- @treturn[4] string why it is unknown
function Redis:get(name)
  local values, why = call(self, "eval", GET, 1, text_key(self, name))
  if not values then
    return nil, why
  end
  local left = tonumber(values[2]) or 0
  return text_of(values[1]), left > 0 and limits.life(left / 1000) or nil
end

--- Stores a text.
-- @tparam string name
-- @tparam ?string text nil deletes it
-- @tparam ?number seconds its lifetime; without it, it does not expire
-- @tparam ?boolean if_none only if there is none
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string
function Redis:set(name, text, seconds, if_none)
  local arguments = { text_key(self, name), text and TEXT .. text or DELETED }
  seconds = text and seconds or not text and DELETED_FOR or nil
  if seconds then
    arguments[3], arguments[4] = "PX", milliseconds(seconds)
  end
  arguments[#arguments + 1] = if_none and "NX" or nil
  local value, why = call(self, "set", unpack(arguments))
  if value == nil then
    return nil, why
  end
  return true
end

--- Returns the names of all texts.
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
-- @tparam string id unique id of the new owner
-- @tparam number seconds after which it expires
-- @treturn[1] boolean whether it was free
-- @treturn[2] nil
-- @treturn[2] string
function Redis:lock(name, id, seconds)
  local value, why = call(self, "set", lock_key(self, name), id, "NX", "PX",
    milliseconds(seconds))
  if value == nil then
    return nil, why
  end
  return value ~= ngx.null
end

--- Sets the seconds after which a lock expires, if the owner has this id.
-- @tparam string name
-- @tparam string id
-- @tparam number seconds
function Redis:prolong(name, id, seconds)
  call(self, "eval", PROLONG, 1, lock_key(self, name), id, milliseconds(seconds))
end

--- Frees a lock, if the owner has this id.
-- @tparam string name
-- @tparam string id
function Redis:unlock(name, id)
  call(self, "eval", UNLOCK, 1, lock_key(self, name), id)
end

return M
