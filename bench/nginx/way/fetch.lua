--- pcapi in nginx: one address, decoded.
-- luacheck: std max+ngx_lua
local answer = require "bench.nginx.answer"
local nginx = require "pcapi.nginx"
local service = require "bench.nginx.service"

local options = { headers = service.headers }

return function()
  local response, err = nginx.fetch(service.url, options)
  answer(response and #response.json.items, err)
end
