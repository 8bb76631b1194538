--- A new folder for each spec of private files, and helpers that look at it from outside.
local files = require "spec.support.files"
local folder = require "spec.support.folder"

local M = {}

local LUA = os.getenv "LUA" or "lua5.4"

local directory

--- Creates the folder. `spec.support.folder` removes it.
-- @treturn string its path
function M.new()
  directory = folder.new()
  return directory
end

--- Runs a shell command.
-- @tparam string command format of `string.format`
-- @return[opt] ... its arguments
-- @treturn string what the command prints
function M.sh(command, ...)
  return table.concat(files.lines_of(command:format(...) .. " 2>&1"), "\n")
end

--- The path of a file in the folder.
function M.path(name)
  return directory .. "/" .. name
end

--- The mode of a path, in octal digits.
function M.mode(path)
  return M.sh("stat -c %%a '%s'", path)
end

--- The names of all files in the folder, one per line.
function M.names()
  return M.sh("ls -A '%s'", directory)
end

--- Runs Lua code in another process, with the locals `core` and `directory`.
-- @tparam string code
-- @tparam ?string before shell code in front of the interpreter, such as `umask 0;`
-- @treturn string what the code prints
function M.other_process(code, before)
  local script = folder.write(files.temporary(),
    ("local core, directory = require 'pcapi.core', %q\n%s"):format(directory, code))
  local said = M.sh("chmod 644 %s; %s %s %s", script, before or "", LUA, script)
  os.remove(script)
  return said
end

--- The name under which this machine writes a file before it replaces the old one: a process that
-- is killed meanwhile leaves it behind.
-- @tparam string name of the file
-- @treturn string
function M.temporary_name(name)
  local where = folder.new()
  M.other_process(("core.file_replace(%q, %q, ('x'):rep(1e5))"):format(where, name), "ulimit -f 8;")
  return (assert(M.sh("ls -A %s", where):match "^%..+%.new$", "nothing was left behind"))
end

return M
