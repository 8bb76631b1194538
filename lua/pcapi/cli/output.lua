--- Writes to standard output.
-- @module pcapi.cli.output
local exit = require "pcapi.cli.exit"

local M = {}

M.STDOUT = 1

local writing = false

--- Whether something has been written.
-- @treturn boolean
function M.has_begun()
  return writing
end

--- Writes a text. If that fails, the command ends.
-- @tparam string text
-- @treturn boolean true
function M.write(text)
  writing = true
  local ok, message = io.stdout:write(text)
  if ok then
    ok, message = io.stdout:flush()
  end
  if not ok then
    exit.stop(exit.EXIT.error, "cannot write to standard output: " .. tostring(message))
  end
  return true
end

--- Whether a table has colours.
-- @tparam table args
-- @tparam ?number width of the terminal in columns; nil if the output is no terminal
-- @treturn boolean
function M.wants_color(args, width)
  if args.color ~= "auto" then
    return args.color == "always"
  end
  local no_color = os.getenv "NO_COLOR"
  return width ~= nil and (no_color == nil or no_color == "") and os.getenv "TERM" ~= "dumb"
end

return M
