--- The words of the command line. Parsing them is lua-argparse's work.
-- @module pcapi.cli.arguments
local argparse = require "argparse"
local config = require "pcapi.config"
local core = require "pcapi.core"
local reports = require "pcapi.cli.reports"
local time = require "pcapi.time"
local url = require "pcapi.url"
local version = require "pcapi.version"

local M = {}

local EPILOG = [[
Sign in once by 'pcapi login'; 'pcapi doctor' finds what is wrong. A token or
secret is never an argument, where other users of the machine could read it:
it comes from a file, from PCAPI_TOKEN, PCAPI_REFRESH_TOKEN,
PCAPI_CLIENT_SECRET or PCAPI_KEY_PASSPHRASE, or from standard input.

A flag wins over the environment, that over the profile in the configuration
file, that over what was kept at sign-in: see 'pcapi config show'.

Exit status: 0 done, 1 error, 2 wrong usage, 3 some of several tenants failed,
4 sign-in or MFA, 5 throttled, 6 network, 130 interrupted.]]

local function positive(what)
  return function(text)
    local number = tonumber(text)
    if number and number > 0 and number < math.huge then
      return number
    end
    return nil, ("%s must be a positive number, not '%s'"):format(what, text)
  end
end

local function whole(what)
  return function(text)
    local number = tonumber(text)
    if number and number >= 1 and number <= 10000 and number % 1 == 0 then
      return number
    end
    return nil, ("%s must be a whole number from 1 to 10000, not '%s'"):format(what, text)
  end
end

local function names(text)
  local list, seen = {}, {}
  for name in text:gmatch("[^,%s]+") do
    list[#list + 1] = not seen[name] and name or nil
    seen[name] = true
  end
  if #list > 0 then
    return list
  end
  return nil, "--columns needs field names, such as upn,tenantId"
end

-- A time is read twice: here for the message, later against the clock.
local function moment(text)
  local ok, message = time.since(text, 0)
  return ok and text, "--since: " .. tostring(message)
end

local function day(text)
  if time.is_day(text) then
    return text
  end
  return nil, ("a day must look like 2024-02-03, not '%s'"):format(text)
end

-- An empty name comes from an unset variable of a script, and would match nobody.
local function filled(text)
  if text == "" then
    return nil, "a name must not be empty; * stands for any text"
  end
  return text
end

local CRITERIA = {
  since = function(command)
    command:option("--since", "Only what happened since: 24h, 7d, yesterday, 2024-02-03, …")
      :argname("TIME"):convert(moment)
  end,
  user = function(command)
    command:option("--user", "Only this user: upn or objectId, * for any text")
      :argname("USER"):convert(filled)
  end,
  application = function(command)
    command:option("--application", "Only this application: id or name, * for any text")
      :argname("APPLICATION"):convert(filled)
  end,
}

local function add_tenants(command)
  local profiles = command:flag("--all-profiles", "Ask the tenant of every profile")
  local list = command:option("--tenants", "Ask those that a file lists, one a line (-: stdin)")
    :argname("FILE"):overwrite(false)
  command:mutex(profiles, list)
  command:group("Several tenants at once", profiles, list,
    command:option("--limit", "Requests under way at once (default 50)"):argname("N")
      :convert(whole "--limit"):overwrite(false),
    command:option("--rate", "Requests per second at most (default: no limit)"):argname("N")
      :convert(positive "--rate"):overwrite(false))
end

local function add_report(parser, name, report)
  local command = parser:command(name, report.summary)
  for _, criterion in ipairs(report.criteria) do
    CRITERIA[criterion](command)
  end
  if report.without_mfa then
    command:flag("--without-mfa", "Only requests that came without MFA")
  end
  if report.days then
    command:option("--start-date", "First day to ask the service for"):argname("DAY"):convert(day)
    command:option("--end-date", "Last day to ask the service for"):argname("DAY"):convert(day)
  end
  command:option("-o --output", "How to write it: table, json, jsonl or csv"):argname("FORMAT")
    :choices { "table", "json", "jsonl", "csv" }:default "table"
  command:option("--columns", "Fields to write, comma-separated"):argname("FIELDS"):convert(names)
  add_tenants(command)
end

local function profile_name(name)
  if config.is_name(name) then
    return name
  end
  return nil, "--profile may hold letters, digits and . _ @ -, 64 at most"
end

local function address(flag)
  return function(text)
    local ok, why = url.parse_safe(text)
    return ok and text, flag .. " " .. tostring(why)
  end
end

local function json_object(text)
  if text:find "^%s*{" and type(core.decode(text)) == "table" then
    return text
  end
  return nil, "--claims must be JSON, as the message of the refusal has it"
end

local function add_account(parser)
  parser:group("Account",
    parser:option("--profile", "Which account, by a name of your own (PCAPI_PROFILE)")
      :argname("NAME"):convert(profile_name),
    parser:option("--config", "Configuration file (PCAPI_CONFIG)"):argname("FILE")
      :target("config_file"),
    parser:option("--tenant", "Tenant of the partner, id or domain (PCAPI_TENANT)")
      :argname("TENANT"),
    parser:option("--client-id", "Id of the application's registration (PCAPI_CLIENT_ID)")
      :argname("ID"),
    parser:option("--client-secret-file", "File with the client secret"):argname("FILE"),
    parser:option("--certificate", "Certificate in place of a secret, PEM"):argname("FILE"),
    parser:option("--certificate-key", "Its RSA key, PEM (default: in --certificate)")
      :argname("FILE"),
    parser:option("--key-passphrase-file", "File with the passphrase of that key")
      :argname("FILE"),
    parser:option("--cloud", "Which cloud (PCAPI_CLOUD)")
      :choices { "global", "us_government", "china" },
    parser:option("--login-url", "Address of the sign-in service (PCAPI_LOGIN_URL)")
      :argname("URL"):convert(address "--login-url"),
    parser:flag("--token-stdin", "Read an access token from standard input"))
end

local function add_connection(parser)
  parser:group("Connection",
    parser:option("--base-url", "Address of the service (PCAPI_BASE_URL)"):argname("URL")
      :convert(address "--base-url"),
    parser:option("--prefix", "Path segment before the version, '' or pcapi (default: try both)")
      :argname("WORD"),
    parser:option("--ca-file", "CAs to trust, PEM (PCAPI_CA_FILE)"):argname("FILE"),
    parser:option("--ca-path", "CAs to trust, hashed directory (PCAPI_CA_PATH)"):argname("DIR"),
    parser:option("--timeout", "Seconds for all of it (default 180; of a login 900)")
      :argname("SECONDS")
      :convert(positive "--timeout"),
    parser:flag("--trace", "Tell every exchange on standard error, without secrets"))
end

local function add_sign_in(parser)
  local login = parser:command("login", "Sign in once, with MFA; later commands need no person",
    "The first time it needs --tenant and --client-id: see 'pcapi --help'. What flags say is "
    .. "kept\nwith the sign-in; --profile keeps several accounts apart.")
  login:flag("--browser", "Sign in in a browser on this machine, without a code to enter")
  login:option("--claims", "Claims that the service asked for, with --browser"):argname("JSON")
    :convert(json_object)
  parser:command("logout", "Forget the sign-in of a profile")
  local status = parser:command("status", "Tell who is signed in, until when, and whether with MFA")
  status:flag("--all-profiles", "Tell it of every profile")
  status:flag("--json", "For programs")
  parser:command("doctor", "Try each step from the configuration to a call of the service")
    :flag("--json", "For programs")
  local settings = parser:command("config", "Look at the settings")
  settings:command_target("config_command")
  settings:require_command(true)
  settings:command("show", "Tell each setting and where it came from")
    :flag("--json", "For programs")
end

-- What belongs to one account, and what to several.
local OF_ONE = { { "profile", "--profile" }, { "tenant", "--tenant" },
                 { "token_stdin", "--token-stdin" } }
local OF_SEVERAL = { { "limit", "--limit" }, { "rate", "--rate" } }

--- What the parser does not see: options that exclude or need one another.
-- @tparam table args
-- @treturn ?string a message
function M.mistake(args)
  local several = args.all_profiles and "--all-profiles" or args.tenants and "--tenants"
  if args.all_profiles and args.client_id then -- of a list it serves who has no profile
    return "each profile has a client id of its own; leave out --client-id"
  end
  for _, option in ipairs(several and OF_ONE or OF_SEVERAL) do
    if args[option[1]] and several then
      return ("%s is for one tenant, %s for several; leave one of them out"):format(option[2],
        several)
    elseif args[option[1]] then
      return option[2] .. " needs --all-profiles or --tenants"
    end
  end
end

--- Makes the parser.
-- @treturn table an argparse parser
function M.parser()
  local parser = argparse("pcapi",
    "Which partner users and applications come in without MFA, from Microsoft's Partner Center.",
    EPILOG)
  parser:flag("--version", "Print the version"):action(function()
    print("pcapi " .. version)
    os.exit(0)
  end)
  add_account(parser)
  add_connection(parser)
  parser:option("--color", "Colour in tables"):choices { "auto", "always", "never" }
    :default "auto"
  parser:flag("-q --quiet", "No progress and no summary on standard error; warnings stay")
  parser:help_max_width(80)
  parser:usage_max_width(80)
  parser:command_target("command")
  parser:require_command(true)
  for _, name in ipairs { "non-mfa", "adoption", "requests" } do
    add_report(parser, name, reports[name])
  end
  add_sign_in(parser)
  parser:add_complete_command("completion")
  return parser
end

return M
