--- A token that the caller has: a text, or a function that gives one.
-- @module pcapi.auth.given
local M = {}

--- Makes a provider.
-- @tparam string|function token a function is called before every request, and after
-- a refusal with the token that was refused
-- @treturn table a provider, see `pcapi.auth`
function M.new(token)
  local provider = {}
  if type(token) == "function" then
    function provider:token(refused) -- luacheck: ignore self
      return token(refused)
    end
  else
    function provider:token(refused) -- luacheck: ignore self
      if not refused then
        return token
      end
    end
  end
  return provider
end

return M
