--- Measures the memory and the open file descriptors of this process.
local shell = require "bench.shell"

local M = {}

local PAGE = tonumber(shell.output_of "getconf PAGESIZE")

--- Returns the resident memory.
-- @treturn number bytes
function M.resident()
  local file = assert(io.open "/proc/self/statm")
  local pages = file:read "*a":match "^%d+ (%d+)"
  file:close()
  return tonumber(pages) * PAGE
end

-- Reads /proc itself: the pipe of a command would be a descriptor, too.
local function slots()
  local file = assert(io.open "/proc/self/status")
  local size = file:read "*a":match "\nFDSize:%s+(%d+)"
  file:close()
  return tonumber(size)
end

--- Counts the open descriptors.
-- @treturn number
function M.descriptors()
  local open = 0
  for fd = 0, slots() - 1 do
    local file = io.open("/proc/self/fdinfo/" .. fd)
    if file then
      file:close()
      open = open + 1
    end
  end
  return open
end

return M
