--- nginx's own proxy, by a subrequest of `location /upstream`; decoded in the loop.
-- luacheck: std max+ngx_lua
local answer = require "bench.nginx.answer"
local cjson = require "cjson.safe"

local BOM = "\239\187\191"

return function()
  local response = ngx.location.capture "/upstream"
  if response.status ~= 200 then
    return answer(nil, "status " .. response.status)
  end
  local text = response.body
  local decoded, err = cjson.decode(text:sub(1, #BOM) == BOM and text:sub(#BOM + 1) or text)
  answer(decoded and #decoded.items, err)
end
