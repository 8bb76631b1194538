--- Settings from several places, and where each came from: a flag wins over the
-- environment, that over the profile in the configuration file, that over what was
-- kept at sign-in, that over a default.
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
-- @module pcapi.config
local endpoint = require "pcapi.auth.endpoint"
local errors = require "pcapi.error"
local options_ = require "pcapi.options"

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

local function seconds(value)
  local number = tonumber(value)
  if number and number > 0 and number < math.huge then
    return number
  end
  return nil, ("must be a positive number of seconds, not %q"):format(value)
end

--- Every setting, in the order in which people are shown them: `name`, `env` (its
-- variable), `secret` (only from the environment, never shown), `account` (kept at
-- sign-in), `path` (of a file), `read` (checks and converts), `default`.
M.settings = {
  { name = "tenant", env = "PCAPI_TENANT", account = true },
  { name = "client_id", env = "PCAPI_CLIENT_ID", account = true },
  { name = "client_secret", env = "PCAPI_CLIENT_SECRET", secret = true },
  { name = "client_secret_file", env = "PCAPI_CLIENT_SECRET_FILE", account = true, path = true },
  { name = "certificate", env = "PCAPI_CERTIFICATE", account = true, path = true },
  { name = "certificate_key", env = "PCAPI_CERTIFICATE_KEY", account = true, path = true },
  { name = "key_passphrase", env = "PCAPI_KEY_PASSPHRASE", secret = true },
  { name = "key_passphrase_file", env = "PCAPI_KEY_PASSPHRASE_FILE", account = true, path = true },
  { name = "assertion_alg", account = true, read = choice("PS256", "RS256") },
  { name = "refresh_token", env = "PCAPI_REFRESH_TOKEN", secret = true },
  { name = "token", env = "PCAPI_TOKEN", secret = true },
  { name = "cloud", env = "PCAPI_CLOUD", account = true, default = "global",
    read = choice("global", "us_government", "china") },
  { name = "oauth_version", account = true, default = "v2", read = choice("v1", "v2") },
  { name = "resource", account = true },
  { name = "scope", account = true },
  { name = "login_url", env = "PCAPI_LOGIN_URL", account = true },
  { name = "token_url", account = true },
  { name = "device_code_url", account = true },
  { name = "authorize_url", account = true },
  { name = "base_url", env = "PCAPI_BASE_URL", account = true },
  { name = "prefix" },
  { name = "ca_file", env = "PCAPI_CA_FILE", path = true },
  { name = "ca_path", env = "PCAPI_CA_PATH", path = true },
  { name = "proxy" },
  { name = "no_proxy" },
  { name = "timeout", read = seconds, default = 180 },
  { name = "store", env = "PCAPI_STORE", path = true },
}

local by_name = {}
for _, setting in ipairs(M.settings) do
  by_name[setting.name] = setting
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

local function unquoted(value)
  return value:match '^"(.*)"$' or value
end

-- Reads one line into the sections; returns a message where it cannot.
local function read_line(line, number, sections, section)
  local name, value = line:match "^([%w_]+)%s*=%s*(.-)$"
  if not name then
    return "is neither [profile] nor name = value"
  elseif not by_name[name] then
    return ("there is no setting %q%s"):format(name, options_.suggest(name, by_name))
  elseif by_name[name].secret then
    return by_name[name .. "_file"] and ("%s does not belong in this file; name a file with it: "
      .. "%s_file"):format(name, name)
      or ("%s does not belong in this file; set %s"):format(name, by_name[name].env)
  elseif sections[section][name] then
    return ("%s was set in line %d already"):format(name, sections[section][name].line)
  end
  sections[section][name] = { value = unquoted(value), line = number }
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
  for line in (text .. "\n"):gmatch "(.-)\r?\n" do
    number = number + 1
    line = line:match "^%s*(.-)%s*$"
    local name = line:match "^%[%s*(.-)%s*%]$"
    if name == "" then
      return nil, number, "the profile has no name"
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
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  if not text then
    if must_exist or not ABSENT[code] then
      return fail("the configuration cannot be read: " .. tostring(why or path))
    end
    return { [""] = {} }
  end
  local sections, line, message = M.parse(text)
  if not sections then
    return fail(("%s:%d: %s"):format(path, line, message), "Correct that line")
  end
  return sections
end

-- Layers, the strongest first: each a function of a name that gives value and origin.
local function layers_of(flags, getenv, profile, path, sections)
  local function in_file(section, what)
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
      local variable = by_name[name].env
      local value = variable and getenv(variable)
      -- an empty variable is none
      return value ~= "" and value or nil, "environment " .. tostring(variable)
    end,
    in_file(profile, "profile " .. profile),
    in_file("", "all profiles"),
  }
end

local function converted(setting, value, origin)
  if setting.read and type(value) == "string" then
    local read, why = setting.read(value)
    if read == nil then
      return fail(("%s %s (%s)"):format(setting.name, why, origin))
    end
    return read
  end
  return value
end

local Settings = {}
Settings.__index = Settings

local function is_taken(self, name)
  for _, rival in ipairs(RIVALS[name] or {}) do
    if self.origins[rival] then
      return true
    end
  end
  return self.values[name] ~= nil
end

-- Takes what a layer gives, unless a stronger one gave the setting or a rival.
local function take(self, layer)
  local taken = {}
  for _, setting in ipairs(M.settings) do
    local name = setting.name
    local value, origin = layer(name)
    if value ~= nil and not is_taken(self, name) then
      local err
      value, err = converted(setting, value, origin)
      if value == nil then
        return nil, err
      end
      self.values[name], taken[name] = value, origin
    end
  end
  for name, origin in pairs(taken) do
    self.origins[name] = origin
  end
  return true
end

--- Adds what was kept at sign-in, below what the caller and the file say.
-- @tparam ?table kept name to text
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function Settings:add_kept(kept)
  return take(self, function(name)
    local value = by_name[name].account and (kept or {})[name]
    return type(value) == "string" and value or nil, "sign-in"
  end)
end

--- Adds the defaults, for showing them.
function Settings:add_defaults()
  return take(self, function(name)
    return by_name[name].default, "default"
  end)
end

--- The settings of the account, to be kept at sign-in: as texts, paths made absolute.
-- A private key that was given as a text is a secret, and is not kept.
-- @tparam ?string working_directory
-- @treturn table name to text
function Settings:to_keep(working_directory)
  local kept = {}
  for _, setting in ipairs(M.settings) do
    local value = setting.account and self.values[setting.name]
    if M.is_secret(setting, value) then
      value = nil
    elseif value and setting.path and not value:find "^/" and not value:find("-----BEGIN", 1, true)
      and working_directory then
      value = working_directory .. "/" .. value
    end
    kept[setting.name] = value or nil
  end
  return kept
end

--- Finds the settings of a profile.
-- @tparam table options `flags` (name to value), `getenv` (as os.getenv), `profile`
-- (its name; default: PCAPI_PROFILE, then "default"), `path` (of the file; default:
-- PCAPI_CONFIG, then @{path})
-- @treturn[1] table `values` and `origins` (name to value, and to where it came from),
-- `profile`, `profile_origin`, `path`, `profiles` (sorted names in the file)
-- @treturn[2] nil
-- @treturn[2] pcapi.error of kind config
function M.resolve(options)
  local getenv = options.getenv
  local function env(name)
    local value = getenv(name)
    return value ~= "" and value or nil
  end
  local named = options.path or env "PCAPI_CONFIG"
  local path = named or M.path(getenv)
  local sections, err
  if path then
    sections, err = read_file(path, named ~= nil)
  else
    sections = { [""] = {} }
  end
  if not sections then
    return nil, err
  end
  local self = setmetatable({
    values = {}, origins = {}, path = path,
    profile = options.profile or env "PCAPI_PROFILE" or "default",
    profile_origin = options.profile and "flag --profile"
      or env "PCAPI_PROFILE" and "environment PCAPI_PROFILE" or "default",
    profiles = {},
  }, Settings)
  for name in pairs(sections) do
    self.profiles[#self.profiles + 1] = name ~= "" and name or nil
  end
  table.sort(self.profiles)
  for _, layer in ipairs(layers_of(options.flags or {}, env, self.profile, path, sections)) do
    local ok
    ok, err = take(self, layer)
    if not ok then
      return nil, err
    end
  end
  return self
end

--- The resource that the settings' cloud stands for.
-- @tparam table values
-- @treturn string
function M.resource(values)
  return values.resource or endpoint.clouds[values.cloud or "global"].resource
end

return M
