--- Runs programs with another time of this machine, by libfaketime.
local files = require "spec.support.files"

local M = {}

--- The variables for a process whose clock begins at a time.
-- @tparam string time UTC, such as `"2019-01-01 10:00:00"`
-- @treturn table name to value
function M.at(time)
  local library = files.lines_of "ls /usr/lib/*/faketime/libfaketime.so.1"[1]
  -- deadlines are on the other clock
  return { LD_PRELOAD = library, FAKETIME = "@" .. time, DONT_FAKE_MONOTONIC = "1", TZ = "UTC" }
end

return M
