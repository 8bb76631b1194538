--- Writes the pages of the help as text: ASCII, at most 80 columns wide.
-- @module pcapi.cli.help
local check = require "pcapi.check"
local commands = require "pcapi.cli.commands"
local exit = require "pcapi.cli.exit"
local options = require "pcapi.cli.options"
local pages = require "pcapi.cli.pages"
local topics = require "pcapi.cli.topics"

local M = {}

local WIDTH = 80

-- Breaks a text into lines. The first one begins with `first`, the others with as many blanks.
local function wrap(text, first)
  local lines, line, indent = {}, first, (" "):rep(#first)
  local is_empty = true
  if text == "" then
    return first:match "^(.-)%s*$"
  end
  for word in text:gmatch "%S+" do
    if not is_empty and #line + 1 + #word > WIDTH then
      lines[#lines + 1] = line
      line, is_empty = indent, true
    end
    line = line .. (is_empty and "" or " ") .. word
    is_empty = false
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

--- Breaks a text into lines of 80 columns.
-- @function wrap
-- @tparam string text
-- @tparam string first begins the first line; the others begin with as many blanks
-- @treturn string
M.wrap = wrap

local WIDEST = 26 -- columns of labels; the meaning of a longer one begins in the next line

-- Labels take at least `least` columns.
local function entries_text(entries, least)
  local width, lines = least or 0, {}
  for _, entry in ipairs(entries) do
    local label = tostring(entry[1])
    width = #label + 4 <= WIDEST and math.max(width, #label) or width
  end
  for _, entry in ipairs(entries) do
    local label = "  " .. entry[1]
    if #label > width + 2 then
      lines[#lines + 1] = label
      label = ""
    end
    lines[#lines + 1] = wrap(entry[2], label .. (" "):rep(width + 4 - #label))
  end
  return table.concat(lines, "\n")
end

local function code_text(lines)
  return (("  " .. table.concat(lines, "\n  ")):gsub("\n  \n", "\n\n"))
end

local function block_text(block, indent, least)
  if type(block) == "string" then
    return wrap(block, indent)
  end
  return block.code and code_text(block.code) or entries_text(block.entries, least)
end

local function text_of(page)
  local parts = { page.usage and "Usage: " .. page.usage }
  for _, section in ipairs(page.sections) do
    local blocks = {}
    for i, block in ipairs(section) do
      blocks[i] = block_text(block, section.title and "  " or "", page.least)
    end
    local title = section.title and section.title
      .. (section.where and (" (%s)"):format(section.where) or "") .. ":\n"
    parts[#parts + 1] = (title or "")
      .. table.concat(blocks, "\n\n")
  end
  return table.concat(parts, "\n\n") .. "\n"
end

--- The names of the topics that are no commands.
M.TOPICS = topics.names

-- Ends the command, as no command and no topic has this name.
local function fail(name)
  local names = {}
  for _, topic in ipairs(topics.names) do
    names[topic] = true
  end
  for _, entry in ipairs(commands.all()) do
    names[entry.path] = true
  end
  exit.stop(exit.EXIT.usage, ("there is no help on '%s'%s\npcapi: try 'pcapi help'"):format(
    options.shown(name), check.near(name, names)))
end

--- The help of pcapi, a command or a topic. An unknown name ends the command.
-- @tparam {string,...} words of the name; none for pcapi itself
-- @treturn string
function M.of(words)
  local name = table.concat(words, " ")
  if name == "" then
    return text_of(pages.overview())
  end
  local command = commands.find(words)
  if not command and not topics[name] then
    fail(name)
  end
  return text_of(command and pages.of_command(name, command) or topics[name])
end

return M
