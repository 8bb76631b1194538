--- Finds the addresses of the sign-in service for a tenant, by cloud and version.
-- @module pcapi.auth.endpoints
local url = require "pcapi.url"

local M = {}

local PARTNER_CENTER = "https://api.partnercenter.microsoft.com"

--- The clouds. The German one closed in 2021.
-- @field global the default
-- @field us_government its own login, the same service
-- @field china 21Vianet; its own login and service
M.clouds = {
  -- in brackets: Lua 5.5 may be built so that the name is a reserved word
  ["global"] = { login = "https://login.microsoftonline.com", resource = PARTNER_CENTER },
  us_government = { login = "https://login.microsoftonline.us", resource = PARTNER_CENTER },
  china = { login = "https://login.partner.microsoftonline.cn",
            resource = "https://partner.partnercenterapi.microsoftonline.cn" },
}

-- Paths below login and tenant, by version of the endpoint.
local PATHS = {
  v1 = { token_url = "/oauth2/token", device_code_url = "/oauth2/devicecode",
         authorize_url = "/oauth2/authorize" },
  v2 = { token_url = "/oauth2/v2.0/token", device_code_url = "/oauth2/v2.0/devicecode",
         authorize_url = "/oauth2/v2.0/authorize" },
}

local function address_problem(name, address)
  local ok, why = url.parse_safe(address)
  return not ok and ('option "%s" %s'):format(name, why) or nil
end

local function problem(options)
  if not M.clouds[options.cloud or "global"] then
    return 'option "cloud" must be "global", "us_government" or "china"'
  elseif not PATHS[options.oauth_version or "v2"] then
    return 'option "oauth_version" must be "v1" or "v2"'
  elseif type(options.tenant) ~= "string" or not options.tenant:find "^[%w][%w.%-]*$" then
    return 'option "tenant" must be the id of a tenant or its domain, such as '
      .. "fabrikam.onmicrosoft.com"
  end
  for _, name in ipairs { "login_url", "token_url", "device_code_url", "authorize_url" } do
    local why = options[name] and address_problem(name, options[name])
    if why then
      return why
    end
  end
end

--- Finds the addresses.
-- @tparam table options `tenant`, `cloud`, `oauth_version` ("v1" requests a resource,
-- "v2" for a scope), `resource`, `scope`, and `login_url`, `token_url`,
-- `device_code_url` and `authorize_url` in place of the addresses of the cloud
-- @treturn[1] table `version`, `resource`, `scope`, `login`, `token_url`,
-- `device_code_url`, `authorize_url`, `base_url` (of the cloud's service)
-- @treturn[2] nil
-- @treturn[2] string what is wrong with the options
function M.new(options)
  local why = problem(options)
  if why then
    return nil, why
  end
  local cloud = M.clouds[options.cloud or "global"]
  local version = options.oauth_version or "v2"
  local resource = options.resource or cloud.resource
  local login = (options.login_url or cloud.login):gsub("/+$", "")
  local made = {
    version = version, resource = resource, login = login, tenant = options.tenant,
    base_url = cloud.resource,
    scope = options.scope or resource .. "/user_impersonation offline_access",
  }
  for name, path in pairs(PATHS[version]) do
    made[name] = options[name] or login .. "/" .. options.tenant .. path
  end
  return made
end

--- Returns the service that an access token is requested for.
-- @tparam table endpoint
-- @tparam ?string audience of the token; without it the endpoint's own resource
-- @treturn table `resource`, `scope`
function M.target(endpoint, audience)
  if audience == nil or audience == endpoint.resource then
    return endpoint
  end
  return { resource = audience, scope = audience .. "/.default offline_access" }
end

--- Adds a target to a form. Version 2 refuses a resource (AADSTS901002), version 1 knows no
-- scope.
-- @tparam table endpoint
-- @tparam table form name to value; changed in place
-- @tparam[opt=endpoint] table target from @{target}
-- @treturn table the form
function M.add_target(endpoint, form, target)
  target = target or endpoint
  if endpoint.version == "v1" then
    form.resource = target.resource
  else
    form.scope = target.scope
  end
  return form
end

return M
