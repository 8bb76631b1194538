--- Commands of the shell, for the programs of this folder.
local M = {}

--- What a command writes to standard output, without white space at the end.
function M.output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

--- One word for the shell.
function M.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

return M
