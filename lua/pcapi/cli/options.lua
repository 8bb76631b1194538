--- The options that several commands share, and the functions that check their values.
--
-- An option is a table. Its array part holds its names, the long one last. Its fields are `about`
-- (what it does, in one line of the help) and, if it takes a value, `value` (the word that stands
-- for the value in the help). Optional fields:
--
-- - `choices`: array of the allowed values;
-- - `default`;
-- - `check`: function `(text) → value`, or `nil` and a message;
-- - `once`: the option may be given once only; of other options the last one counts;
-- - `group`: heading in the help;
-- - `env`: environment variable with the same meaning;
-- - `complete`: the words that completion offers: an array, or `"profile"`, `"columns"`, `"file"`
--   or `"folder"`;
-- - `key`: name in the arguments, if not that of the option.
-- @module pcapi.cli.options
local core = require "pcapi.core"
local defaults = require "pcapi.defaults"
local formats = require "pcapi.format"
local schema = require "pcapi.settings.schema"
local text = require "pcapi.text"
local time = require "pcapi.time"
local url = require "pcapi.url"

local M = {}

--- The name of an option's value in the arguments: `client_id` for `--client-id`.
-- @tparam table option
-- @treturn string
function M.key(option)
  return option.key or (option[#option]:gsub("^%-+", ""):gsub("-", "_"))
end

--- What an option does, with its values and its variable.
-- @tparam table option
-- @treturn string
function M.meaning(option)
  return option.about .. (option.choices and ": " .. table.concat(option.choices, ", ") or "")
    .. (option.default and (" (default: %s)"):format(option.default) or "")
    .. (option.env and (" (%s)"):format(option.env) or "")
end

--- Entries of the help for options: names and the word for the value, and the meaning.
-- @tparam {table,...} list
-- @treturn table array of `{ label, meaning }`
function M.entries(list)
  local entries = {}
  for i, option in ipairs(list) do
    entries[i] = {
      -- a short name is optional, so the long ones stand below one another
      (#option == 1 and option[1]:find "^%-" and "    " or "") .. table.concat(option, ", ")
        .. (option.value and " " .. option.value or ""),
      M.meaning(option),
    }
  end
  return entries
end

local SHOWN = 60 -- columns of one value in a message

--- A value from the command line, made safe and short enough for a message.
-- @tparam string value
-- @treturn string
function M.shown(value)
  value = text.visible(value)
  return text.width(value) > SHOWN and (text.cut(value, SHOWN)) or value
end

--- Makes a check for a decimal number. Values outside the limits are typing errors.
-- @tparam string flag
-- @tparam number least
-- @tparam number most
-- @tparam[opt=false] boolean is_whole
-- @treturn function
function M.number(flag, least, most, is_whole)
  local wanted = ("%s must be a %s number from %s to %s"):format(flag,
    is_whole and "whole" or "positive", text.number(least), text.number(most))
  return function(value)
    local read = value:find "^[%d.eE+-]+$" and tonumber(value)
    if read and read >= least and read <= most and (not is_whole or read % 1 == 0) then
      return read
    end
    return nil, ("%s, not '%s'"):format(wanted, M.shown(value))
  end
end

local function names(words)
  local list, seen = {}, {}
  for name in words:gmatch("[^,%s]+") do
    list[#list + 1] = not seen[name] and name or nil
    seen[name] = true
  end
  if #list > 0 then
    return list
  end
  return nil, "--columns needs field names, such as upn,tenantId"
end

-- The time is read twice: here for the message, and later against the service's clock.
local function moment(value)
  local ok, message = time.since(value, 0)
  return ok and value, "--since: " .. tostring(message)
end

--- Returns the check of an option for a day.
-- @tparam string flag
-- @treturn function
function M.day(flag)
  return function(value)
    if time.is_day(value) then
      return value
    end
    return nil, ("%s must be a day such as 2024-02-03, not '%s'"):format(flag, M.shown(value))
  end
end

--- Returns the check of an option whose value must not be empty. An empty value comes from an
-- unset variable in a script. It would match no user, or the environment's value would be used,
-- which may name another tenant.
-- @tparam string flag
-- @tparam ?string cure the end of the message
-- @treturn function
function M.filled(flag, cure)
  return function(value)
    if value ~= "" then
      return value
    end
    return nil, ("%s must not be empty; %s"):format(flag, cure or "give a value, or leave it out")
  end
end

--- Makes a converter for the name of a profile.
-- @tparam string subject of the message, such as the flag
-- @treturn function
function M.profile_name(subject)
  return function(name)
    if schema.is_name(name) then
      return name
    end
    return nil, ("%s may hold letters, digits and . _ @ -, 64 at most, not '%s'"):format(subject,
      M.shown(name))
  end
end

local function address(flag)
  return function(value)
    local ok, why = url.parse_safe(value)
    return ok and value, flag .. " " .. tostring(why)
  end
end

local GUID = "^" .. ("%x"):rep(8) .. ("%-" .. ("%x"):rep(4)):rep(4) .. ("%x"):rep(8) .. "$"

-- Entra gives an application a GUID, a tenant a GUID and domains.
local function client_id(value)
  if value:find(GUID) then
    return value
  end
  return nil, ("--client-id must be a GUID, such as 00000000-0000-0000-0000-000000000000, not '%s';"
    .. " Entra shows it as \"Application (client) ID\""):format(M.shown(value))
end

--- Whether a text can be the ID or the domain of a tenant.
-- @tparam string value
-- @treturn boolean
function M.is_tenant(value)
  return value:find(GUID) ~= nil or value:find "^%w[%w%-]*%.[%w%-.]*%w$" ~= nil
end

local function tenant(value)
  if M.is_tenant(value) then
    return value
  end
  return nil, ("--tenant must be a GUID or a domain such as fabrikam.onmicrosoft.com, not '%s'")
    :format(M.shown(value))
end

--- The check of an option for a JSON object.
-- @tparam string value
-- @treturn[1] string value
-- @treturn[2] nil
-- @treturn[2] string message
function M.json_object(value)
  if value:find "^%s*{" and type(core.decode(value)) == "table" then
    return value
  end
  return nil, "--claims must be JSON, as the error message shows it"
end

M.SINCE = { "--since", value = "TIME", check = moment,
            about = "Only records since TIME: 24h, 7d, yesterday, 2024-02-03",
            complete = { "24h", "7d", "yesterday" } }

M.USER = { "--user", value = "USER", check = M.filled("--user", "* stands for any text"),
           about = "Only this user: UPN or object ID, * for any text" }

M.APPLICATION = { "--application", value = "APPLICATION",
                  check = M.filled("--application", "* stands for any text"),
                  about = "Only this application: ID or name, * for any text" }

--- Makes the option `--json`.
-- @tparam string shape of the object
-- @treturn table the option
function M.json(shape)
  return { "--json", about = "Write JSON: " .. shape }
end

local SEVERAL = "Several tenants at once"

M.ALL_PROFILES = { "--all-profiles", about = "Query the tenant of every profile",
                   group = SEVERAL }

local LIST = {
  { "-o", "--output", value = "FORMAT", about = "Output format", choices = formats.names(),
    default = "table" },
  { "--columns", value = "FIELDS", about = "Fields to write, separated by commas", check = names,
    complete = "columns" },
  M.ALL_PROFILES,
  { "--tenants", value = "FILE", group = SEVERAL, once = true, check = M.filled "--tenants",
    complete = "file", about = "Query the tenants listed in FILE, one per line; - for stdin" },
  { "--parallel", value = "N", group = SEVERAL, once = true,
    check = M.number("--parallel", 1, 10000, true),
    about = ("Number of requests in flight at once (default: %d)"):format(defaults.concurrency) },
  { "--rate", value = "N", group = SEVERAL, once = true,
    check = M.number("--rate", 0.001, 1000000),
    about = "Maximum number of requests per second (default: no limit)" },
  { "--sorted", group = SEVERAL,
    about = "Write the newest record of all tenants first; needs memory for all of them" },
}

--- The options of a command that asks several tenants and writes no lists.
-- @tparam {table,...} own the options of the command; they come first. One replaces the option of
-- the same name
-- @treturn {table,...} with those for several tenants
function M.several(own)
  local all, is_own = {}, {}
  for i, option in ipairs(own) do
    all[i], is_own[option[#option]] = option, true
  end
  for _, option in ipairs(LIST) do
    if option.group == SEVERAL and not is_own[option[#option]] then
      all[#all + 1] = option
    end
  end
  return all
end

--- The heading of options for several tenants.
M.SEVERAL = SEVERAL

--- The options of a command that lists records.
-- @tparam {table,...} own the options that other lists do not have; they come first
-- @treturn {table,...} with the format, the columns, and the options for several tenants
function M.list(own)
  local all = {}
  for _, part in ipairs { own, LIST } do
    for _, option in ipairs(part) do
      all[#all + 1] = option
    end
  end
  return all
end

-- An option that overrides a setting.
local function setting(group, name, option)
  local flag = "--" .. name:gsub("_", "-")
  option[1], option.group = flag, group
  option.about, option.env = schema.by_name[name].about, schema.by_name[name].env
  option.check = option.check or M.filled(flag)
  return option
end

local function account(name, option)
  return setting("Account", name, option)
end

local function connection(name, option)
  return setting("Connection", name, option)
end

local COLOR = { "auto", "always", "never" }

--- The options of all commands.
M.GLOBAL = {
  { "--profile", value = "NAME", group = "Account", env = "PCAPI_PROFILE", complete = "profile",
    check = M.profile_name "--profile", about = "Name of the profile, one per account" },
  account("tenant", { value = "TENANT", check = tenant }),
  account("client_id", { value = "ID", check = client_id }),
  account("client_secret_file", { value = "FILE", complete = "file" }),
  account("certificate", { value = "FILE", complete = "file" }),
  account("certificate_key", { value = "FILE", complete = "file" }),
  account("key_passphrase_file", { value = "FILE", complete = "file" }),
  account("cloud", { value = "CLOUD", choices = schema.by_name.cloud.choices }),
  account("login_url", { value = "URL", check = address "--login-url" }),
  { "--config", value = "FILE", group = "Account", key = "config_file", env = "PCAPI_CONFIG",
    check = M.filled "--config", about = "Configuration file", complete = "file" },
  { "--token-stdin", group = "Account", about = "Read an access token from standard input" },
  connection("base_url", { value = "URL", check = address "--base-url" }),
  connection("prefix", { value = "WORD", check = tostring, complete = { "pcapi" } }),
  connection("ca_file", { value = "FILE", complete = "file" }),
  connection("ca_path", { value = "DIR", complete = "folder" }),
  connection("timeout", { value = "SECONDS",
                          check = M.number("--timeout", 0.001, 604800) }), -- a week
  { "--trace", group = "Connection", about = "Log each request to stderr, with secrets removed" },
  { "-q", "--quiet", about = "Hide progress and summary; show warnings and errors" },
  { "-v", "--verbose", about = "Log retries, pauses and finished tenants to stderr" },
  { "--color", value = "WHEN", about = "Colour tables", choices = COLOR, default = "auto" },
  { "-h", "--help", about = "Show this help" },
  { "--version", about = "Show the version" },
}

return M
