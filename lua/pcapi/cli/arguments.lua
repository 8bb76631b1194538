--- The words of the command line. Parsing them is lua-argparse's work.
-- @module pcapi.cli.arguments
local argparse = require "argparse"
local schema = require "pcapi.settings.schema"
local core = require "pcapi.core"
local views = require "pcapi.cli.views"
local text = require "pcapi.text"
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

local SHOWN = 60 -- columns that a message spends on one value
local LONGEST = 8192 -- bytes of a word: argparse looks for what was meant in quadratic time

-- What was typed, harmless in a message and short enough for one.
local function shown(value)
  value = text.visible(value)
  return text.width(value) > SHOWN and (text.cut(value, SHOWN)) or value
end

-- Reads a decimal number. Beyond these limits it would be a slip of the keyboard.
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

-- A time is read twice: here for the message, later against the clock.
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

-- An empty value comes from an unset variable of a script. It would match nobody, or leave
-- the setting to the environment, which may name another tenant.
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
    command:option("--since", "Only what happened since: 24h, 7d, yesterday, 2024-02-03, …")
      :argname("TIME"):convert(moment)
  end,
  user = function(command)
    command:option("--user", "Only this user: upn or objectId, * for any text")
      :argname("USER"):convert(filled("--user", "* stands for any text"))
  end,
  application = function(command)
    command:option("--application", "Only this application: id or name, * for any text")
      :argname("APPLICATION"):convert(filled("--application", "* stands for any text"))
  end,
}

local function add_tenants(command)
  local profiles = command:flag("--all-profiles", "Ask the tenant of every profile")
  local list = command:option("--tenants", "Ask those that a file lists, one a line (-: stdin)")
    :argname("FILE"):overwrite(false):convert(filled "--tenants")
  command:mutex(profiles, list)
  command:group("Several tenants at once", profiles, list,
    command:option("--limit", "Requests under way at once (default 50)"):argname("N")
      :convert(number("--limit", 1, 10000, true)):overwrite(false),
    command:option("--rate", "Requests per second at most (default: no limit)"):argname("N")
      :convert(number("--rate", 0.001, 1000000)):overwrite(false))
end

-- A command whose --help is written by us: argparse would print it and end the process,
-- whatever became of the output. The first text that is asked for is the one that is printed.
local function with_help(element, asked)
  return element:add_help {
    description = "Show this help message and exit.",
    action = function()
      asked.text = asked.text or element:get_help() .. "\n"
    end,
  }
end

local OF_ALL = "'pcapi --help' tells the options of all commands, such as --profile."

local function add_command(parser, asked, name, summary)
  asked.commands[name] = true
  return with_help(parser:command(name, summary, OF_ALL), asked)
end

local function add_report(parser, asked, name, report)
  local command = add_command(parser, asked, name, report.summary)
  for _, criterion in ipairs(report.criteria) do
    CRITERIA[criterion](command)
  end
  if report.without_mfa then
    command:flag("--without-mfa", "Only requests that came without MFA")
  end
  if report.days then
    command:option("--start-date", "First day to ask the service for"):argname("DAY")
      :convert(day "--start-date")
    command:option("--end-date", "Last day to ask the service for"):argname("DAY")
      :convert(day "--end-date")
  end
  command:option("-o --output", "How to write it: table, json, jsonl or csv"):argname("FORMAT")
    :choices { "table", "json", "jsonl", "csv" }:default "table"
  command:option("--columns", "Fields to write, comma-separated"):argname("FIELDS"):convert(names)
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
  return nil, "--claims must be JSON, as the message of the refusal has it"
end

-- An option whose value is a text that must not be empty.
local function worded(parser, flag, description, argname)
  return parser:option(flag, description):argname(argname):convert(filled(flag))
end

local function add_account(parser)
  parser:group("Account",
    parser:option("--profile", "Which account, by a name of your own (PCAPI_PROFILE)")
      :argname("NAME"):convert(profile_name),
    worded(parser, "--config", "Configuration file (PCAPI_CONFIG)", "FILE"):target "config_file",
    worded(parser, "--tenant", "Tenant of the partner, id or domain (PCAPI_TENANT)", "TENANT"),
    worded(parser, "--client-id", "Id of the application's registration (PCAPI_CLIENT_ID)", "ID"),
    worded(parser, "--client-secret-file", "File with the client secret", "FILE"),
    worded(parser, "--certificate", "Certificate in place of a secret, PEM", "FILE"),
    worded(parser, "--certificate-key", "Its RSA key, PEM (default: in --certificate)", "FILE"),
    worded(parser, "--key-passphrase-file", "File with the passphrase of that key", "FILE"),
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
    worded(parser, "--ca-file", "CAs to trust, PEM (PCAPI_CA_FILE)", "FILE"),
    worded(parser, "--ca-path", "CAs to trust, hashed directory (PCAPI_CA_PATH)", "DIR"),
    parser:option("--timeout", "Seconds for all of it (default 180; of a login 900)")
      :argname("SECONDS"):convert(number("--timeout", 0.001, 604800)), -- a week
    parser:flag("--trace", "Tell every exchange on standard error, without secrets"))
end

local function add_sign_in(parser, asked)
  local login = add_command(parser, asked, "login",
    "Sign in once, with MFA; later commands need no person")
    :epilog("The first login needs --tenant and --client-id. The values of flags are kept with "
      .. "the sign-in; --profile keeps several accounts apart.\n" .. OF_ALL)
  login:flag("--browser", "Sign in in a browser on this machine, without a code to enter")
  login:option("--claims", "Claims that the service asked for, with --browser"):argname("JSON")
    :convert(json_object)
  add_command(parser, asked, "logout", "Forget the sign-in of a profile")
  local status = add_command(parser, asked, "status",
    "Tell who is signed in, until when, and whether with MFA")
  status:flag("--all-profiles", "Tell it of every profile")
  status:flag("--json", "For programs")
  add_command(parser, asked, "doctor",
    "Try each step from the configuration to a call of the service")
    :flag("--json", "For programs")
  local settings = add_command(parser, asked, "config", "Look at the settings")
  settings:command_target("config_command")
  settings:require_command(true)
  add_command(settings, asked, "show", "Tell each setting and where it came from")
    :flag("--json", "For programs")
end

-- What belongs to one account, and what to several.
local OF_ONE = { { "profile", "--profile" }, { "tenant", "--tenant" },
                 { "token_stdin", "--token-stdin" } }
local OF_SEVERAL = { { "limit", "--limit" }, { "rate", "--rate" } }

-- What the parser does not see: options that exclude or need one another.
local function mistake(args)
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

local function add_completion(parser, asked)
  add_command(parser, asked, "completion", "Output a shell completion script."):argument("shell")
    :description("The shell to output a completion script for."):choices { "bash", "zsh", "fish" }
    :action(function(_, _, shell)
      asked.text = asked.text or parser["get_" .. shell .. "_complete"](parser)
    end)
end

-- `asked` takes the text that is asked for in place of a command, and the commands' names.
local function new_parser(asked)
  local parser = with_help(argparse("pcapi",
    "Which partner users and applications come in without MFA, from Microsoft's Partner Center.",
    EPILOG), asked)
  parser:flag("--version", "Print the version"):action(function()
    asked.text = asked.text or "pcapi " .. version .. "\n"
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
    add_report(parser, asked, name, views[name])
  end
  add_sign_in(parser, asked)
  add_completion(parser, asked)
  return parser
end

local function length_mistake(argv)
  for _, word in ipairs(argv) do
    if #word > LONGEST then
      return ("'%s' has %d bytes; an argument may have %d"):format(shown(word:sub(1, LONGEST)),
        #word, LONGEST)
    end
  end
end

-- A negative number belongs to the option in front of it; argparse would take it for an option.
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

-- argparse's message, which repeats what was typed.
local function readable(message)
  local first, suggestion = message:match "^(.*)(\nDid you mean [^\n]*)$"
  return text.visible(first or message):gsub("'(.-)'", function(value)
    return "'" .. shown(value) .. "'"
  end) .. (suggestion or "")
end

-- Where the options of what was asked for are told.
local function help_of(words, asked)
  for _, word in ipairs(words) do
    if asked.commands[word] then
      return "pcapi " .. word .. " --help"
    end
  end
  return "pcapi --help"
end

--- Parses the command line.
-- @tparam {string,...} argv
-- @treturn[1] table what was given, by the names of the options; or `text` alone, which is
--   to be printed in place of running a command
-- @treturn[2] nil
-- @treturn[2] string what is wrong with it, and where help is
function M.parse(argv)
  local message = length_mistake(argv)
  if message then
    return nil, message
  end
  local asked, words = { commands = {} }, with_negatives(argv)
  local ok, args = new_parser(asked):pparse(words)
  if asked.text then
    return { text = asked.text }
  elseif not ok then
    return nil, ("%s\npcapi: try '%s'"):format(readable(args), help_of(words, asked))
  end
  message = mistake(args)
  if message then
    return nil, message
  end
  return args
end

return M
