--- Makes a provider of an access token that the caller already has, or of a function for it.
-- @module pcapi.auth.static_token
local claims = require "pcapi.auth.claims"
local core = require "pcapi.core"

local M = {}

-- The tenant and the application of a token; of an opaque one its hash.
local function identity_of(token)
  local read = claims.read(token)
  if read.tenant_id then
    return ("tenant %s app %s"):format(read.tenant_id:lower(), (read.application_id or ""):lower())
  end
  return "token " .. core.base64url(core.sha256(token))
end

--- Makes a provider.
-- @tparam string|function token a function is called before every request; after a refusal its
-- argument is the refused token
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
