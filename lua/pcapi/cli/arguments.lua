--- Parses the command line.
--
-- Options of all commands may stand anywhere, those of a command behind its name. A value is the
-- next word, or follows `=`, or the letter of a short option. `--` ends the options.
-- @module pcapi.cli.arguments
local check = require "pcapi.check"
local commands = require "pcapi.cli.commands"
local exit = require "pcapi.cli.exit"
local options = require "pcapi.cli.options"

local M = {}

local shown = options.shown

-- The state of a command line that is read word by word:
-- `args`: the values by key; `known`: the options by name, those of the command included;
-- `path`: the words that name the command, and `command` its declaration; `declared`: its
-- arguments without a flag, and `count`, how many of them were read; `pending`: the option whose
-- value is missing at the end.
local Parser = {}
Parser.__index = Parser

-- Adds the options of all commands, or of a command. Only the command that is used is loaded.
local function declare(self, list)
  for _, option in ipairs(list or {}) do
    for _, name in ipairs(option) do
      self.known[name] = option
    end
    self.args[options.key(option)] = option.default
  end
end

local function new_parser(is_tolerant)
  local self = setmetatable({ args = {}, known = {}, path = {}, count = 0,
                              is_tolerant = is_tolerant }, Parser)
  declare(self, options.GLOBAL)
  return self
end

-- Ends the command with a message that points to the page of the help. A tolerant parser goes on.
local function fail(self, message, page)
  if not self.is_tolerant then
    page = page or ("pcapi " .. table.concat(self.path, " ")):gsub(" $", "") .. " --help"
    exit.stop(exit.EXIT.usage, ("%s\npcapi: try '%s'"):format(message, page))
  end
end

local GLOBAL_PAGE = "pcapi help options"

local function page_of(option)
  for _, other in ipairs(options.GLOBAL) do
    if option == other then
      return GLOBAL_PAGE
    end
  end
end

local function keys(list)
  local set = {}
  for _, word in ipairs(list) do
    set[word] = true
  end
  return set
end

-- Why a value cannot be used; or nil and what it means.
local function problem(option, label, value)
  if option.choices and not keys(option.choices)[value] then
    return ("%s must be one of %s, not '%s'"):format(label, table.concat(option.choices, ", "),
      shown(value))
  elseif option.check then
    local read, why = option.check(value)
    return not read and why or nil, read
  end
  return nil, value
end

local function set(self, option, label, value)
  local key, why = options.key(option), nil
  if option.once and self.args[key] ~= nil then
    return fail(self, label .. " may be given once only", page_of(option))
  elseif option.value then
    why, value = problem(option, label, value)
  end
  if why then
    return fail(self, why, page_of(option))
  elseif option.many then
    self.args[key] = self.args[key] or {}
    table.insert(self.args[key], value)
  else
    self.args[key] = value
  end
end

local RENAMED = { ["--limit"] = "--parallel" }

-- The commands that have an option, by its names.
local function owners_by_name()
  local owners = {}
  for _, entry in ipairs(commands.all()) do
    for _, option in ipairs(entry.command.options or {}) do
      for _, name in ipairs(option) do
        owners[name] = owners[name] or {}
        table.insert(owners[name], entry.path)
      end
    end
  end
  return owners
end

local function unknown_option(self, name)
  if self.is_tolerant then
    return
  elseif RENAMED[name] then
    return fail(self, ("%s is now %s"):format(name, RENAMED[name]))
  end
  local path, owners = table.concat(self.path, " "), owners_by_name()
  local others = owners[name]
  if not others then
    -- before the command, it may be an option of any command
    local names = path == "" and owners or {}
    for known in pairs(self.known) do
      names[known] = true
    end
    return fail(self, ("unknown option '%s'%s"):format(shown(name), check.near(name, names)))
  end
  fail(self, ("%s is an option of pcapi %s; %s"):format(name,
    table.concat(others, ", "):gsub(", ([^,]+)$", " and %1"), path == ""
    and "write it after the command" or ("pcapi %s does not have it"):format(path)),
    ("pcapi %s --help"):format(others[1]))
end

-- Whether the next word is a value. A word that looks like an option is one more likely than a
-- value, but a number may be negative, and `-` is standard input.
local function is_value(word)
  return word ~= nil and (word == "-" or not word:find "^%-" or word:find "^%-[%d.]" ~= nil)
end

-- Reads an option with the value that is joined to it, or with the next word as its value. Returns
-- whether it used the next word.
local function read_option(self, name, value, next_word)
  local option = self.known[name]
  if not option then
    return unknown_option(self, name)
  elseif not option.value then
    if value then
      return fail(self, name .. " takes no value", page_of(option))
    end
    return set(self, option, name, true)
  elseif value then
    return set(self, option, name, value)
  elseif is_value(next_word) then
    set(self, option, name, next_word)
    return true
  end
  self.pending = next_word == nil and option or nil
  fail(self, ("%s needs a value: %s %s"):format(name, name, option.value), page_of(option))
end

-- Reads a group of short options, such as `-qo csv`. Returns as `read_option`.
local function read_letters(self, word, next_word)
  for i = 2, #word do
    local name = "-" .. word:sub(i, i)
    local option = self.known[name]
    local rest = option and option.value and i < #word and word:sub(i + 1) or nil
    local used = read_option(self, name, rest, i == #word and next_word or nil)
    if rest or used then
      return used
    end
  end
end

local function enter(self, name, command)
  local key = #self.path == 0 and "command" or self.path[1] .. "_command"
  self.args[key] = name
  self.path[#self.path + 1], self.command, self.declared = name, command, command.arguments or {}
  declare(self, command.options)
end

-- Reads a word that names a command, or an argument of it.
local function read_word(self, word)
  if self.command and not self.command.subcommands then
    local argument = self.declared[self.count + 1]
    if not argument then
      return fail(self, ("too many arguments: '%s'"):format(shown(word)))
    end
    self.count = argument.many and self.count or self.count + 1
    return set(self, argument, argument.value, word)
  end
  local command = commands.find({ word }, self.command)
  if command then
    return enter(self, word, command)
  end
  fail(self, ("unknown command '%s'%s"):format(shown(word),
    check.near(word, keys(commands.names_of(self.command)))))
end

local function read(self, words)
  local i, is_literal = 1, false
  while i <= #words and not (self.args.help or self.args.version) do
    local word, used = words[i], nil
    if is_literal or word == "-" or not word:find "^%-" then
      read_word(self, word)
    elseif word == "--" then
      is_literal = true
    elseif word:find "^%-%-" then
      local name, value = word:match "^(.-)=(.*)$"
      used = read_option(self, name or word, value, words[i + 1])
    else
      used = read_letters(self, word, words[i + 1])
    end
    i = i + (used and 2 or 1)
  end
  self.is_literal = is_literal
  return self
end

-- A command needs its subcommand and its arguments.
local function check_complete(self)
  if not self.command then
    fail(self, "a command is required")
  elseif self.command.subcommands then
    fail(self, ("pcapi %s needs a subcommand"):format(table.concat(self.path, " ")))
  end
  local argument = self.declared[self.count + 1]
  if argument and not argument.optional then
    fail(self, ("pcapi %s needs %s"):format(table.concat(self.path, " "), argument.value
      .. (argument.choices and ": " .. table.concat(argument.choices, ", ") or "")))
  end
end

-- Options for one tenant, and options for several.
local OF_ONE = { { "profile", "--profile" }, { "tenant", "--tenant" },
                 { "token_stdin", "--token-stdin" } }
local OF_SEVERAL = { { "parallel", "--parallel" }, { "rate", "--rate" } }

-- A message for options that exclude or need one another.
local function conflict(args)
  local several = args.all_profiles and "--all-profiles" or args.tenants and "--tenants"
  if args.quiet and args.verbose then
    return "--quiet and --verbose exclude each other; leave one of them out"
  elseif args.all_profiles and args.tenants then
    return "--all-profiles and --tenants exclude each other; leave one of them out"
  elseif args.all_profiles and args.client_id then -- with --tenants, for those without a profile
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

-- The help that the words ask for: with --help, or by a name without anything else.
local function help_of(self, words)
  local is_group = not self.command or self.command.subcommands
  if self.args.help or is_group and #words == #self.path then
    return require("pcapi.cli.help").of(self.path)
  end
end

--- Parses the command line. Wrong usage ends the command.
-- @tparam {string,...} words
-- @treturn table the values by key, and `command`; or `text` alone, to print instead of running a
-- command
function M.parse(words)
  local self = read(new_parser(), words)
  if self.args.version then
    return { text = require("pcapi.cli.commands.version").text }
  end
  local help = help_of(self, words)
  if help then
    return { text = help }
  end
  check_complete(self)
  local message = conflict(self.args)
  if message then
    fail(self, message)
  end
  return self.args
end

--- Reads the beginning of a command line, whatever errors it has.
-- @tparam {string,...} words
-- @treturn table `args`, `known` (options by name), `path` (the words that name the command),
-- `command`, `argument` (the argument that a further word would be), `pending` (the option whose
-- value a further word would be), `is_literal` (no option can follow)
function M.scan(words)
  local self = read(new_parser(true), words)
  self.argument = self.declared and self.declared[self.count + 1]
  return self
end

return M
