--- Starts and stops the measured nginx.
local shell = require "bench.shell"

local M = {}

local CPU = 0 -- only the measured nginx uses it
local TRIES = 5
local MODULES = { "/usr/lib/nginx/modules", "/usr/share/nginx/modules" }
local ENVIRONMENT = { "PCAPI_BASE_URL", "PCAPI_TOKEN", "PCAPI_CA_FILE", "BENCH_SETTINGS" }

local output_of, quote = shell.output_of, shell.quote

local function slurp(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a" or ""
  if file then
    file:close()
  end
  return text
end

local function spew(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  file:close()
end

local function filled(template, values)
  return (template:gsub("@(%u[%u_]*)@", function(name)
    return assert(values[name], name)
  end))
end

local CALL = [[
    location = /call {
      content_by_lua_block { respond_to_call() }
    }
]]

local INIT = [[
  init_by_lua_block { respond_to_call = require "bench.nginx.way.%s" }
]]

local function configuration(way, values)
  local env = {}
  for i, name in ipairs(ENVIRONMENT) do
    env[i] = "env " .. name .. ";"
  end
  values.MAIN = table.concat(env, "\n") .. "\n" .. (way.main or "")
  values.HTTP = (way.http or "") .. (way.module and INIT:format(way.module) or "")
  values.SERVER = (way.server or "") .. (way.module and CALL or "")
  return filled(filled(slurp "bench/nginx/nginx.conf", values), values)
end

-- Makes a folder for nginx, with the system's CAs and the sandbox's in one file.
local function make_folder()
  local dir = output_of "mktemp -d"
  for _, place in ipairs(MODULES) do
    os.execute(("[ ! -e %s/ngx_http_lua_module.so ] || ln -sfn %s %s/modules"):format(place, place,
      dir))
  end
  assert(os.execute(("ln -s \"$PWD\" %s/repository && cat /etc/ssl/certs/ca-certificates.crt "
    .. "\"$PCAPI_SANDBOX_CA\" >%s/ca.pem"):format(dir, dir)))
  return dir
end

-- nginx stops when this process ends, even if this process is killed.
local START = [[
ulimit -Sn "$(ulimit -Hn)"
globals=
[ "$(id -u)" -ne 0 ] || globals='user root;'
cd %s
exec setpriv --pdeathsig TERM taskset -c %d env -u LUA_PATH -u LUA_CPATH -u LUA_INIT \
  PCAPI_CA_FILE=%s/ca.pem BENCH_SETTINGS=%s PATH="$PATH:/usr/sbin:/sbin" \
  nginx -p %s -c nginx.conf -e error.log -g "$globals" >output 2>&1]]

-- nginx writes the file with its pid when it listens.
local READY = [[
for _ in $(seq 500); do
  [ ! -s %s/nginx.pid ] || exit 0
  sleep 0.01
  [ $_ -lt 20 ] || ! grep -qs emerg %s/error.log || exit 1
done
exit 1]]

local Server = {}
Server.__index = Server

--- Stops nginx and removes its folder.
function Server:stop()
  os.execute(("kill -TERM $(cat %s/nginx.pid) 2>/dev/null"):format(self.dir))
  self.pipe:close()
  os.execute("rm -rf " .. self.dir)
end

--- Returns its output and error log.
function Server:log()
  return slurp(self.dir .. "/output") .. slurp(self.dir .. "/error.log")
end

local function try(way, settings)
  local dir, port = make_folder(), math.random(28000, 29999)
  local host, service_port = os.getenv("PCAPI_BASE_URL"):match "^https://(localhost:(%d+))"
  spew(dir .. "/nginx.conf", configuration(way, {
    PORT = port, CA = dir .. "/ca.pem", SERVICE = host, SERVICE_PORT = service_port,
    TOKEN = os.getenv "PCAPI_TOKEN", SETTINGS = settings,
  }))
  local server = setmetatable({ dir = dir, port = port }, Server)
  server.pipe = io.popen(START:format(dir, CPU, dir, quote(settings), dir))
  if os.execute(READY:format(dir, dir)) then
    return server
  end
  local log = server:log()
  server:stop()
  return nil, log
end

--- Starts nginx for one way.
-- @tparam table way see ways.lua
-- @tparam string settings for the header X-Sandbox of its calls
-- @treturn table server `port`, and the functions @{Server:stop} and @{Server:log}
function M.start(way, settings)
  local server, log
  for _ = 1, TRIES do
    server, log = try(way, settings)
    if server or not log:find("in use", 1, true) then
      break
    end
  end
  return server or error("nginx does not start:\n" .. log, 0)
end

return M
