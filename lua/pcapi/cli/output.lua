--- Standard output of the command.
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

--- Writes all at once, so that a failure before leaves nothing written by halves.
-- @tparam string text
function M.write(text)
  writing = true
  local ok, message = io.stdout:write(text)
  if ok then
    ok, message = io.stdout:flush()
  end
  if not ok then
    exit.stop(exit.EXIT.error, "cannot write to standard output: " .. tostring(message))
  end
end

--- Whether a table is to be coloured.
-- @tparam table args
-- @tparam ?number width of the terminal, nil for none
-- @treturn boolean
function M.wants_color(args, width)
  if args.color ~= "auto" then
    return args.color == "always"
  end
  local no_color = os.getenv "NO_COLOR"
  return width ~= nil and (no_color == nil or no_color == "") and os.getenv "TERM" ~= "dumb"
end

return M
