--- The pages of the help and of the manual: what they say, without its layout.
--
-- A page is a table: `name`, `usage`, `summary`, `sections` (an array), and `least`, the least
-- width of labels. A section is an array of blocks with a `title`, except the first one, and
-- perhaps `where`, the command that shows the rest. A block is a text (a paragraph), a table with
-- `entries` (array of `{ label, meaning }`) or a table with `code` (array of lines).
-- @module pcapi.cli.pages
local commands = require "pcapi.cli.commands"
local fields = require "pcapi.cli.fields"
local options = require "pcapi.cli.options"
local topics = require "pcapi.cli.topics"

local M = {}

local USUAL = { "--profile", "--config", "--timeout", "--color", "--quiet", "--verbose", "--trace",
                "--help" }

-- Appends sections for the options without a group, and for each group.
local function add_options(sections, list)
  local sections_of, order = {}, {}
  for _, option in ipairs(list or {}) do
    local title = option.group or "Options"
    if not sections_of[title] then
      sections_of[title], order[#order + 1] = {}, title
    end
    table.insert(sections_of[title], option)
  end
  for _, title in ipairs(order) do
    sections[#sections + 1] = { title = title, { entries = options.entries(sections_of[title]) } }
  end
end

local function general(names)
  local list = {}
  for _, name in ipairs(names) do
    for _, option in ipairs(options.GLOBAL) do
      list[#list + 1] = option[#option] == name and option or nil
    end
  end
  return list
end

local function add_common(sections, names)
  sections[#sections + 1] = {
    title = "Options of all commands", where = "the rest: pcapi help options",
    { entries = options.entries(general(names or USUAL)) },
  }
end

local function add_entries(sections, title, entries)
  if #entries > 0 then
    sections[#sections + 1] = { title = title, { entries = entries } }
  end
end

-- The arguments without a flag; their names are those of the arguments of `run`.
local function arguments_of(command)
  local list = {}
  for i, argument in ipairs(command.arguments or {}) do
    list[i] = setmetatable({ argument.value, value = false }, { __index = argument })
  end
  return options.entries(list)
end

local function summaries_of(list)
  local entries = {}
  for i, command in ipairs(list or {}) do
    entries[i] = { command.name, command.summary }
  end
  return entries
end

--- The fields of a command's output.
-- @tparam table command see `pcapi.cli.commands`
-- @treturn table array of `{ name, meaning }`
function M.fields(command)
  local view = command.view
  if type(view) == "function" then
    view = view {}
  end
  local all = view and fields.of(view) or {}
  for _, field in ipairs(command.fields or {}) do
    all[#all + 1] = field
  end
  if view then
    all[#all + 1] = { "tenant", "profile, or line of the list; only with several tenants" }
  end
  return all
end

local WIDTH = 76 -- columns of code, which is indented

-- Appends a command line. If it is too long, it goes on in the next line, with an option if
-- possible.
local function add_code(lines, line)
  while #line > WIDTH do
    local head = line:sub(1, WIDTH - 2)
    local first = head:match "^(.*%S) %-" or head:match "^(.*%S) "
    lines[#lines + 1] = first .. " \\"
    line = "    " .. line:sub(#first + 2)
  end
  lines[#lines + 1] = line
end

local function add_examples(sections, examples)
  local lines = {}
  for _, example in ipairs(examples) do
    lines[#lines + 1] = example[1] and "# " .. example[1]
    add_code(lines, example[2])
  end
  sections[#sections + 1] = { title = "Examples", { code = lines } }
end

local function usage_of(path, command)
  local words = { "pcapi", path, command.subcommands and "SUBCOMMAND" or nil }
  for _, argument in ipairs(command.arguments or {}) do
    local word = argument.value .. (argument.many and "..." or "")
    words[#words + 1] = argument.optional and "[" .. word .. "]" or word
  end
  words[#words + 1] = "[OPTIONS]"
  return table.concat(words, " ")
end

--- The page of a command.
-- @tparam string path its name, such as `"config show"`
-- @tparam table command see `pcapi.cli.commands`
-- @treturn table page
function M.of_command(path, command)
  local sections = { type(command.about) == "table" and command.about or { command.about } }
  add_entries(sections, "Subcommands", summaries_of(command.subcommands))
  add_entries(sections, "Arguments", arguments_of(command))
  add_options(sections, command.options)
  add_common(sections, command.common)
  add_entries(sections, "Fields", M.fields(command))
  add_examples(sections, command.examples)
  return { name = "pcapi " .. path, usage = usage_of(path, command), summary = command.summary,
           sections = sections }
end

local EXAMPLES = {
  { "Sign in once; it asks for what it needs", "pcapi login" },
  { "Every day: who is new, back, or fixed", "pcapi watch" },
}

-- The names and summaries of commands or topics.
local function summaries(names, load)
  local list = {}
  for i, name in ipairs(names) do
    list[i] = { name = name, summary = load(name).summary }
  end
  return summaries_of(list)
end

local function summary_of_topic(name)
  return topics[name]
end

local ABOUT = { "List the users and applications of a Microsoft partner that sign in without "
  .. "multifactor authentication (MFA)." }

-- Appends the commands, in their groups.
local function add_commands(sections)
  for _, group in ipairs(commands.groups) do
    add_entries(sections, group.title, summaries(group, commands.load))
  end
end

local function new_overview(sections)
  return { name = "pcapi", usage = "pcapi COMMAND [OPTIONS]", sections = sections, least = 10,
           summary = "List the partner users who sign in without MFA" }
end

--- The page of pcapi itself.
-- @treturn table page
function M.overview()
  local sections = { ABOUT }
  add_commands(sections)
  add_common(sections, { "--profile", "--timeout", "--quiet", "--help" })
  add_entries(sections, "Topics", summaries(topics.names, summary_of_topic))
  sections[#sections].where = "pcapi help TOPIC"
  add_examples(sections, EXAMPLES)
  return new_overview(sections)
end

-- Appends a section and the sections that belong to it.
local function add_part(sections, title, parts)
  for i, part in ipairs(parts) do
    part.level = i > 1 and 2 or nil
    part.title = i > 1 and part.title or title
    sections[#sections + 1] = part
  end
end

--- The page of pcapi in the manual: with all options and topics.
-- @treturn table page, some of whose sections have a `level`: 2 belongs to the section before it
function M.manual()
  local sections, lists = { ABOUT }, { { "Each command has a man page, such as pcapi-login(1)." } }
  add_commands(lists)
  add_part(sections, "Commands", lists)
  for _, name in ipairs(topics.names) do
    add_part(sections, (name:gsub("-", " ")), topics[name].sections)
  end
  add_examples(sections, EXAMPLES)
  return new_overview(sections)
end

return M
