--- A named account: its settings, its sign-in, and a client of it. The command and
-- `pcapi.new { profile = … }` share it.
-- @module pcapi.settings.profiles
local resolve = require "pcapi.settings.resolve"
local errors = require "pcapi.error"

local M = {}

local Profile = {}
Profile.__index = Profile
Profile.__name = "pcapi.settings.profiles"

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
  local directory, why = settings.values.store, nil
  if not directory then
    directory, why = file.directory(getenv)
  end
  if not directory then
    return fail(why)
  end
  return file.new(directory)
end

-- Who signed in from Lua may have kept no settings.
local function settings_of(entry)
  local settings = { tenant = entry.tenant, client_id = entry.client_id }
  for name, value in pairs(entry.settings or {}) do
    settings[name] = value
  end
  return settings
end

-- What was kept at sign-in. A store that cannot be read is told of when a sign-in is
-- needed: who has a token, or signs in anew, may go on without.
local function add_kept(self, getenv)
  local entry
  self.store, self.trouble = store_of(self.settings, getenv)
  if self.store then
    self.kept = require("pcapi.auth.stored_sign_in").new(self.store, self.name,
      M.how_to_sign_in(self.name))
    entry, self.trouble = self.kept:read()
  end
  return self.settings:add_kept(entry and settings_of(entry))
end

local function sorted(set)
  local names = {}
  for name in pairs(set) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- The accounts of the store that profiles without one of their own have.
local function kept_names(file, getenv)
  local common, err = resolve.common({ getenv = getenv }, file)
  if not common then
    return nil, err
  end
  local store = store_of(common, getenv)
  if not store then
    return {} -- there is no place for sign-ins, so there are none
  end
  local names, why = store:names()
  if not names then
    return nil, errors.new { kind = "store", message = "the token store: " .. why, cause = why }
  end
  return names
end

--- Which profiles there are: those in the configuration file, and those of this user's
-- sign-ins. What a script keeps under a name of another form is none.
-- @tparam table options `getenv` (as os.getenv); and `file` or `path`, as
-- `pcapi.config.resolve` takes them
-- @treturn[1] table sorted array of names
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config or store
function M.names(options)
  local file, err = options.file, nil
  if not file then
    file, err = resolve.read(options)
  end
  local kept
  if file then
    kept, err = kept_names(file, options.getenv)
  end
  if not kept then
    return nil, err
  end
  local set = {}
  for _, names in ipairs { file.profiles, kept } do
    for _, name in ipairs(names) do
      set[name] = resolve.is_name(name) or nil
    end
  end
  return sorted(set)
end

--- Finds a profile.
-- @tparam table options as `pcapi.config.resolve` takes them; and `given_token`, a
-- boolean: a token that is given stands in for the sign-in and what was kept with it
-- @treturn[1] table `name`, `settings`; and but for a given token `store` and `kept` (see
-- `pcapi.auth.stored_sign_in`), and `trouble`, a pcapi.error that says why they cannot be had
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.open(options)
  local settings, err = resolve.resolve(options)
  if not settings then
    return nil, err
  end
  local self = setmetatable({ name = settings.profile, settings = settings }, Profile)
  local ok = options.given_token
  if not ok then
    ok, err = add_kept(self, options.getenv)
  end
  if ok then
    ok, err = settings:add_cas(options.getenv)
  end
  if not ok then
    return nil, err
  end
  return self
end

local function missing(self)
  local values = self.settings.values
  if values.tenant and values.client_id then
    return nil
  elseif self.settings:value "refresh_token" then
    return select(2, fail("PCAPI_REFRESH_TOKEN needs PCAPI_TENANT and PCAPI_CLIENT_ID"))
  end
  return errors.new {
    kind = "sign_in_required", message = ("nobody is signed in as profile %s"):format(self.name),
    -- who asks for a profile by name would not be heard with a token
    hint = "Run: " .. M.how_to_sign_in(self.name) .. " --tenant TENANT --client-id ID"
      .. (self.settings.is_named and "" or ", or set PCAPI_TOKEN"),
  }
end

local function options_of(self, kind, more)
  local settings = self.settings
  local options = { account = self.name, store = self.store,
                    how_to_sign_in = M.how_to_sign_in(self.name) }
  for _, name in ipairs(resolve.names "account") do
    options[name] = settings:value(name)
  end
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  if kind == "refresh_token" and settings:value "refresh_token" then
    options.refresh_token = settings:value "refresh_token"
    options.how_to_sign_in = "replace PCAPI_REFRESH_TOKEN"
    -- a token of the environment is not to replace the sign-in of a profile
    options.store = auth().memory_store()
  end
  return options
end

--- Makes the provider of the profile's tokens.
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
  local err = needs_store and (kind == "refresh_token" or not self.store) and self.trouble
    or missing(self)
  if err then
    return nil, err
  end
  local account, why = auth().build(kind, options)
  if not account then
    return fail(why, "See: pcapi config show")
  end
  return account
end

--- What the profile's tenant is called: as the settings have it, and its id where the
-- sign-in tells.
-- @treturn table array of no, one or two texts
function Profile:tenants()
  local tenant = self.settings.values.tenant
  local entry = self.kept and self.kept:read()
  local id = entry and tenant and require("pcapi.auth.sign_in_record").tenant_id(entry, tenant)
  return { tenant, id ~= tenant and id or nil }
end

--- What the profile's tokens are for.
-- @treturn string
function Profile:resource()
  return resolve.resource(self.settings.values)
end

--- The options of `pcapi.new` that the profile's settings give.
-- @treturn table
function Profile:client_options()
  local options = {}
  for _, name in ipairs(resolve.names "client") do
    options[name] = self.settings.values[name]
  end
  options.base_url = resolve.base_url(self.settings.values)
  return options
end

return M
