--- Reading files and the output of commands.
local M = {}

--- All bytes of a file.
function M.slurp(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- Whether there is one that can be read.
function M.exists(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
end

--- The examples of a language in a guide, as an array.
function M.examples(path, language)
  local found = {}
  for code in M.slurp(path):gmatch("\n```" .. language .. "\n(.-)\n```") do
    found[#found + 1] = code
  end
  return found
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

--- A new file, empty and private, where the system wants temporary ones. `os.tmpname` knows
-- /tmp alone, which sandbox/run does not clean up.
-- @treturn string its path
function M.temporary()
  return M.lines_of "mktemp"[1]
end

return M
