--- Starts a real nginx with ngx_lua on loopback, in a temporary folder.
local curls = require "spec.support.curls"
local files = require "spec.support.files"
local free_port = require "spec.support.free_port"

local M = {}

local PATIENCE = 10 -- seconds that a start or a stop may take
local TRIES = 5 -- another process may take a port that was free

local CONF = [[
load_module @MODULES@/ndk_http_module.so;
load_module @MODULES@/ngx_http_lua_module.so;
daemon off;
worker_processes @WORKERS@;
pid nginx.pid;
error_log error.log notice;
@ENV@
@MAIN@
events { worker_connections 2048; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  lua_package_path "@ROOT@/lua/?.lua;@ROOT@/lua/?/init.lua;@ROOT@/?.lua;;";
  lua_package_cpath "@CPATH@;;";
  lua_ssl_verify_depth 3;
  lua_socket_log_errors off;
  @TRUSTED@
  @HTTP@
  server {
    listen 127.0.0.1:@PORT@ backlog=1024@SPREAD@;
    location = /_ready { return 200; }
    @SERVER@
  }
}
]]

-- nginx ends when its input has a line or is closed, so it ends with this process in any case.
-- The Lua inside nginx must not use the search paths of the Lua that runs the specs.
local RUN = [[
trap '' INT
ulimit -Sn "$(ulimit -Hn)"
exec 3<&0
setsid env @UNSET@ nginx -p @DIR@ -c nginx.conf -e error.log -g '@GLOBALS@' @OUTPUT@ 3<&- &
nginx=$!
echo $nginx >@DIR@/pid
{ read -r _ <&3; [ -e @DIR@/ended ] || kill $nginx; } 2>/dev/null &
wait $nginx 2>/dev/null
: >@DIR@/ended
wait
rm -rf @DIR@
]]

local running = {}

local Server = {}
Server.__index = Server

local function filled(template, values)
  return (template:gsub("@(%u+)@", values))
end

local function modules()
  for _, folder in ipairs { "/usr/lib/nginx/modules", "/usr/share/nginx/modules" } do
    if files.exists(folder .. "/ngx_http_lua_module.so") then
      return folder
    end
  end
  error("nginx has no Lua: apt install nginx libnginx-mod-http-lua", 0)
end

-- The path of the C core for LuaJIT: that of this process if it runs LuaJIT, else the usual build.
local function core_path(root)
  local path = (os.getenv "LUA_CPATH" or ""):match "[^;]*/5%.1/%?%.so" or root .. "/build/5.1/?.so"
  if not files.exists((path:gsub("%?", "pcapi/core"))) then
    error("pcapi is not built for the Lua in nginx: make LUA=luajit", 0)
  end
  return path
end

-- Where workers find the library: in this checkout, or for workers of another user, who may not be
-- allowed to read it, in a copy.
local function library(options, dir)
  local root = files.lines_of "pwd -P"[1]
  local cpath = core_path(root)
  if not options.user then
    return root, cpath
  end
  local copied = os.execute(filled("cd @DIR@ && mkdir -p core/pcapi spec && cp -r @ROOT@/lua . && "
    .. "cp -r @ROOT@/spec/support spec && cp @CORE@ core/pcapi && chmod -R a+rX . && chmod 755 .", {
      DIR = dir, ROOT = root, CORE = cpath:gsub("%?", "pcapi/core"),
    }))
  assert(copied == true or copied == 0, "the library cannot be copied for another user")
  return dir, dir .. "/core/?.so"
end

local function configuration(options, port, dir)
  local root, cpath = library(options, dir)
  local names = {}
  for i, name in ipairs(options.env or {}) do
    names[i] = 'env "' .. name .. '";'
  end
  local trusted = options.trusted
  if trusted == nil then
    trusted = os.getenv "PCAPI_SANDBOX_CA"
  end
  return filled(CONF, {
    MODULES = modules(), ROOT = root, CPATH = cpath, PORT = port,
    WORKERS = tostring(options.workers or 1), SPREAD = options.spread and " reuseport" or "",
    ENV = table.concat(names, "\n"),
    TRUSTED = trusted and 'lua_ssl_trusted_certificate "' .. trusted .. '";' or "",
    MAIN = options.main or "", HTTP = options.http or "", SERVER = options.server or "",
  })
end

-- If root starts nginx, its workers run as another user by default, who cannot read the folder.
local function globals(options)
  local user = options.user or files.lines_of "id -u"[1] == "0" and "root"
  return user and "user " .. user .. ";" or ""
end

local function launch(dir, options)
  local unset = "-u LUA_PATH -u LUA_CPATH -u LUA_INIT"
  if not (os.getenv "LUA_CPATH" or ""):find("build/sanitize/5.1", 1, true) then
    unset = unset .. " -u LD_PRELOAD"
  end
  return assert(io.popen(filled(RUN, {
    DIR = dir, UNSET = unset, GLOBALS = globals(options),
    OUTPUT = options.prints and "" or (">%s/output 2>&1"):format(dir),
  }), "w"))
end

-- Master and workers are a process group; zombies do not count. Under the preload of
-- AddressSanitizer, pgrep waits forever in textdomain().
local function is_alive(server)
  return #files.lines_of("env -u LD_PRELOAD pgrep -r D,R,S,T -g " .. server.pid) > 0
end

--- Waits until a function returns true.
-- @tparam function is_true
-- @tparam ?number seconds 10
-- @treturn boolean false: it did not in time
function M.wait_for(is_true, seconds)
  for _ = 1, (seconds or PATIENCE) * 50 do
    if is_true() then
      return true
    end
    os.execute "sleep 0.02"
  end
  return is_true() and true or false
end

local function read_pid(server)
  local path = server.dir .. "/pid"
  server.pid = tonumber(files.exists(path) and files.slurp(path) or nil)
  return server.pid
end

-- Waits until the server responds or has ended.
local function wait_until_ready(server)
  local is_ready = false
  M.wait_for(function()
    is_ready = read_pid(server) and server:get("/_ready", { timeout = 5 }).status == 200
    return is_ready or files.exists(server.dir .. "/ended")
  end)
  return is_ready
end

local function output_of(dir)
  local texts = {}
  for i, name in ipairs { "output", "error.log" } do
    texts[i] = files.exists(dir .. "/" .. name) and files.slurp(dir .. "/" .. name) or ""
  end
  return table.concat(texts)
end

local function start_once(options)
  local dir, port = files.lines_of "mktemp -d"[1], free_port()
  local file = assert(io.open(dir .. "/nginx.conf", "wb"))
  file:write(configuration(options, port, dir))
  file:close()
  local server = setmetatable({ dir = dir, url = "http://127.0.0.1:" .. port }, Server)
  server.pipe = launch(dir, options)
  running[#running + 1] = server
  return server, wait_until_ready(server)
end

--- Starts an nginx, and waits until it responds. Needs `build/5.1`: `make LUA=luajit`.
-- @tparam ?table options `workers` (1); directives for `main`, `http` and `server`; `trusted`: the
--   file of lua_ssl_trusted_certificate in place of the sandbox's CA, false for none; `env`: an
--   array of the variables that workers see, `NAME` or `NAME=value`; `user`: as whom they run;
--   `prints`: whether their output is shown; `spread`: whether the kernel spreads connections
--   evenly over the workers
-- @treturn table `url`, `dir` (its folder), `pid` (of its master), and the methods below
function M.start(options)
  options = options or {}
  local output
  for _ = 1, TRIES do
    local server, is_ready = start_once(options)
    if is_ready then
      return server
    end
    output = output_of(server.dir)
    server:stop()
    if not output:find("Address already in use", 1, true) then
      break
    end
  end
  error("nginx does not start:\n" .. output, 0)
end

--- Sends a request, and waits for the response.
-- @tparam string path
-- @tparam ?table options see `spec.support.curls`
-- @treturn table `status` (0 without a response), `headers` (names in lower case), `body`,
--   `seconds`
function Server:get(path, options)
  return self:begin({ path }, options):finish()[1]
end

--- Sends several requests at once, and waits for the responses.
-- @tparam {string} paths
-- @tparam ?table options as for @{get}
-- @treturn {table} in the order of the paths
function Server:get_all(paths, options)
  return self:begin(paths, options):finish()
end

--- Sends several requests at once, and does not wait.
-- @treturn table its method `finish` waits, and returns what @{get_all} does
function Server:begin(paths, options)
  local urls = {}
  for i, path in ipairs(paths) do
    urls[i] = self.url .. path
  end
  return curls.begin(urls, options)
end

--- Its error log, with messages of the level notice and above.
-- @treturn string
function Server:log()
  return files.slurp(self.dir .. "/error.log")
end

local function processes(master, title)
  local pids = {}
  for _, line in ipairs(files.lines_of("ps --ppid " .. master .. " -o pid=,args= --sort start")) do
    local pid, args = line:match "^%s*(%d+) (.-)%s*$"
    if args == title then
      pids[#pids + 1] = tonumber(pid)
    end
  end
  return pids
end

--- Its workers that accept requests.
-- @treturn {number} process ids
function Server:workers()
  return processes(self.pid, "nginx: worker process")
end

--- Its old workers that finish their requests after a reload.
-- @treturn {number} process ids
function Server:leaving()
  return processes(self.pid, "nginx: worker process is shutting down")
end

--- Sends a signal to its master, and does not wait.
-- @tparam string name such as `HUP`
function Server:signal(name)
  os.execute(("kill -%s %d 2>/dev/null"):format(name, self.pid))
end

--- Waits until all of its processes have ended.
-- @tparam ?number seconds 10
-- @treturn boolean false: they did not in time
function Server:ends(seconds)
  return M.wait_for(function()
    return not is_alive(self)
  end, seconds)
end

local function forget(server)
  for i, other in ipairs(running) do
    if other == server then
      table.remove(running, i)
    end
  end
end

--- Stops it, and removes its folder. Harmless if it has ended already.
function Server:stop()
  if not self.pipe then
    return
  end
  forget(self)
  self:signal "TERM"
  local has_ended = self:ends()
  if not has_ended then
    os.execute("kill -KILL -" .. self.pid)
  end
  self.pipe:write "end\n"
  self.pipe:close()
  self.pipe = nil
  assert(has_ended, "nginx did not end by SIGTERM, and was killed")
end

--- Stops all servers; for after_each.
function M.stop_all()
  for i = #running, 1, -1 do
    running[i]:stop()
  end
end

return M
