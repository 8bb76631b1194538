--- An nginx with ngx_lua: real, on loopback, in a folder of its own that goes with it.
local curls = require "spec.support.curls"
local files = require "spec.support.files"
local free_port = require "spec.support.free_port"

local M = {}

local PATIENCE = 10 -- seconds that a start, or a stop, may take
local TRIES = 5 -- as somebody may take a port that was free

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
    listen 127.0.0.1:@PORT@ backlog=1024;
    location = /_ready { return 200; }
    @SERVER@
  }
}
]]

-- nginx ends when a line comes, or when nobody holds the other end of our input any more: so
-- none is left, whatever becomes of us. The search paths of our Lua are not for that in nginx.
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

local running = {} -- in the order of their starts

local Server = {}
Server.__index = Server

local function filled(template, values)
  return (template:gsub("@(%u+)@", values))
end

local function modules()
  for _, place in ipairs { "/usr/lib/nginx/modules", "/usr/share/nginx/modules" } do
    if files.exists(place .. "/ngx_http_lua_module.so") then
      return place
    end
  end
  error("nginx has no Lua: apt install nginx libnginx-mod-http-lua", 0)
end

-- Where our C for LuaJIT is: that of our own Lua if it is LuaJIT, else the usual build.
local function core_path(root)
  local path = (os.getenv "LUA_CPATH" or ""):match "[^;]*/5%.1/%?%.so" or root .. "/build/5.1/?.so"
  if not files.exists((path:gsub("%?", "pcapi/core"))) then
    error("pcapi is not built for the Lua in nginx: make LUA=luajit", 0)
  end
  return path
end

-- Where workers find the library: in this checkout, or in a copy for workers of another user,
-- as a checkout may be in a home that its owner alone can read.
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
    WORKERS = tostring(options.workers or 1), ENV = table.concat(names, "\n"),
    TRUSTED = trusted and 'lua_ssl_trusted_certificate "' .. trusted .. '";' or "",
    MAIN = options.main or "", HTTP = options.http or "", SERVER = options.server or "",
  })
end

-- As root, workers would be those of somebody who may not look into the folder.
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

-- Master and workers are a group of their own; the dead that nobody has buried do not count.
-- Under the preload of AddressSanitizer, pgrep waits for ever in textdomain().
local function is_alive(server)
  return #files.lines_of("env -u LD_PRELOAD pgrep -r D,R,S,T -g " .. server.pid) > 0
end

--- Whether something comes true in time.
-- @tparam function is_true
-- @tparam ?number seconds 10
-- @treturn boolean
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

-- Until it answers, or has ended.
local function wait_until_ready(server)
  local is_ready = false
  M.wait_for(function()
    is_ready = read_pid(server) and server:get("/_ready", { timeout = 5 }).status == 200
    return is_ready or files.exists(server.dir .. "/ended")
  end)
  return is_ready
end

local function what_it_said(dir)
  local said = {}
  for i, name in ipairs { "output", "error.log" } do
    said[i] = files.exists(dir .. "/" .. name) and files.slurp(dir .. "/" .. name) or ""
  end
  return table.concat(said)
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

--- Starts one, and waits until it answers. `build/5.1` has to be there: `make LUA=luajit`.
-- @tparam ?table options `workers` (1), texts of configuration for `main`, `http` and
--   `server`; `trusted`, a file for lua_ssl_trusted_certificate in place of the sandbox's CA,
--   false for none; `env`, an array of what workers see of the
--   environment, `NAME` or `NAME=value`; `user` that they run as;
--   `prints` when what they print is for the output of the specs
-- @treturn table `url`, `dir` (its folder), `pid` (of its master), and the methods below
function M.start(options)
  options = options or {}
  local said
  for _ = 1, TRIES do
    local server, is_ready = start_once(options)
    if is_ready then
      return server
    end
    said = what_it_said(server.dir)
    server:stop()
    if not said:find("Address already in use", 1, true) then
      break
    end
  end
  error("nginx does not start:\n" .. said, 0)
end

--- Makes a request.
-- @tparam string path
-- @tparam ?table options see `spec.support.curls`
-- @treturn table `status` (0 without an answer), `headers` (names in lower case), `body`,
--   `seconds`
function Server:get(path, options)
  return self:begin({ path }, options):finish()[1]
end

--- Makes requests, all at once, and waits for the answers.
-- @tparam {string} paths
-- @tparam ?table options as for @{get}
-- @treturn {table} in the order of the paths
function Server:get_all(paths, options)
  return self:begin(paths, options):finish()
end

--- Begins requests, all at once, and does not wait.
-- @treturn table its method `finish` waits, and returns what @{get_all} does
function Server:begin(paths, options)
  local urls = {}
  for i, path in ipairs(paths) do
    urls[i] = self.url .. path
  end
  return curls.begin(urls, options)
end

--- Its error log, from the level notice on.
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

--- Its workers that serve.
-- @treturn {number} process ids
function Server:workers()
  return processes(self.pid, "nginx: worker process")
end

--- Its workers that only end what they have, after a reload.
-- @treturn {number} process ids
function Server:leaving()
  return processes(self.pid, "nginx: worker process is shutting down")
end

--- Sends its master a signal, and does not wait for what comes of it.
-- @tparam string name such as `HUP`
function Server:signal(name)
  os.execute(("kill -%s %d 2>/dev/null"):format(name, self.pid))
end

--- Whether it ends in time, all of its processes.
-- @tparam ?number seconds 10
-- @treturn boolean
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

--- Stops it and waits until it is gone, and its folder; harmless when it has ended.
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

--- Stops all that were started, for after_each.
function M.stop_all()
  for i = #running, 1, -1 do
    running[i]:stop()
  end
end

return M
