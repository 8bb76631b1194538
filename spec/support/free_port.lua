--- Returns a free port, below the range that the system gives to clients and above the sandbox's
-- ports.
local files = require "spec.support.files"

local FIND = [[bash -c 'while port=$((28000 + RANDOM % 4000))
  (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null || (exec 3<>/dev/tcp/::1/$port) 2>/dev/null
  do :; done; echo $port']]

return function()
  return files.lines_of(FIND)[1]
end
