--- Uses pcapi.nginx: fetches one address and decodes the body.
-- luacheck: std max+ngx_lua
local respond = require "bench.nginx.respond"
local nginx = require "pcapi.nginx"
local service = require "bench.nginx.service"

local options = { headers = service.headers }

return function()
  local response, err = nginx.fetch(service.url, options)
  respond(response and #response.json.items, err)
end
