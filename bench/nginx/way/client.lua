--- pcapi in nginx: the whole client, which gives a list of users.
-- luacheck: std max+ngx_lua
local answer = require "bench.nginx.answer"
local nginx = require "pcapi.nginx"
local service = require "bench.nginx.service"

local client = nginx.new(service.client {})

return function()
  local users, err = client.security:non_mfa_principals()
  answer(users and #users, err)
end
