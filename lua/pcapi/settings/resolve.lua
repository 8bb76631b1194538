--- Merges the settings of a profile from all places and records where each came from.
-- The strongest first: flags, environment, the profile's section of the configuration
-- file, the part of the file for all profiles, the stored sign-in, the CA variables of
-- other programs (see `pcapi.http.ca`), defaults.
-- @module pcapi.settings.resolve
local ca = require "pcapi.http.ca"
local credential = require "pcapi.auth.credential"
local endpoints = require "pcapi.auth.endpoints"
local environment = require "pcapi.settings.environment"
local errors = require "pcapi.error"
local config_file = require "pcapi.settings.config_file"
local input = require "pcapi.input"
local schema = require "pcapi.settings.schema"
local setting_value = require "pcapi.settings.setting_value"

local M = {}

local function fail(message)
  return errors.fail { kind = "config", message = message }
end

-- Name of a setting to the names of those that it overrides when a stronger place gives it.
local OVERRIDES = { ca_file = { "ca_path" }, ca_path = { "ca_file" } }
for name, others in pairs(credential.EXCLUDES) do
  OVERRIDES[name] = others
end

-- Layers, the strongest first: functions of a setting that return its value and origin.
local function layers_of(self, options, config)
  local flags = options.flags or {}
  local function in_section(profile, what)
    local settings = config:settings(profile)
    return function(setting)
      local found = settings[setting.name]
      if found then
        return found.value, ("%s in %s:%d"):format(what, config.path, found.line)
      end
    end
  end
  return {
    function(setting)
      return flags[setting.name], "flag --" .. setting.name:gsub("_", "-")
    end,
    function(setting)
      if setting.env and not (self.is_named and setting.replaces_sign_in) then
        return environment.value(options.getenv, setting.env), "environment " .. setting.env
      end
    end,
    in_section(self.profile, "profile " .. self.profile),
    in_section("", "all profiles"),
  }
end

local Settings = {}
Settings.__index = Settings

-- Secret values are not in `values`, so that no dump of the settings shows one.
local secrets = setmetatable({}, { __mode = "k" })

--- The value of a setting, also of a secret one.
-- @tparam string name
-- @return nil when it is not set
function Settings:value(name)
  if schema.by_name[name].secret then
    return secrets[self][name]
  end
  return self.values[name]
end

-- Whether a stronger layer gave the setting or one that overrides it.
local function is_decided(self, name)
  for _, other in ipairs(OVERRIDES[name] or {}) do
    if self.origins[other] then
      return true
    end
  end
  return self:value(name) ~= nil
end

-- Returns the value of a layer for a setting, and its origin; nil for nothing, or nil, nil, err.
local function given_by(self, layer, setting)
  local value, origin = layer(setting)
  local err
  if value ~= nil and not is_decided(self, setting.name) then
    value, err = setting_value.read(setting, value, origin, self)
    return value, value ~= nil and origin or nil, err
  end
end

-- Adds a layer below those that were added, or nothing of it after an error. Alternatives within
-- one layer are all taken: the account or the transport that uses them reports the conflict.
local function add_layer(self, layer)
  local values, origins = {}, {}
  for _, setting in ipairs(schema.settings) do
    local value, origin, err = given_by(self, layer, setting)
    if err then
      return nil, err
    end
    values[setting.name], origins[setting.name] = value, origin
  end
  for name, origin in pairs(origins) do
    local all = schema.by_name[name].secret and secrets[self] or self.values
    all[name], self.origins[name] = values[name], origin
  end
  return true
end

local function is_other_account(self, stored)
  for _, name in ipairs { "tenant", "client_id", "cloud" } do
    local value = self.values[name]
    if value ~= nil and stored[name] ~= nil and value ~= stored[name] then
      return true
    end
  end
  return false
end

-- The fields of a credential, when a stronger layer has one: no part of another credential
-- may be added to it.
local function excluded_fields(self)
  local names = {}
  for _, name in ipairs(credential.is_given(self.origins) and credential.FIELDS or {}) do
    names[name] = true
  end
  return names
end

--- Adds the settings stored at sign-in, below flags, environment and file. Adds nothing
-- when those name another tenant, application or cloud.
-- @tparam ?table stored name to text
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function Settings:add_stored(stored)
  if not stored or is_other_account(self, stored) then
    return true
  end
  local excluded = excluded_fields(self)
  return add_layer(self, function(setting)
    local value = setting.stored and not excluded[setting.name] and stored[setting.name]
    return type(value) == "string" and value or nil, "sign-in"
  end)
end

--- Adds the CAs that the environment names for all programs, below all other layers but
-- the defaults.
-- @tparam function getenv as os.getenv
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function Settings:add_cas(getenv)
  if is_decided(self, "ca_file") then
    return true
  end
  local found, value, variable = ca.of_environment(getenv)
  if not found then
    return value == nil, value
  end
  return add_layer(self, function(setting)
    return setting.name == found and value or nil, "environment " .. tostring(variable)
  end)
end

local function cloud_of(self)
  return endpoints.clouds[self.values.cloud or "global"]
end

--- Adds the defaults, for showing them.
function Settings:add_defaults()
  local cloud = cloud_of(self)
  local addresses = { login_url = cloud.login, base_url = cloud.resource }
  return add_layer(self, function(setting)
    local address = addresses[setting.name]
    return setting.default or address, address and "default of the cloud" or "default"
  end)
end

--- The settings to store at sign-in: the account and the values of flags, with absolute
-- paths. Values of the environment and of the file are read again by later commands. A
-- private key that was given as a text is a secret and is not stored.
-- @tparam ?string working_directory
-- @treturn table name to text
function Settings:to_store(working_directory)
  local stored = { tenant = self.values.tenant, client_id = self.values.client_id }
  for _, setting in ipairs(schema.settings) do
    local value, origin = self.values[setting.name], self.origins[setting.name] or ""
    if setting.stored and (origin:find "^flag" or origin == "sign-in")
      and not schema.is_secret(setting, value) then
      local is_relative = setting.path and not value:find "^/" and not setting_value.is_pem(value)
      stored[setting.name] = is_relative and working_directory
        and working_directory .. "/" .. value or value
    end
  end
  return stored
end

--- The resource that the tokens are for.
-- @treturn string
function Settings:resource()
  return self.values.resource or cloud_of(self).resource
end

--- The address of the service.
-- @treturn string
function Settings:base_url()
  return self.values.base_url or cloud_of(self).resource
end

-- The name of the profile and where it came from; or nil and an error.
local function profile_of(options)
  if options.profile then
    return options.profile, options.profile_origin or "flag --profile"
  end
  local name, err = environment.text(options.getenv, "PCAPI_PROFILE", input.word)
  if err then
    return nil, err
  elseif name then
    return name, "environment PCAPI_PROFILE"
  end
  return "default", "default"
end

-- Makes settings of the layers that are known before the store is read.
local function settings_of(options, config, fields)
  local self = setmetatable(fields, Settings)
  self.values, self.origins, secrets[self] = {}, {}, {}
  self.home = environment.value(options.getenv, "HOME")
  self.path, self.profiles = config.path, config.profiles
  for _, layer in ipairs(layers_of(self, options, config)) do
    local ok, err = add_layer(self, layer)
    if not ok then
      return nil, err
    end
  end
  return self
end

--- Finds the settings of a profile.
-- @tparam table options `flags` (name to value), `getenv` (as os.getenv), `profile`
-- (its name; default: PCAPI_PROFILE, then "default"), `profile_origin` (where that name
-- came from; default: the flag), `file` or `path` (as for `pcapi.settings.config_file`)
-- @treturn[1] table `values` and `origins` (both by name of the setting), `profile`,
-- `profile_origin`, `path`, `profiles` (sorted names in the file)
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.resolve(options)
  local profile, origin = profile_of(options)
  if not profile then
    return nil, origin
  elseif not schema.is_name(profile) then
    return fail(("the name of a profile %s (%s)"):format(schema.NAME_RULE, origin))
  end
  local config, err = config_file.read(options)
  local ok = config
  if config then
    ok, err = config:check_profile(profile, origin)
  end
  if not ok then
    return nil, err
  end
  return settings_of(options, config, {
    profile = profile, profile_origin = origin, is_named = options.profile ~= nil,
  })
end

--- Finds the settings of a profile that sets nothing itself.
-- @tparam table options `getenv`
-- @tparam pcapi.settings.config_file config
-- @treturn[1] table `values`, `origins`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.common(options, config)
  return settings_of(options, config, { profile = "" })
end

return M
