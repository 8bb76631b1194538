--- A named account: its settings, its sign-in, and a client of it. The command and
-- `pcapi.new { profile = … }` share it.
-- @module pcapi.profile
local config = require "pcapi.config"
local errors = require "pcapi.error"

local M = {}

local Profile = {}
Profile.__index = Profile
Profile.__name = "pcapi.profile"

-- Settings that an account takes, under the same names.
local OF_ACCOUNT = { "tenant", "client_id", "client_secret", "client_secret_file", "certificate",
                     "certificate_key", "key_passphrase", "key_passphrase_file", "assertion_alg",
                     "cloud", "oauth_version", "resource", "scope", "login_url", "token_url",
                     "device_code_url", "authorize_url" }

-- Settings that a client takes, under the same names.
local OF_CLIENT = { "base_url", "prefix", "ca_file", "ca_path", "proxy", "no_proxy", "timeout" }

local function fail(message, hint)
  return nil, errors.new { kind = "config", message = message, hint = hint }
end

--- How a person signs in to a profile again.
-- @tparam string name
-- @treturn string
function M.how_to_sign_in(name)
  return "pcapi login" .. (name ~= "default" and " --profile " .. name or "")
end

-- Loaded late: who brings a token needs none of it.
local function auth()
  return require "pcapi.auth"
end

local function store_of(settings, getenv)
  local file = require "pcapi.auth.store.file"
  local directory, why = settings.values.store, "store must be the path of a folder"
  if directory == nil then
    directory, why = file.directory(getenv)
  end
  if not directory or directory == "" then
    return fail(why)
  end
  return file.new(directory)
end

--- Finds a profile.
-- @tparam table options as `pcapi.config.resolve` takes them; and `given_token`, a
-- boolean: a token that is given stands in for the sign-in and what was kept with it
-- @treturn[1] table `name`, `settings`, and `store` but for a given token
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.open(options)
  local settings, err = config.resolve(options)
  if not settings then
    return nil, err
  end
  local self = setmetatable({ name = settings.profile, settings = settings }, Profile)
  if options.given_token then
    return self
  end
  self.store, err = store_of(settings, options.getenv)
  if not self.store then
    return nil, err
  end
  local ok
  ok, err = settings:add_kept(require("pcapi.auth.account").kept_settings(self.store, self.name))
  if not ok then
    return nil, err
  end
  return self
end

local function missing(name, values)
  for _, needed in ipairs { "tenant", "client_id" } do
    if not values[needed] then
      return errors.new {
        kind = "sign_in_required", message = ("nobody is signed in: profile %s has no %s")
          :format(name, needed),
        hint = "Run: " .. M.how_to_sign_in(name)
          .. " --tenant TENANT --client-id ID, or set PCAPI_TOKEN",
      }
    end
  end
end

--- Makes the provider of the profile's tokens.
-- @tparam[opt="refresh_token"] string kind `"refresh_token"`, `"device_code"` or
-- `"authorization_code"`
-- @tparam[opt] table more options of that kind
-- @treturn[1] pcapi.auth.account
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config or sign_in_required
function Profile:account(kind, more)
  local values = self.settings.values
  local err = missing(self.name, values)
  if err then
    return nil, err
  end
  local options = { account = self.name, store = self.store,
                    how_to_sign_in = M.how_to_sign_in(self.name) }
  for _, name in ipairs(OF_ACCOUNT) do
    options[name] = values[name]
  end
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  if (kind or "refresh_token") == "refresh_token" and values.refresh_token then
    options.refresh_token = values.refresh_token
    -- a token of the environment is not to replace the sign-in of a profile
    options.store = auth().memory_store()
  end
  local account, why = auth().build(kind or "refresh_token", options)
  if not account then
    return fail(why)
  end
  return account
end

--- What the profile's tokens are for.
-- @treturn string
function Profile:resource()
  return config.resource(self.settings.values)
end

--- The options of `pcapi.new` that the profile's settings give.
-- @treturn table
function Profile:client_options()
  local options = {}
  for _, name in ipairs(OF_CLIENT) do
    options[name] = self.settings.values[name]
  end
  options.base_url = options.base_url or self:resource()
  return options
end

return M
