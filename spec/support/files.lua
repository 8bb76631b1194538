--- Reading files and the output of commands.
local M = {}

--- All bytes of a file.
function M.slurp(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- The lines that a shell command prints, as an array.
function M.lines_of(command)
  local pipe = assert(io.popen(command))
  local all = {}
  for line in pipe:lines() do
    all[#all + 1] = line
  end
  pipe:close()
  return all
end

return M
