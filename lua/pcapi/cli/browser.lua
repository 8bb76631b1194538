--- Opening an address in a browser, as the variable BROWSER says: commands between colons,
-- of which the next is tried where one is missing or fails. In a command `%s` is the
-- address and `%%` a percent sign; without `%s` the address comes last.
-- @module pcapi.cli.browser
local resolve = require "pcapi.settings.resolve"

local M = {}

-- What an address of ours may hold; none of it means anything within quotes of a shell.
local HARMLESS = "^https://[%w%-._~:/?#@&+,=%%]*$"

-- The words of a command, by the quotes and backslashes of a shell, of which none is asked.
local function words_of(command)
  local words, word, quote = {}, nil, nil
  local at = 1
  while at <= #command do
    local c = command:sub(at, at)
    if c == "\\" and quote ~= "'" and at < #command then
      at = at + 1
      word = (word or "") .. command:sub(at, at)
    elseif quote and c == quote then
      quote = nil
    elseif not quote and (c == "'" or c == '"') then
      quote, word = c, word or ""
    elseif not quote and c:find "%s" then
      words[#words + 1], word = word, nil
    else
      word = (word or "") .. c
    end
    at = at + 1
  end
  words[#words + 1] = word
  return words
end

local function quoted(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- One command for the shell; nil for one without words.
local function line_of(command, address)
  local words, has_address = words_of(command), false
  if words[#words] == "&" then -- some write it; ours run in the background anyway
    words[#words] = nil
  end
  for i, word in ipairs(words) do
    words[i] = quoted(word:gsub("%%([s%%])", function(what)
      has_address = has_address or what == "s"
      return what == "s" and address or "%"
    end))
  end
  if #words > 0 and not has_address then
    words[#words + 1] = quoted(address)
  end
  return #words > 0 and table.concat(words, " ") or nil
end

--- The shell's command that opens an address in the background. Programs that it runs see
-- no variable of pcapi, as some hold secrets.
-- @tparam string browser as BROWSER has it
-- @tparam string address
-- @treturn ?string nil where there is no command, or the address holds what none of ours does
function M.command(browser, address)
  local lines, variables = {}, {}
  for command in browser:gmatch "[^:]+" do
    lines[#lines + 1] = line_of(command, address)
  end
  for _, setting in ipairs(resolve.settings) do
    variables[#variables + 1] = setting.env
  end
  return #lines > 0 and address:find(HARMLESS) and ("unset %s; { %s; } >/dev/null 2>&1 &"):format(
    table.concat(variables, " "), table.concat(lines, " || ")) or nil
end

return M
