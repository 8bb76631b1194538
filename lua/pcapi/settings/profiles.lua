--- A profile: a named account with its settings, its stored sign-in and the options of its
-- client. The command and `pcapi.new { profile = … }` share it.
-- @module pcapi.settings.profiles
local errors = require "pcapi.error"
local config_file = require "pcapi.settings.config_file"
local resolve = require "pcapi.settings.resolve"
local schema = require "pcapi.settings.schema"

local M = {}

local Profile = {}
Profile.__index = Profile
Profile.__name = "pcapi.settings.profiles"

local function fail(message, hint)
  return errors.fail { kind = "config", message = message, hint = hint }
end

--- The command that signs in to a profile.
-- @tparam string name
-- @treturn string
function M.how_to_sign_in(name)
  return "pcapi login" .. (name ~= "default" and " --profile " .. name or "")
end

-- Loaded late: a caller with a token does not need it.
local function auth()
  return require "pcapi.auth"
end

local function store_of(settings, getenv)
  local file_store = require "pcapi.auth.store.file"
  local directory, why = settings.values.store, nil
  if not directory then
    directory, why = file_store.directory(getenv)
  end
  if not directory then
    return fail(why)
  end
  return file_store.new(directory)
end

-- A sign-in from Lua may have stored no settings.
local function settings_of(entry)
  local settings = { tenant = entry.tenant, client_id = entry.client_id }
  for name, value in pairs(entry.settings or {}) do
    settings[name] = value
  end
  return settings
end

-- The command that signs in if nothing is stored.
local function how_to_start(self)
  local how = M.how_to_sign_in(self.name)
  for _, name in ipairs { "tenant", "client_id" } do
    local origin = self.settings.origins[name]
    if not origin or origin:find "^flag" then
      return how .. " --tenant TENANT --client-id ID"
    end
  end
  return how
end

-- Adds the settings of the stored sign-in. An unreadable store is reported only when the
-- sign-in is needed: with a token, or for a new sign-in, the caller may go on.
local function add_stored(self, getenv)
  local entry
  self.store, self.store_error = store_of(self.settings, getenv)
  if self.store then
    self.stored = require("pcapi.auth.stored_sign_in").new(self.store, self.name,
      M.how_to_sign_in(self.name), how_to_start(self))
    entry, self.store_error = self.stored:read()
  end
  local ok, err = self.settings:add_stored(entry and settings_of(entry))
  if not ok then
    self.store_error = self.stored:unusable("has a setting that cannot be used: " .. err.message)
  end
end

-- The names of all accounts in the store of profiles that set no store of their own.
local function stored_names(config, getenv)
  local common, err = resolve.common({ getenv = getenv }, config)
  if not common then
    return nil, err
  end
  local store = store_of(common, getenv)
  if not store then
    return {} -- no folder for sign-ins, so there are none
  end
  local names, why = store:names()
  if not names then
    return nil, why
  end
  return names
end

local function sorted(set)
  local names = {}
  for name in pairs(set) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- The names of all profiles: those in the configuration file and those with a stored
-- sign-in of this user. A stored sign-in whose name cannot name a profile comes from a
-- script and is left out.
-- @tparam table options as for `pcapi.settings.config_file`
-- @treturn[1] {string,...} sorted
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config or store
function M.names(options)
  local config, err = config_file.read(options)
  local stored
  if config then
    stored, err = stored_names(config, options.getenv)
  end
  if not stored then
    return nil, err
  end
  local set = {}
  for _, names in ipairs { config.profiles, stored } do
    for _, name in ipairs(names) do
      set[name] = schema.is_name(name) or nil
    end
  end
  return sorted(set)
end

--- Opens a profile.
-- @tparam table options as for `pcapi.settings.resolve`; and `given_token`, a boolean:
-- the caller has a token, so the store is not read
-- @treturn[1] table `name`, `settings`; and without a given token `store`, `stored` (see
-- `pcapi.auth.stored_sign_in`) and `store_error`, the pcapi.error that reading them gave
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.open(options)
  local settings, err = resolve.resolve(options)
  if not settings then
    return nil, err
  end
  local self = setmetatable({ name = settings.profile, settings = settings }, Profile)
  if not options.given_token then
    add_stored(self, options.getenv)
  end
  local ok
  ok, err = settings:add_cas(options.getenv)
  if not ok then
    return nil, err
  end
  return self
end

-- The error when the profile lacks its tenant or application; nil when it has both.
local function account_error(self)
  local values = self.settings.values
  if values.tenant and values.client_id then
    return nil
  elseif self.settings:value "refresh_token" then
    return select(2, fail "PCAPI_REFRESH_TOKEN needs PCAPI_TENANT and PCAPI_CLIENT_ID")
  end
  return errors.new {
    kind = "sign_in_required", message = "not signed in as profile " .. self.name,
    -- a profile that is named does not use PCAPI_TOKEN
    hint = "Run: " .. how_to_start(self)
      .. (self.settings.is_named and "" or ", or set PCAPI_TOKEN"),
  }
end

local function options_of(self, kind, more)
  local settings = self.settings
  local options = { account = self.name, store = self.store,
                    how_to_sign_in = M.how_to_sign_in(self.name) }
  for _, name in ipairs(schema.names "account") do
    options[name] = settings:value(name)
  end
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  if kind == "refresh_token" and settings:value "refresh_token" then
    options.refresh_token = settings:value "refresh_token"
    options.how_to_sign_in = "replace PCAPI_REFRESH_TOKEN"
    -- a token of the environment must not replace the stored sign-in of a profile
    options.store = auth().memory_store()
  end
  return options
end

--- Makes the account that provides the profile's tokens.
-- @tparam[opt="refresh_token"] string kind `"refresh_token"`, `"device_code"` or
-- `"authorization_code"`
-- @tparam[opt] table more options of that kind
-- @treturn[1] pcapi.auth.account
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config, store or sign_in_required
function Profile:account(kind, more)
  kind = kind or "refresh_token"
  local options = options_of(self, kind, more)
  local needs_store = options.store == self.store
  local err = needs_store and (kind == "refresh_token" or not self.store) and self.store_error
    or account_error(self)
  if err then
    return nil, err
  end
  local account, why = auth().build(kind, options)
  if not account then
    return fail(why, "See: pcapi config show")
  end
  return account
end

--- The names of the profile's tenant: the one in the settings, and its id when the stored
-- sign-in has it.
-- @treturn {string,...} none, one or two
function Profile:tenants()
  local tenant = self.settings.values.tenant
  local entry = self.stored and self.stored:read()
  local id = entry and tenant and require("pcapi.auth.sign_in_record").tenant_id(entry, tenant)
  return { tenant, id ~= tenant and id or nil }
end

--- The resource that the profile's tokens are for.
-- @treturn string
function Profile:resource()
  return self.settings:resource()
end

--- The options of `pcapi.new` that the profile's settings give.
-- @treturn table
function Profile:client_options()
  local options = {}
  for _, name in ipairs(schema.names "client") do
    options[name] = self.settings.values[name]
  end
  options.base_url = self.settings:base_url()
  return options
end

return M
