--- Reads the settings of the page: the account, the addresses, Redis, the refresh interval, and the
-- summary file.
-- They come from environment variables, which nginx.conf passes on with its `env` directives. An
-- invalid value stops nginx at its start, with a message that names the variable.
local claims = require "pcapi.auth.claims"
local nginx = require "pcapi.nginx"
local url = require "pcapi.url"

local M = {}

local DAY = 24 * 60 * 60

-- Raises without a position in the code, since the message is for an administrator.
local function refuse(name, why)
  error(("pcapi page: %s %s"):format(name, why), 0)
end

-- In init_by_lua, ngx_lua uses an env directive NAME=VALUE for every variable whose name begins
-- with NAME. So the value of PCAPI_REDIS may be read in place of PCAPI_REDIS_…: only a worker reads
-- the right one.
local is_uncertain = false

local function getenv(name)
  local value = os.getenv(name)
  if value and name:find "^PCAPI_REDIS_" and value == os.getenv "PCAPI_REDIS_ is no variable" then
    is_uncertain = true
    return nil
  end
  return value
end

-- An empty variable counts as not set.
local function env(name)
  local value = getenv(name)
  if value and value:find "[%z\1-\31\127]" then
    refuse(name, "contains a line break or a control character")
  elseif value and value:sub(1, 3) == "\239\187\191" then
    refuse(name, "begins with a byte order mark")
  end
  return value ~= "" and value or nil
end

-- A whole number within limits; nil if the variable is not set.
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

-- HOST or HOST:PORT; an IPv6 address stands in brackets, as in a URL.
local function host_and_port(text)
  local host, port = text:match "^(%[[%x:.]+%])(.*)$"
  if not host then
    host, port = text:match "^([%w%-._]+)(.*)$"
  end
  local digits = port and port:match "^:(%d+)$"
  local number = tonumber(digits)
  if not host or port ~= "" and not (number and number >= 1 and number <= 65535) then
    refuse("PCAPI_REDIS", ("must be HOST or HOST:PORT, such as redis.example:6379 or [::1]:6379, "
      .. "not %q"):format(url.hide_users(text, true))) -- the value may hold a password
  end
  return host, number
end

local REDIS = { "PCAPI_REDIS_PASSWORD", "PCAPI_REDIS_TLS", "PCAPI_REDIS_PREFIX",
                "PCAPI_REDIS_DATABASE" }

local function redis()
  local place = env "PCAPI_REDIS"
  for _, name in ipairs(place and {} or REDIS) do
    if env(name) then
      refuse(name, "is set, but PCAPI_REDIS is not")
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

-- The variable of each option of the library, for its messages.
local VARIABLES = { base_url = "PCAPI_BASE_URL", login_url = "PCAPI_LOGIN_URL",
  token = "PCAPI_TOKEN", tenant = "PCAPI_TENANT", client_id = "PCAPI_CLIENT_ID",
  client_secret = "PCAPI_CLIENT_SECRET", refresh_token = "PCAPI_REFRESH_TOKEN",
  redis = "PCAPI_REDIS" }

local function named(why)
  why = tostring(why):gsub("^.-: ", "", 1)
  return (why:gsub('option "([%w_]+)"', VARIABLES):gsub("^([%w_]+)", VARIABLES))
end

-- Calls a constructor of the library. If it raises, nginx does not start.
local function construct(new, options)
  local ok, value = pcall(new, options)
  if not ok then
    error("pcapi page: " .. named(value), 0)
  end
  return value
end

-- The account: the first of three variables that is set decides.
local function account_options(login_url)
  if env "PCAPI_PROFILE" then
    -- A sign-in by the command `pcapi`, as the operating system user of the workers.
    return { profile = env "PCAPI_PROFILE" }
  elseif env "PCAPI_REFRESH_TOKEN" then
    -- One renewal serves all workers, and with Redis all machines. Newer refresh tokens are in
    -- the shared memory; without Redis, a restart of nginx begins with this one again.
    return { auth = construct(nginx.auth.refresh_token, {
      tenant = env "PCAPI_TENANT",
      client_id = env "PCAPI_CLIENT_ID",
      client_secret = env "PCAPI_CLIENT_SECRET",
      refresh_token = env "PCAPI_REFRESH_TOKEN",
      login_url = login_url,
      store = M.shared,
    }) }
  elseif env "PCAPI_TOKEN" then
    -- An access token, which expires after about an hour: for a demo.
    return { token = env "PCAPI_TOKEN" }
  end
end

local options, client

-- The file that pcapi watch writes.
local function summary()
  local path = env "PCAPI_SUMMARY"
  if path and path:sub(1, 1) ~= "/" then
    refuse("PCAPI_SUMMARY", ("must be an absolute path, not %q"):format(path))
  end
  return path and nginx.summary { path = path }
end

local function read()
  --- The reader of the summary file; nil without PCAPI_SUMMARY.
  M.summary = summary()
  --- Seconds for which a list is fresh; after that a worker refreshes it in the background.
  M.fresh = whole_number("PCAPI_REFRESH", 1, DAY) or 300
  --- Seconds for which an old list is shown while the service does not respond.
  M.stale = DAY
  --- The data that all workers share, and with PCAPI_REDIS (HOST or HOST:PORT) all machines.
  M.shared = construct(nginx.shared, { dict = "pcapi", redis = redis() })
  local base_url, login_url = address "PCAPI_BASE_URL", address "PCAPI_LOGIN_URL"
  options, client = account_options(login_url), nil
  if options then
    options.base_url = base_url -- nil: Microsoft's
    -- only a worker runs as the user who can read a profile
    client = not options.profile and construct(nginx.new, options) or nil
  end
end

read()

--- Reads the settings again in a worker if they are uncertain; for init_worker_by_lua.
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

local NO_ACCOUNT = { kind = "config", message = "no account is configured",
  hint = "Set PCAPI_PROFILE, PCAPI_REFRESH_TOKEN or PCAPI_TOKEN in the environment of nginx" }

--- Returns the client of this worker.
-- @treturn[1] nginx.client
-- @treturn[2] nil
-- @treturn[2] nginx.error of kind config, store or sign_in_required
function M.client()
  if not options then
    return nil, NO_ACCOUNT
  elseif not client then
    local err
    client, err = nginx.new(options)
    if not client then
      return nil, err
    end
  end
  return client
end

--- Returns the name of the tenant, as the summary file may have it.
-- @treturn ?string PCAPI_TENANT, or the id in the token of PCAPI_TOKEN; in lower case
function M.tenant()
  local name = env "PCAPI_TENANT" or options and options.token
    and claims.read(options.token).tenant_id
  return name and name:lower()
end

--- Returns the owner of the lists, for the names of keys.
-- @treturn string `nobody` without a client
function M.owner()
  local known = M.client()
  return known and url.escape(known:identity()) or "nobody"
end

return M
