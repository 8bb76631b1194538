--- Databases of pcapi.sqlite, each in a new folder of /tmp.
local files = require "spec.support.files"
local folder = require "spec.support.folder"
local private_folder = require "spec.support.private_folder"
local sqlite = require "pcapi.sqlite"

local M = {}

local LUA = os.getenv "LUA" or "lua5.4"

M.ID = 0x50434150

local opened = {}

--- Opens a database.
-- @tparam[opt] string path default: the file "db" of the current folder
-- @tparam[opt] table changes to the options
-- @return as `sqlite.open`
function M.open(path, changes)
  local options = { application_id = M.ID, busy_timeout = 0.05, create = true }
  for name, value in pairs(changes or {}) do
    options[name] = value
  end
  local results = { sqlite.open(path or private_folder.path "db", options) }
  opened[#opened + 1] = results[1]
  return results[1], results[2], results[3], results[4]
end

--- Makes a new folder, and opens a database in it with an empty table `t` (a, b).
-- @return the connection
function M.new()
  private_folder.new()
  local db = assert(M.open())
  assert(db:transaction(function(tx)
    tx:run "CREATE TABLE t (a, b)"
  end))
  return db
end

--- Closes all connections, and removes the folders.
function M.remove()
  for i = #opened, 1, -1 do
    opened[i]:close()
    opened[i] = nil
  end
  folder.remove()
end

--- Runs a statement in a transaction of its own.
function M.run(db, ...)
  return db:transaction(function(tx, ...)
    return tx:run(...)
  end, ...)
end

--- Reads a row in a transaction of its own.
function M.row(db, ...)
  return db:read(function(tx, ...)
    return tx:row(...)
  end, ...)
end

--- The number of rows of the table `t`.
function M.count(db)
  return assert(M.row(db, "SELECT count(*) AS n FROM t")).n
end

--- Writes a Lua script that has the locals `db`, a connection to the file "db" of the current
-- folder with a busy timeout of 10 seconds, `path`, of a file in that folder, and `core`.
-- @tparam string code
-- @treturn string a shell command that runs it
function M.script(code)
  local path = folder.write(files.temporary(), ([[
    local core = require "pcapi.core"
    local function path(name) return %q .. name end
    local db = assert(require("pcapi.sqlite").open(path "db",
      { application_id = %d, busy_timeout = 10, create = true }))
    io.stdout:setvbuf "line"
    %s]]):format(private_folder.path "", M.ID, code))
  private_folder.sh("chmod 644 '%s'", path)
  return ("%s '%s'"):format(LUA, path)
end

--- Waits until a file of the current folder exists.
function M.wait_for(name)
  for _ = 1, 1000 do
    if files.exists(private_folder.path(name)) then
      return
    end
    require("pcapi.core").sleep(0.01)
  end
  error(name .. " did not appear", 2)
end

return M
