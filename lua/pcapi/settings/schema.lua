--- Lists the settings: names, environment variables, checks and defaults.
-- @module pcapi.settings.schema
local defaults = require "pcapi.defaults"

local M = {}

--- Makes a function that converts one of several words.
-- @tparam {string,...} words
-- @treturn function for `convert`, see @{settings}
function M.choice(words)
  return function(value)
    for _, word in ipairs(words) do
      if value == word then
        return value
      end
    end
    return nil, "must be " .. table.concat(words, " or ") .. ", not " .. ("%q"):format(value)
  end
end

-- Converts a positive number; `unit` follows the word "number" in the message.
local function positive(unit)
  return function(value)
    local number = tonumber(value)
    if number and number > 0 and number < math.huge then
      return number
    end
    return nil, ("must be a positive number%s, not %q"):format(unit, value)
  end
end

--- Every setting, in the order in which `pcapi config show` lists them. The fields of one:
--
-- - `name`, and `env`, its environment variable;
-- - `about`: what it is, in one line of the help;
-- - `option_of`: `"account"` or `"client"`, whose constructor takes it as an option;
-- - `secret`: comes from the environment only, and is never shown;
-- - `stored`: stored with the sign-in when a flag gave it;
-- - `path`: is the path of a file or directory;
-- - `address`: is an address; its user name and password are not shown;
-- - `choices`: array of the allowed values;
-- - `convert`: function `(text) → value`, or `nil` and what is wrong;
-- - `default`;
-- - `replaces_sign_in`: stands in for a stored sign-in, so a profile that is named does not
--   take it from the environment.
M.settings = {
  { name = "tenant", env = "PCAPI_TENANT", option_of = "account", stored = true,
    about = "Partner tenant: ID or domain" },
  { name = "client_id", env = "PCAPI_CLIENT_ID", option_of = "account", stored = true,
    about = "Application (client) ID in Entra" },
  { name = "client_secret", env = "PCAPI_CLIENT_SECRET", option_of = "account", secret = true,
    about = "Client secret" },
  { name = "client_secret_file", env = "PCAPI_CLIENT_SECRET_FILE", option_of = "account",
    stored = true, path = true, about = "File that contains the client secret" },
  { name = "certificate", env = "PCAPI_CERTIFICATE", option_of = "account", stored = true,
    path = true, about = "Client certificate (PEM), instead of a secret" },
  { name = "certificate_key", env = "PCAPI_CERTIFICATE_KEY", option_of = "account", stored = true,
    path = true, about = "RSA key of the certificate (PEM), if in another file" },
  { name = "key_passphrase", env = "PCAPI_KEY_PASSPHRASE", option_of = "account", secret = true,
    about = "Passphrase of the key" },
  { name = "key_passphrase_file", env = "PCAPI_KEY_PASSPHRASE_FILE", option_of = "account",
    stored = true, path = true, about = "File that contains the passphrase of the key" },
  { name = "assertion_alg", option_of = "account", choices = { "PS256", "RS256" },
    about = "Signature by the certificate; PS256 is the default" },
  { name = "refresh_token", env = "PCAPI_REFRESH_TOKEN", secret = true, replaces_sign_in = true,
    about = "Refresh token, instead of a stored sign-in" },
  { name = "token", env = "PCAPI_TOKEN", secret = true, replaces_sign_in = true,
    about = "Access token, instead of a stored sign-in" },
  { name = "cloud", env = "PCAPI_CLOUD", option_of = "account", stored = true, default = "global",
    choices = { "global", "us_government", "china" }, about = "Microsoft cloud" },
  { name = "oauth_version", option_of = "account", default = "v2", choices = { "v1", "v2" },
    about = "Version of the sign-in service" },
  { name = "resource", option_of = "account", address = true,
    about = "Service to get tokens for (default: Partner Center)" },
  { name = "scope", option_of = "account",
    about = "Scope to get tokens for (default: that of the resource)" },
  { name = "login_url", env = "PCAPI_LOGIN_URL", option_of = "account", stored = true,
    address = true, about = "URL of the sign-in service" },
  { name = "token_url", option_of = "account", address = true,
    about = "URL of the token endpoint, if not below login_url" },
  { name = "device_code_url", option_of = "account", address = true,
    about = "URL for device codes, if not below login_url" },
  { name = "authorize_url", option_of = "account", address = true,
    about = "URL for sign-ins in a browser, if not below login_url" },
  { name = "base_url", env = "PCAPI_BASE_URL", option_of = "client", stored = true,
    address = true, about = "URL of Partner Center" },
  { name = "prefix", option_of = "client",
    about = "Path segment before the API version: '' or pcapi (default: try both)" },
  { name = "ca_file", env = "PCAPI_CA_FILE", option_of = "client", stored = true, path = true,
    about = "Trusted CAs, PEM file" },
  { name = "ca_path", env = "PCAPI_CA_PATH", option_of = "client", stored = true, path = true,
    about = "Trusted CAs, hashed directory" },
  { name = "proxy", option_of = "client", address = true,
    about = "URL of the proxy (default: the variable https_proxy)" },
  { name = "no_proxy", option_of = "client",
    about = "Hosts to reach without the proxy, separated by commas" },
  { name = "timeout", option_of = "client", convert = positive " of seconds",
    default = defaults.timeout, about = ("Overall timeout in seconds (default: %d; login: %d)")
      :format(defaults.timeout, defaults.login_timeout) },
  { name = "max_records", env = "PCAPI_MAX_RECORDS", option_of = "client", convert = positive "",
    default = defaults.max_records, about = ("Maximum number of records of a list (default: %d)")
      :format(defaults.max_records) },
  { name = "max_body", env = "PCAPI_MAX_BODY", option_of = "client",
    convert = positive " of bytes", default = defaults.max_list_body,
    about = ("Maximum size of a response in bytes (default: %d)"):format(
      defaults.max_list_body) },
  { name = "store", env = "PCAPI_STORE", path = true, about = "Folder of the stored sign-ins" },
}

--- The same settings by their names.
M.by_name = {}

for _, setting in ipairs(M.settings) do
  M.by_name[setting.name] = setting
  setting.convert = setting.convert or setting.choices and M.choice(setting.choices)
end

--- The names of the settings that an account or a client takes as options.
-- @tparam string option_of `"account"` or `"client"`
-- @treturn {string,...}
function M.names(option_of)
  local names = {}
  for _, setting in ipairs(M.settings) do
    names[#names + 1] = setting.option_of == option_of and setting.name or nil
  end
  return names
end

--- Whether a value must neither be shown nor stored.
-- @tparam table setting one of @{settings}
-- @param value
-- @treturn boolean
function M.is_secret(setting, value)
  return setting.secret or tostring(value):find("PRIVATE KEY", 1, true) ~= nil
end

local LONGEST_NAME = 64 -- bytes; the file store keeps longer names as a hash only

--- The rule for names of profiles; the end of a sentence.
M.NAME_RULE = ("may hold letters, digits and . _ @ -, at most %d characters"):format(LONGEST_NAME)

--- Whether a text can name a profile. The name appears in paths, in hints and on terminals.
-- @tparam string name
-- @treturn boolean
function M.is_name(name)
  return #name <= LONGEST_NAME and name:find "^[%w._@%-]+$" ~= nil
end

return M
