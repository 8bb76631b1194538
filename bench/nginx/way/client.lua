--- pcapi in nginx: the whole client, which gives a list of users.
-- luacheck: std max+ngx_lua
local answer = require "bench.nginx.answer"
local pcapi = require "pcapi.nginx"
local service = require "bench.nginx.service"

local client = pcapi.new(service.client {})

return function()
  local users, err = client.security:non_mfa_principals()
  answer(users and #users, err)
end
