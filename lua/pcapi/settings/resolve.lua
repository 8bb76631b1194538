--- Settings from several places, and where each came from: a flag wins over the
-- environment, that over the profile in the configuration file, that over what was
-- kept at sign-in, that over the CAs that the environment names for all programs (see
-- `pcapi.http.ca`), that over a default.
--
-- The file has the form that people know from git and aws:
--
--     # for all profiles
--     ca_file = /etc/ssl/proxy-ca.pem
--
--     [default]
--     tenant = fabrikam.onmicrosoft.com
--     client_id = 00000000-0000-0000-0000-000000000000
--     client_secret_file = /etc/pcapi/secret
--
-- It is read, never written. It names files with secrets and holds none.
-- @module pcapi.settings.resolve
local ca = require "pcapi.http.ca"
local defaults = require "pcapi.defaults"
local endpoints = require "pcapi.auth.endpoints"
local errors = require "pcapi.error"
local input = require "pcapi.input"
local check = require "pcapi.check"

local M = {}

local function choice(...)
  local words = { ... }
  return function(value)
    for _, word in ipairs(words) do
      if value == word then
        return value
      end
    end
    return nil, "must be " .. table.concat(words, " or ") .. ", not " .. ("%q"):format(value)
  end
end

-- Reads a positive number; `unit` is what follows that word in a message.
local function positive(unit)
  return function(value)
    local number = tonumber(value)
    if number and number > 0 and number < math.huge then
      return number
    end
    return nil, ("must be a positive number%s, not %q"):format(unit, value)
  end
end

--- Every setting, in the order in which people are shown them: `name`, `env` (its
-- variable), `of` (who takes it under this name, account or client), `secret` (only from
-- the environment, never shown), `kept` (at sign-in, where a flag gave it), `path` (of a
-- file), `address` (may hold a password, which is not shown), `read` (checks and
-- converts), `default`; and `sign_in`, for what a profile that is asked for by name is not
-- to take from the environment.
M.settings = {
  { name = "tenant", env = "PCAPI_TENANT", of = "account", kept = true },
  { name = "client_id", env = "PCAPI_CLIENT_ID", of = "account", kept = true },
  { name = "client_secret", env = "PCAPI_CLIENT_SECRET", of = "account", secret = true },
  { name = "client_secret_file", env = "PCAPI_CLIENT_SECRET_FILE", of = "account", kept = true,
    path = true },
  { name = "certificate", env = "PCAPI_CERTIFICATE", of = "account", kept = true, path = true },
  { name = "certificate_key", env = "PCAPI_CERTIFICATE_KEY", of = "account", kept = true,
    path = true },
  { name = "key_passphrase", env = "PCAPI_KEY_PASSPHRASE", of = "account", secret = true },
  { name = "key_passphrase_file", env = "PCAPI_KEY_PASSPHRASE_FILE", of = "account", kept = true,
    path = true },
  { name = "assertion_alg", of = "account", read = choice("PS256", "RS256") },
  { name = "refresh_token", env = "PCAPI_REFRESH_TOKEN", secret = true, sign_in = true },
  { name = "token", env = "PCAPI_TOKEN", secret = true, sign_in = true },
  { name = "cloud", env = "PCAPI_CLOUD", of = "account", kept = true, default = "global",
    read = choice("global", "us_government", "china") },
  { name = "oauth_version", of = "account", default = "v2", read = choice("v1", "v2") },
  { name = "resource", of = "account", address = true },
  { name = "scope", of = "account" },
  { name = "login_url", env = "PCAPI_LOGIN_URL", of = "account", kept = true, address = true },
  { name = "token_url", of = "account", address = true },
  { name = "device_code_url", of = "account", address = true },
  { name = "authorize_url", of = "account", address = true },
  { name = "base_url", env = "PCAPI_BASE_URL", of = "client", kept = true, address = true },
  { name = "prefix", of = "client" },
  { name = "ca_file", env = "PCAPI_CA_FILE", of = "client", kept = true, path = true },
  { name = "ca_path", env = "PCAPI_CA_PATH", of = "client", kept = true, path = true },
  { name = "proxy", of = "client", address = true },
  { name = "no_proxy", of = "client" },
  { name = "timeout", of = "client", read = positive " of seconds", default = defaults.timeout },
  { name = "max_records", env = "PCAPI_MAX_RECORDS", of = "client", read = positive "",
    default = defaults.max_records },
  { name = "max_body", env = "PCAPI_MAX_BODY", of = "client", read = positive " of bytes",
    default = defaults.max_list_body },
  { name = "store", env = "PCAPI_STORE", path = true },
}

local by_name, in_file = {}, {}
for _, setting in ipairs(M.settings) do
  by_name[setting.name] = setting
  in_file[setting.name] = not setting.secret and setting or nil
end

--- Whether a value is not to be shown or kept.
-- @tparam table setting one of @{settings}
-- @param value
-- @treturn boolean
function M.is_secret(setting, value)
  return setting.secret or tostring(value):find("PRIVATE KEY", 1, true) ~= nil
end

-- Settings that stand for one another: whoever gives one in a stronger place means it
-- in place of the others, too, and of what belongs to them.
local RIVALS = {
  ca_file = { "ca_path" }, ca_path = { "ca_file" },
  client_secret = { "client_secret_file", "certificate" },
  client_secret_file = { "client_secret", "certificate" },
  certificate = { "client_secret", "client_secret_file" },
  certificate_key = { "client_secret", "client_secret_file" },
  assertion_alg = { "client_secret", "client_secret_file" },
  key_passphrase = { "key_passphrase_file", "client_secret", "client_secret_file" },
  key_passphrase_file = { "key_passphrase", "client_secret", "client_secret_file" },
}

local function fail(message, hint)
  return nil, errors.new { kind = "config", message = message, hint = hint }
end

--- Where the configuration file is: `$XDG_CONFIG_HOME/pcapi/config`, or
-- `~/.config/pcapi/config`.
-- @tparam function getenv as os.getenv
-- @treturn ?string
function M.path(getenv)
  local config, home = getenv "XDG_CONFIG_HOME", getenv "HOME"
  if config and config:find "^/" then
    return config .. "/pcapi/config"
  end
  return home and home:find "^/" and home .. "/.config/pcapi/config" or nil
end

-- Quotes keep what stands in them; otherwise a comment may stand behind a value.
local function value_of(text)
  return text:match '^"([^"]*)"%s+[#;]' or text:match '^"(.*)"$' or text:gsub("%s+[#;].*$", "")
end

-- Reads one line into the sections; returns a message where it cannot.
local function read_line(line, number, sections, section)
  local name, value = line:match "^([%w_%-]+)%s*=%s*(.-)$"
  if not name then
    return "is neither [profile] nor name = value"
  elseif not by_name[name] then
    return ("there is no setting %q%s"):format(name, check.suggest(name, in_file))
  elseif by_name[name].secret then
    return by_name[name .. "_file"] and ("%s does not belong in this file; name a file with it: "
      .. "%s_file"):format(name, name)
      or ("%s does not belong in this file; set %s"):format(name, by_name[name].env)
  elseif sections[section][name] then
    return ("%s was set in line %d already"):format(name, sections[section][name].line)
  end
  sections[section][name] = { value = value_of(value), line = number }
end

local LONGEST = 64 -- bytes of a name: the store of files keeps longer ones by their hash alone
local NAME_RULE = ("the name of a profile may hold letters, digits and . _ @ -, %d at most")
  :format(LONGEST)

--- Whether a text can name a profile: it stands in paths, advice and on terminals.
-- @tparam string name
-- @treturn boolean
function M.is_name(name)
  return #name <= LONGEST and name:find "^[%w._@%-]+$" ~= nil
end

--- Takes the text of a configuration file apart.
-- @tparam string text
-- @treturn[1] table name of the profile (`""` for all) to name of the setting to
-- `value` and `line`
-- @treturn[2] nil
-- @treturn[2] number line
-- @treturn[2] string what is wrong with it
function M.parse(text)
  local sections, section, number = { [""] = {} }, "", 0
  local lines, mistake = input.lines(text)
  if not lines then
    return nil, 1, "the file " .. mistake
  end
  for line in (lines .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    line = line:match "^%s*(.-)%s*$"
    local name = line:match "^%[%s*([^%]]-)%s*%]%s*$" or line:match "^%[%s*([^%]]-)%s*%]%s*[#;]"
    if name and not M.is_name(name) then
      return nil, number, NAME_RULE
    elseif name then
      section = name
      sections[name] = sections[name] or {}
    elseif line ~= "" and not line:find "^[#;]" then
      local why = read_line(line, number, sections, section)
      if why then
        return nil, number, why
      end
    end
  end
  return sections
end

local ABSENT = { [2] = true, [20] = true } -- ENOENT, ENOTDIR

-- The sections of the file; a file that nobody asked for by name may be missing.
local function read_file(path, must_exist)
  local file, why, code = io.open(path, "rb")
  local text
  if file then
    text, why, code = file:read "*a" -- a folder can be opened
    file:close()
  end
  if not text then
    if must_exist or not ABSENT[code] then
      return fail(("the configuration cannot be read: %s"):format(
        why and (why:find(path, 1, true) and why or path .. ": " .. why) or path))
    end
    return { [""] = {} }
  end
  local sections, line, message = M.parse(text)
  if not sections then
    return fail(("%s:%d: %s"):format(path, line, message))
  end
  return sections
end

-- Layers, the strongest first: each a function of a name that gives value and origin.
local function layers_of(flags, env, self, named, sections)
  local path = self.path
  local function in_section(section, what)
    return function(name)
      local found = (sections[section] or {})[name]
      if found then
        return found.value, ("%s in %s:%d"):format(what, path, found.line)
      end
    end
  end
  return {
    function(name)
      return flags[name], "flag --" .. name:gsub("_", "-")
    end,
    function(name)
      local variable = not (named and by_name[name].sign_in) and by_name[name].env
      return variable and env(variable) or nil, "environment " .. tostring(variable)
    end,
    in_section(self.profile, "profile " .. self.profile),
    in_section("", "all profiles"),
  }
end

-- What a shell does for arguments: a file has a home and a folder, too.
local function absolute(self, path, origin)
  if path:find "^~/" then
    return self.home and self.home .. path:sub(2) or path
  elseif path:find "^/" or not origin:find(" in ", 1, true) or path:find("-----BEGIN", 1, true) then
    return path
  end
  return (self.path:match "^(.*/)" or "") .. path
end

local MAY_BE_EMPTY = { proxy = true, prefix = true }

-- The text of a setting without what stands around it, see `pcapi.input`.
local function cleaned(setting, value, origin)
  if type(value) ~= "string" or value:find("-----BEGIN", 1, true) then
    return value -- PEM is read where it is used
  end
  local blanks_count = setting.path or setting.name == "key_passphrase"
  local text, why = (blanks_count and input.line or input.word)(value)
  if not text then
    return fail(("%s %s (%s)"):format(setting.name, why, origin))
  end
  return text
end

local function converted(self, setting, value, origin)
  if setting.path then
    return absolute(self, value, origin)
  elseif not setting.read or type(value) ~= "string" then
    return value
  end
  local read, why = setting.read(value)
  if read == nil then
    return fail(("%s %s (%s)"):format(setting.name, why, origin))
  end
  return read
end

local Settings = {}
Settings.__index = Settings

-- Secret values are not in `values`: no dump of settings shows one.
local secrets = setmetatable({}, { __mode = "k" })

--- The value of a setting, a secret one too.
-- @tparam string name
-- @return nil for none
function Settings:value(name)
  if by_name[name].secret then
    return secrets[self][name]
  end
  return self.values[name]
end

local function is_taken(self, name)
  for _, rival in ipairs(RIVALS[name] or {}) do
    if self.origins[rival] then
      return true
    end
  end
  return self:value(name) ~= nil
end

-- What a layer gives for a setting, and its origin; nil for none, and nil, nil, err.
local function given_by(self, layer, setting)
  local name = setting.name
  local value, origin = layer(name)
  local err
  if value ~= nil and not is_taken(self, name) then
    value, err = cleaned(setting, value, origin)
    if value ~= nil and (value ~= "" or MAY_BE_EMPTY[name]) then
      value, err = converted(self, setting, value, origin)
      return value, origin, err
    end
  end
  return nil, nil, err
end

-- Takes what a layer gives, unless a stronger one gave the setting or a rival.
local function take(self, layer)
  local taken = {}
  for _, setting in ipairs(M.settings) do
    local name = setting.name
    local value, origin, err = given_by(self, layer, setting)
    if err then
      return nil, err
    elseif value ~= nil then
      local place = setting.secret and secrets[self] or self.values
      place[name], taken[name] = value, origin
    end
  end
  for name, origin in pairs(taken) do
    self.origins[name] = origin
  end
  return true
end

-- Whoever gives another account, or another proof of the application, means none of
-- what belonged to the former one.
local OF_SIGN_IN = { "tenant", "client_id", "cloud" }
local PROOF = { "client_secret", "client_secret_file", "certificate", "certificate_key",
                "key_passphrase", "key_passphrase_file" }

local function is_another(self, kept)
  for _, name in ipairs(OF_SIGN_IN) do
    local value = self.values[name]
    if value ~= nil and kept[name] ~= nil and value ~= kept[name] then
      return true
    end
  end
  return false
end

local function has_proof(self)
  return self.origins.client_secret or self.origins.client_secret_file
    or self.origins.certificate
end

--- Adds what was kept at sign-in, below what the caller and the file say; nothing where
-- they name another tenant, application or cloud.
-- @tparam ?table kept name to text
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function Settings:add_kept(kept)
  if not kept or is_another(self, kept) then
    return true
  end
  local left_out = {}
  for _, name in ipairs(has_proof(self) and PROOF or {}) do
    left_out[name] = true
  end
  return take(self, function(name)
    local value = by_name[name].kept and not left_out[name] and kept[name]
    return type(value) == "string" and value or nil, "sign-in"
  end)
end

--- Adds the CAs that the environment names for all programs, below all that was added.
-- @tparam function getenv as os.getenv
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function Settings:add_cas(getenv)
  if is_taken(self, "ca_file") then
    return true
  end
  local found, value, variable = ca.of_environment(getenv)
  if not found then
    return value == nil, value
  end
  return take(self, function(name)
    return name == found and value or nil, "environment " .. tostring(variable)
  end)
end

--- Adds the defaults, for showing them.
function Settings:add_defaults()
  local cloud = endpoints.clouds[self.values.cloud or "global"]
  local addresses = { login_url = cloud.login, base_url = cloud.resource }
  return take(self, function(name)
    return by_name[name].default or addresses[name],
      addresses[name] and "default of the cloud" or "default"
  end)
end

--- What is to be kept at sign-in, as texts, paths made absolute: the account, and what
-- flags said. The environment and the file will say the same again, or have a reason
-- not to. A private key that was given as a text is a secret, and is not kept.
-- @tparam ?string working_directory
-- @treturn table name to text
function Settings:to_keep(working_directory)
  local kept = { tenant = self.values.tenant, client_id = self.values.client_id }
  for _, setting in ipairs(M.settings) do
    local value, origin = self.values[setting.name], self.origins[setting.name] or ""
    if setting.kept and (origin:find "^flag" or origin == "sign-in")
      and not M.is_secret(setting, value) then
      local is_relative = setting.path and not value:find "^/"
        and not value:find("-----BEGIN", 1, true)
      kept[setting.name] = is_relative and working_directory
        and working_directory .. "/" .. value or value
    end
  end
  return kept
end

-- An empty variable is none.
local function env_of(options)
  return function(name)
    local value = options.getenv(name)
    return value ~= "" and value or nil
  end
end

-- A variable that is no setting, read by a function of `pcapi.input`; nil for none, and nil, err.
local function variable_of(env, name, read)
  local text, why = read(env(name) or "")
  if not text then
    return fail(("the text %s (environment %s)"):format(why, name))
  end
  return text ~= "" and text or nil
end

-- Its name, and who gave it; or nil and an error.
local function profile_of(options, env)
  if options.profile then
    return options.profile, options.profile_origin or "flag --profile"
  end
  local name, err = variable_of(env, "PCAPI_PROFILE", input.word)
  if name then
    return name, "environment PCAPI_PROFILE"
  elseif err then
    return nil, err
  end
  return "default", "default"
end

local function names_of(sections)
  local names = {}
  for name in pairs(sections) do
    names[#names + 1] = name ~= "" and name or nil
  end
  table.sort(names)
  return names
end

--- Reads the configuration file, for whoever asks for several profiles.
-- @tparam table options `getenv` (as os.getenv), `path` (of the file; default:
-- PCAPI_CONFIG, then @{path})
-- @treturn[1] table for @{resolve}; `path`, `profiles` (sorted names in the file)
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.read(options)
  local named, err = options.path, nil
  if not named then
    named, err = variable_of(env_of(options), "PCAPI_CONFIG", input.line)
  end
  if err then
    return nil, err
  end
  local path, sections = named or M.path(options.getenv), { [""] = {} }
  if path then
    sections, err = read_file(path, named ~= nil)
  end
  if not sections then
    return nil, err
  end
  return { path = path, sections = sections, profiles = names_of(sections) }
end

-- The settings that a file and all that is stronger give.
local function settings_of(options, file, env, facts)
  local self = setmetatable(facts, Settings)
  self.values, self.origins, self.home = {}, {}, env "HOME"
  self.path, self.profiles = file.path, file.profiles
  secrets[self] = {}
  for _, layer in ipairs(layers_of(options.flags or {}, env, self, options.profile,
                                   file.sections)) do
    local ok, err = take(self, layer)
    if not ok then
      return nil, err
    end
  end
  return self
end

--- Finds the settings of a profile.
-- @tparam table options `flags` (name to value), `getenv` (as os.getenv), `profile`
-- (its name; default: PCAPI_PROFILE, then "default"), `profile_origin` (who named it;
-- default: the flag), `file` (from @{read}; default: it is read), `path` (of the file,
-- as for @{read})
-- @treturn[1] table `values` and `origins` (name to value, and to where it came from),
-- `profile`, `profile_origin`, `path`, `profiles` (sorted names in the file)
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.resolve(options)
  local env = env_of(options)
  local profile, origin = profile_of(options, env)
  if not profile then
    return nil, origin
  elseif not M.is_name(profile) then
    return fail(("%s (%s)"):format(NAME_RULE, origin))
  end
  local file, err = options.file, nil
  if not file then
    file, err = M.read(options)
  end
  if not file then
    return nil, err
  end
  return settings_of(options, file, env, {
    profile = profile, profile_origin = origin, is_named = options.profile ~= nil,
  })
end

--- Finds the settings that every profile has which says nothing else.
-- @tparam table options `getenv`
-- @tparam table file from @{read}
-- @treturn[1] table `values`, `origins`
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.common(options, file)
  return settings_of(options, file, env_of(options), { profile = "" })
end

--- The names of the settings that an account or a client takes.
-- @tparam string of `"account"` or `"client"`
-- @treturn table array
function M.names(of)
  local names = {}
  for _, setting in ipairs(M.settings) do
    names[#names + 1] = setting.of == of and setting.name or nil
  end
  return names
end

--- What the tokens of these settings are for.
-- @tparam table values
-- @treturn string
function M.resource(values)
  return values.resource or endpoints.clouds[values.cloud or "global"].resource
end

--- The address of the service that these settings ask.
-- @tparam table values
-- @treturn string
function M.base_url(values)
  return values.base_url or endpoints.clouds[values.cloud or "global"].resource
end

return M
