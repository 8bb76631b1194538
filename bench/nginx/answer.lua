--- What a call of the measured nginx answers: how many records came, or what went wrong.
-- luacheck: std max+ngx_lua
return function(count, err)
  local text = tostring(count or err)
  ngx.status = count and 200 or 502
  ngx.header.content_length = #text
  ngx.print(text)
end
