--- Whom the page asks, as whom, and how often: the one file to adapt. What it takes from the
-- environment, nginx.conf hands on by its `env` directives. A value that cannot be used stops
-- nginx at its start, with a message that names the variable.
local nginx = require "pcapi.nginx"
local url = require "pcapi.url"

local M = {}

local DAY = 24 * 60 * 60

-- Without a line of code in front: the message is for an administrator.
local function refuse(name, why)
  error(("pcapi page: %s %s"):format(name, why), 0)
end

-- In init_by_lua ngx_lua takes NAME=VALUE of an env directive for each variable whose name
-- begins with NAME. So what is read of the others is not known before a worker reads it.
local is_uncertain = false

local function getenv(name)
  local value = os.getenv(name)
  if value and name:find "^PCAPI_REDIS_" and value == os.getenv "PCAPI_REDIS_ is no variable" then
    is_uncertain = true
    return nil
  end
  return value
end

-- A variable that is empty is one that is not set.
local function env(name)
  local value = getenv(name)
  if value and value:find "[%z\1-\31\127]" then
    refuse(name, "holds a line break or a control character")
  elseif value and value:sub(1, 3) == "\239\187\191" then
    refuse(name, "begins with a byte order mark")
  end
  return value ~= "" and value or nil
end

-- Decimal digits of a number between two others; nil if the variable is not set.
local function whole_number(name, least, most)
  local value = env(name)
  local number = value and value:find "^%d+$" and tonumber(value)
  if value and not (number and number >= least and number <= most) then
    refuse(name, ("must be a whole number from %d to %d, not %q"):format(least, most, value))
  end
  return number or nil
end

local function address(name)
  local value = env(name)
  local _, why = url.parse_safe(value or "https://localhost")
  if why then
    refuse(name, why)
  end
  return value
end

-- HOST or HOST:PORT; an IPv6 address stands in brackets, as in an address of the web.
local function host_and_port(text)
  local host, port = text:match "^(%[[%x:.]+%])(.*)$"
  if not host then
    host, port = text:match "^([%w%-._]+)(.*)$"
  end
  local digits = port and port:match "^:(%d+)$"
  local number = tonumber(digits)
  if not host or port ~= "" and not (number and number >= 1 and number <= 65535) then
    refuse("PCAPI_REDIS", ("must be HOST or HOST:PORT, such as redis.example:6379 or [::1]:6379, "
      .. "not %q"):format(url.hide_users(text, true))) -- others know addresses with a password
  end
  return host, number
end

local REDIS = { "PCAPI_REDIS_PASSWORD", "PCAPI_REDIS_TLS", "PCAPI_REDIS_PREFIX",
                "PCAPI_REDIS_DATABASE" }

local function redis()
  local place = env "PCAPI_REDIS"
  for _, name in ipairs(place and {} or REDIS) do
    if env(name) then
      refuse(name, "is set, and PCAPI_REDIS is not")
    end
  end
  if not place then
    return nil
  end
  local tls = env "PCAPI_REDIS_TLS"
  if tls and tls ~= "on" and tls ~= "off" then
    refuse("PCAPI_REDIS_TLS", ("must be on or off, not %q"):format(tls))
  end
  local host, port = host_and_port(place)
  return {
    host = host, port = port, password = env "PCAPI_REDIS_PASSWORD", tls = tls == "on",
    prefix = env "PCAPI_REDIS_PREFIX", database = whole_number("PCAPI_REDIS_DATABASE", 0, 65535),
  }
end

-- The library's message about an option, with the name of its variable.
local VARIABLES = { base_url = "PCAPI_BASE_URL", login_url = "PCAPI_LOGIN_URL",
  token = "PCAPI_TOKEN", tenant = "PCAPI_TENANT", client_id = "PCAPI_CLIENT_ID",
  client_secret = "PCAPI_CLIENT_SECRET", refresh_token = "PCAPI_REFRESH_TOKEN",
  redis = "PCAPI_REDIS" }

local function named(why)
  why = tostring(why):gsub("^.-: ", "", 1)
  return (why:gsub('option "([%w_]+)"', VARIABLES):gsub("^([%w_]+)", VARIABLES))
end

-- Makes something of settings; what is wrong with them stops nginx.
local function made(make, options)
  local ok, value = pcall(make, options)
  if not ok then
    error("pcapi page: " .. named(value), 0)
  end
  return value
end

-- Three ways to be somebody; the first one that is set counts.
local function who(login_url)
  if env "PCAPI_PROFILE" then
    -- A sign-in of the command, made by the user that the workers run as.
    return { profile = env "PCAPI_PROFILE" }
  elseif env "PCAPI_REFRESH_TOKEN" then
    -- One renewal serves all workers, and with Redis all machines. Newer refresh tokens are
    -- in the shared memory: a restart of nginx begins with this one again.
    return { auth = made(nginx.auth.refresh_token, {
      tenant = env "PCAPI_TENANT",
      client_id = env "PCAPI_CLIENT_ID",
      client_secret = env "PCAPI_CLIENT_SECRET",
      refresh_token = env "PCAPI_REFRESH_TOKEN",
      login_url = login_url,
      store = M.shared,
    }) }
  elseif env "PCAPI_TOKEN" then
    -- An access token as it is, which lives for an hour: for a demo.
    return { token = env "PCAPI_TOKEN" }
  end
end

local options, client

local function read()
  --- Seconds that a list is as good as new; a worker then fetches it anew, in the background.
  M.fresh = whole_number("PCAPI_REFRESH", 1, DAY) or 300
  --- Seconds that an old list is shown while the service does not answer.
  M.stale = DAY
  --- The data that all workers share, and with PCAPI_REDIS (HOST or HOST:PORT) all machines.
  M.shared = made(nginx.shared, { dict = "pcapi", redis = redis() })
  local base_url, login_url = address "PCAPI_BASE_URL", address "PCAPI_LOGIN_URL"
  options, client = who(login_url), nil
  if options then
    options.base_url = base_url -- nil: Microsoft's
    -- a profile is read where its user is: in a worker
    client = not options.profile and made(nginx.new, options) or nil
  end
end

read()

--- Reads in a worker what could not be read before; for init_worker_by_lua.
function M.start()
  if not is_uncertain then
    return
  end
  local ok, why = pcall(read)
  if not ok then
    ngx.log(ngx.EMERG, why)
    options, client = nil, nil
  end
end

local NOBODY = { kind = "config", message = "nobody to ask as is set",
  hint = "Set PCAPI_PROFILE, PCAPI_REFRESH_TOKEN or PCAPI_TOKEN in the environment of nginx" }

--- The client of this worker.
-- @treturn[1] nginx.client
-- @treturn[2] nil
-- @treturn[2] nginx.error of kind config, store or sign_in_required
function M.client()
  if not options then
    return nil, NOBODY
  elseif not client then
    local err
    client, err = nginx.new(options)
    if not client then
      return nil, err
    end
  end
  return client
end

--- The owner of the lists that are shown, for the names of keys.
-- @treturn string
function M.owner()
  local known = M.client()
  return known and url.escape(known:identity()) or "nobody"
end

return M
