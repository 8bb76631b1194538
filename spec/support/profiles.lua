--- Stores sign-ins of tenants of the sandbox, and runs the command with them.
local auth = require "pcapi.auth"
local cjson = require("cjson").new()
local curl = require "spec.support.curl"
local sandbox = require "spec.support.sandbox"
local url = require "pcapi.url"

local M = {}

local seed

--- Returns a refresh token of the application `client`.
function M.refresh_token()
  seed = seed or curl.fetch { url = sandbox.url .. "/_sandbox/refresh_token?client_id=client" }.body
  return seed
end

--- The address of the sign-in service.
-- @tparam ?string scenario what the sandbox returns for the tenants that sign in there
function M.login_url(scenario)
  return sandbox.url .. "/login/" .. (scenario and "scenario=" .. url.escape(scenario) or "-")
end

--- Stores the sign-in of a profile.
-- @tparam string home the home folder of the user
-- @tparam string name of the profile
-- @tparam ?string scenario what the sandbox returns for its tenant
-- @tparam ?table more settings of the profile
function M.keep(home, name, scenario, more)
  local settings = sandbox.merged({ tenant = name .. ".example", client_id = "client",
                                    login_url = M.login_url(scenario) }, more)
  assert(auth.file_store(home .. "/.local/state/pcapi"):set(name, cjson.encode {
    version = 1, client_id = settings.client_id, tenant = settings.tenant,
    refresh_token = M.refresh_token(), settings = settings,
  }))
end

--- The environment of that user.
-- @tparam string home
-- @tparam ?table more name to value; false unsets
function M.environment(home, more)
  return sandbox.merged({ HOME = home, PCAPI_TOKEN = false, PCAPI_LOGIN_URL = false }, more)
end

return M
