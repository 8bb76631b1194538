-- Runs the specs that the request body lists: a path or an argument of busted on each line.
-- This must be a file: busted.runner checks its caller's file name, and without one it ends the
-- process if a spec fails.
ngx.req.read_body()
local arguments = {}
for line in (ngx.req.get_body_data() or ""):gmatch "[^\n]+" do
  arguments[#arguments + 1] = line
end
rawset(_G, "arg", arguments)

local ok, err = pcall(function()
  require "busted.runner" { standalone = false }
end)
ngx.print(ok and "ok" or err or "specs fail")
