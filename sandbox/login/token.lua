--- Serves the token endpoint, which exchanges a grant for tokens.
local client = require "sandbox.login.client"
local errors = require "sandbox.login.errors"
local form = require "sandbox.login.form"
local grants = require "sandbox.login.grants"
local guid = require "sandbox.guid"
local json = require "sandbox.json"
local sealed = require "sandbox.login.sealed"
local target_of = require "sandbox.login.target"
local token = require "sandbox.token"

local ACR = { none = "0", secret = "1", assertion = "2" }

-- Adds the claims of the user, or of an application without one. `false` omits a claim.
local function add_user(claims, settings, target)
  if settings.app_only then
    claims.amr, claims.scp, claims.upn, claims.unique_name = false, false, false, false
    claims.roles, claims.idtyp = { "user_impersonation" }, "app"
  else
    claims.amr, claims.scp = settings.amr, target.permissions
  end
end

local function claims_for(call, target)
  local settings = call.settings
  local claims = {
    aud = target.resource, iat = call.now, nbf = call.now,
    exp = call.now + (settings.life or 3600), tid = guid.is(call.tenant) and call.tenant or nil,
    appid = call.parameters.client_id, appidacr = ACR[client.kind(call.parameters)],
    scenario = settings.scenario, skew = settings.skew,
  }
  add_user(claims, settings, target)
  return claims
end

local function identity_token(call)
  local claims = claims_for(call, { resource = call.parameters.client_id })
  claims.scp, claims.scenario = false, nil
  return token.mint(claims)
end

-- Adds the lifetime, in the format of the version or of the setting `expires`.
local function add_times(call, target, add)
  local life, spelling = call.settings.life or 3600, call.settings.expires
  spelling = spelling or (call.version == 1 and "string" or "number")
  if spelling ~= "none" then
    local function write(number)
      return spelling == "string" and ("%d"):format(number) or number
    end
    add("expires_in", write(life))
    add("ext_expires_in", write(life))
    if call.version == 1 then
      add("expires_on", write(call.now + life))
      add("not_before", write(call.now))
    end
  end
  if call.version == 1 then
    add("resource", target.resource)
  end
end

local function issue(call, grant, target)
  local fields = { "token_type", "Bearer", "scope", target.scope }
  local function add(name, value)
    fields[#fields + 1], fields[#fields + 2] = name, value
  end
  add_times(call, target, add)
  add("access_token", token.mint(claims_for(call, target)))
  local refreshes = grant.refreshes or target.offline_access
  if refreshes and call.settings.rotate ~= "0" then
    add("refresh_token", sealed.seal("refresh token", {
      client_id = call.parameters.client_id, scope = target.requested }))
  end
  if target.openid then
    add("id_token", identity_token(call))
  end
  errors.send(call, 200, json.object(fields, {}))
end

--- Responds to a request for tokens.
return function(call)
  if form.is_refused(call) or form.play(call) then
    return
  end
  local grant, code, how = grants.read(call)
  local target
  if grant then
    target, code, how = target_of.read(call, grant)
  end
  if not target then
    return errors.refuse(call, code, how)
  elseif not grants.use(grant) then
    return errors.refuse(call, grant.refreshes and 70000 or 54005)
  end
  issue(call, grant, target)
end
