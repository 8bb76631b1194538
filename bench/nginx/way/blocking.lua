--- What nobody should do: plain pcapi, which waits for libcurl, within the loop of a worker.
-- luacheck: std max+ngx_lua
local answer = require "bench.nginx.answer"
local pcapi = require "pcapi"
local service = require "bench.nginx.service"

local client = pcapi.new(service.client { ca_file = service.ca_file, http_version = "1.1" })

return function()
  local users, err = client.security:non_mfa_principals()
  answer(users and #users, err)
end
