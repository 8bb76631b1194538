--- Reads rockspecs.
local M = {}

--- The values that a rockspec sets.
-- @tparam string text
-- @treturn table
function M.load(text)
  local environment = {}
  local chunk
  if setfenv then -- Lua 5.1
    chunk = setfenv(assert(loadstring(text)), environment)
  else
    chunk = assert(load(text, "rockspec", "t", environment))
  end
  chunk()
  return environment
end

return M
