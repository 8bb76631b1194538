--- Asserts that a function raises an error, that its position is in the function itself (the
-- caller's line, not the library's), and that its text contains `expected`.
return function(f, expected)
  local ok, message = pcall(f)
  assert(not ok, "nothing was raised")
  local where = debug.getinfo(f, "S")
  local file, line, text = tostring(message):match("^(.-):(%d+): (.*)$")
  line = tonumber(line)
  assert(file == where.short_src and line >= where.linedefined and line <= where.lastlinedefined,
    "raised elsewhere: " .. tostring(message))
  assert(text:find(expected, 1, true), "raised something else: " .. text)
end
