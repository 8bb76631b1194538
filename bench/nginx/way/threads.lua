--- Plain pcapi in the threads of `thread_pool`, which send back a count: to copy a list from
-- one Lua to the other would block the loop.
-- luacheck: std max+ngx_lua, globals ngx.run_worker_thread
local answer = require "bench.nginx.answer"
local service = require "bench.nginx.service"

return function()
  local ok, count, err = ngx.run_worker_thread("calls", "bench.nginx.threaded", "count",
    service.base_url, service.token, service.settings, service.ca_file)
  answer(ok and count, err or count)
end
