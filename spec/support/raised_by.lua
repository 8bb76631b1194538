--- Returns the message of the error that a call raises, with its position, which luassert's error
-- assertions remove.
return function(call, ...)
  local ok, message = pcall(call, ...)
  assert(not ok, "nothing was raised")
  return message
end
