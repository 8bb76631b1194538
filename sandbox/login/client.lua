--- Checks the authentication of a client: none, a secret, or an assertion signed with the key of
-- its certificate. Everything in an assertion is checked except its signature.
local base64 = require "ngx.base64"
local cjson = require "cjson"

local M = {}

local JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
local LEEWAY = 300 -- seconds that a client's clock may be ahead, as Entra allows

--- Returns the kind of client authentication.
-- @treturn string none, secret or assertion
function M.kind(parameters)
  return parameters.client_assertion and "assertion" or parameters.client_secret and "secret"
    or "none"
end

local function decode_part(text)
  local ok, value = pcall(cjson.decode, base64.decode_base64url(text))
  return ok and type(value) == "table" and value or nil
end

local function read_assertion(text)
  local header, claims, signature = text:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  if signature then
    return decode_part(header), decode_part(claims)
  end
end

-- A SHA-256 digest in base64url has 43 characters without padding.
local function is_thumbprint(text)
  return type(text) == "string" and #text == 43 and not text:find("[^%w_-]")
end

-- Returns the error in an assertion, except for its times, or nil.
local function fault_of(call, header, claims)
  local client_id = call.parameters.client_id
  if not header or not claims then
    return "It is not a JWT of three parts."
  elseif call.parameters.client_assertion_type ~= JWT_BEARER then
    return "client_assertion_type must be " .. JWT_BEARER .. "."
  elseif header.alg ~= "PS256" and header.alg ~= "RS256" then
    return "The header's alg must be PS256 or RS256."
  elseif not is_thumbprint(header["x5t#S256"]) then
    return "The header's x5t#S256 must be the SHA-256 of the certificate in base64url."
  elseif claims.aud ~= call.url then
    return "aud must be " .. call.url .. "."
  elseif claims.iss ~= client_id or claims.sub ~= client_id then
    return "iss and sub must be the client_id."
  elseif type(claims.jti) ~= "string" or claims.jti == "" then
    return "jti is missing."
  elseif type(claims.exp) ~= "number" then
    return "exp must be a number."
  end
end

local function time(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%S.0000000Z", seconds)
end

local function refuse_assertion(call)
  local header, claims = read_assertion(call.parameters.client_assertion)
  local reason = fault_of(call, header, claims)
  if reason then
    return 700027, { words = { reason = reason } }
  end
  local from = tonumber(claims.nbf) or call.now
  if claims.exp <= call.now or from > call.now + LEEWAY then
    return 700024, { words = { range = "assertion valid from " .. time(from)
      .. ", expiry time of assertion " .. time(claims.exp) } }
  end
end

--- Checks the authentication of the client.
-- @treturn[1] nil it is valid
-- @treturn[2] number AADSTS code
-- @treturn[2] ?table details of the error response
function M.refuse(call)
  local kind = M.kind(call.parameters)
  local wanted = call.settings.secret
  if kind == "assertion" then
    return refuse_assertion(call)
  elseif wanted and kind == "none" then
    return 7000218
  elseif wanted and call.parameters.client_secret ~= wanted then
    return 7000215
  end
end

return M
