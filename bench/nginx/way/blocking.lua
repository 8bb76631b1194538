--- Calls plain pcapi, which blocks the worker while libcurl waits. Do not do this.
-- luacheck: std max+ngx_lua
local respond = require "bench.nginx.respond"
local pcapi = require "pcapi"
local service = require "bench.nginx.service"

local client = pcapi.new(service.client { ca_file = service.ca_file, http_version = "1.1" })

return function()
  local users, err = client.security:non_mfa_principals()
  respond(users and #users, err)
end
