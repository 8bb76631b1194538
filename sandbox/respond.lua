--- Sends a response with this text as its body.
-- @tparam number status
-- @tparam string content_type
-- @tparam string text
return function(status, content_type, text)
  ngx.status = status
  ngx.header.content_type = content_type
  ngx.header.content_length = #text
  ngx.print(text)
end
