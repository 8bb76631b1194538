--- What the process that runs this holds of the system.
local shell = require "bench.shell"

local M = {}

local PAGE = tonumber(shell.output_of "getconf PAGESIZE")

--- Memory that is resident.
-- @treturn number bytes
function M.resident()
  local file = assert(io.open "/proc/self/statm")
  local pages = file:read "*a":match "^%d+ (%d+)"
  file:close()
  return tonumber(pages) * PAGE
end

-- No command counts them: its own pipe would come and go meanwhile.
local function slots()
  local file = assert(io.open "/proc/self/status")
  local size = file:read "*a":match "\nFDSize:%s+(%d+)"
  file:close()
  return tonumber(size)
end

--- Open descriptors.
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
