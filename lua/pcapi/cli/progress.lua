--- The progress line of a command that waits.
-- @module pcapi.cli.progress
local core = require "pcapi.core"

local M = {}

local STDERR = 2

--- A progress line on standard error; only on a terminal.
-- @tparam table args
-- @tparam string pattern for string.format
-- @treturn ?function shows the line; takes the numbers of the pattern
-- @treturn function wipes the line
function M.start(args, pattern)
  if args.quiet or not core.columns(STDERR) then
    return nil, function() end
  end
  local shown
  return function(...)
    shown = true
    io.stderr:write("\rpcapi: ", pattern:format(...), "\27[K")
  end, function()
    io.stderr:write(shown and "\r\27[K" or "")
  end
end

return M
