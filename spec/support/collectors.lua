--- Machines with a history, for specs that load it into PostgreSQL.
local curl = require "spec.support.curl"
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local history = require "pcapi.history"
local lists = require "spec.support.history_lists"
local sandbox = require "spec.support.sandbox"

local HERE = files.lines_of "pwd -P"[1]
local DAY = 86400

local M = {}

M.TENANT = "5f0b3c1e-0000-4000-8000-0000000000aa"
M.OTHER = "5f0b3c1e-0000-4000-8000-0000000000ab"
M.SYNC = "5f0b3c1e-0000-4000-8000-0000000000b1"
M.NOW = os.time() - os.time() % DAY -- days are kept relative to the server's clock

--- A folder with a program `pcapi`; `spec.support.folder` removes it.
-- @tparam[opt] string script what it does after it has run pcapi
-- @treturn string
function M.program(script)
  local path = folder.new()
  folder.write(path .. "/pcapi", ("#!/bin/sh\n%s %s %s/bin/pcapi \"$@\"\n%s\n"):format(
    script and "" or "exec", sandbox.lua, HERE, script or ""))
  os.execute("chmod 755 " .. path .. "/pcapi")
  return path
end

local Collector = {}
Collector.__index = Collector

--- Makes a machine with an empty history.
-- @tparam table server of `spec.support.postgres`
-- @tparam string program of @{program}
-- @treturn table `path`, `history`, and the methods below
function M.new(server, program)
  local path = folder.new() .. "/history.sqlite"
  return setmetatable({ path = path, history = assert(history.open(path)), server = server,
                        program = program }, Collector)
end

--- Makes a machine with a copy of another one's history, as a disk image has it.
-- @tparam table other
-- @treturn table as of @{new}
function M.copy(other)
  local copy, path = M.new(other.server, other.program), folder.new() .. "/copy.sqlite"
  assert(other.history:backup(path))
  copy:restore(path)
  return copy
end

function M.guid(kind, number)
  return ("5f0b3c1e-%04d-4000-8000-%012d"):format(kind, number)
end

function M.user(number, at)
  return { id = M.guid(1, number), upn = ("user%d@fabrikam.example"):format(number), at = at }
end

function M.request(number, at, fields)
  return sandbox.merged({ id = M.guid(3, number), at = at, application = M.SYNC,
                          mfa = number % 3 > 0, operation = "Get /v{version}/customers" }, fields)
end

--- Records a run: lists of users, requests and adoption.
function Collector:observe(at, users, requests, fields)
  assert(self.history:observe(sandbox.merged({
    tenant = M.TENANT, name = "fabrikam", now = at, users = lists.users(at, users),
    requests = lists.requests(at, requests or {}),
    adoption = lists.adoption(at, { { day = os.date("!%Y-%m-%d", at), application = M.SYNC,
                                      name = "Sync", total = 10, with_mfa = 4 } }),
  }, fields)))
end

--- Restores a backup of the history.
-- @tparam string copy path of the backup
function Collector:restore(copy)
  self.history:close()
  os.execute(("rm -f %s* && cp -p %s %s"):format(self.path, copy, self.path))
  self.history = assert(history.open(self.path))
end

--- The command line of a load.
-- @tparam[opt] table more variables
function Collector:line(more)
  local words = { "exec env" }
  local all = sandbox.merged(self.server:environment "pcapi_load", {
    PCAPI_HISTORY = self.path, PATH = self.program .. ":" .. os.getenv "PATH",
  })
  for name, value in pairs(sandbox.merged(all, more)) do
    words[#words + 1] = value and curl.quote(name .. "=" .. value) or nil
  end
  return table.concat(words, " ") .. " psql -Xq -f " .. HERE
    .. "/share/postgresql/load.sql </dev/null"
end

--- Runs a load.
-- @tparam[opt] table more variables
-- @treturn table `status`, `out`, `err`
function Collector:load(more)
  return sandbox.shell("( " .. self:line(more) .. " )")
end

-- All that is stored, without the bookmark's time.
local ALL = [[
  SELECT 'collector', collector, run FROM pcapi.collector ORDER BY 2;
  SELECT 'tenant', id, name, collector, asked_at, failed FROM pcapi.tenant ORDER BY 2;
  SELECT 'finding', * FROM pcapi.findings ORDER BY tenant_id, person_id, episode;
  SELECT 'run', * FROM pcapi.run ORDER BY run, tenant, at;
  SELECT 'adoption', * FROM pcapi.adoption ORDER BY tenant, day, application;
  SELECT 'count', * FROM pcapi.request_count ORDER BY tenant, day, application;
  SELECT 'request', t.id, r.at, r.id, p.id, a.id, o.name, r.ip, r.mfa FROM pcapi.request r
    JOIN pcapi.tenant t USING (tenant) JOIN pcapi.application a USING (application)
    LEFT JOIN pcapi.operation o USING (operation) LEFT JOIN pcapi.person p USING (person)
    ORDER BY 2, 3, 4;]]

--- All that a server has stored, as text.
function M.all(server)
  return server:sql(ALL)
end

return M
