--- Replaces the environment of this process, as `os.getenv` shows it, for one spec.
local M = {}

local real

--- Replaces it.
-- @tparam table variables name to value
function M.set(variables)
  real = real or os.getenv
  os.getenv = function(name) -- luacheck: ignore
    return variables[name]
  end
end

--- Restores the environment of the process.
function M.restore()
  os.getenv = real or os.getenv -- luacheck: ignore
  real = nil
end

return M
