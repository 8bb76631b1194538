--- Whom the page asks, as whom, and how often: the one file to adapt. What it takes from the
-- environment, nginx.conf hands on by its `env` directives.
local pcapi = require "pcapi.nginx"

local M = {}

--- Seconds that a list is as good as new; a worker then fetches it anew, in the background.
M.fresh = tonumber(os.getenv "PCAPI_REFRESH") or 300
--- Seconds that an old list is shown while the service does not answer.
M.stale = 24 * 60 * 60

local function redis()
  local host, port = (os.getenv "PCAPI_REDIS" or ""):match "^(.-):?(%d*)$"
  return host ~= "" and {
    host = host, port = tonumber(port) or 6379, password = os.getenv "PCAPI_REDIS_PASSWORD",
  } or nil
end

--- What all workers share, and with PCAPI_REDIS (HOST or HOST:PORT) all machines.
M.shared = pcapi.shared { dict = "pcapi", redis = redis() }

-- Three ways to be somebody; the first one that is set counts.
local function who()
  if os.getenv "PCAPI_PROFILE" then
    -- A sign-in of the command. The user that the workers run as has to sign in, see README.
    return { profile = os.getenv "PCAPI_PROFILE" }
  elseif os.getenv "PCAPI_REFRESH_TOKEN" then
    -- One renewal serves all workers, and with Redis all machines. Newer refresh tokens are
    -- in the shared memory: a restart of nginx begins with this one again.
    return { auth = pcapi.auth.refresh_token {
      tenant = os.getenv "PCAPI_TENANT",
      client_id = os.getenv "PCAPI_CLIENT_ID",
      client_secret = os.getenv "PCAPI_CLIENT_SECRET",
      refresh_token = os.getenv "PCAPI_REFRESH_TOKEN",
      login_url = os.getenv "PCAPI_LOGIN_URL",
      store = M.shared,
    } }
  end
  -- An access token as it is, which lives for an hour: for a demo.
  return { token = os.getenv "PCAPI_TOKEN" }
end

local client

--- The client of this worker, made when it is first asked for.
-- @treturn[1] pcapi.client
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config, store or sign_in_required
function M.client()
  if not client then
    local options = who()
    options.base_url = os.getenv "PCAPI_BASE_URL" -- nil: Microsoft's
    local err
    client, err = pcapi.new(options)
    if not client then
      return nil, err
    end
  end
  return client
end

return M
