-- Answers a request by running the specs that its body names, a path or an argument of
-- busted in each line. A file, as busted.runner looks at the name of what has called it:
-- without one it would end the process, not raise, where specs fail.
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
