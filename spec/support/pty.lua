--- Runs a command on a terminal of its own, by script(1).
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local sandbox = require "spec.support.sandbox"

local M = {}

--- Runs a shell command whose standard streams are a terminal.
-- @tparam string command
-- @tparam ?string|{string,...} typed what the user types, from the start; or parts, each after half
-- a second. A part "\3" is Ctrl-C, "\4" is Ctrl-D
-- @treturn table `status`, and `screen`: the text on the terminal with the echo of what was typed,
-- whose lines end in a line feed
function M.run(command, typed)
  local parts = {}
  for i, part in ipairs(type(typed) == "table" and typed or { typed }) do
    parts[i] = (i > 1 and "sleep 0.5; " or "") .. "printf %s " .. curl.quote(part)
  end
  local script = files.temporary()
  local file = assert(io.open(script, "w"))
  file:write(command, "\n")
  file:close()
  -- the input must stay open: its end would be Ctrl-D
  local done = files.temporary()
  local result = sandbox.shell(("{ { %s; }; until [ -s %s ]; do sleep 0.1; done; } | "
    .. "{ script -qec 'sh %s' /dev/null; echo $? >%s; }; exit $(cat %s)"):format(
    parts[1] and table.concat(parts, "; ") or ":", done, script, done, done))
  os.remove(script)
  os.remove(done)
  return { status = result.status, screen = (result.out:gsub("\r\n", "\n")) }
end

return M
