--- Responds to a call of the measured nginx with the number of records, or with the error.
-- luacheck: std max+ngx_lua
return function(count, err)
  local text = tostring(count or err)
  ngx.status = count and 200 or 502
  ngx.header.content_length = #text
  ngx.print(text)
end
