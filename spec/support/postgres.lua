--- Starts a real PostgreSQL with the schema of share/postgresql, in a temporary folder. It listens
-- on a Unix socket alone.
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local nginx = require "spec.support.nginx"
local sandbox = require "spec.support.sandbox"

local unpack = table.unpack or unpack -- luacheck: ignore

local M = {}

local SCHEMA = "share/postgresql/schema.sql"

-- The server ends when its input has a line or is closed, so with this process in any case.
local RUN = [[
exec 3<&0 2>/dev/null
env -u LD_PRELOAD @USER@ @BIN@/postgres -D @DIR@/data -k @DIR@ -c listen_addresses= -c fsync=off \
  -c max_connections=20 -c timezone=@ZONE@ >@DIR@/output 2>&1 3<&- &
postgres=$!
{ read -r _ <&3; kill -QUIT $postgres; } &
wait $postgres
echo $? >@DIR@/ended
wait
]]

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

--- Starts a server, and waits until it responds.
-- @treturn table `dir`, and the methods below
function M.start()
  local dir = lines "mktemp -d"[1]
  local server = setmetatable({ dir = dir, words = {
    DIR = dir, USER = user_words(), ZONE = "America/New_York", -- days must be those of UTC
    BIN = lines "ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1"[1],
  } }, Server)
  local made = lines(filled(server, [[{ test -z '@USER@' || chown postgres @DIR@
    @USER@ @BIN@/initdb -D @DIR@/data -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync
    echo $?; } 2>&1]]))
  assert(made[#made] == "0", table.concat(made, "\n"))
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
  return { PGHOST = self.dir, PGUSER = "postgres", PGDATABASE = "postgres",
           PGOPTIONS = role and "-c role=" .. role or false }
end

--- Runs psql.
-- @tparam string ... arguments
-- @treturn table `status`, `out`, `err`
function Server:psql(...)
  local words = { "PGHOST=" .. self.dir, "psql -XqAt -U postgres -v ON_ERROR_STOP=1" }
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
