--- The options that several commands share, and the functions that check their values.
-- @module pcapi.cli.options
local core = require "pcapi.core"
local defaults = require "pcapi.defaults"
local formats = require "pcapi.format"
local schema = require "pcapi.settings.schema"
local text = require "pcapi.text"
local time = require "pcapi.time"
local url = require "pcapi.url"

local M = {}

local SHOWN = 60 -- columns of one value in a message

--- A value from the command line, made safe and short enough for a message.
-- @tparam string value
-- @treturn string
function M.shown(value)
  value = text.visible(value)
  return text.width(value) > SHOWN and (text.cut(value, SHOWN)) or value
end

--- Makes a converter for a decimal number. Values outside the limits are typing errors.
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

local function day(flag)
  return function(value)
    if time.is_day(value) then
      return value
    end
    return nil, ("%s must be a day such as 2024-02-03, not '%s'"):format(flag, M.shown(value))
  end
end

-- An empty value comes from an unset variable in a script. It would match no user, or the
-- environment's value would be used, which may name another tenant.
local function filled(flag, cure)
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

--- A converter for a JSON object.
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

--- Adds an option whose value is a text that must not be empty.
-- @tparam table parser
-- @tparam string flag
-- @tparam string description
-- @tparam string argname
-- @treturn table the option
function M.text(parser, flag, description, argname)
  return parser:option(flag, description):argname(argname):convert(filled(flag))
end

--- Adds an option for a day.
-- @tparam table command
-- @tparam string flag
-- @tparam string description
function M.day(command, flag, description)
  command:option(flag, description):argname("DAY"):convert(day(flag))
end

--- Adds `--since`.
-- @tparam table command
function M.since(command)
  command:option("--since", "Only records since TIME: 24h, 7d, yesterday, 2024-02-03, …")
    :argname("TIME"):convert(moment)
end

--- Adds `--user`.
-- @tparam table command
function M.user(command)
  command:option("--user", "Only this user: UPN or object ID, * for any text")
    :argname("USER"):convert(filled("--user", "* stands for any text"))
end

--- Adds `--application`.
-- @tparam table command
function M.application(command)
  command:option("--application", "Only this application: ID or name, * for any text")
    :argname("APPLICATION"):convert(filled("--application", "* stands for any text"))
end

local function add_tenants(command)
  local profiles = command:flag("--all-profiles", "Query the tenant of every profile")
  local list = command:option("--tenants",
    "Query the tenants listed in FILE, one per line; - for stdin")
    :argname("FILE"):overwrite(false):convert(filled "--tenants")
  command:mutex(profiles, list)
  command:group("Several tenants at once", profiles, list,
    command:option("--parallel", ("Number of requests in flight at once (default %d)"):format(
      defaults.concurrency))
      :argname("N"):convert(M.number("--parallel", 1, 10000, true)):overwrite(false),
    command:option("--rate", "Maximum number of requests per second (default: no limit)")
      :argname("N"):convert(M.number("--rate", 0.001, 1000000)):overwrite(false))
end

--- Adds the options of a command that lists records: its format, and several tenants.
-- @tparam table command
function M.list(command)
  local known = formats.names()
  command:option("-o --output", "Output format: " .. table.concat(known, ", "))
    :argname("FORMAT"):choices(known):default "table"
  command:option("--columns", "Fields to write, separated by commas"):argname("FIELDS")
    :convert(names)
  add_tenants(command)
end

--- Adds the options that choose the account.
-- @tparam table parser
function M.account(parser)
  parser:group("Account",
    parser:option("--profile", "Name of the profile, one per account (PCAPI_PROFILE)")
      :argname("NAME"):convert(M.profile_name "--profile"),
    M.text(parser, "--config", "Configuration file (PCAPI_CONFIG)", "FILE")
      :target "config_file",
    M.text(parser, "--tenant", "Partner tenant: ID or domain (PCAPI_TENANT)", "TENANT"),
    M.text(parser, "--client-id", "Application (client) ID in Entra (PCAPI_CLIENT_ID)", "ID"),
    M.text(parser, "--client-secret-file", "File that contains the client secret", "FILE"),
    M.text(parser, "--certificate", "Client certificate (PEM), instead of a secret", "FILE"),
    M.text(parser, "--certificate-key",
      "RSA key of the certificate (PEM; default: in the same file)", "FILE"),
    M.text(parser, "--key-passphrase-file", "File that contains the passphrase of the key",
      "FILE"),
    parser:option("--cloud", "Microsoft cloud (PCAPI_CLOUD)")
      :choices { "global", "us_government", "china" },
    parser:option("--login-url", "URL of the sign-in service (PCAPI_LOGIN_URL)")
      :argname("URL"):convert(address "--login-url"),
    parser:flag("--token-stdin", "Read an access token from standard input"))
end

--- Adds the options of the connection.
-- @tparam table parser
function M.connection(parser)
  parser:group("Connection",
    parser:option("--base-url", "URL of Partner Center (PCAPI_BASE_URL)"):argname("URL")
      :convert(address "--base-url"),
    parser:option("--prefix",
      "Path segment before the API version: '' or pcapi (default: try both)"):argname("WORD"),
    M.text(parser, "--ca-file", "Trusted CAs, PEM file (PCAPI_CA_FILE)", "FILE"),
    M.text(parser, "--ca-path", "Trusted CAs, hashed directory (PCAPI_CA_PATH)", "DIR"),
    parser:option("--timeout", ("Overall timeout in seconds (default %d; login %d)"):format(
      defaults.timeout, defaults.login_timeout))
      :argname("SECONDS"):convert(M.number("--timeout", 0.001, 604800)), -- a week
    parser:flag("--trace", "Log each request to stderr, with secrets removed"))
end

return M
