--- Opens an address in a browser by the commands in BROWSER, which colons separate; by default
-- the command of the desktop. If one is missing or fails, the next is tried. In a command `%s`
-- stands for the address and `%%` for a percent sign; without `%s` the address is the last
-- argument.
-- @module pcapi.cli.browser
local schema = require "pcapi.settings.schema"

local M = {}

-- The addresses of pcapi; no character of them is special within single quotes of a shell.
local HARMLESS = "^https://[%w%-._~:/?#@&+,=%%]*$"

-- Splits a command into words at blanks, quotes and backslashes, as a shell does. No shell
-- runs it, so nothing in it is expanded.
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

-- One command with its words quoted for the shell; nil for a command without words.
local function quoted_command(command, address)
  local words, has_address = words_of(command), false
  if words[#words] == "&" then -- users write it, and all commands run in the background anyway
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

--- The commands that open a browser, as BROWSER has them.
-- @tparam function getenv as os.getenv
-- @treturn ?string nil without BROWSER and without a desktop
function M.commands(getenv)
  local function is_set(name)
    return (getenv(name) or "") ~= ""
  end
  return is_set "BROWSER" and getenv "BROWSER"
    or is_set "WSL_DISTRO_NAME" and "wslview:xdg-open" -- Windows opens it
    or (is_set "DISPLAY" or is_set "WAYLAND_DISPLAY") and "xdg-open" or nil
end

--- Whether the user sits at this machine and can use a browser on it. Over SSH the browser would
-- open on the other machine, or slowly over the network.
-- @tparam function getenv as os.getenv
-- @treturn boolean
function M.is_near(getenv)
  for _, name in ipairs { "SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY" } do
    if (getenv(name) or "") ~= "" then
      return false
    end
  end
  return M.commands(getenv) ~= nil
end

--- Makes the shell command that opens an address in the background. It unsets the variables
-- of pcapi, as some hold secrets.
-- @tparam string browser the value of BROWSER
-- @tparam string address
-- @treturn ?string nil when BROWSER holds no command, or the address an unexpected character
function M.command(browser, address)
  local commands, variables = {}, {}
  for command in browser:gmatch "[^:]+" do
    commands[#commands + 1] = quoted_command(command, address)
  end
  for _, setting in ipairs(schema.settings) do
    variables[#variables + 1] = setting.env
  end
  if #commands == 0 or not address:find(HARMLESS) then
    return nil
  end
  return ("unset %s; { %s; } >/dev/null 2>&1 &"):format(table.concat(variables, " "),
    table.concat(commands, " || "))
end

return M
