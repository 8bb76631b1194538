--- Lists the ways to call a slow service from nginx.
--
-- module: below bench.nginx.way, loaded by init_by_lua; returns the handler of `location /call`.
-- main, http, server: additional configuration; @NAME@ is replaced.
-- runs, sizes, many: measure only the first ones, if the result is clear.
local COSOCKETS = [[
  lua_ssl_trusted_certificate @CA@;
  lua_ssl_verify_depth 3;
  lua_socket_log_errors off;
]]

-- The best configuration for a proxy: it writes no files and reuses all connections.
local PROXY = [[
    location = /upstream {
      internal;
      proxy_pass https://service/v1/nonMfaCompliantPartnerPrincipals;
      proxy_http_version 1.1;
      proxy_pass_request_headers off;
      proxy_set_header Connection "";
      proxy_set_header Host @SERVICE@;
      proxy_set_header Accept application/json;
      proxy_set_header Authorization "Bearer @TOKEN@";
      proxy_set_header X-Sandbox "@SETTINGS@";
      proxy_ssl_protocols TLSv1.2 TLSv1.3;
      proxy_ssl_verify on;
      proxy_ssl_verify_depth 3;
      proxy_ssl_trusted_certificate @CA@;
      proxy_ssl_server_name on;
      proxy_ssl_name localhost;
      proxy_buffers 64 16k;
      proxy_max_temp_file_size 0;
    }
]]

local UPSTREAM = [[
  upstream service {
    server 127.0.0.1:@SERVICE_PORT@;
    keepalive 512;
  }
]]

return {
  { id = "idle", name = "(no calls)", is_idle = true, sizes = 1 },
  { id = "client", name = "pcapi.nginx, client", module = "client", http = COSOCKETS },
  { id = "fetch", name = "pcapi.nginx, fetch", module = "fetch", http = COSOCKETS },
  { id = "capture", name = "location.capture, proxy_pass", module = "capture", http = UPSTREAM,
    server = PROXY },
  { id = "threads", name = "run_worker_thread, 32 threads", module = "threads",
    main = "thread_pool calls threads=32 max_queue=65536;" },
  { id = "polled", name = "libcurl polled by ngx.sleep(0.001)", module = "polled" },
  { id = "blocking", name = "libcurl in the loop", module = "blocking", runs = 1, sizes = 1,
    many = 0 },
}
