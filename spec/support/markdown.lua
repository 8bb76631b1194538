--- Reads Markdown files: code blocks, headings, code within the text, and links.
local files = require "spec.support.files"

local M = {}

--- Returns the code blocks of a file.
-- @tparam string path
-- @treturn {table,...} `language`, `text`, and `line`, the number of its first line in the file
function M.blocks(path)
  local found, block, indent = {}, nil, ""
  local number = 0
  for line in (files.slurp(path) .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    local before, language = line:match "^(%s*)```([%w_-]*)$"
    if before and not block then
      block, indent = { language = language, lines = {}, line = number + 1 }, before
    elseif before then
      block.text, block.lines = table.concat(block.lines, "\n"), nil
      found[#found + 1], block = block, nil
    elseif block then
      block.lines[#block.lines + 1] = line:sub(#indent + 1)
    end
  end
  assert(not block, path .. " has a code block without an end")
  return found
end

--- Returns the texts of the code blocks of a language, as an array.
function M.examples(path, language)
  local found = {}
  for _, block in ipairs(M.blocks(path)) do
    if block.language == language then
      found[#found + 1] = block.text
    end
  end
  return found
end

-- The lines outside of code blocks, as one text.
local function prose(path)
  return (("\n" .. files.slurp(path) .. "\n"):gsub("\n%s*```.-\n%s*```%f[\n]", "\n"))
end

--- Returns the headings of a file, without `#` and code marks, as an array.
function M.headings(path)
  local found = {}
  for heading in prose(path):gmatch "\n#+ ([^\n]+)" do
    found[#found + 1] = (heading:gsub("`", ""))
  end
  return found
end

--- Returns the anchor that GitHub makes of a heading: lower case, no punctuation, hyphens for
-- spaces.
function M.anchor(heading)
  return (heading:lower():gsub("[^%w%s_-]", ""):gsub("%s", "-"))
end

--- Returns the targets of links, as an array.
function M.links(path)
  local found = {}
  for target in prose(path):gmatch "%]%(([^)%s]+)%)" do
    found[#found + 1] = target
  end
  return found
end

--- Returns the code within the text, between single backquotes, as an array. A line end within it
-- is a space.
function M.spans(path)
  local found = {}
  for span in prose(path):gmatch "%f[`]`([^`]+)`%f[^`]" do
    found[#found + 1] = (span:gsub("%s*\n%s*", " "))
  end
  return found
end

return M
