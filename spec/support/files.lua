--- Reads files and the output of commands.
local M = {}

--- Reads a whole file.
function M.slurp(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- Whether a file exists and can be read.
function M.exists(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
end

--- Returns the lines that a shell command prints, as an array.
function M.lines_of(command)
  local pipe = assert(io.popen(command))
  local all = {}
  for line in pipe:lines() do
    all[#all + 1] = line
  end
  pipe:close()
  return all
end

--- Makes an empty, private file in TMPDIR. `os.tmpname` always uses /tmp, which sandbox/run does
-- not clean up.
-- @treturn string its path
function M.temporary()
  return M.lines_of "mktemp"[1]
end

return M
