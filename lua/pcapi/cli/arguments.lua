--- Defines and parses the command line, with lua-argparse.
-- @module pcapi.cli.arguments
local argparse = require "argparse"
local core = require "pcapi.core"
local defaults = require "pcapi.defaults"
local formats = require "pcapi.format"
local schema = require "pcapi.settings.schema"
local text = require "pcapi.text"
local time = require "pcapi.time"
local url = require "pcapi.url"
local version = require "pcapi.version"
local views = require "pcapi.cli.views"

local M = {}

local EPILOG = [[
Sign in once with 'pcapi login'. If something fails, run 'pcapi doctor'.

Tokens and secrets are never arguments, because other users of the machine can
read arguments. They come from files, from standard input, or from the variables
PCAPI_TOKEN, PCAPI_REFRESH_TOKEN, PCAPI_CLIENT_SECRET and PCAPI_KEY_PASSPHRASE.

An option overrides the environment, the environment overrides the profile in
the configuration file, and that overrides the values stored at sign-in. Run
'pcapi config show' to see each setting and its source.

Exit status: 0 success, 1 error, 2 wrong usage, 3 some of several tenants
failed, 4 sign-in or MFA, 5 throttled, 6 network, 130 interrupted.]]

local SHOWN = 60 -- columns of one value in a message
local LONGEST = 8192 -- bytes of an argument: argparse needs quadratic time to suggest a name

-- A value from the command line, made safe and short enough for a message.
local function shown(value)
  value = text.visible(value)
  return text.width(value) > SHOWN and (text.cut(value, SHOWN)) or value
end

-- Returns a converter for a decimal number. Values outside the limits are typing errors.
local function number(flag, least, most, is_whole)
  local wanted = ("%s must be a %s number from %s to %s"):format(flag,
    is_whole and "whole" or "positive", text.number(least), text.number(most))
  return function(value)
    local read = value:find "^[%d.eE+-]+$" and tonumber(value)
    if read and read >= least and read <= most and (not is_whole or read % 1 == 0) then
      return read
    end
    return nil, ("%s, not '%s'"):format(wanted, shown(value))
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
    return nil, ("%s must be a day such as 2024-02-03, not '%s'"):format(flag, shown(value))
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

local CRITERIA = {
  since = function(command)
    command:option("--since", "Only records since TIME: 24h, 7d, yesterday, 2024-02-03, …")
      :argname("TIME"):convert(moment)
  end,
  user = function(command)
    command:option("--user", "Only this user: UPN or object ID, * for any text")
      :argname("USER"):convert(filled("--user", "* stands for any text"))
  end,
  application = function(command)
    command:option("--application", "Only this application: ID or name, * for any text")
      :argname("APPLICATION"):convert(filled("--application", "* stands for any text"))
  end,
}

local function add_tenants(command)
  local profiles = command:flag("--all-profiles", "Query the tenant of every profile")
  local list = command:option("--tenants",
    "Query the tenants listed in FILE, one per line; - for stdin")
    :argname("FILE"):overwrite(false):convert(filled "--tenants")
  command:mutex(profiles, list)
  command:group("Several tenants at once", profiles, list,
    command:option("--parallel", ("Number of requests in flight at once (default %d)"):format(
      defaults.concurrency))
      :argname("N"):convert(number("--parallel", 1, 10000, true)):overwrite(false),
    command:option("--rate", "Maximum number of requests per second (default: no limit)")
      :argname("N"):convert(number("--rate", 0.001, 1000000)):overwrite(false))
end

-- Adds --help. The command prints it, because argparse would print it and end the process even
-- if the output failed. If several options print a text, the first one counts.
local function with_help(element, state)
  return element:add_help {
    description = "Show this help and exit",
    action = function()
      state.text = state.text or element:get_help() .. "\n"
    end,
  }
end

local OF_ALL = "For the options of all commands, such as --profile, see 'pcapi --help'."

local function add_command(parser, state, name, summary)
  state.commands[name] = true
  return with_help(parser:command(name, summary, OF_ALL), state)
end

local function add_list(parser, state, name, view)
  local command = add_command(parser, state, name, view.summary)
  for _, criterion in ipairs(view.criteria) do
    CRITERIA[criterion](command)
  end
  if view.without_mfa then
    command:flag("--without-mfa", "Only requests without MFA")
  end
  if view.days then
    command:option("--start-date", "First day to request from the service"):argname("DAY")
      :convert(day "--start-date")
    command:option("--end-date", "Last day to request from the service"):argname("DAY")
      :convert(day "--end-date")
  end
  local known = formats.names()
  command:option("-o --output", "Output format: " .. table.concat(known, ", "))
    :argname("FORMAT"):choices(known):default "table"
  command:option("--columns", "Fields to write, separated by commas"):argname("FIELDS")
    :convert(names)
  add_tenants(command)
end

local function profile_name(name)
  if schema.is_name(name) then
    return name
  end
  return nil, ("--profile may hold letters, digits and . _ @ -, 64 at most, not '%s'"):format(
    shown(name))
end

local function address(flag)
  return function(value)
    local ok, why = url.parse_safe(value)
    return ok and value, flag .. " " .. tostring(why)
  end
end

local function json_object(value)
  if value:find "^%s*{" and type(core.decode(value)) == "table" then
    return value
  end
  return nil, "--claims must be JSON, as the error message shows it"
end

-- Adds an option whose value is a text that must not be empty.
local function add_text(parser, flag, description, argname)
  return parser:option(flag, description):argname(argname):convert(filled(flag))
end

local function add_account(parser)
  parser:group("Account",
    parser:option("--profile", "Name of the profile, one per account (PCAPI_PROFILE)")
      :argname("NAME"):convert(profile_name),
    add_text(parser, "--config", "Configuration file (PCAPI_CONFIG)", "FILE")
      :target "config_file",
    add_text(parser, "--tenant", "Partner tenant: ID or domain (PCAPI_TENANT)", "TENANT"),
    add_text(parser, "--client-id", "Application (client) ID in Entra (PCAPI_CLIENT_ID)", "ID"),
    add_text(parser, "--client-secret-file", "File that contains the client secret", "FILE"),
    add_text(parser, "--certificate", "Client certificate (PEM), instead of a secret", "FILE"),
    add_text(parser, "--certificate-key",
      "RSA key of the certificate (PEM; default: in the same file)", "FILE"),
    add_text(parser, "--key-passphrase-file", "File that contains the passphrase of the key",
      "FILE"),
    parser:option("--cloud", "Microsoft cloud (PCAPI_CLOUD)")
      :choices { "global", "us_government", "china" },
    parser:option("--login-url", "URL of the sign-in service (PCAPI_LOGIN_URL)")
      :argname("URL"):convert(address "--login-url"),
    parser:flag("--token-stdin", "Read an access token from standard input"))
end

local function add_connection(parser)
  parser:group("Connection",
    parser:option("--base-url", "URL of Partner Center (PCAPI_BASE_URL)"):argname("URL")
      :convert(address "--base-url"),
    parser:option("--prefix",
      "Path segment before the API version: '' or pcapi (default: try both)"):argname("WORD"),
    add_text(parser, "--ca-file", "Trusted CAs, PEM file (PCAPI_CA_FILE)", "FILE"),
    add_text(parser, "--ca-path", "Trusted CAs, hashed directory (PCAPI_CA_PATH)", "DIR"),
    parser:option("--timeout", ("Overall timeout in seconds (default %d; login %d)"):format(
      defaults.timeout, defaults.login_timeout))
      :argname("SECONDS"):convert(number("--timeout", 0.001, 604800)), -- a week
    parser:flag("--trace", "Log each request to stderr, with secrets removed"))
end

local function add_sign_in(parser, state)
  local login = add_command(parser, state, "login",
    "Sign in once, with MFA; later commands run unattended")
    :epilog("The first login needs --tenant and --client-id. The options are stored with the "
      .. "sign-in. To keep several accounts, give each a --profile.\n" .. OF_ALL)
  login:flag("--browser", "Sign in with a browser on this machine, without a code")
  login:option("--claims", "Claims that the service requires; needs --browser"):argname("JSON")
    :convert(json_object)
  add_command(parser, state, "logout", "Delete the stored sign-in of a profile")
  local status = add_command(parser, state, "status",
    "Show the signed-in user, the expiry, and whether MFA was used")
  status:flag("--all-profiles", "Show the status of every profile")
  status:flag("--json", "Write JSON Lines")
  add_command(parser, state, "doctor",
    "Test configuration, sign-in and connection step by step")
    :flag("--json", "Write JSON")
  local settings = add_command(parser, state, "config", "Show the settings")
  settings:command_target("config_command")
  settings:require_command(true)
  add_command(settings, state, "show", "Show each setting and its source")
    :flag("--json", "Write JSON")
end

-- Options for one tenant, and options for several.
local OF_ONE = { { "profile", "--profile" }, { "tenant", "--tenant" },
                 { "token_stdin", "--token-stdin" } }
local OF_SEVERAL = { { "parallel", "--parallel" }, { "rate", "--rate" } }

-- A message for options that exclude or need one another, which argparse does not check.
local function conflict(args)
  local several = args.all_profiles and "--all-profiles" or args.tenants and "--tenants"
  if args.all_profiles and args.client_id then -- with --tenants, it is for those without profile
    return "each profile has its own client ID; leave out --client-id"
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

local function add_completion(parser, state)
  add_command(parser, state, "completion", "Print a shell completion script"):argument("shell")
    :description("Shell that will run the script"):choices { "bash", "zsh", "fish" }
    :action(function(_, _, shell)
      state.text = state.text or parser["get_" .. shell .. "_complete"](parser)
    end)
end

-- `state.text` becomes the text to print instead of running a command, `state.commands` the
-- names of the commands.
local function new_parser(state)
  local parser = with_help(argparse("pcapi",
    "Query Microsoft Partner Center for users and applications that do not use multifactor "
      .. "authentication (MFA).", EPILOG), state)
  parser:flag("--version", "Print the version and exit"):action(function()
    state.text = state.text or "pcapi " .. version .. "\n"
  end)
  add_account(parser)
  add_connection(parser)
  parser:option("--color", "Colour tables"):choices { "auto", "always", "never" }
    :default "auto"
  parser:flag("-q --quiet", "Show no progress and no summary; warnings and errors stay")
  parser:help_max_width(80)
  parser:usage_max_width(80)
  parser:command_target("command")
  parser:require_command(true)
  for _, name in ipairs { "non-mfa", "adoption", "requests" } do
    add_list(parser, state, name, views[name])
  end
  add_sign_in(parser, state)
  add_completion(parser, state)
  return parser
end

local function length_problem(argv)
  for _, word in ipairs(argv) do
    if #word > LONGEST then
      return ("'%s' has %d bytes; an argument may have %d"):format(shown(word:sub(1, LONGEST)),
        #word, LONGEST)
    end
  end
end

-- Joins a negative number to the option before it; argparse would take the number for an option.
local function with_negatives(argv)
  local words = {}
  for _, word in ipairs(argv) do
    if word:find "^%-[%d.]" and #words > 0 and words[#words]:find "^%-%-%a[%w-]*$" then
      words[#words] = words[#words] .. "=" .. word
    else
      words[#words + 1] = word
    end
  end
  return words
end

local RENAMED = { ["--limit"] = "--parallel" }

-- The message of argparse, which repeats values from the command line.
local function readable(message)
  local old = message:match "^unknown option '(.-)'"
  if RENAMED[old] then
    return ("%s is now %s"):format(old, RENAMED[old])
  end
  local first, suggestion = message:match "^(.*)(\nDid you mean [^\n]*)$"
  return text.visible(first or message):gsub("'(.-)'", function(value)
    return "'" .. shown(value) .. "'"
  end) .. (suggestion or "")
end

-- The command line that shows the options of the given command.
local function help_of(words, state)
  for _, word in ipairs(words) do
    if state.commands[word] then
      return "pcapi " .. word .. " --help"
    end
  end
  return "pcapi --help"
end

--- Parses the command line.
-- @tparam {string,...} argv
-- @treturn[1] table the options by name; or `text` alone, to print instead of running a command
-- @treturn[2] nil
-- @treturn[2] string the message, with the command that shows help
function M.parse(argv)
  local message = length_problem(argv)
  if message then
    return nil, message
  end
  local state, words = { commands = {} }, with_negatives(argv)
  local ok, args = new_parser(state):pparse(words)
  if state.text then
    return { text = state.text }
  elseif not ok then
    return nil, ("%s\npcapi: try '%s'"):format(readable(args), help_of(words, state))
  end
  message = conflict(args)
  if message then
    return nil, message
  end
  return args
end

return M
