---@meta pcapi.auth.claims
-- Made by `make types` from lua/pcapi/auth/claims.lua; do not edit.

---Reads the claims of an access token, as advice only: the signature is not checked, Microsoft asks clients to treat tokens as opaque, and the service alone decides.
---@class pcapi.auth.claims
local pcapi_auth_claims = {}

---Reads the claims of an access token.
---@param token string|nil 
---@return table # `readable` (boolean), `subject` ("user", "app" or "unknown"), `mfa` ("yes", "no" or "unknown"), and where the token has them: `audience`, `tenant_id`, `object_id`, `user` (upn), `application_id`, `expires_at`, `not_before` and `issued_at` (UTC epoch seconds), `scopes` and `amr` (arrays)
function pcapi_auth_claims.read(token) end

return pcapi_auth_claims
