--- Uses nginx's proxy by a subrequest to `location /upstream`, and decodes the body in the worker.
-- luacheck: std max+ngx_lua
local respond = require "bench.nginx.respond"
local cjson = require "cjson.safe"

local BOM = "\239\187\191"

return function()
  local response = ngx.location.capture "/upstream"
  if response.status ~= 200 then
    return respond(nil, "status " .. response.status)
  end
  local text = response.body
  local decoded, err = cjson.decode(text:sub(1, #BOM) == BOM and text:sub(#BOM + 1) or text)
  respond(decoded and #decoded.items, err)
end
