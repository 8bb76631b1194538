--- Uses pcapi.nginx: the whole client, which returns a list of users.
-- luacheck: std max+ngx_lua
local respond = require "bench.nginx.respond"
local nginx = require "pcapi.nginx"
local service = require "bench.nginx.service"

local client = nginx.new(service.client {})

return function()
  local users, err = client.security:non_mfa_principals()
  respond(users and #users, err)
end
