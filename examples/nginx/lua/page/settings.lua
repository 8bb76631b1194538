--- Whom the page asks, as whom, and how often: the one file to adapt. What it takes from the
-- environment, nginx.conf hands on by its `env` directives.
local pcapi = require "pcapi.nginx"

local M = {}

-- A variable that is empty is one that is not set.
local function env(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

--- Seconds that a list is as good as new; a worker then fetches it anew, in the background.
M.fresh = tonumber(env "PCAPI_REFRESH") or 300
--- Seconds that an old list is shown while the service does not answer.
M.stale = 24 * 60 * 60

local function redis()
  local host, port = (env "PCAPI_REDIS" or ""):match "^([^:]+):?(%d*)$"
  return host and {
    host = host, port = tonumber(port), password = env "PCAPI_REDIS_PASSWORD",
    tls = env "PCAPI_REDIS_TLS" == "on",
  }
end

--- What all workers share, and with PCAPI_REDIS (HOST or HOST:PORT) all machines.
M.shared = pcapi.shared { dict = "pcapi", redis = redis() }

-- Three ways to be somebody; the first one that is set counts.
local function who()
  if env "PCAPI_PROFILE" then
    -- A sign-in of the command, made by the user that the workers run as.
    return { profile = env "PCAPI_PROFILE" }
  elseif env "PCAPI_REFRESH_TOKEN" then
    -- One renewal serves all workers, and with Redis all machines. Newer refresh tokens are
    -- in the shared memory: a restart of nginx begins with this one again.
    return { auth = pcapi.auth.refresh_token {
      tenant = env "PCAPI_TENANT",
      client_id = env "PCAPI_CLIENT_ID",
      client_secret = env "PCAPI_CLIENT_SECRET",
      refresh_token = env "PCAPI_REFRESH_TOKEN",
      login_url = env "PCAPI_LOGIN_URL",
      store = M.shared,
    } }
  end
  -- An access token as it is, which lives for an hour: for a demo.
  return { token = env "PCAPI_TOKEN" }
end

local client

--- The client of this worker, made when it is first asked for.
-- @treturn[1] pcapi.client
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config, store or sign_in_required
function M.client()
  if not client then
    local options = who()
    options.base_url = env "PCAPI_BASE_URL" -- nil: Microsoft's
    local err
    client, err = pcapi.new(options)
    if not client then
      return nil, err
    end
  end
  return client
end

return M
