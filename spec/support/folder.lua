--- Makes temporary folders for specs.
local M = {}

local made = {}

--- Makes an empty, private folder.
-- @treturn string
function M.new()
  local pipe = assert(io.popen "mktemp -d")
  local path = assert(pipe:read "*l", "no temporary folder")
  pipe:close()
  made[#made + 1] = path
  return path
end

--- Writes a file.
-- @tparam string path
-- @tparam string text
-- @treturn string the path
function M.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

--- Removes all folders made by `new`.
function M.remove()
  for i = #made, 1, -1 do
    os.execute(("rm -rf '%s'"):format(made[i]))
    made[i] = nil
  end
end

--- Calls a function, and removes the folders afterwards, also if it raises an error.
-- @tparam function act
function M.around(act)
  local ok, problem = pcall(act)
  M.remove()
  if not ok then
    error(problem, 0)
  end
end

return M
