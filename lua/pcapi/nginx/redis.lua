--- Texts and locks in Redis: shared by all machines. For its functions see
-- `pcapi.auth.store.memory`; each gives `nil, message` when Redis does not answer, and then
-- for a while at once.
-- @module pcapi.nginx.redis
local core = require "pcapi.core"
local notice = require "pcapi.nginx.notice"
local options_ = require "pcapi.options"
local phase = require "pcapi.nginx.phase"

local M = {}

local OPTIONS = { host = "line", port = "count", username = "line", password = "string",
                  database = "number", tls = "boolean", prefix = "string", timeout = "seconds" }
local TIMEOUT = 1 -- seconds, of each step
local AWAY = 5 -- seconds until Redis is asked again
local KEPT, CONNECTIONS = 60, 16 -- seconds and number of idle connections, per worker
local LONGEST_LOCK = 60 -- seconds: nobody sees from here whether its holder lives

-- Deletes a key only while it holds what is its owner's.
local UNLOCK = [[if redis.call("get", KEYS[1]) == ARGV[1] then
  return redis.call("del", KEYS[1]) end]]

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

--- Makes one; connects to nothing yet.
-- @tparam table options of `pcapi.shared`
-- @tparam number level as for `error`
-- @treturn[1] table
-- @treturn[2] nil
-- @treturn[2] string what is missing
function M.new(options, level)
  options_.check(options, OPTIONS, "pcapi.shared: redis", level)
  local module, why = library()
  if not module then
    return nil, why
  end
  local self = setmetatable({
    module = module, host = options.host or "127.0.0.1", port = options.port or 6379,
    database = options.database or 0, tls = options.tls, prefix = options.prefix or "pcapi:",
    timeout = options.timeout or TIMEOUT, away_until = 0,
  }, Redis)
  secrets[self] = { username = options.username, password = options.password }
  self.pool = ("pcapi redis %s %d %d %s %s"):format(self.host, self.port, self.database,
    tostring(self.tls), options.username or "")
  return self
end

local function sign_in(self, connection)
  local mine, ok, why = secrets[self], true, nil
  if self.tls then
    ok, why = rawget(connection, "_sock"):sslhandshake(false, self.host, true)
  end
  if ok and mine.username then
    ok, why = connection:auth(mine.username, mine.password or "")
  elseif ok and mine.password then
    ok, why = connection:auth(mine.password)
  end
  if ok and self.database ~= 0 then
    ok, why = connection:select(self.database)
  end
  return ok, why
end

local function connect(self)
  local connection, why = self.module:new()
  if not connection then
    return nil, why
  end
  connection:set_timeout(self.timeout * 1000)
  local ok
  ok, why = connection:connect(self.host, self.port, { pool = self.pool,
    pool_size = CONNECTIONS })
  if ok and connection:get_reused_times() == 0 then
    ok, why = sign_in(self, connection)
  end
  if not ok then
    connection:close()
    return nil, why
  end
  return connection
end

-- One command; nil where there is no value.
local function ask(self, command, ...)
  local connection, why = connect(self)
  if not connection then
    return nil, why
  end
  local value
  value, why = connection[command](connection, ...)
  if value == nil then
    connection:close()
    return nil, why or "no answer"
  end
  connection:set_keepalive(KEPT * 1000, CONNECTIONS)
  if value == false then
    return nil, why
  elseif value == ngx.null then
    return nil
  end
  return value
end

local function say_away(self, why)
  notice.once(self.pool, ("Redis at %s:%d does not serve: %s. Going on without it: tokens and "
    .. "lists are shared by this machine's workers only; look at the server, or at redis = { … } "
    .. "of pcapi.shared"):format(self.host, self.port, why))
end

local function call(self, command, ...)
  if core.now() < self.away_until then
    return nil, "Redis does not answer"
  elseif not phase.can_wait() then
    return nil, "Redis cannot be asked in this phase"
  end
  local value, why = ask(self, command, ...)
  if why then
    self.away_until = core.now() + AWAY
    say_away(self, tostring(why))
  else
    notice.over(self.pool, "Redis serves again")
  end
  return value, why
end

function Redis:get(name)
  return call(self, "get", self.prefix .. name)
end

--- Keeps a text.
-- @tparam string name
-- @tparam ?string text nil takes it away
-- @tparam ?number seconds how long it is kept; for good without it
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] string
function Redis:set(name, text, seconds)
  local _, why
  if text == nil then
    _, why = call(self, "del", self.prefix .. name)
  elseif seconds then
    _, why = call(self, "set", self.prefix .. name, text, "PX", math.ceil(seconds * 1000))
  else
    _, why = call(self, "set", self.prefix .. name, text)
  end
  if why then
    return nil, why
  end
  return true
end

function Redis:lock(name, seconds)
  local key, mine = self.prefix .. "lock " .. name, core.uuid()
  local taken, why = call(self, "set", key, mine, "NX", "PX",
    math.ceil(math.min(seconds, LONGEST_LOCK) * 1000))
  if not taken then
    return nil, why
  end
  return function()
    call(self, "eval", UNLOCK, 1, key, mine)
  end
end

return M
