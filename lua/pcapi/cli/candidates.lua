--- Finds the words that can follow the beginning of a command line, for the completion in a shell.
-- @module pcapi.cli.candidates
local commands = require "pcapi.cli.commands"
local options = require "pcapi.cli.options"

local M = {}

-- The words that complete the value of an option or argument, by its `complete`. Each returns
-- an array of `{ word, meaning }`; `file` and `folder` are up to the shell.
local KINDS = {}

function KINDS.profile(state)
  local names = require("pcapi.settings.profiles").names { getenv = os.getenv,
                                                           path = state.args.config_file }
  local found = {}
  for i, name in ipairs(names or {}) do
    found[i] = { name }
  end
  return found
end

-- The names after the last comma that were not given before it.
function KINDS.columns(state, typed)
  local before, found = typed:match "^.*," or "", {}
  for _, field in ipairs(require("pcapi.cli.pages").fields(state.command)) do
    if not ("," .. before):find("," .. field[1] .. ",", 1, true) then
      found[#found + 1] = { before .. field[1], field[2] }
    end
  end
  return found, "open"
end

-- What `pcapi help` takes after the words that were typed.
function KINDS.help(state)
  local words = state.args.words or {}
  local parent = commands.find(words)
  if #words > 0 and not parent then
    return {}
  end
  local found = M.commands(parent)
  if #words == 0 then
    local topics = require "pcapi.cli.topics"
    for _, name in ipairs(topics.names) do
      found[#found + 1] = { name, topics[name].summary }
    end
  end
  return found
end

local function words_of(list)
  local found = {}
  for i, word in ipairs(list) do
    found[i] = { word }
  end
  return found
end

-- The values of an option or argument; and `file` or `folder` if the shell completes them, `open`
-- if a word may go on.
local function values_of(state, option, typed)
  local kind = option.complete
  if option.choices then
    return words_of(option.choices)
  elseif type(kind) == "table" then
    return words_of(kind)
  elseif KINDS[kind] then
    return KINDS[kind](state, typed)
  end
  return {}, kind
end

--- The commands, or the subcommands of one.
-- @tparam ?table command
-- @treturn table array of `{ name, summary }`
function M.commands(command)
  local found = {}
  for i, name in ipairs(commands.names_of(command)) do
    found[i] = { name, commands.find({ name }, command).summary }
  end
  return found
end

-- The options that were not given, by their long names.
local function options_of(state)
  local found = {}
  for name, option in pairs(state.known) do
    local is_given = state.args[options.key(option)] ~= nil
    if name == option[#option] and not is_given then
      found[#found + 1] = { name, option.about }
    end
  end
  table.sort(found, function(a, b)
    return a[1] < b[1]
  end)
  return found
end

-- The option whose value the next word is, if this word asks for one.
local function option_of(state, word)
  local name, value = word:match "^(%-%-[^=]+)=?(.*)$"
  local option = state.known[name or "-" .. word:sub(-1)]
  if option then
    state.args[options.key(option)] = option.value and value or true
  end
  return option and option.value and not word:find "=" and option or nil
end

local function enter(state, word)
  local found = commands.find({ word }, state.command)
  if not found or state.command and not state.command.subcommands then
    state.count = state.count + 1
    state.args.words = state.args.words or {}
    table.insert(state.args.words, word)
    return
  end
  state.command = found
  for _, option in ipairs(found.options or {}) do
    for _, name in ipairs(option) do
      state.known[name] = option
    end
  end
end

-- What the words before the cursor mean, whatever errors they have: `command`; `known`, the options
-- by name; `args`, the values by key; `pending`, the option whose value the next word is;
-- `is_literal`: no option can follow; `argument`, the argument that the next word would be.
local function scan(words)
  local state = { known = {}, args = {}, count = 0 }
  for _, option in ipairs(options.GLOBAL) do
    for _, name in ipairs(option) do
      state.known[name] = option
    end
  end
  for _, word in ipairs(words) do
    if state.pending then
      state.args[options.key(state.pending)], state.pending = word, nil
    elseif state.is_literal or not word:find "^%-." then
      enter(state, word)
    elseif word == "--" then
      state.is_literal = true
    else
      state.pending = option_of(state, word)
    end
  end
  local declared = state.command and state.command.arguments or {}
  local last = declared[#declared]
  state.argument = declared[state.count + 1] or last and last.many and last or nil
  return state
end

local function all_of(state, typed)
  if state.pending then
    return values_of(state, state.pending, typed)
  elseif typed:find "^%-" and not state.is_literal then
    local name, value = typed:match "^(%-%-[^=]+)=(.*)$"
    if not name then
      return options_of(state)
    end
    local option = state.known[name]
    local found, kind = values_of(state, option and option.value and option or {}, value)
    for _, candidate in ipairs(found) do
      candidate[1] = name .. "=" .. candidate[1]
    end
    return found, kind
  elseif state.argument then
    return values_of(state, state.argument, typed)
  end
  return state.command and not state.command.subcommands and {} or M.commands(state.command)
end

--- Finds the words.
-- @tparam {string,...} words those after `pcapi`, up to the cursor; the last one is the beginning
-- of the word that is searched for
-- @treturn table array of `{ word, meaning }`; the meaning may be nil
-- @treturn ?string `"file"` or `"folder"`: the shell completes the value as the path of one;
-- `"open"`: the words may go on
function M.of(words)
  local before, typed = {}, words[#words] or ""
  for i = 1, #words - 1 do
    before[i] = words[i]
  end
  local all, kind = all_of(scan(before), typed)
  local found = {}
  for _, candidate in ipairs(all) do
    if candidate[1]:sub(1, #typed) == typed then
      found[#found + 1] = candidate
    end
  end
  return found, kind
end

return M
