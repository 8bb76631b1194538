--- Starts a real Redis on loopback, in a temporary folder.
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local nginx = require "spec.support.nginx"

local M = {}

-- Redis ends when its input has a line or is closed, so it ends with this process in any case.
local RUN = [[
exec 3<&0 2>/dev/null
env -u LD_PRELOAD redis-server @DIR@/redis.conf >@DIR@/output 2>&1 3<&- &
redis=$!
echo $redis >@DIR@/pid
{ read -r _ <&3; kill -KILL $redis; } &
wait $redis
echo $? >@DIR@/ended
wait
]]

local running = {}

local Server = {}
Server.__index = Server

local function filled(template, values)
  return (template:gsub("@(%u+)@", values))
end

-- Below the range of ports that the system gives to clients, and above those of the nginxes.
local function free_port()
  return tonumber(files.lines_of [[bash -c 'while port=$((32000 + RANDOM % 700))
    (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null; do :; done; echo $port']][1])
end

local function configuration(server, options)
  local lines = {
    "bind 127.0.0.1", "dir " .. server.dir, 'save ""', "appendonly no",
    (options.tls and "port 0\ntls-port " or "port ") .. server.port,
  }
  if options.tls then
    local folder = os.getenv "PCAPI_SANDBOX_CA":gsub("[^/]*$", "")
    lines[#lines + 1] = filled("tls-cert-file @F@localhost.pem\ntls-key-file @F@leaf.key\n"
      .. "tls-ca-cert-file @F@ca.pem\ntls-auth-clients no", { F = folder })
  end
  if options.password then
    lines[#lines + 1] = "requirepass " .. options.password
  end
  lines[#lines + 1] = options.more
  return table.concat(lines, "\n") .. "\n"
end

local function launch(server)
  os.execute(("rm -f %s/pid %s/ended"):format(server.dir, server.dir))
  server.pipe = assert(io.popen(filled(RUN, { DIR = server.dir }), "w"))
  local is_ready = nginx.wait_for(function()
    server.pid = files.exists(server.dir .. "/pid") and tonumber(files.slurp(server.dir .. "/pid"))
    return server.pid and server:command "PING":find "PONG" or files.exists(server.dir .. "/ended")
  end)
  if not is_ready or files.exists(server.dir .. "/ended") then
    error("Redis does not start:\n" .. files.slurp(server.dir .. "/output"), 0)
  end
end

--- Starts a Redis, and waits until it responds.
-- @tparam ?table options `password`; `tls`: with a certificate of the sandbox's CA; `more` lines of
--   configuration
-- @treturn table `host`, `port`, `pid`, and the methods below
function M.start(options)
  options = options or {}
  local server = setmetatable({ dir = files.lines_of "mktemp -d"[1], port = free_port(),
                                password = options.password, tls = options.tls }, Server)
  server.host = options.tls and "localhost" or "127.0.0.1"
  running[#running + 1] = server
  local file = assert(io.open(server.dir .. "/redis.conf", "wb"))
  file:write(configuration(server, options))
  file:close()
  launch(server)
  return server
end

--- Sends a command with redis-cli.
-- @tparam string ... command and arguments
-- @treturn string the output, without the last line break
function Server:command(...)
  local words = { self.password and "REDISCLI_AUTH=" .. curl.quote(self.password) or "",
                  "env -u LD_PRELOAD redis-cli -p", self.port }
  if self.tls then
    words[#words + 1] = "-h localhost --tls --cacert " .. os.getenv "PCAPI_SANDBOX_CA"
  end
  for _, word in ipairs { ... } do
    words[#words + 1] = curl.quote(tostring(word))
  end
  return (curl.shell(table.concat(words, " ") .. " 2>&1"):gsub("\n$", ""))
end

local function signal(server, name)
  os.execute(("kill -%s %d 2>/dev/null"):format(name, server.pid))
end

--- Makes it hang: it accepts connections, and does not respond.
function Server:hang()
  signal(self, "STOP")
end

--- Ends @{hang}.
function Server:go_on()
  signal(self, "CONT")
end

--- Kills it, with all its data, and waits until it has ended.
function Server:kill()
  if self.pipe then
    self.pipe:write "end\n"
    self.pipe:close() -- waits
    self.pipe = nil
  end
end

--- Starts it again, at the same port.
function Server:start()
  launch(self)
end

--- Kills it, and removes its folder. Harmless if that has been done already.
function Server:stop()
  self:kill()
  os.execute("rm -rf " .. self.dir)
end

--- Stops all servers; for after_each.
function M.stop_all()
  for i = #running, 1, -1 do
    running[i]:stop()
    running[i] = nil
  end
end

return M
