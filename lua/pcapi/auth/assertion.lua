--- Signs client assertions with a certificate (RFC 7523 §2.2), in the form that Entra accepts.
-- OpenSSL signs, in the core.
-- @module pcapi.auth.assertion
local core = require "pcapi.core"

local M = {}

--- The value of client_assertion_type (RFC 7523 §2.2).
M.TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

local LIFE = 300 -- seconds; Entra recommends 5 to 10 minutes at most
local BACKDATED = 60 -- seconds, as clocks may differ a little

--- Makes an assertion.
-- @tparam table key `certificate` and `key` (PEM texts), `passphrase` (string or nil),
-- `alg` ("PS256" or "RS256")
-- @tparam string client_id
-- @tparam string audience address of the token endpoint
-- @tparam number now UTC epoch seconds
-- @treturn[1] string a JWT
-- @treturn[2] nil
-- @treturn[2] string the problem of certificate or key
function M.make(key, client_id, audience, now)
  local certificate, why = core.certificate(key.certificate, key.key, key.passphrase)
  if not certificate then
    return nil, why
  elseif certificate.not_after < now then
    return nil, "the certificate expired on " .. os.date("!%Y-%m-%d", certificate.not_after)
  end
  now = math.floor(now) -- some readers reject fractions of a second
  local signed = core.base64url(core.encode {
    alg = key.alg, typ = "JWT", ["x5t#S256"] = core.base64url(certificate.sha256),
  }) .. "." .. core.base64url(core.encode {
    aud = audience, iss = client_id, sub = client_id, jti = core.uuid(),
    nbf = now - BACKDATED, iat = now - BACKDATED, exp = now + LIFE,
  })
  local signature
  signature, why = core.sign(key.alg, signed, key.key, key.passphrase)
  if not signature then
    return nil, why
  end
  return signed .. "." .. core.base64url(signature)
end

return M
