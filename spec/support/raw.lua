--- Starts the sandbox's server for raw bytes, which plays scripts; see sandbox/README.md.
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local literal = require "spec.support.literal"

local M = {}

local PATIENCE = 10 -- seconds that the start or a command may take
local FAST_TRIES = 2000 -- to read a file before sleeping between tries

-- The server stops at the end of its input, so it also stops if this process is killed.
local RUN = [[exec env -u LD_PRELOAD -u LUA_PATH -u LUA_CPATH -u LUA_INIT \
  luajit sandbox/raw.lua %s %slocalhost.pem %sleaf.key %s >%s/output 2>&1]]

local running = {}

local Server = {}
Server.__index = Server

local function wait_for(what, is_true)
  for _ = 1, FAST_TRIES do
    if is_true() then
      return
    end
  end
  for _ = 1, PATIENCE * 100 do
    if is_true() then
      return
    end
    os.execute "sleep 0.01"
  end
  error(what, 0)
end

local function read_ports(server)
  local text = files.exists(server.dir .. "/ports") and files.slurp(server.dir .. "/ports")
  local http, https, relay, http2 = (text or ""):match "^(%d+) (%d+) (%d+) (%d+)\n"
  if http then
    server.http, server.https = "http://127.0.0.1:" .. http, "https://localhost:" .. https
    server.relay, server.http2 = "https://localhost:" .. relay, "https://localhost:" .. http2
  end
  return http
end

--- Starts a server.
-- @tparam ?table options `script` to begin with; `relay`, the address to which the relay forwards
-- @treturn table `http`, `https`, `relay`, `http2` (addresses), and the methods below
function M.start(options)
  options = options or {}
  local dir = files.lines_of "mktemp -d"[1]
  local certificates = os.getenv "PCAPI_SANDBOX_CA":gsub("[^/]*$", "")
  local server = setmetatable({ dir = dir, plays = 0 }, Server)
  server.pipe = assert(io.popen(RUN:format(dir, certificates, certificates,
    (options.relay or ""):match "%d*$", dir), "w"))
  server.pipe:setvbuf "no"
  running[#running + 1] = server
  local ok, err = pcall(wait_for, "the raw server does not start", function()
    return read_ports(server)
  end)
  if not ok then
    error(err .. ":\n" .. files.slurp(dir .. "/output"), 0)
  end
  server:play(options.script or { { {} } })
  return server
end

local function log_of(server)
  return files.slurp(server.dir .. "/log")
end

-- Sends a command and waits until the server has run it.
local function command(server, line)
  local before = #log_of(server)
  assert(server.pipe:write(line, "\n"))
  server.pipe:flush()
  local output = files.slurp(server.dir .. "/output")
  wait_for("the raw server does not run a command: " .. output, function()
    return log_of(server):find("did " .. line .. "\n", before + 1, true)
  end)
end

--- Plays a script from the next connection on. Open connections are closed.
-- @tparam table script
function Server:play(script)
  self.plays = self.plays + 1
  local path = ("%s/%d.lua"):format(self.dir, self.plays)
  folder.write(path, "return " .. literal(script))
  command(self, "play " .. path)
end

--- Makes the relay forward nothing more on its open connections, without closing them.
function Server:mute()
  command(self, "mute")
end

--- Returns what the server has received since the script began.
-- @treturn table `connections` and `relayed` (numbers), and `requests`: an array with the `line` of
--   each request, the number of its `connection`, the `length` of its body and its user `agent`
function Server:seen()
  local seen = { connections = 0, relayed = 0, requests = {} }
  for line in log_of(self):match "^.*did play [^\n]*\n(.*)$":gmatch "[^\n]+" do
    local number, length, first = line:match "^request (%d+) (%d+) (.*)$"
    if number then
      seen.requests[#seen.requests + 1] = {
        connection = tonumber(number), length = tonumber(length), line = first,
      }
    elseif line:find "^agent" then
      seen.requests[#seen.requests].agent = line:match "^agent (.*)$"
    elseif line:find "^connection" then
      seen.connections = seen.connections + 1
    elseif line == "relayed" then
      seen.relayed = seen.relayed + 1
    end
  end
  return seen
end

--- Stops all servers, for after_each or teardown.
function M.stop_all()
  for i = #running, 1, -1 do
    running[i].pipe:close() -- waits
    os.execute("rm -rf " .. running[i].dir)
    running[i] = nil
  end
end

return M
