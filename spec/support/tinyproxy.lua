--- Starts Debian's tinyproxy, a proxy for CONNECT, on loopback, in a temporary folder.
local files = require "spec.support.files"
local free_port = require "spec.support.free_port"
local nginx = require "spec.support.nginx"

local M = {}

-- It ends when its input has a line or is closed, so it ends with this process in any case.
local RUN = [[
exec 3<&0 2>/dev/null
env -u LD_PRELOAD tinyproxy -d -c @DIR@/conf >@DIR@/output 2>&1 3<&- &
proxy=$!
echo $proxy >@DIR@/pid
{ read -r _ <&3; kill -KILL $proxy; } 2>/dev/null &
wait
rm -rf @DIR@
]]

local running = {}

local Proxy = {}
Proxy.__index = Proxy

local function configuration(dir, port, options)
  local lines = { "Port " .. port, "Listen 127.0.0.1", "Timeout 60", "MaxClients 100",
                  "LogLevel Connect", "LogFile \"" .. dir .. "/log\"" }
  for _, allowed in ipairs(options.ports) do
    lines[#lines + 1] = "ConnectPort " .. allowed
  end
  if options.user then
    lines[#lines + 1] = ("BasicAuth %s %s"):format(options.user, options.password)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function is_ready(port)
  return files.lines_of(("bash -c '(exec 3<>/dev/tcp/127.0.0.1/%s) 2>/dev/null && echo yes'")
    :format(port))[1] ~= nil
end

--- Starts a proxy.
-- @tparam table options `ports`: to which it connects; optionally `user` and `password`, which it
--   requires
-- @treturn table `place` (`127.0.0.1:PORT`), `pid`, and the methods below
function M.start(options)
  local dir, port = files.lines_of "mktemp -d"[1], free_port()
  local file = assert(io.open(dir .. "/conf", "wb"))
  file:write(configuration(dir, port, options))
  file:close()
  local proxy = setmetatable({ dir = dir, place = "127.0.0.1:" .. port }, Proxy)
  proxy.pipe = assert(io.popen(RUN:gsub("@DIR@", dir), "w"))
  running[#running + 1] = proxy
  if not nginx.wait_for(function()
    return files.exists(dir .. "/pid") and is_ready(port)
  end) then
    error("tinyproxy does not start:\n" .. files.slurp(dir .. "/output"), 0)
  end
  proxy.pid = tonumber(files.slurp(dir .. "/pid"))
  return proxy
end

--- Counts the requests to connect.
function Proxy:connects()
  return select(2, files.slurp(self.dir .. "/log"):gsub("CONNECT %S+ HTTP/1.1", ""))
end

--- Sends it a signal.
function Proxy:signal(name)
  os.execute(("kill -s %s %d"):format(name, self.pid))
end

--- Stops all proxies; for after_each.
function M.stop_all()
  for i = #running, 1, -1 do
    running[i].pipe:write "end\n"
    running[i].pipe:close()
    running[i] = nil
  end
end

return M
