--- Writes a private file, which replaces an older one as a whole.
-- @module pcapi.cli.output_file
local core = require "pcapi.core"
local exit = require "pcapi.cli.exit"

local M = {}

local HINT = "choose a file in a folder that exists and that no other user can write; - writes to "
  .. "standard output"

-- Writes a text to a new file. Returns true, or nil and what is wrong.
local function write(path, text)
  local file, why = io.open(path, "wb")
  if not file then
    return nil, why
  end
  local ok
  ok, why = file:write(text)
  local is_closed, late = file:close()
  return ok and is_closed, why or late
end

-- Returns true, or nil and what is wrong.
local function replace(folder, name, path, text)
  local kind, place = core.file_state(path), "." .. name .. ".pcapi"
  if name == "" or kind and kind ~= "f" then
    return nil, path .. " is not a regular file"
  end
  local is_name, made, why = pcall(core.file_begin, folder, place)
  if not is_name then
    return nil, name .. " cannot be the name of a file"
  elseif not made then
    return nil, why
  end
  local ok
  ok, why = write(folder .. made, text)
  if ok then
    ok, why = os.rename(folder .. made, path)
  end
  if not ok then
    core.file_abandon(folder, place)
  end
  return ok, why
end

--- Writes a text to a file of mode 0600. A failure ends the command, and leaves the old file.
-- @tparam string flag the option that names the file
-- @tparam string path
-- @tparam string text
function M.replace(flag, path, text)
  local folder, name = path:match "^(.*/)([^/]*)$"
  folder, name = folder or "./", name or path
  local ok, why = replace(folder, name, path, text)
  if not ok then
    exit.stop(exit.EXIT.error, ("%s: %s; %s"):format(flag, why, HINT))
  end
end

return M
