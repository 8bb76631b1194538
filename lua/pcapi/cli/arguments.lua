--- Parses the command line with lua-argparse, from the declarations of the commands.
-- @module pcapi.cli.arguments
local argparse = require "argparse"
local check = require "pcapi.check"
local commands = require "pcapi.cli.commands"
local exit = require "pcapi.cli.exit"
local options = require "pcapi.cli.options"
local text = require "pcapi.text"

local M = {}

local shown = options.shown

local LONGEST = 8192 -- bytes of an argument: argparse needs quadratic time to suggest a name

local function contains(list, value)
  for _, each in ipairs(list or {}) do
    if each == value then
      return true
    end
  end
  return false
end

-- A converter for argparse: checks the value of an option or argument.
local function converter(declared)
  return function(value)
    if declared.choices and not contains(declared.choices, value) then
      return nil, ("%s must be one of %s, not '%s'"):format(declared.value and
        declared[#declared]:find "^%-" and declared[#declared] or declared.value,
        table.concat(declared.choices, ", "), shown(value))
    elseif declared.check then
      return declared.check(value)
    end
    return value
  end
end

-- The options that print a text. It is kept at once, as the words behind them do not matter.
local TEXTS = {
  help = function(args)
    return require("pcapi.cli.help").of { args.command, args[(args.command or "") .. "_command"] }
  end,
  version = function()
    return require("pcapi.cli.commands.version").text
  end,
}

local function add_option(parser, state, option)
  local names, key = table.concat(option, " "), options.key(option)
  if option.value then
    parser:option(names):target(key):convert(converter(option)):default(option.default)
      :overwrite(not option.once)
  elseif TEXTS[key] then
    parser:flag(names):target(key):action(function(args)
      state.text = state.text or TEXTS[key](args)
    end)
  else
    parser:flag(names):target(key)
  end
end

local function add_argument(parser, argument)
  local count = argument.many and "*" or argument.optional and "?" or 1
  parser:argument(argument.value):target(options.key(argument)):args(count)
    :convert(converter(argument))
end

-- Adds a command whose name is used, with its subcommands.
local function define(parser, state, declared, path)
  state.paths[parser], state.declared[parser] = path, declared
  for _, option in ipairs(declared.options or {}) do
    add_option(parser, state, option)
  end
  for _, argument in ipairs(declared.arguments or {}) do
    add_argument(parser, argument)
  end
  if declared.subcommands then
    parser:command_target(path .. "_command")
    for _, subcommand in ipairs(declared.subcommands) do
      define(parser:command(subcommand.name):add_help(false), state, subcommand,
        path .. " " .. subcommand.name)
    end
  else
    parser:argument("unexpected"):args "*":convert(function(word)
      return nil, ("too many arguments: '%s'"):format(shown(word))
    end)
  end
end

-- The parser for the given words. A command that is not among them has just a name: its module is
-- not loaded.
local function new_parser(state, words)
  local parser = argparse "pcapi":add_help(false):command_target "command"
  state.paths[parser] = ""
  for _, option in ipairs(options.GLOBAL) do
    add_option(parser, state, option)
  end
  for _, name in ipairs(commands.names) do
    local command = parser:command(name):add_help(false)
    if contains(words, name) then
      define(command, state, commands.load(name), name)
    end
  end
  return parser
end

local function stop(message, page)
  exit.stop(exit.EXIT.usage, page and ("%s\npcapi: try '%s'"):format(message, page) or message)
end

local function find_option(list, name)
  for _, option in ipairs(list or {}) do
    if contains(option, name) then
      return option
    end
  end
end

local RENAMED = { ["--limit"] = "--parallel" }

-- The message for an option that a command does not have, and the page of a command that has it.
local function unknown_option(name, path)
  if RENAMED[name] then
    return ("%s is now %s"):format(name, RENAMED[name])
  end
  local owners, names = {}, {}
  for _, entry in ipairs(commands.all()) do
    local is_used = entry.path == path or path == "" -- the command may follow
    for _, option in ipairs(is_used and entry.command.options or {}) do
      names[option[#option]] = true
    end
    owners[#owners + 1] = find_option(entry.command.options, name) and entry.path or nil
  end
  for _, option in ipairs(options.GLOBAL) do
    names[option[#option]] = true
  end
  if #owners == 0 then
    return ("unknown option '%s'%s"):format(shown(name), check.near(name, names))
  end
  return ("%s is an option of pcapi %s; %s"):format(name,
    table.concat(owners, ", "):gsub(", ([^,]+)$", " and %1"), path == ""
    and "write it after the command" or ("pcapi %s does not have it"):format(path)),
    ("pcapi %s --help"):format(owners[1])
end

-- Messages of argparse, by patterns: functions of what the pattern captures, the path of the
-- command and its declaration. They return our message, and another page of the help.
local MESSAGES = {
  { "^unknown option '(.-)'", unknown_option },
  { "^unknown command '(.-)'", function(name, _, declared)
    local names = {}
    for _, known in ipairs(commands.names_of(declared)) do
      names[known] = true
    end
    return ("unknown command '%s'%s"):format(shown(name), check.near(name, names))
  end },
  { "^option '(.-)' requires an argument", function(name, _, declared)
    local option = find_option(options.GLOBAL, name)
      or find_option(declared and declared.options, name)
    return ("%s needs a value: %s %s"):format(name, name, option.value)
  end },
  { "^option '(.-)' does not take arguments", function(name)
    return name .. " takes no value"
  end },
  { "^option '(.-)' must be used at most", function(name)
    return name .. " may be given once only"
  end },
  { "^missing argument '(.-)'", function(name, path, declared)
    local choices = declared.arguments[1].choices
    return ("pcapi %s needs %s%s"):format(path, name,
      choices and ": " .. table.concat(choices, ", ") or "")
  end },
  { "^a command is required", function(_, path)
    return path == "" and "a command is required" or ("pcapi %s needs a subcommand"):format(path)
  end },
}

-- The page of the help for a message that begins with the name of an option.
local function page_of(message, path)
  return find_option(options.GLOBAL, message:match "^%-%-[%w-]+") and "pcapi help options"
    or ("pcapi %s --help"):format(path):gsub("  ", " ")
end

-- Ends the command with a message of argparse in our words.
local function report(state, parser, message)
  local path, page = state.paths[parser] or "", nil
  for _, entry in ipairs(MESSAGES) do
    local captured = message:match(entry[1])
    if captured then
      message, page = entry[2](captured, path, state.declared[parser])
      break
    end
  end
  message = text.visible(message)
  stop(message, page or page_of(message, path))
end

-- Options for one tenant, and options for several.
local OF_ONE = { { "profile", "--profile" }, { "tenant", "--tenant" },
                 { "token_stdin", "--token-stdin" } }
local OF_SEVERAL = { { "parallel", "--parallel" }, { "rate", "--rate" } }

local EXCLUSIVE = { { "quiet", "verbose" }, { "browser", "device_code" },
                    { "all_profiles", "tenants" } }

-- A message for options that exclude or need one another.
local function conflict(args)
  for _, pair in ipairs(EXCLUSIVE) do
    if args[pair[1]] and args[pair[2]] then
      return ("--%s and --%s exclude each other; leave one of them out"):format(pair[1], pair[2])
        :gsub("_", "-")
    end
  end
  if args.all_profiles and args.client_id then -- with --tenants, it is for those without profile
    return "each profile has its own client ID; leave out --client-id"
  end
  local several = args.all_profiles and "--all-profiles" or args.tenants and "--tenants"
  for _, option in ipairs(several and OF_ONE or OF_SEVERAL) do
    if args[option[1]] and several then
      return ("%s is for one tenant, %s for several; leave one of them out"):format(option[2],
        several)
    elseif args[option[1]] then
      return option[2] .. " needs --all-profiles or --tenants"
    end
  end
end

-- Joins a negative number to the option before it; argparse would take the number for an option.
local function with_negatives(argv)
  local words = {}
  for _, word in ipairs(argv) do
    if #word > LONGEST then
      stop(("'%s' has %d bytes; an argument may have %d"):format(shown(word:sub(1, LONGEST)),
        #word, LONGEST))
    elseif word:find "^%-[%d.]" and #words > 0 and words[#words]:find "^%-%-%a[%w-]*$" then
      words[#words] = words[#words] .. "=" .. word
    else
      words[#words + 1] = word
    end
  end
  return words
end

-- Whether the words are the name of a group of commands; pcapi is one itself.
local function is_group(words)
  local command = #words <= 1 and commands.find(words)
  return #words == 0 or command and command.subcommands ~= nil
end

--- Parses the command line. Wrong usage ends the command.
-- @tparam {string,...} argv
-- @treturn table the values by key, and `command`; or `text` alone, to print instead of running a
-- command
function M.parse(argv)
  local words = with_negatives(argv)
  if is_group(words) then
    return { text = require("pcapi.cli.help").of(words) }
  end
  local state = { paths = {}, declared = {} }
  local parser = new_parser(state, words)
  parser.error = function(used, message)
    report(state, used, message)
  end
  local ok, args = pcall(parser.parse, parser, words)
  if state.text then
    return { text = state.text }
  elseif not ok then
    error(args, 0)
  end
  local message = conflict(args)
  if message then
    stop(message, ("pcapi %s --help"):format(args.command))
  end
  return args
end

return M
