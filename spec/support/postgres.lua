--- Starts a real PostgreSQL with the schema of share/postgresql, in a temporary folder. It listens
-- on a Unix socket, and, if it is asked to, with TLS on 127.0.0.1.
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local free_port = require "spec.support.free_port"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"

local unpack = table.unpack or unpack -- luacheck: ignore

local M = {}

local SCHEMA = "share/postgresql/schema.sql"

-- The server ends when its input has a line or is closed, so with this process in any case.
local RUN = [[
exec 3<&0 2>/dev/null
env -u LD_PRELOAD @USER@ @BIN@/postgres -D @DIR@/data -k @DIR@ -c fsync=off @MORE@ \
  -c max_connections=20 -c timezone=@ZONE@ >@DIR@/output 2>&1 3<&- &
postgres=$!
{ read -r _ <&3; kill -QUIT $postgres; } &
wait $postgres
echo $? >@DIR@/ended
wait
]]

-- A certificate for the name @NAME@, and who may connect by TCP: those with a password and TLS.
local TLS = [[{ cd @DIR@ && exec 2>&1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=root \
  -keyout root.key -out root.pem &&
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key \
  -subj /CN=db -addext subjectAltName=DNS:@NAME@ |
openssl x509 -req -CA root.pem -CAkey root.key -CAcreateserial -days 2 -copy_extensions copy \
  -out server.pem && chmod 600 server.key && { test -z '@USER@' || chown postgres server.key; } &&
printf '%s\n' 'local all all trust' 'hostssl all all 127.0.0.1/32 scram-sha-256' >data/pg_hba.conf
echo $?; }]]

local Server = {}
Server.__index = Server

local function lines(...)
  return files.lines_of(string.format(...))
end

-- PostgreSQL refuses to run as root.
local function user_words()
  local is_root = lines "id -u"[1] == "0"
  return is_root and "setpriv --reuid=postgres --regid=postgres --clear-groups" or ""
end

local function filled(server, text)
  return (text:gsub("@(%u+)@", server.words))
end

local function use_tls(server, name)
  server.port, server.words.NAME = free_port(), name
  local made = files.lines_of(filled(server, TLS))
  assert(made[#made] == "0", table.concat(made, "\n"))
  server.words.MORE = ("-c listen_addresses=127.0.0.1 -c port=%s -c ssl=on -c log_connections=on "
    .. "-c ssl_cert_file=%s/server.pem -c ssl_key_file=%s/server.key"):format(server.port,
    server.dir, server.dir)
end

--- Starts a server, and waits until it responds.
-- @tparam[opt] string name of its machine: it has a certificate for the name, from `root.pem`
-- @treturn table `dir`, `port`, and the methods below
function M.start(name)
  local dir = lines "mktemp -d"[1]
  local server = setmetatable({ dir = dir, port = "5432", words = {
    DIR = dir, USER = user_words(), ZONE = "America/New_York", -- days must be those of UTC
    BIN = lines "ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1"[1],
    MORE = "-c listen_addresses=",
  } }, Server)
  local made = lines(filled(server, [[{ test -z '@USER@' || chown postgres @DIR@
    @USER@ @BIN@/initdb -D @DIR@/data -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync
    echo $?; } 2>&1]]))
  assert(made[#made] == "0", table.concat(made, "\n"))
  if name then
    use_tls(server, name)
  end
  server.pipe = assert(io.popen(filled(server, RUN), "w"))
  local is_ready = nginx.wait_for(function()
    return server:psql("-c", "SELECT 1").status == 0 or files.exists(dir .. "/ended")
  end, 60)
  if not is_ready or files.exists(dir .. "/ended") then
    error("PostgreSQL does not start:\n" .. files.slurp(dir .. "/output"), 0)
  end
  return server
end

--- The variables by which psql finds it.
-- @tparam[opt] string role that psql takes
-- @treturn table
function Server:environment(role)
  return { PGHOST = self.dir, PGPORT = self.port, PGUSER = "postgres", PGDATABASE = "postgres",
           PGOPTIONS = role and "-c role=" .. role or false }
end

--- Runs psql.
-- @tparam string ... arguments
-- @treturn table `status`, `out`, `err`
function Server:psql(...)
  local words = { "PGHOST=" .. self.dir, "psql -XqAt -U postgres -v ON_ERROR_STOP=1 -p",
                  self.port }
  for _, word in ipairs { ... } do
    words[#words + 1] = curl.quote(word)
  end
  return sandbox.shell(table.concat(words, " ") .. " </dev/null")
end

--- Runs statements. An error of one raises an error.
-- @tparam string sql
-- @tparam[opt] string role that runs them
-- @treturn string the rows, one a line, with `|` between columns
function Server:sql(sql, role)
  local words = { "-c", sql }
  if role then
    words = { "-c", "SET ROLE " .. role, "-c", sql }
  end
  local result = self:psql(unpack(words))
  assert(result.status == 0, result.err)
  return (result.out:gsub("\n$", ""))
end

--- Removes all rows: makes the schema anew.
function Server:empty()
  self:psql("-c", "SET client_min_messages = warning; DROP SCHEMA IF EXISTS pcapi CASCADE")
  local result = self:psql("-f", SCHEMA)
  assert(result.status == 0, result.err)
end

--- Makes the schema again, over what is there.
-- @treturn table as of @{psql}
function Server:upgrade()
  return self:psql("-f", SCHEMA)
end

--- Ends it, and removes its folder.
function Server:stop()
  self.pipe:write "end\n"
  self.pipe:close() -- waits
  os.execute("rm -rf " .. self.dir)
end

return M
