--- Uses plain pcapi in the threads of `thread_pool`. They return a count only: copying a list
-- between Lua states would block the worker.
-- luacheck: std max+ngx_lua, globals ngx.run_worker_thread
local respond = require "bench.nginx.respond"
local service = require "bench.nginx.service"

return function()
  local ok, count, err = ngx.run_worker_thread("calls", "bench.nginx.threaded", "count",
    service.base_url, service.token, service.settings, service.ca_file)
  respond(ok and count, err or count)
end
