--- Runs a server written in JavaScript. It must print a line of words, the last one its process id,
-- when it listens, and stop when its standard input ends.
local curl = require "spec.support.curl"
local files = require "spec.support.files"

local M = {}

local START_TIMEOUT = 20 -- seconds

local function node()
  local command = files.lines_of("ls spec/oidc/node_modules/node-linux-*/bin/node 2>/dev/null")[1]
  return command or error("Node is not installed: run dev/npm spec/oidc", 0)
end

-- Returns the words that the server prints; nil if it ends before.
local function wait_for_start(output)
  for _ = 1, START_TIMEOUT * 20 do
    local line = files.slurp(output):match "^([^\n]+)\n"
    if line or files.exists(output .. ".end") then
      return line
    end
    os.execute("sleep 0.05")
  end
end

--- Starts a server. It stops when this process ends.
-- @tparam string script
-- @tparam string argument
-- @treturn table for @{stop}
-- @treturn table the words that it printed, without its process id
function M.start(script, argument)
  local output = files.temporary()
  -- the server ends when its input closes, also if this process is killed
  local pipe = assert(io.popen(("{ env -u LD_PRELOAD %s %s %s; touch %s.end; } >%s 2>%s.log")
    :format(node(), script, curl.quote(argument), output, output, output), "w"))
  local server, words = { pipe = pipe, output = output }, {}
  for word in (wait_for_start(output) or ""):gmatch "%S+" do
    words[#words + 1] = word
  end
  server.pid = table.remove(words)
  if not server.pid then
    local log = files.slurp(output .. ".log")
    M.stop(server)
    error(script .. " does not start: " .. log, 0)
  end
  return server, words
end

--- Stops a server, if it still runs.
function M.stop(server)
  if server.pipe then
    if server.pid then -- another process may have the pipe open
      os.execute("kill " .. server.pid .. " 2>/dev/null")
    end
    server.pipe:close()
    server.pipe = nil
    for _, ending in ipairs { "", ".log", ".end" } do
      os.remove(server.output .. ending)
    end
  end
end

return M
