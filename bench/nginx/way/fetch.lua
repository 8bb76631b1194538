--- pcapi in nginx: one address, decoded.
-- luacheck: std max+ngx_lua
local answer = require "bench.nginx.answer"
local pcapi = require "pcapi.nginx"
local service = require "bench.nginx.service"

local options = { headers = service.headers }

return function()
  local response, err = pcapi.fetch(service.url, options)
  answer(response and #response.json.items, err)
end
