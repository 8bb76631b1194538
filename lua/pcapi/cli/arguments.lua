--- Defines and parses the command line, with lua-argparse.
-- @module pcapi.cli.arguments
local argparse = require "argparse"
local commands = require "pcapi.cli.commands"
local options = require "pcapi.cli.options"
local text = require "pcapi.text"
local version = require "pcapi.version"

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

local LONGEST = 8192 -- bytes of an argument: argparse needs quadratic time to suggest a name

-- Adds --help. It only notes the element whose help is wanted: argparse would print the help and
-- end the process even if the output failed. If several options print a text, the first one counts.
local function with_help(element, state)
  return element:add_help {
    description = "Show this help and exit",
    action = function()
      state.help_of = state.help_of or element
    end,
  }
end

local OF_ALL = "For the options of all commands, such as --profile, see 'pcapi --help'."

local function add_command(parser, state, name, described)
  local command = with_help(parser:command(name, described.summary,
    (described.notes and described.notes .. "\n" or "") .. OF_ALL), state)
  if described.define then
    described.define(command)
  end
  if described.subcommands then
    command:command_target(name .. "_command")
    command:require_command(true)
    for _, subcommand in ipairs(described.subcommands) do
      add_command(command, state, subcommand.name, subcommand)
    end
  end
end

-- Only the commands that `is_used` contains are loaded; the others have just a name.
local function new_parser(state, is_used)
  local parser = with_help(argparse("pcapi",
    "Query Microsoft Partner Center for users and applications that do not use multifactor "
      .. "authentication (MFA).", EPILOG), state)
  parser:flag("--version", "Print the version and exit"):action(function()
    state.version = not state.help_of
  end)
  options.account(parser)
  options.connection(parser)
  parser:option("--color", "Colour tables and states"):choices { "auto", "always", "never" }
    :default "auto"
  parser:mutex(
    parser:flag("-q --quiet", "Show no progress and no summary; warnings and errors stay"),
    parser:flag("-v --verbose", "Log retries, pauses and finished tenants to stderr"))
  parser:help_max_width(80)
  parser:usage_max_width(80)
  parser:command_target("command")
  parser:require_command(true)
  for _, name in ipairs(commands.names) do
    add_command(parser, state, name, is_used[name] and commands.load(name) or {})
  end
  return parser
end

local function whole_parser()
  local is_used = {}
  for _, name in ipairs(commands.names) do
    is_used[name] = true
  end
  return new_parser({}, is_used)
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

local function length_problem(argv)
  for _, word in ipairs(argv) do
    if #word > LONGEST then
      return ("'%s' has %d bytes; an argument may have %d"):format(
        options.shown(word:sub(1, LONGEST)), #word, LONGEST)
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
    return "'" .. options.shown(value) .. "'"
  end) .. (suggestion or "")
end

-- The words that name commands. A word may also be the value of an option.
local function commands_in(words)
  local is_command, is_used, first = {}, {}, nil
  for _, name in ipairs(commands.names) do
    is_command[name] = true
  end
  for _, word in ipairs(words) do
    if is_command[word] then
      is_used[word], first = true, first or word
    end
  end
  return is_used, first
end

local function text_of(state, parser)
  if state.version then
    return "pcapi " .. version .. "\n"
  elseif state.help_of then
    local element = state.help_of ~= parser and state.help_of or whole_parser()
    return element:get_help() .. "\n"
  end
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
  local state, words = {}, with_negatives(argv)
  local is_used, first = commands_in(words)
  local parser = new_parser(state, is_used)
  local ok, args = parser:pparse(words)
  local shown = text_of(state, parser)
  if shown then
    return { text = shown }
  elseif not ok then
    return nil, ("%s\npcapi: try '%s --help'"):format(readable(args),
      first and "pcapi " .. first or "pcapi")
  end
  message = conflict(args)
  if message then
    return nil, message
  end
  return args
end

--- A script that completes the command line.
-- @tparam string shell bash, zsh or fish
-- @treturn string
function M.completion(shell)
  local parser = whole_parser()
  return parser["get_" .. shell .. "_complete"](parser)
end

return M
