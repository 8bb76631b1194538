--- Finds the command lines in the code blocks of Markdown files: of shells, crontabs, units of
-- systemd, and CI recipes.
local markdown = require "spec.support.markdown"

local M = {}

-- Calls add(line, number) for each line; a line that ends with a backslash goes on in the next one.
local function each_line(text, add)
  local whole, first, number = "", nil, 0
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    first, number = first or number, number + 1
    local part = line:match "^(.*)\\$"
    if part then
      whole = whole .. part:gsub("%s+$", "") .. " "
    else
      add(whole .. (whole == "" and line or line:gsub("^%s+", "")), first)
      whole, first = "", nil
    end
  end
end

local function without_comment(line)
  return (line:gsub("^%s*#.*$", ""):gsub("%s+# .*$", ""):gsub("%s+$", ""))
end

local OF_LANGUAGE = {}

-- A block that begins with #! is one script.
function OF_LANGUAGE.sh(text, add)
  if text:find "^#!" then
    return add(text, 0)
  end
  each_line(text, function(line, number)
    add(without_comment(line), number)
  end)
end

-- Lines after `$ `; the lines below them are their output.
function OF_LANGUAGE.console(text, add)
  local current
  each_line(text, function(line, number)
    local command = line:match "^%$ (.*)$"
    if command then
      current = add(without_comment(command), number)
      current.output = {}
    else
      current.output[#current.output + 1] = line
    end
  end)
end

function OF_LANGUAGE.crontab(text, add)
  each_line(text, function(line, number)
    if not line:find "^%s*#" and not line:find "^[%u_]+=" and line ~= "" then
      add(assert(line:match "^@%l+ (.+)$" or line:match "^%S+ %S+ %S+ %S+ %S+ (.+)$", line), number)
    end
  end)
end

function OF_LANGUAGE.systemd(text, add)
  each_line(text, function(line, number)
    add(line:match "^Exec%u%l+=(.+)$" or "", number)
  end)
end

-- The keys under which CI services expect commands: `run` of GitHub, `script` of GitLab.
local HAS_COMMANDS = { run = true, script = true, before_script = true, after_script = true }

local function unquoted(text)
  return text:match '^"(.*)"$' or text:match "^'(.*)'$" or text
end

function OF_LANGUAGE.yaml(text, add)
  local depth -- of the key whose value follows on deeper lines
  each_line(text, function(line, number)
    local indent, key, value = line:match "^([%s-]*)([%w_]+):%s*(.-)$"
    local first = #line:match "^%s*"
    if depth and line:find "%S" and first <= depth then
      depth = nil
    end
    if depth then
      add(unquoted(without_comment(line:gsub("^%s*%-?%s*", ""))), number)
    elseif HAS_COMMANDS[key] and (value == "" or value:find "^|") then
      depth = #indent
    elseif HAS_COMMANDS[key] then
      add(unquoted(without_comment(value)), number)
    end
  end)
end

-- Windows' own commands.
OF_LANGUAGE.powershell = OF_LANGUAGE.sh

--- Whether this module finds the commands in blocks of a language.
function M.knows(language)
  return OF_LANGUAGE[language] ~= nil
end

--- Returns the command lines of a file.
-- @tparam string path
-- @treturn {table,...} `text`; `place`, as FILE:LINE; `block`, as of `markdown.blocks`; and, in
--   blocks of `console`, `output`, an array of lines
function M.of(path)
  local found = {}
  for _, block in ipairs(markdown.blocks(path)) do
    local find = OF_LANGUAGE[block.language] or function() end
    find(block.text, function(text, number)
      local line = { text = text, block = block, place = path .. ":" .. block.line + number }
      if text ~= "" then
        found[#found + 1] = line
      end
      return line
    end)
  end
  return found
end

return M
