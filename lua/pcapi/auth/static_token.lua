--- A token that the caller has: a text, or a function that gives one.
-- @module pcapi.auth.static_token
local claims = require "pcapi.auth.claims"
local core = require "pcapi.core"

local M = {}

-- Tenant and application of a token; of one that tells none, what tells it from others.
local function identity_of(token)
  local read = claims.read(token)
  if read.tenant_id then
    return ("tenant %s app %s"):format(read.tenant_id:lower(), (read.application_id or ""):lower())
  end
  return "token " .. core.base64url(core.sha256(token))
end

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
    function provider:identity() -- luacheck: ignore self
      return identity_of(token)
    end
  end
  return provider
end

return M
