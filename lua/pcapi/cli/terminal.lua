--- What the terminal can show: its width, colours, and characters beyond ASCII.
-- @module pcapi.cli.terminal
local color = require "pcapi.format.color"
local core = require "pcapi.core"

local M = {}

M.STDOUT, M.STDERR = 1, 2

--- The width of the terminal at a descriptor.
-- @tparam number descriptor
-- @treturn ?number columns; nil if it is no terminal
function M.width(descriptor)
  return (core.columns(descriptor))
end

--- Whether the locale of the user has UTF-8, by the first of the variables that is set, as in
-- POSIX. The locale need not be installed on this machine: ssh passes the one of the terminal.
-- @treturn boolean
function M.is_utf8()
  for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
    local value = os.getenv(name) or ""
    if value ~= "" then
      return value:lower():find "utf%-?8" ~= nil
    end
  end
  return false
end

--- Replaces the ellipsis in a text of pcapi by three dots, unless the locale has UTF-8.
-- @tparam string text
-- @treturn string
function M.plain(text)
  return M.is_utf8() and text or (text:gsub("…", "..."))
end

-- Whether standard output has colours: as --color says, or on a terminal.
local function wants_color(args, width)
  if args.color ~= "auto" then
    return args.color == "always"
  end
  return width ~= nil and (os.getenv "NO_COLOR" or "") == "" and os.getenv "TERM" ~= "dumb"
end

--- The options of a table for people on standard output: `width`, `color` and `ascii`, see
-- `pcapi.format`.
-- @tparam table args
-- @treturn table
function M.table_options(args)
  local width = M.width(M.STDOUT)
  return { width = width, color = wants_color(args, width), ascii = not M.is_utf8() }
end

--- Makes a function that colours texts for standard output.
-- @tparam table args
-- @treturn function takes a text and its state, see `pcapi.format.color`; returns the text
function M.painter(args)
  return wants_color(args, M.width(M.STDOUT)) and color.paint or function(text)
    return text
  end
end

return M
