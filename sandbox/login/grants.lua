--- Reads the grants that are exchanged for tokens: refresh token, authorization code, device code.
local ffi = require "ffi"
local base64 = require "ngx.base64"
local sealed = require "sandbox.login.sealed"

ffi.cdef "unsigned char *SHA256(const unsigned char *bytes, size_t length, unsigned char *digest);"

local M = {}

local function missing(name)
  return nil, 900144, { words = { name = name } }
end

-- A refresh token is bound to a client, not to a tenant or resource. Old ones stay valid, except
-- with `rotate=once`.
local function refresh_token(call)
  local text = call.parameters.refresh_token
  if not text then
    return missing "refresh_token"
  end
  local grant = sealed.open("refresh token", text)
  if not grant or grant.client_id ~= call.parameters.client_id then
    return nil, 70000
  end
  -- version 1 needs the resource in each request
  return { scope = grant.scope, refreshes = true, id = grant.id,
           is_good_again = call.settings.rotate ~= "once" }
end

local function challenge_of(verifier)
  local digest = ffi.new("unsigned char[32]")
  ffi.C.SHA256(verifier, #verifier, digest)
  return base64.encode_base64url(ffi.string(digest, 32))
end

local function fits(verifier, challenge)
  if not challenge or not verifier then
    return challenge == verifier
  end
  return #verifier >= 43 and #verifier <= 128 and challenge_of(verifier) == challenge
end

local function authorization_code(call)
  local parameters = call.parameters
  for _, name in ipairs { "code", "redirect_uri" } do
    if not parameters[name] then
      return missing(name)
    end
  end
  local grant = sealed.open("code", parameters.code)
  if not grant or grant.client_id ~= parameters.client_id then
    return nil, 70000
  elseif grant.expires <= ngx.time() then
    return nil, 70008
  elseif grant.redirect_uri ~= parameters.redirect_uri then
    return nil, 500112
  elseif not fits(parameters.code_verifier, grant.challenge) then
    return nil, 501481
  end
  return grant
end

-- Errors of a sign-in that is not approved, by the value of `device`.
local ENDS = {
  declined = { 65004, { error = "authorization_declined" } },
  denied = { 65004, { error = "access_denied" } },
  expired = { 70019 },
  bad = { 70018 },
}

local function device_code(call)
  local settings, parameters = call.settings, call.parameters
  local text = parameters.device_code or parameters.code -- `code` in version 1
  if not text then
    return missing "device_code"
  end
  local grant = sealed.open("device code", text)
  if not grant or grant.client_id ~= parameters.client_id then
    return nil, 70018
  elseif grant.expires <= ngx.time() then
    return nil, 70019
  end
  local poll, slow = sealed.count(grant), settings.slow_down or 0
  if poll <= slow then
    return nil, "slow_down" -- Entra has no AADSTS code for it
  elseif poll <= slow + (settings.pending or 1) then
    return nil, 70016
  elseif settings.device then
    return nil, ENDS[settings.device][1], ENDS[settings.device][2]
  end
  return grant
end

local GRANTS = {
  refresh_token = refresh_token,
  authorization_code = authorization_code,
  device_code = device_code,
  ["urn:ietf:params:oauth:grant-type:device_code"] = device_code,
}

--- Whether a grant type is supported.
function M.knows(grant_type)
  return GRANTS[grant_type] ~= nil
end

--- Reads and checks the grant in a request.
-- @treturn[1] table the grant: `scope` or `resource` of the first request, `refreshes`
-- @treturn[2] nil
-- @treturn[2] number|string AADSTS code, or an OAuth error that has none
-- @treturn[2] ?table details of the error response
function M.read(call)
  return GRANTS[call.parameters.grant_type](call)
end

--- Uses up a code, or a refresh token that is valid once.
-- @treturn boolean false if it was used before
function M.use(grant)
  return grant.is_good_again or sealed.use_up(grant)
end

return M
