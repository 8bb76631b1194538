--- Lists the settings: names, environment variables, checks and defaults.
-- @module pcapi.settings.schema
local defaults = require "pcapi.defaults"

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
-- - `option_of`: `"account"` or `"client"`, whose constructor takes it as an option;
-- - `secret`: comes from the environment only, and is never shown;
-- - `stored`: stored with the sign-in when a flag gave it;
-- - `path`: is the path of a file or directory;
-- - `address`: is an address; its user name and password are not shown;
-- - `convert`: function `(text) → value`, or `nil` and what is wrong;
-- - `default`;
-- - `replaces_sign_in`: stands in for a stored sign-in, so a profile that is named does not
--   take it from the environment.
M.settings = {
  { name = "tenant", env = "PCAPI_TENANT", option_of = "account", stored = true },
  { name = "client_id", env = "PCAPI_CLIENT_ID", option_of = "account", stored = true },
  { name = "client_secret", env = "PCAPI_CLIENT_SECRET", option_of = "account", secret = true },
  { name = "client_secret_file", env = "PCAPI_CLIENT_SECRET_FILE", option_of = "account",
    stored = true, path = true },
  { name = "certificate", env = "PCAPI_CERTIFICATE", option_of = "account", stored = true,
    path = true },
  { name = "certificate_key", env = "PCAPI_CERTIFICATE_KEY", option_of = "account", stored = true,
    path = true },
  { name = "key_passphrase", env = "PCAPI_KEY_PASSPHRASE", option_of = "account", secret = true },
  { name = "key_passphrase_file", env = "PCAPI_KEY_PASSPHRASE_FILE", option_of = "account",
    stored = true, path = true },
  { name = "assertion_alg", option_of = "account", convert = choice("PS256", "RS256") },
  { name = "refresh_token", env = "PCAPI_REFRESH_TOKEN", secret = true, replaces_sign_in = true },
  { name = "token", env = "PCAPI_TOKEN", secret = true, replaces_sign_in = true },
  { name = "cloud", env = "PCAPI_CLOUD", option_of = "account", stored = true, default = "global",
    convert = choice("global", "us_government", "china") },
  { name = "oauth_version", option_of = "account", default = "v2", convert = choice("v1", "v2") },
  { name = "resource", option_of = "account", address = true },
  { name = "scope", option_of = "account" },
  { name = "login_url", env = "PCAPI_LOGIN_URL", option_of = "account", stored = true,
    address = true },
  { name = "token_url", option_of = "account", address = true },
  { name = "device_code_url", option_of = "account", address = true },
  { name = "authorize_url", option_of = "account", address = true },
  { name = "base_url", env = "PCAPI_BASE_URL", option_of = "client", stored = true,
    address = true },
  { name = "prefix", option_of = "client" },
  { name = "ca_file", env = "PCAPI_CA_FILE", option_of = "client", stored = true, path = true },
  { name = "ca_path", env = "PCAPI_CA_PATH", option_of = "client", stored = true, path = true },
  { name = "proxy", option_of = "client", address = true },
  { name = "no_proxy", option_of = "client" },
  { name = "timeout", option_of = "client", convert = positive " of seconds",
    default = defaults.timeout },
  { name = "max_records", env = "PCAPI_MAX_RECORDS", option_of = "client", convert = positive "",
    default = defaults.max_records },
  { name = "max_body", env = "PCAPI_MAX_BODY", option_of = "client",
    convert = positive " of bytes", default = defaults.max_list_body },
  { name = "store", env = "PCAPI_STORE", path = true },
}

--- The same settings by their names.
M.by_name = {}

for _, setting in ipairs(M.settings) do
  M.by_name[setting.name] = setting
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
