--- Runs shell commands for the programs in this folder.
local M = {}

--- Returns the standard output of a command, without white space at the end.
function M.output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

--- Quotes a text for the shell.
function M.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

return M
